"""A foreign checkpoint understood: what it is, and where each weight of our network is found in it.

Formats differ in names, in what they multiply a weight by when they run (our weights are the effective ones), and in
how a weight lies in memory. A `Piece` says these three things of one weight; everything that can go wrong is checked
here, once for all formats.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators.layers import draw_z
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.modulated import FIR
from sgf_hub.generators.stylegan.style_based import StyleBasedGenerator
from sgf_hub.hub.module import shapes_only
from sgf_hub.validation import short

MEAN_DRAWS = 10_000  # of z, for a mean w that a checkpoint lacks
MOST_LEVELS = 10  # 2048 px


class UnsupportedError(CorruptFileError):
    """A checkpoint of a known kind that cannot become one of our generators.

    Args:
        format: what it is.
        reason: why it is refused and what would be accepted, in one sentence.
    """

    def __init__(self, format: str, reason: str) -> None:
        super().__init__(reason)
        self.format = format


@dataclass(frozen=True)
class Piece:
    """Where one weight of ours is found.

    Args:
        key: its name in the checkpoint.
        gain: what it is multiplied by when the foreign network runs.
        shape: as it lies there, where that is not ours (sides of 1 apart, which every format sets as it likes).
        arrange: from that shape to ours.
    """

    key: str
    gain: float = 1.0
    shape: tuple[int, ...] | None = None
    arrange: Callable[[Tensor], Tensor] | None = None

    def makes(self, found: tuple[int, ...], ours: tuple[int, ...]) -> bool:
        """Whether a tensor of the shape that was found is arranged into one of ours; told from shapes alone."""
        if self.shape is None and self.arrange is None:
            return True  # the shapes themselves are compared
        try:
            made = torch.empty(found, device="meta").reshape(self.shape or ours)
            made = made if self.arrange is None else self.arrange(made)
        except (RuntimeError, IndexError):
            return False
        return [side for side in made.shape if side != 1] == [side for side in ours if side != 1]


@dataclass(frozen=True)
class Checkpoint:
    """A foreign checkpoint, as one of our networks.

    Args:
        name: of the file, for messages.
        format: what wrote it.
        kind: the class of ours that computes the same.
        config: its arguments.
        pieces: where each of its weights is found.
        tensors: the checkpoint's, by their names there; on the "meta" device where only shapes were read.
        spare: names in `tensors` that are of no use to us, and looked at elsewhere.
        notes: what a user should know.
        classes: how many a conditional network draws; 0 for a network without.

    Raises:
        CorruptFileError: if the sizes are out of bounds, or a tensor is missing, superfluous or misshapen.
    """

    name: str
    format: str
    kind: type[StyleBasedGenerator] | type[ProGAN]
    config: dict[str, Any]
    pieces: dict[str, Piece]
    tensors: dict[str, Tensor] = field(repr=False)
    spare: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    classes: int = 0

    def __post_init__(self) -> None:
        blank = self.blank().state_dict()
        lacking = blank.keys() - self.pieces.keys() - {"w_avg"}
        assert not lacking, lacking  # a format that forgets one of our weights is a bug of ours
        wanted = {piece.key: piece.shape or tuple(blank[key].shape) for key, piece in self.pieces.items()}
        found = {key: tuple(tensor.shape) for key, tensor in self.tensors.items() if key not in self.spare}
        problems = misfits(found, wanted)
        problems += [
            f"{piece.key} is {list(found[piece.key])}, which does not make {list(blank[key].shape)}"
            for key, piece in self.pieces.items()
            if piece.key in found and not piece.makes(found[piece.key], tuple(blank[key].shape))
        ]
        problems += [f"{key} holds {held.dtype}" for key, held in self.tensors.items() if not held.is_floating_point()]
        if problems:
            raise CorruptFileError(
                f"{self.name!r} does not fit {self.format}, {self.config['resolution']} px: {few(problems)}."
            )

    @property
    def grey(self) -> bool:
        """Whether it draws one channel, which becomes three equal colours."""
        last = next(piece for key, piece in self.pieces.items() if key.endswith("rgb.bias") or key == "rgb.0.bias")
        return self.tensors[last.key].numel() == 1

    def blank(self) -> StyleBasedGenerator | ProGAN:
        """Our network without memory."""
        try:
            with shapes_only():
                return self.kind(**self.config)
        except BadValueError as error:
            raise CorruptFileError(f"{self.name!r} ({self.format}) has sizes we cannot take: {error}") from None

    def generator(self) -> StyleBasedGenerator | ProGAN:
        """Our network with the checkpoint's weights, float32, in evaluation mode.

        Raises:
            BadValueError: if it draws several classes, and none was named.
            CorruptFileError: if a weight is not finite.
        """
        if self.classes and self.config["class_label"] is None:
            raise BadValueError(
                f"{self.name!r} draws {self.classes} classes: say which, class_label=0 to {self.classes - 1} "
                f"(--class-label)."
            )
        network = self.blank()
        network.saved_as = torch.float32  # rounding moves pictures by more than the 1e-4 that a conversion may
        weights = {}
        for key, value in network.state_dict().items():
            if key in self.pieces:
                weights[key] = self._weight(self.pieces[key], value.shape)
        if network.state_dict().keys() == weights.keys():
            network.load_state_dict(weights, strict=True, assign=True)
            return network.eval().requires_grad_(False)
        assert isinstance(network, StyleBasedGenerator)
        network.load_state_dict({**weights, "w_avg": torch.zeros(network.latent_dim)}, strict=True, assign=True)
        network.eval().requires_grad_(False)
        network.w_avg = mean_w(network)
        return network

    def _weight(self, piece: Piece, shape: torch.Size) -> Tensor:
        found = self.tensors[piece.key]
        if piece.arrange is not None:
            found = piece.arrange(found.reshape(piece.shape or found.shape))
        # a copy: what a file declares may share memory with other tensors of it
        weight = found.reshape(shape).to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        weight *= piece.gain
        if not torch.isfinite(weight).all():
            raise CorruptFileError(f"{self.name!r} holds values that are not finite, in {piece.key}.")
        return weight


@torch.no_grad()
def mean_w(generator: StyleBasedGenerator) -> Tensor:
    """The mean w of 10,000 seeded draws, [D]: for checkpoints that hold none."""
    z = draw_z(MEAN_DRAWS, generator.z_dim, seed=0)
    return torch.stack([generator.map(part).double().mean(dim=0) for part in z.chunk(10)]).mean(dim=0).float()


def check_square(name: str, const: Tensor, above: int) -> None:
    """Refuse a network whose first map [..., H, W], doubled `above` times, is no square picture."""
    if const.ndim > 1 and const.shape[-1] != const.shape[-2]:
        height, width = (side << above for side in const.shape[-2:])
        raise UnsupportedError(
            "a network of pictures that are not square",
            f"{name!r} draws pictures of {height} x {width} (height x width); square ones only are supported.",
        )


def grey(tensors: Mapping[str, Tensor], piece: Piece) -> Piece:
    """A last weight or bias of one channel, for three equal colours."""
    shape = tuple(tensors[piece.key].shape) if piece.key in tensors else piece.shape
    return replace(piece, shape=shape, arrange=lambda shade: shade.reshape(1, -1).expand(3, -1))


def named(value: Any) -> list[tuple[str, Any]]:
    """The items of a mapping whose keys are names; none where it is no mapping."""
    return [(key, one) for key, one in value.items() if isinstance(key, str)] if isinstance(value, Mapping) else []


def is_plain(value: Any) -> bool:
    """Whether it is a number, a string, a truth value or None."""
    return value is None or isinstance(value, (bool, int, float, str))


def tensors_of(value: Any) -> dict[str, Tensor]:
    """The tensors of a state dict, by name; none where it is no mapping."""
    return {key: tensor for key, tensor in named(value) if isinstance(tensor, Tensor)}


def side(name: str, tensors: Mapping[str, Tensor], key: str, axis: int, *, dims: int) -> int:
    """One side of the tensor called `key`, or a CorruptFileError where it is missing or has not so many dimensions."""
    if key not in tensors:
        raise CorruptFileError(f"{name!r} lacks {key}: it is truncated, or not a whole generator.")
    shape = tensors[key].shape
    if len(shape) != dims or 0 in shape:
        raise CorruptFileError(f"{name!r} holds {key} of shape {list(shape)}: {dims} dimensions are needed.")
    return shape[axis]


def highest(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """The highest number that follows `prefix` in a key, or -1; what is missing below it is told by its name."""
    find = re.compile(re.escape(prefix) + r"(\d{1,2})\.").match
    return max((int(found[1]) for found in map(find, tensors) if found), default=-1)


def equalized(fan_in: int, *, gain: float = 1.0) -> float:
    """The runtime gain of an equalised learning rate: gain / sqrt(fan-in)."""
    return gain / math.sqrt(fan_in)


def check_filter(name: str, format: str, tensors: Mapping[str, Tensor], key: str, *, gain: float) -> None:
    """Refuse a resampling filter other than StyleGAN2's, [1, 3, 3, 1] in both directions, summing to `gain`."""
    found, taps = tensors[key].squeeze(), torch.tensor(FIR)
    usual = torch.outer(taps, taps) * (gain / 64)
    same = found.shape == usual.shape and (found.is_meta or torch.allclose(found.float(), usual, atol=1e-3 * gain))
    if not same:
        raise UnsupportedError(
            format,
            f"{name!r} resamples with another filter ({key}, {list(found.shape)}): only StyleGAN2's own, "
            f"[1, 3, 3, 1], is supported.",
        )


Shapes = Mapping[str, tuple[int, ...]]


def misfits(found: Shapes, wanted: Shapes) -> list[str]:
    """What keeps weights of some shapes from being those that are wanted; sides of 1 do not count."""
    problems = [f"missing {key}" for key in wanted.keys() - found.keys()]
    problems += [f"unexpected {short(key)}" for key in found.keys() - wanted.keys()]
    problems += [
        f"{key} is {list(found[key])} where {list(wanted[key])} is needed"
        for key in wanted.keys() & found.keys()
        if [side for side in found[key] if side != 1] != [side for side in wanted[key] if side != 1]
    ]
    return sorted(problems)


def few(problems: list[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more
