"""Gradient descent of the condition's error in the latent space: what the paper's introduction sets SGF against.

For each sample Adam (Kingma and Ba, 2015) descends, by automatic differentiation through C and G,

    sum over asked coordinates of the error against c1
    + held * (the same over held coordinates, against c0)
    + prior * mean over dimensions of ((z - z0) / sigma)^2

with sigma the spread of the generator's latents. The error of an attribute is the cross-entropy of its probability: a
squared one has no slope where a classifier is sure of the opposite. The error of a keypoint is its squared distance, in
units that make a tenth of a probability and a hundredth of the image's side weigh the same.
"""

from functools import cached_property

import torch
from torch import Tensor

from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import LoopEditor, StepState
from sgf_hub.errors import BadValueError
from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE, KEYPOINT_TOLERANCE
from sgf_hub.types import ConditionSpec, Generator, Predictor, Target
from sgf_hub.validation import bounded

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # Adam's, as published
_FLOOR = 1e-7  # under a probability's logarithm; what float32 can tell from 1
HELD, PRIOR, RATE = 0.1, 0.3, 0.2  # found by trying on the embedded zoo; the rate is in spreads of the latents


class LatentDescentEditor(LoopEditor):
    """Adam on the latent, every sample by itself.

    Args:
        generator: G, which must be differentiable.
        predictor: C, which must be differentiable.
        held: weight of what is neither asked nor released.
        prior: weight of the distance from the start.
        step_size: Adam's learning rate; by default a fifth of the latents' spread.
    """

    sweep = EditConfig.paper(max_steps=40, tolerance=0.0)

    def __init__(
        self,
        generator: Generator,
        predictor: Predictor,
        *,
        held: float = HELD,
        prior: float = PRIOR,
        step_size: float | None = None,
    ) -> None:
        if predictor.spec.caption:
            raise BadValueError("latent descent needs gradients, and a caption has none: use attributes or keypoints.")
        self.generator, self.predictor, self.held, self.prior = generator, predictor, held, prior
        if step_size is not None:
            self.step_size = bounded("step_size", step_size, 1e-6, 1e4)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> "_Descent":
        """The descent from z0."""
        weight = torch.where(target.asked, 1.0, self.held * ~target.released)
        pull = self.prior / self.spread.to(z0).square()
        return _Descent(self.predictor.spec, z0, target, weight, pull, self.step_size)

    @cached_property
    def spread(self) -> Tensor:
        """The standard deviation of the generator's latents, [D]."""
        return self.generator.sample(1000, seed=0).data.float().std(dim=0).clamp_min(1e-6)

    @cached_property
    def step_size(self) -> float:
        """Adam's learning rate."""
        return RATE * self.spread.mean().item()


class _Descent:
    """The moves, and Adam's moments of every sample."""

    def __init__(
        self, spec: ConditionSpec, z0: Tensor, target: Target, weight: Tensor, pull: Tensor, rate: float
    ) -> None:
        self.spec, self.z0, self.target, self.weight, self.pull, self.rate = spec, z0, target, weight, pull, rate
        self.mean, self.square = torch.zeros_like(z0), torch.zeros_like(z0)

    def __call__(self, state: StepState) -> Tensor:
        """One step of Adam."""
        with torch.enable_grad():
            z = state.z.detach().requires_grad_()
            error = self.error(state.read(z), self.target.c[state.rows])
            loss = (self.weight * error).sum() + (self.pull * (z - self.z0[state.rows]).square()).mean(dim=1).sum()
            gradient = torch.autograd.grad(loss, z)[0]  # samples do not meet: each gets its own
        first, second = _BETAS
        self.mean[state.rows] = first * self.mean[state.rows] + (1 - first) * gradient
        self.square[state.rows] = second * self.square[state.rows] + (1 - second) * gradient.square()
        mean, square = (
            self.mean[state.rows] / (1 - first**state.index),
            self.square[state.rows] / (1 - second**state.index),
        )
        return -self.rate * mean / (square.sqrt() + _EPSILON)

    def error(self, c: Tensor, wanted: Tensor) -> Tensor:
        """How far every coordinate is from what is wanted: two of [B, C] => [B, C]."""
        split = len(self.spec.attributes)
        p, q = ((x[:, :split] + 1) / 2 for x in (c, wanted))
        entropy = -(q * (p + _FLOOR).log() + (1 - q) * (1 - p + _FLOOR).log())
        off = (c[:, split:] - wanted[:, split:]) * (ATTRIBUTE_TOLERANCE / KEYPOINT_TOLERANCE)
        return torch.cat([entropy, off.square()], dim=1)
