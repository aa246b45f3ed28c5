"""Algorithm 1 as an iterator of steps: `SGFEditor`.

The paper's stepping is the default (`EditConfig()`): fixed delta_c, step size 0.2, first-order series.
"""

from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.field import SurrogateGradientField
from sgf_hub.generators import load_generator
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import load_predictor
from sgf_hub.trajectory import EditConfig, Editor, EditStep, StopReason, Trajectory, Wishes, edit
from sgf_hub.types import Generator, Latent, Predictor, Target

__all__ = ["EditConfig", "EditStep", "Editor", "SGFEditor", "StopReason", "Trajectory", "Wishes", "edit"]


class SGFEditor:
    """Algorithm 1: follow the surrogate gradient field of F from z0 until C(G(z)) is close to c1.

    Args:
        mapping: F.
        generator: G, whose latents F maps.
        predictor: C, which F was trained with.

    Raises:
        SpaceError: if F and G disagree on the latent space or its dimension.
        BadValueError: if F and C disagree on the meaning of c.
    """

    def __init__(self, mapping: SGFMapping, generator: Generator, predictor: Predictor) -> None:
        if (mapping.latent_space, mapping.latent_dim) != (generator.latent_space, generator.latent_dim):
            raise SpaceError(
                f"the mapping edits {mapping.latent_space!r} of {mapping.latent_dim} dimensions, the generator has "
                f"{generator.latent_space!r} of {generator.latent_dim}: use the generator it was trained with, "
                f"{mapping.generator_name}."
            )
        if mapping.spec.names != predictor.spec.names:
            raise BadValueError(
                f"the mapping was trained with other conditions than this predictor's: use "
                f"{', '.join(mapping.predictor_names)}."
            )
        self.mapping, self.generator, self.predictor = mapping, generator, predictor

    @classmethod
    def from_pretrained(cls, name: str, *, revision: str | None = None) -> Self:
        """Compose a mapping with the generator and the predictor that its config names.

        Args:
            name: a folder, an entry of the embedded zoo, or a Hub id.
            revision: of the mapping's Hub repo.
        """
        mapping = SGFMapping.from_pretrained(name, revision=revision)
        return cls(mapping, load_generator(mapping.generator_name), load_predictor(mapping.predictor_names))

    def edit(self, latent: Latent, target: Target | Wishes, config: EditConfig | None = None) -> Trajectory:
        """Drain `steps`."""
        return edit(self, latent, target, config)

    @torch.no_grad()
    def steps(self, latent: Latent, target: Target | Wishes, config: EditConfig | None = None) -> Iterator[EditStep]:
        """Edit a batch of latents; each sample stops by itself.

        Args:
            latent: in the mapping's space, or "w+" for a mapping in "w".
            target: a `Target`, or wishes such as {"smile": 1, "nose_tip": (0.5, 0.6)}.
            config: how to step; the paper's way by default.

        Yields:
            The picture before (index 0), then one step after another; the last one has a reason for every sample.

        Raises:
            SpaceError: if the latent is in another space.
        """
        config = config or EditConfig()
        path = _Path(self.mapping, self.generator, latent, config.layers)
        see = self.predictor
        field_ = SurrogateGradientField(self.mapping, order=config.order, damping=config.damping, guard=config.guard)
        z = path.start
        images = self.generator.synthesize(path.at(z, slice(None)))
        c = see(images)
        if not isinstance(target, Target):
            target = see.target(c, **target)  # type: ignore[arg-type]
        if config.release_siblings:
            target = _without_siblings(see, c, target)
        course = _Course(see, c, target, config)
        reasons: list[StopReason | None] = list(course.judge(z, c, 0))
        yield EditStep(0, path.at(z, slice(None)), images, c, target, course.distance.clone(), tuple(reasons))
        index = 0
        while None in reasons:
            index += 1
            active = torch.tensor([b for b, reason in enumerate(reasons) if reason is None], device=z.device)
            delta_c = course.delta_c(c[active], active)
            delta_z = field_(z[active], c[active], delta_c)
            moved = z[active] + delta_z
            seen = self.generator.synthesize(path.at(moved, active))
            conditions = see(seen)
            if config.integrator == "heun":
                delta_z = (delta_z + field_(moved, conditions, delta_c)) / 2
                moved = z[active] + delta_z
                seen = self.generator.synthesize(path.at(moved, active))
                conditions = see(seen)
            finite = torch.isfinite(moved).all(dim=1) & torch.isfinite(conditions).all(dim=1)
            z, c, images = z.clone(), c.clone(), images.clone()
            kept = active[finite]
            z[kept], c[kept], images[kept] = moved[finite], conditions[finite], seen[finite]
            for b, reason in zip(kept.tolist(), course.judge(z[kept], c[kept], index, kept), strict=True):
                reasons[b] = reason
            for b in active[~finite].tolist():
                reasons[b] = StopReason.NOT_FINITE
            yield EditStep(index, path.at(z, slice(None)), images, c, target, course.distance.clone(), tuple(reasons))


