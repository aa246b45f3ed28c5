"""InterFaceGAN (Shen et al., CVPR 2020) as an editor: straight on, along the normal of an attribute's boundary."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sgf_hub.baselines.boundaries import Boundaries
from sgf_hub.baselines.fitted import signs
from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import LoopEditor, Stepper
from sgf_hub.errors import UnknownNameError
from sgf_hub.types import Generator, Predictor, Target
from sgf_hub.validation import bounded, nearest

_SIGMAS = {False: 0.7, True: 1.0}  # a step, in standard deviations of the latents along the normals; conditional: True


class InterFaceGANEditor(LoopEditor):
    """Moves every sample by equal steps along a unit normal, up or down as the target asks.

    Args:
        generator: G.
        predictor: C; it judges where an edit has come, and steers nothing.
        boundaries: fitted on latents of G.
        conditions: attributes whose boundaries a move keeps its distance to ("conditional manipulation"); "all" holds
            whatever is neither asked, nor released, nor exclusive of what is asked.
        step_size: of z; by default .7 standard deviations of the latents along the normals, or 1 with conditions: what
            they leave of a normal changes less.

    Raises:
        SpaceError: if the boundaries are of another latent space than the generator's.
        UnknownNameError: if a condition has no boundary.
    """

    def __init__(
        self,
        generator: Generator,
        predictor: Predictor,
        boundaries: Boundaries,
        *,
        conditions: Sequence[str] | Literal["all"] = (),
        step_size: float | None = None,
    ) -> None:
        boundaries.check_generator(generator)
        for name in () if conditions == "all" else conditions:
            if name not in boundaries.attributes:
                raise UnknownNameError(f"no boundary for {name!r} is here{nearest(name, boundaries.attributes)}.")
        self.generator, self.predictor, self.boundaries, self.conditions = generator, predictor, boundaries, conditions
        if step_size is not None:
            self.step_size = bounded("step_size", step_size, 1e-6, 1e4)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """Along the normals, as far as each is asked for."""
        velocity = torch.zeros(len(c0), z0.shape[-1], device=z0.device)
        asked = self.boundaries.asked(self.predictor, target)
        for name, column in asked:
            direction = self.boundaries.normal(name, self._held(asked, target)).to(z0)
            velocity += signs(c0, target, column)[:, None] * direction
        return lambda state: self.step_size * velocity[state.rows]

    def _held(self, asked: list[tuple[str, int]], target: Target) -> list[str]:
        """The conditions of a move: those given, or all that the target holds."""
        if self.conditions == "all":
            return self.boundaries.kept(self.predictor, target)
        names = [name for name, _ in asked]
        return [name for name in self.conditions if name not in names]

    @cached_property
    def step_size(self) -> float:
        """How far a step goes along a unit normal."""
        spread = self.boundaries(self.generator.sample(1000, seed=0).data.float()).std(dim=0).mean().item()
        return _SIGMAS[bool(self.conditions)] * spread

    sweep = EditConfig.paper(max_steps=20, tolerance=0.0)  # to 14 standard deviations, or 20
