"""The words the whole project speaks: latents, conditions, targets, and the protocols of generator and predictor.

Legend of shapes, used in every docstring: B batch, D latent, C condition, A attributes, K keypoints, L layers, R side
of an image in pixels. Images are [B, 3, R, R] in [-1, 1]. Keypoints are [B, K, 2], (x, y), in [0, 1] of the image's
side. Attribute scores are 2 p - 1 in [-1, 1], p being the predicted probability.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError, UnknownNameError
from sgf_hub.validation import nearest, short

Space = Literal["z", "w", "w+", "s"]
"""Of latents: a generator's own is Z or W; W+ has one w a layer, S the styles that they make (StyleSpace)."""
Wish = float | Sequence[float] | str

_MAX_LATENT_FILE = 64 * 2**20  # bytes; a w+ latent of a 1024 px StyleGAN2 is 36 KB


@dataclass(frozen=True)
class Latent:
    """A batch of latent codes and the space they live in.

    Args:
        data: [B, D] for spaces "z" and "w", [B, L, D] for "w+", [B, S] for "s"; floating point and finite.
        space: "z", "w", "w+" or "s".

    Raises:
        SpaceError: if the space is unknown.
        BadValueError: if the shape does not fit the space, or a value is not finite.
    """

    data: Tensor
    space: Space

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise SpaceError(f"latent space {self.space!r} is unknown: use 'z', 'w', 'w+' or 's'.")
        dims = 3 if self.space == "w+" else 2
        if self.data.ndim != dims:
            shape = "[batch, layers, dimension]" if dims == 3 else "[batch, dimension]"
            raise BadValueError(f"a latent in {self.space!r} has shape {shape}, not {list(self.data.shape)}.")
        if not self.data.is_floating_point() or not torch.isfinite(self.data).all():
            raise BadValueError("a latent holds finite floating-point numbers; this one does not.")

    def __len__(self) -> int:
        return self.data.shape[0]

    def __getitem__(self, index: int | slice) -> "Latent":
        """The sample (still as a batch) or samples at `index`."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"sample {index} of {len(self)}")  # what ends `for sample in latent`
            index = slice(index, index + 1 or None)
        return Latent(self.data[index], self.space)

    def save(self, path: str | Path, *, generator: str = "") -> None:
        """Write a safetensors file that `load` reads; `generator` names whose latent it is."""
        metadata = {"format": "sgf-latent-1", "space": self.space, "generator": generator}
        save_file({"latent": self.data.detach().cpu().contiguous()}, str(path), metadata=metadata)

    @classmethod
    def load(cls, path: str | Path) -> "Latent":
        """Read a latent from a safetensors file written by `save`; `sgf_hub.read_latent` reads those of other tools.

        Raises:
            CorruptFileError: if the file is missing, too large, damaged, or does not say that it is a latent.
        """
        path = Path(path)
        if not path.is_file():
            raise CorruptFileError(f"there is no latent file at {path}: give a .safetensors file saved by sgf-hub.")
        if path.stat().st_size > _MAX_LATENT_FILE:
            raise CorruptFileError(f"{path.name} is larger than any latent file ({_MAX_LATENT_FILE >> 20} MB).")
        try:
            with safe_open(str(path), framework="pt") as file:
                metadata = file.metadata() or {}
                if list(file.keys()) != ["latent"] or "space" not in metadata:
                    held = short(", ".join(file.keys()))[1:-1]
                    raise CorruptFileError(
                        f"{path.name} holds {held}{'' if 'space' in metadata else ' and does not say in which space'}; "
                        "sgf-hub saves a 'latent' and its space, and sgf_hub.read_latent(path, generator) reads others."
                    )
                data = file.get_tensor("latent")
        except (SafetensorError, OSError, ValueError) as error:
            raise CorruptFileError(
                f"{path.name} cannot be read as safetensors ({error}): it is damaged or foreign; save the latent again."
            ) from None
        # a copy: the tensor is the file itself, mapped into memory, and the file may be written again
        data = data.to(torch.float32, copy=True) if data.is_floating_point() else data
        return cls(data, metadata["space"])  # type: ignore[arg-type]


@dataclass(frozen=True)
class ConditionSpec:
    """What the coordinates of a condition c mean: attribute scores, then keypoints as x, y, x, y, ...; or a caption.

    Args:
        attributes: names of the A attribute scores.
        keypoints: names of the K keypoints.
        groups: sets of attributes of which at most one holds (hair colours).
        caption: how many components of a caption's embedding c holds; nothing else is in c then.

    Raises:
        BadValueError: for a caption beside attributes or keypoints.
    """

    attributes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    caption: int = 0

    def __post_init__(self) -> None:
        if self.caption and (self.attributes or self.keypoints or self.groups):
            raise BadValueError("a caption cannot be joined with attributes or keypoints: use it alone.")

    @property
    def kind(self) -> str:
        """ "attributes", "keypoints", "joint", or "caption"."""
        if self.caption:
            return "caption"
        if self.attributes and self.keypoints:
            return "joint"
        return "keypoints" if self.keypoints else "attributes"

    @property
    def dimension(self) -> int:
        """C = A + 2 K, or the number of a caption's components."""
        return len(self.attributes) + 2 * len(self.keypoints) + self.caption

    @property
    def names(self) -> tuple[str, ...]:
        """One name a coordinate: "smile", ..., "nose_tip.x", "nose_tip.y", ...; or "caption.0", "caption.1", ..."""
        points = tuple(f"{name}.{axis}" for name in self.keypoints for axis in "xy")
        return self.attributes + points + tuple(f"caption.{i}" for i in range(self.caption))

    def scores(self, c: Tensor) -> Tensor:
        """The attribute scores of c: [B, C] => [B, A]."""
        return c[:, : len(self.attributes)]

    def points(self, c: Tensor) -> Tensor:
        """The keypoints of c: [B, C] => [B, K, 2]."""
        points = c[:, len(self.attributes) : self.dimension - self.caption]
        return points.unflatten(1, (len(self.keypoints), 2))

    def index(self, name: str) -> slice:
        """The coordinates that belong to an attribute (one), a keypoint (two) or the "caption" (all).

        Raises:
            UnknownNameError: with the nearest names, if nothing here is called so.
        """
        if self.caption and name == "caption":
            return slice(0, self.caption)
        if name in self.attributes:
            start = self.attributes.index(name)
            return slice(start, start + 1)
        if name in self.keypoints:
            start = len(self.attributes) + 2 * self.keypoints.index(name)
            return slice(start, start + 2)
        known = self.attributes + self.keypoints + ("caption",) * bool(self.caption)
        raise UnknownNameError(f"{short(name)} is unknown here{nearest(name, known)}. Known: {', '.join(known)}.")

    def siblings(self, name: str) -> tuple[str, ...]:
        """The attributes that cannot hold together with `name`."""
        return tuple({other: None for group in self.groups if name in group for other in group if other != name})

    def others(self, asked: Iterable[str]) -> tuple[str, ...]:
        """The attributes that an edit of `asked` should leave as they are: not those that exclude one of it."""
        names = tuple(asked)
        free = set(names).union(*map(self.siblings, names))
        return tuple(name for name in self.attributes if name not in free)