class _Path:
    """Where the edited coordinates z lie in the latent that the generator draws.

    A "w+" latent (and a "w" one edited in some layers only) is moved by what the W path moves: z runs from the mean of
    its layers, and every edited layer gets the same shift.
    """

    def __init__(
        self, mapping: SGFMapping, generator: Generator, latent: Latent, layers: tuple[int, int] | None
    ) -> None:
        space = mapping.latent_space
        if latent.space != space and not (space == "w" and latent.space == "w+"):
            hint = "call generator.to_w(latent)" if (latent.space, space) == ("z", "w") else f"give one in {space!r}"
            raise SpaceError(f"latent is in space {latent.space!r}, this mapping was trained on {space!r}: {hint}.")
        if latent.data.shape[-1] != mapping.latent_dim:
            raise BadValueError(
                f"latent has {latent.data.shape[-1]} dimensions, this mapping was trained on {mapping.latent_dim}: "
                f"use a latent of {mapping.generator_name}."
            )
        if layers is not None and latent.space == "w":
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
            self.plus, self.start = data, data.mean(dim=1)
        elif layers is not None:
            raise SpaceError("a range of layers is for latents in 'w' or 'w+'; this one is in 'z'.")

    def at(self, z: Tensor, rows: Tensor | slice) -> Latent:
        """The latent to draw for coordinates z of the samples `rows`."""
        if not torch.isfinite(z).all():  # the sample is dropped by the caller; the picture only has to be drawable
            z = torch.where(torch.isfinite(z), z, self.start[rows])
        if self.plus is None or self.mask is None:
            return Latent(z, self.space)
        return Latent(self.plus[rows] + (z - self.start[rows]).unsqueeze(1) * self.mask, self.space)


class _Course:
    """delta_c of every sample, and whether it has arrived: the state that the stepping rules keep."""

    def __init__(self, predictor: Predictor, c0: Tensor, target: Target, config: EditConfig) -> None:
        self.predictor, self.target, self.config = predictor, target, config
        self.whole = (target.c - c0) * ~target.released  # c1 - c0
        attributes = torch.zeros(c0.shape[1], dtype=torch.bool, device=c0.device)
        attributes[: len(predictor.spec.attributes)] = True
        self.driven = target.asked & attributes
        self.drive = torch.full((len(c0), 1), config.step_size, device=c0.device)
        self.distance = torch.full((len(c0),), float("inf"), device=c0.device)
        self.best = self.distance.clone()
        self.idle = torch.zeros(len(c0), dtype=torch.long, device=c0.device)

    def delta_c(self, c: Tensor, rows: Tensor) -> Tensor:
        """delta_c of the samples `rows`, which are at c."""
        config = self.config
        if config.stepping == "fixed":
            return config.step_size * self.whole[rows]
        towards = (self.target.c[rows] - c) * ~self.target.released
        if config.stepping == "reaim":
            return config.step_size * towards
        # asked keypoints take half of what is missing at every step, whatever the drive: they need no push
        rate = torch.where(self.target.asked, 0.5, config.hold_rate)
        return torch.where(self.driven, self.drive[rows] * self.whole[rows], rate * towards)

    def judge(self, z: Tensor, c: Tensor, index: int, rows: Tensor | slice = slice(None)) -> list[StopReason | None]:
        """Take note of where the samples `rows` have come, and say which of them stop."""
        config = self.config
        part = Target(self.target.c[rows], self.target.asked, self.target.released)
        distance = self.predictor.distance(c, part)
        gain = self.distance[rows] - distance
        grown = (self.drive[rows] * config.drive_growth).clamp_max(config.drive_limit)
        if index > 0:
            self.drive[rows] = torch.where((gain < config.stall_gain).unsqueeze(1), grown, self.drive[rows])
        better = distance < self.best[rows] - 1e-3
        self.idle[rows] = torch.where(better, 0, self.idle[rows] + 1)
        self.best[rows] = torch.minimum(self.best[rows], distance)
        self.distance[rows] = distance
        reasons: list[StopReason | None] = []
        for d, idle in zip(distance.tolist(), self.idle[rows].tolist(), strict=True):
            if d <= config.tolerance:
                reasons.append(StopReason.TARGET_REACHED)
            elif index >= config.max_steps:
                reasons.append(StopReason.STEP_LIMIT)
            elif config.patience is not None and idle >= config.patience:
                reasons.append(StopReason.STALLED)
            else:
                reasons.append(None)
        return reasons


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
