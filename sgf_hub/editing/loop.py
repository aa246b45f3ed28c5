"""The loop that every method shares: `walk` moves a batch of latents until each sample meets its target.

A method brings its move and nothing else. Drawing, seeing, judging, stopping sample by sample, layers and W+ are here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sgf_hub.editing.trajectory import EditConfig, EditStep, StopReason, Wishes
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.types import Generator, Latent, Predictor, Target


@dataclass(frozen=True)
class Standing:
    """Where the samples that still move have come; b of the B samples do.

    Args:
        index: the step about to be taken, from 1.
        rows: their places in the batch, [b], or all of it as a slice.
        z: [b, D] (or [b, L, D] in a walk by layer).
        c: C of their pictures, [b, C].
        distance: to the target, [b].
        look: z' like z => C(G(z')), [b, C]; it can be differentiated.
    """

    index: int
    rows: Tensor | slice
    z: Tensor
    c: Tensor
    distance: Tensor
    look: Callable[[Tensor], Tensor]


_ALL = slice(None)
Move = Callable[[Standing], Tensor]  # delta_z, shaped as z


@torch.no_grad()
def walk(
    generator: Generator,
    predictor: Predictor,
    latent: Latent,
    target: Target | Wishes,
    config: EditConfig,
    begin: Callable[[Tensor, Tensor, Target], Move],
    *,
    by_layer: bool = False,
) -> Iterator[EditStep]:
    """Edit a batch of latents; each sample stops by itself.

    Args:
        generator: G.
        predictor: C.
        latent: in the generator's space, or "w+" where that is "w".
        target: a `Target`, or wishes such as {"smile": 1, "nose_tip": (0.5, 0.6)} or {"caption": "a red flower"}.
        config: when to stop, which layers to move; the rest is the method's.
        begin: z0, c0 and the target => the method's move; called once.
        by_layer: z has a row a layer where the space is "w", [B, L, D].

    Yields:
        The picture before (index 0), then one step after another; the last one has a reason for every sample.

    Raises:
        SpaceError: if the latent is in another space.
        BadValueError: if it has another dimension, or lacks the layers.
    """
    path = _Path(generator, latent, config.layers, by_layer)

    def draw(latent: Latent) -> Tensor:
        return generator.synthesize(latent, resolution=config.resolution)

    z = path.start
    here = path.at(z, _ALL)
    images = draw(here)
    c = predictor(images)
    if not isinstance(target, Target):
        target = predictor.target(c, **target)  # type: ignore[arg-type]
    if config.release_siblings:
        target = _without_siblings(predictor, c, target)
    if config.grounded and predictor.spec.caption:
        grounded: Target = predictor.ground(c, target)  # type: ignore[attr-defined]
        target = grounded
    move, judge = begin(z, c, target), _Judge(predictor, target, config, len(c), c.device)
    reasons: list[StopReason | None] = list(judge(c, 0).values())
    yield EditStep(0, here, images, c, target, judge.distance.clone(), tuple(reasons))
    index = 0
    while None in reasons:
        index += 1
        kept: Tensor | slice
        moving = [b for b, reason in enumerate(reasons) if reason is None]
        rows: Tensor | slice = _ALL if len(moving) == len(reasons) else torch.tensor(moving, device=z.device)

        def look(at: Tensor, rows: Tensor | slice = rows) -> Tensor:
            return predictor(draw(path.at(at, rows)))

        moved = z[rows] + move(Standing(index, rows, z[rows], c[rows], judge.distance[rows], look))
        finite = torch.isfinite(moved).flatten(1).all(dim=1)
        if not finite.all():  # such a sample ends here; its picture only has to be one that can be drawn
            moved = torch.where(torch.isfinite(moved), moved, z[rows])
        drawn = path.at(moved, rows)
        seen = draw(drawn)
        conditions = predictor(seen)
        finite &= torch.isfinite(conditions).all(dim=1)
        if rows is _ALL and finite.all():
            z, c, images, here, kept = moved, conditions, seen, drawn, _ALL
        else:
            active = rows if isinstance(rows, Tensor) else torch.arange(len(reasons), device=z.device)
            kept = active[finite]
            z, c, images = z.clone(), c.clone(), images.clone()
            z[kept], c[kept], images[kept] = moved[finite], conditions[finite], seen[finite]
            here = path.at(z, _ALL)
            for b in active[~finite].tolist():
                reasons[b] = StopReason.NOT_FINITE
        for b, reason in judge(c[kept], index, kept).items():
            reasons[b] = reason
        yield EditStep(index, here, images, c, target, judge.distance.clone(), tuple(reasons))


class _Path:
    """Where the edited coordinates z lie in the latent that the generator draws.

    A "w+" latent (and a "w" one edited in some layers only) is moved by what the W path moves: z runs from the mean of
    its layers, and every edited layer gets the same shift. By layer, z is the whole of it.
    """

    def __init__(self, generator: Generator, latent: Latent, layers: tuple[int, int] | None, by_layer: bool) -> None:
        space, size = generator.latent_space, generator.latent_dim
        if latent.space != space and not (space == "w" and latent.space == "w+"):
            hint = "call generator.to_w(latent)" if (latent.space, space) == ("z", "w") else f"give one in {space!r}"
            raise SpaceError(f"latent is in space {latent.space!r}, this editor moves {space!r}: {hint}.")
        if latent.data.shape[-1] != size:
            raise BadValueError(
                f"latent has {latent.data.shape[-1]} dimensions, this editor moves {size}: use a latent of its "
                f"generator."
            )
        if latent.space == "w" and (by_layer or layers is not None):
            latent = generator.to_w_plus(latent)  # type: ignore[attr-defined]
        self.plus: Tensor | None = None
        self.mask: Tensor | None = None
        self.space = latent.space
        data = latent.data.float()
        self.start = data
        if latent.space == "w+":
            count = data.shape[1]
            first, last = layers or (0, count)
            if not 0 <= first < last <= count:
                raise BadValueError(f"layers are {first} to {last}; this latent has layers 0 to {count}.")
            self.mask = torch.zeros(count, 1, device=data.device)
            self.mask[first:last] = 1
            self.plus = data
            if not by_layer:
                self.start = data.mean(dim=1)
        elif layers is not None:
            raise SpaceError("a range of layers is for latents in 'w' or 'w+'; this one is in 'z'.")

    def at(self, z: Tensor, rows: Tensor | slice) -> Latent:
        """The latent to draw for coordinates z of the samples `rows`."""
        if self.plus is None or self.mask is None:
            return Latent(z, self.space)
        shift = z - self.start[rows]
        return Latent(self.plus[rows] + (shift if shift.ndim == 3 else shift.unsqueeze(1)) * self.mask, self.space)


class _Judge:
    """Whether a sample has arrived, run out of steps, or stalled."""

    def __init__(
        self, predictor: Predictor, target: Target, config: EditConfig, size: int, device: torch.device
    ) -> None:
        self.predictor, self.target, self.config = predictor, target, config
        split = len(predictor.spec.attributes)
        whole = (target.c[:, :split][:, target.asked[:split]].abs() == 1).all(dim=1) & ~target.asked[split:].any()
        self.arrival = (torch.where(whole, config.certainty, 1.0) * config.tolerance).tolist()
        self.distance = torch.full((size,), float("inf"), device=device)
        self.best, self.idle = [float("inf")] * size, [0] * size

    def __call__(self, c: Tensor, index: int, rows: Tensor | slice = _ALL) -> dict[int, StopReason | None]:
        """Take note of where the samples `rows` have come, and say which of them stop."""
        config, target = self.config, self.target
        part = target if rows is _ALL else replace(target, c=target.c[rows])
        distance = self.predictor.distance(c, part)
        self.distance[rows] = distance
        places = rows.tolist() if isinstance(rows, Tensor) else range(len(c))
        arrival, reasons = self.arrival, {}
        for b, now in zip(places, distance.tolist(), strict=True):
            self.idle[b] = 0 if now < self.best[b] - 1e-3 else self.idle[b] + 1
            self.best[b] = min(self.best[b], now)
            result = self.best[b] if config.return_best else now
            reasons[b] = self._reason(index, now, arrival[b], self.idle[b], result)
        return reasons

    def _reason(self, index: int, distance: float, arrival: float, idle: int, result: float) -> StopReason | None:
        config = self.config
        if distance <= arrival > 0:
            return StopReason.TARGET_REACHED
        if index >= config.max_steps:
            short = StopReason.STEP_LIMIT
        elif config.patience is not None and idle >= config.patience:
            short = StopReason.STALLED
        else:
            return None
        return StopReason.TARGET_REACHED if result <= config.tolerance > 0 else short  # close, if not certain


def _without_siblings(predictor: Predictor, c0: Tensor, target: Target) -> Target:
    """The target with every attribute that excludes a raised one aimed at absent, and not asked for."""
    spec = predictor.spec
    c1 = target.c.clone()
    for name in spec.attributes:
        where = spec.index(name)
        if not bool(target.asked[where].all()):
            continue
        raised = (target.c[:, where] > c0[:, where]) & (target.c[:, where] > 0)  # B, 1
        for sibling in spec.siblings(name):
            other = spec.index(sibling)
            if not bool(target.asked[other].any()):
                c1[:, other] = torch.where(raised, torch.full_like(c1[:, other], -1.0), c1[:, other])
    return Target(c1, target.asked, target.released)