@dataclass(frozen=True)
class Target:
    """Where an edit should arrive, and which coordinates of it were asked for.

    Args:
        c: c1, [B, C].
        asked: [C], true where the user asked for a value; the distance to the target is measured there.
        released: [C], true where the value may go where it likes (neither asked nor held).
    """

    c: Tensor
    asked: Tensor
    released: Tensor


def aim(spec: ConditionSpec, c0: Tensor, wishes: Mapping[str, Wish], *, release: Iterable[str] = ()) -> Target:
    """Turn wishes into a target condition: asked coordinates take their value, all others keep c0's.

    Args:
        spec: the meaning of the coordinates.
        c0: the present condition, [B, C].
        wishes: attribute name to probability in [0, 1] (1 present, 0 absent), keypoint name to (x, y) in [0, 1].
            What a caption becomes in c its predictor alone knows: see `CaptionPredictor.target`.
        release: names of attributes or keypoints that need not be held.

    Raises:
        UnknownNameError: for a name that `spec` lacks.
        BadValueError: for a value that is out of range, not finite, or of the wrong length; for no wish at all; or
            where c is a caption.
    """
    if not wishes:
        raise BadValueError("no wish was given: name at least one attribute or keypoint to change.")
    if spec.caption:
        raise BadValueError("what a caption becomes in c its predictor knows: call predictor.target(c0, caption=...).")
    c1 = c0.clone()
    asked = torch.zeros(spec.dimension, dtype=torch.bool, device=c0.device)
    released = torch.zeros_like(asked)
    for name, wish in wishes.items():
        where = spec.index(name)
        value = torch.as_tensor(_numbers(name, wish), dtype=c0.dtype, device=c0.device)
        is_attribute = name in spec.attributes
        if len(value) != where.stop - where.start:
            wanted = "one number in [0, 1]" if is_attribute else "two numbers x, y in [0, 1]"
            raise BadValueError(f"{name!r} takes {wanted}, not {short(wish)}.")
        if not torch.isfinite(value).all() or (value < 0).any() or (value > 1).any():
            raise BadValueError(f"{name!r} takes values in [0, 1], not {short(wish)}.")
        c1[:, where] = 2 * value - 1 if is_attribute else value
        asked[where] = True
    for name in release:
        released[spec.index(name)] = True
    released &= ~asked
    return Target(c1, asked, released)


def _numbers(name: str, wish: Wish) -> list[float]:
    try:
        return [float(wish)] if isinstance(wish, (int, float, str)) else [float(number) for number in wish]
    except (TypeError, ValueError, OverflowError):
        raise BadValueError(f"{name!r} takes numbers in [0, 1], not {short(wish)}.") from None


@runtime_checkable
class Generator(Protocol):
    """G: latent to image, deterministic for a given latent."""

    latent_space: Space
    latent_dim: int
    resolution: int

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        """n latents in `latent_space`, the i-th depending on the seed and i alone."""
        ...

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1]; R is `resolution`, or the generator's own."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """C: image to condition, and what "close" means for that condition."""

    spec: ConditionSpec

    def __call__(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => c: [B, C]."""
        ...

    def target(self, c0: Tensor, /, *, release: Iterable[str] = (), **wishes: Wish) -> Target:
        """The target condition for wishes such as `smile=1`, `nose_tip=(0.5, 0.6)` or `caption="a red flower"`."""
        ...

    def distance(self, c: Tensor, target: Target) -> Tensor:
        """How far c is from the target, [B], in units of the tolerance: at most 1 is close."""
        ...
