"""Algorithm 1 as an iterator of steps: `SGFEditor`. The loop is `walk`'s, what moves is here.

The paper's stepping is the default (`EditConfig()`): fixed delta_c, step size 0.2, first-order series.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.editing.loop import Standing, walk
from sgf_hub.editing.trajectory import EditConfig, Editor, EditStep, StopReason, Trajectory, Wishes, edit
from sgf_hub.errors import BadValueError, SpaceError, UnknownNameError
from sgf_hub.field import SurrogateGradientField
from sgf_hub.generators import load_generator
from sgf_hub.hub.names import beside, locate
from sgf_hub.hub.user_code import is_code
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import load_predictor
from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE
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
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        generator: Generator | None = None,
        predictor: Predictor | None = None,
    ) -> Self:
        """Compose a mapping with the generator and the predictor that its config names.

        Args:
            name: a folder, an entry of the embedded zoo, or a Hub id.
            revision: of the mapping's Hub repo.
            generator: one that is loaded, in place of the named one; your own, if it is no repo.
            predictor: likewise.
        """
        mapping = SGFMapping.from_pretrained(name, revision=revision)
        folder = locate(name, revision=revision)

        def near(part: str) -> str:  # a folder that `sgf-hub fit` wrote beside the mapping's
            if is_code(part):
                raise UnknownNameError(
                    f"{name!r} was fitted to its maker's own code, {part}: give the generator and the predictor, "
                    "--generator and --predictor, or generator= and predictor= in Python."
                )
            return str(beside(folder, part) or part)

        return cls(
            mapping,
            load_generator(near(mapping.generator_name)) if generator is None else generator,
            load_predictor([near(part) for part in mapping.predictor_names]) if predictor is None else predictor,
        )

    def edit(self, latent: Latent, target: Target | Wishes, config: EditConfig | None = None) -> Trajectory:
        """Drain `steps`."""
        return edit(self, latent, target, config)

    def steps(self, latent: Latent, target: Target | Wishes, config: EditConfig | None = None) -> Iterator[EditStep]:
        """Edit a batch of latents; each sample stops by itself.

        Args:
            latent: in the mapping's space, or "w+" for a mapping in "w".
            target: a `Target`, or wishes such as {"smile": 1, "nose_tip": (0.5, 0.6)} or {"caption": "a red flower"}.
            config: how to step; the paper's way by default.

        Yields:
            The picture before (index 0), then one step after another; the last one has a reason for every sample.

        Raises:
            SpaceError: if the latent is in another space.
        """
        config = config or EditConfig()
        field = SurrogateGradientField(self.mapping, order=config.order, damping=config.damping, guard=config.guard)

        def begin(z0: Tensor, c0: Tensor, target: Target) -> _Course:
            return _Course(field, self.predictor, c0, target, config)

        yield from walk(self.generator, self.predictor, latent, target, config, begin)


class _Course:
    """delta_z along H for every sample, and the drive that the stepping rules keep."""

    def __init__(
        self, field: SurrogateGradientField, predictor: Predictor, c0: Tensor, target: Target, config: EditConfig
    ) -> None:
        self.field, self.target, self.config = field, target, config
        self.whole = (target.c - c0) * ~target.released  # c1 - c0
        attributes = torch.zeros(c0.shape[1], dtype=torch.bool, device=c0.device)
        attributes[: len(predictor.spec.attributes)] = True
        self.driven = target.asked & attributes
        self.far = config.stepping == "drive" and bool(predictor.spec.caption)
        self.drive = torch.full_like(c0, config.step_size)
        certainty = torch.where(target.c.abs() == 1, config.certainty, 1.0)
        self.close = 2 * ATTRIBUTE_TOLERANCE * config.tolerance * certainty  # a score is 2 p - 1
        edge = (1 - 0.8 * self.close).clamp_min(0)  # a little further than where an edit has arrived
        self.goal = _log_odds(target.c.clamp(-edge, edge))
        self.before = _log_odds(c0)  # at the step before

    def __call__(self, at: Standing) -> Tensor:
        """delta_z: lines 5 to 10 of Algorithm 1, or two of them: Heun's average, or halves."""
        if self.far:
            return self._secant(at)
        delta_c = self.delta_c(at)
        if self.config.integrator == "halves":  # between them, c is taken to move as asked: Eq. 3
            half = self.field(at.z, at.c, delta_c / 2)
            return half + self.field(at.z + half, at.c + delta_c / 2, delta_c / 2)
        delta_z = self.field(at.z, at.c, delta_c)
        if self.config.integrator == "euler":
            return delta_z
        moved = at.z + delta_z
        return (delta_z + self.field(moved, at.look(moved), delta_c)) / 2

    def _secant(self, at: Standing) -> Tensor:
        """F(z, c1) - F(z, c), the field summed along the whole way of c, at order 0 (ours).

        Captions are far from each other, and nothing lies between them: followed along dF/dc, a caption leaves the
        range that F was trained on within a few steps; F itself never does.
        """
        mapping, c1 = self.field.mapping, self.target.c[at.rows]
        return mapping(at.z, c1) - mapping(at.z, at.c)

    def delta_c(self, at: Standing) -> Tensor:
        """delta_c of the samples that move."""
        config, rows = self.config, at.rows
        if config.stepping == "fixed":
            return config.step_size * self.whole[rows]
        towards = (self.target.c[rows] - at.c) * ~self.target.released
        if config.stepping == "reaim":
            return config.step_size * towards
        if at.index > 1:
            self._adapt(at)
        self.before[rows] = _log_odds(at.c)
        # asked keypoints take most of what is missing at every step, whatever the drive: they need no push
        rate = torch.where(self.target.asked, 0.8, config.hold_rate)
        driven = self.driven & (towards.abs() > self.close[rows])
        return torch.where(driven, self.drive[rows] * self.whole[rows], rate * towards)

    def _adapt(self, at: Standing) -> None:
        """The drive that brings what is missing, in log-odds, if it does as much as the last step's did (a secant).

        It grows or shrinks by `drive_growth` at most; a step that gained nothing lets it grow, and one that went too
        far turns it round.
        """
        rows, growth = at.rows, self.config.drive_growth
        way, last = self.whole[rows].sign(), self.drive[rows]
        now = _log_odds(at.c)
        missing, gained = (self.goal[rows] - now) * way, (now - self.before[rows]) * way * last.sign()
        wanted = torch.where(gained > 0, missing.abs() * last.abs() / gained, torch.inf)
        size = wanted.clamp(last.abs() / growth, last.abs() * growth).clamp_max(self.config.drive_limit)
        self.drive[rows] = torch.where(missing < 0, -size, size)


def _log_odds(score: Tensor) -> Tensor:
    """log p / (1 - p) of a score 2 p - 1: a classifier's output is straighter there than its probability."""
    return 2 * score.clamp(-1 + 1e-6, 1 - 1e-6).atanh()
