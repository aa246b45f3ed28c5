"""How SGF steps: one class a rule, each with the options that it reads and no other.

`Fixed()` is the paper's (Algorithm 1): a constant delta_c, Euler's method, the first-order series. The others are ours.
A rule says what delta_c is; how the field becomes a step of z (`FieldRule.integrator`) it does not know.
"""

from collections.abc import Callable
from collections.abc import Generator as Asking
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import Stepper, StepState
from sgf_hub.editing.together import Call, Stage
from sgf_hub.errors import BadValueError
from sgf_hub.field import SurrogateGradientField, check_order
from sgf_hub.mapping import WIDE, SGFMapping
from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE
from sgf_hub.types import ConditionSpec, Target
from sgf_hub.validation import bounded

MOST = 64  # samples that one evaluation of the field is shared by
Integrator = Literal["euler", "heun", "half steps"]
DeltaC = Callable[[StepState], Tensor]
"""Where the samples are => delta_c, [b, C]."""


@dataclass(frozen=True)
class EditContext:
    """What a rule knows when an edit begins.

    Args:
        mapping: F.
        spec: the meaning of c.
        c0: C of the pictures before, [B, C].
        target: where they go.
        config: when the edit stops.
    """

    mapping: SGFMapping
    spec: ConditionSpec
    c0: Tensor
    target: Target
    config: EditConfig

    @property
    def way(self) -> Tensor:
        """c1 - c0, without what is released: [B, C]."""
        return (self.target.c - self.c0) * ~self.target.released


class SteppingRule(Protocol):
    """How every step of an edit is found."""

    def begin(self, edit: EditContext) -> Stepper:
        """The stepper of one edit, with what it remembers between steps."""
        ...


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """A rule that follows the field H(z) (Eq. 6) along its delta_c.

    Args:
        step_size: lambda.
        order: m of the Neumann series; None solves exactly (ours).
        integrator: "euler" (the paper's: one evaluation of the field a step); "heun" (ours: averages the field at both
            ends of a step, which costs a picture more; of second order where delta_c is fixed); "half steps" (ours: two
            of them, which costs none).
        guard: leave out terms of the series that do not shrink (ours).
        damping: of the exact solve (ours).

    Raises:
        BadValueError: if a value is out of its range.
    """

    step_size: float = 0.2
    order: int | None = 1
    integrator: Integrator = "euler"
    guard: bool = False
    damping: float = 0.0

    def __post_init__(self) -> None:
        bounded("step_size", self.step_size, 1e-6, 100.0)
        bounded("damping", self.damping, 0.0, 1e6)
        check_order(self.order)
        if self.integrator not in get_args(Integrator):
            known = " or ".join(map(repr, get_args(Integrator)))
            raise BadValueError(f"integrator is {self.integrator!r}; choose {known}.")

    def begin(self, edit: EditContext) -> Stepper:
        """Integrate the field along this rule's delta_c."""
        field = SurrogateGradientField(edit.mapping, order=self.order, damping=self.damping, guard=self.guard)
        delta_c = self.delta_c(edit)

        together = self.order is not None and _narrow(edit.mapping)
        kind = ("field", id(edit.mapping), self.order, self.guard) if together else None

        def evaluate(z: Tensor, c: Tensor, change: Tensor) -> Call:
            return Call(Stage.MOVE, field, (z, c, change), kind, MOST)

        def euler(state: StepState) -> Asking[Call, Any, Tensor]:
            return (yield evaluate(state.z, state.c, delta_c(state)))  # lines 5 to 10 of Algorithm 1

        def heun(state: StepState) -> Asking[Call, Any, Tensor]:
            change = delta_c(state)
            delta_z = yield evaluate(state.z, state.c, change)
            moved = state.z + delta_z
            return (delta_z + (yield evaluate(moved, state.read(moved), change))) / 2

        def half_steps(state: StepState) -> Asking[Call, Any, Tensor]:
            change = delta_c(state)
            half = yield evaluate(state.z, state.c, change / 2)
            # between the two, c is taken to move as asked: Eq. 3
            return half + (yield evaluate(state.z + half, state.c + change / 2, change / 2))

        return {"euler": euler, "heun": heun, "half steps": half_steps}[self.integrator]

    def delta_c(self, edit: EditContext) -> DeltaC:
        """What c should change by in every step."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Fixed(FieldRule):
    """delta_c = lambda (c1 - c0) throughout: the paper's."""

    def delta_c(self, edit: EditContext) -> DeltaC:
        """The same in every step."""
        way = edit.way
        return lambda state: self.step_size * way[state.rows]


@dataclass(frozen=True, kw_only=True)
class Reaimed(FieldRule):
    """delta_c = lambda (c1 - c): towards the target from wherever the edit is (ours)."""

    def delta_c(self, edit: EditContext) -> DeltaC:
        """What is missing, times lambda."""
        target = edit.target
        return lambda state: self.step_size * (target.c[state.rows] - state.c) * ~target.released


@dataclass(frozen=True, kw_only=True)
class GainControlled(FieldRule):
    """Asked attributes go along c1 - c0 as fast as the last step's gain tells; the rest is re-aimed (ours).

    Args:
        step_size: lambda of the first step.
        growth: factor by which it grows or shrinks at most from one step to the next.
        limit: the largest.
        hold_rate: lambda of held coordinates.
    """

    step_size: float = 0.3
    integrator: Integrator = "half steps"
    guard: bool = True
    growth: float = 1.5
    limit: float = 6.0
    hold_rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        bounded("growth", self.growth, 1.0, 100.0)
        bounded("limit", self.limit, 0.0, 1e6)
        bounded("hold_rate", self.hold_rate, 0.0, 100.0)

    def delta_c(self, edit: EditContext) -> DeltaC:
        """A gain for every sample and coordinate, which learns from step to step."""
        return _GainControl(self, edit)


class _GainControl:
    """delta_c of `GainControlled`, and the gain of every coordinate."""

    def __init__(self, rule: GainControlled, edit: EditContext) -> None:
        self.rule, self.target, self.way = rule, edit.target, edit.way
        attributes = torch.zeros(edit.c0.shape[1], dtype=torch.bool, device=edit.c0.device)
        attributes[: len(edit.spec.attributes)] = True
        self.driven = self.target.asked & attributes & (self.way != 0)  # what is to stay is drawn back, not driven
        self.gain = torch.full_like(edit.c0, rule.step_size)
        certainty = torch.where(self.target.c.abs() == 1, edit.config.certainty, 1.0)
        self.close = 2 * ATTRIBUTE_TOLERANCE * edit.config.tolerance * certainty  # a score is 2 p - 1
        edge = (1 - 0.8 * self.close).clamp_min(0)  # a little further than where an edit has arrived
        self.goal = _log_odds(self.target.c.clamp(-edge, edge))
        self.before = _log_odds(edit.c0)  # at the step before

    def __call__(self, state: StepState) -> Tensor:
        rows = state.rows
        towards = (self.target.c[rows] - state.c) * ~self.target.released
        if state.index > 1:
            self._adapt(state)
        self.before[rows] = _log_odds(state.c)
        # asked keypoints take most of what is missing at every step, whatever the gain: they need no push
        rate = torch.where(self.target.asked, 0.8, self.rule.hold_rate)
        driven = self.driven[rows] & (towards.abs() > self.close[rows])
        return torch.where(driven, self.gain[rows] * self.way[rows], rate * towards)

    def _adapt(self, state: StepState) -> None:
        """The gain that brings what is missing, in log-odds, if it does as much as the last step's did (a secant).

        It grows or shrinks by `growth` at most; a step that gained nothing lets it grow, and one that went too far
        turns it round.
        """
        rows, growth = state.rows, self.rule.growth
        way, last = self.way[rows].sign(), self.gain[rows]
        now = _log_odds(state.c)
        missing, gained = (self.goal[rows] - now) * way, (now - self.before[rows]) * way * last.sign()
        wanted = torch.where(gained > 0, missing.abs() * last.abs() / gained, torch.inf)
        size = wanted.clamp(last.abs() / growth, last.abs() * growth).clamp_max(self.rule.limit)
        self.gain[rows] = torch.where(missing < 0, -size, size)


@dataclass(frozen=True, kw_only=True)
class CaptionSecant:
    """delta_z = F(z, c1) - F(z, c): the field summed along the whole way of c, at order 0 (ours).

    Captions are far from each other, and nothing lies between them: followed along dF/dc, a caption leaves the range
    that F was trained on within a few steps; F itself never does.
    """

    def begin(self, edit: EditContext) -> Stepper:
        """The secant of F from where the samples are."""
        mapping = edit.mapping
        kind = ("secant", id(mapping)) if _narrow(mapping) else None

        def secant(z: Tensor, c1: Tensor, c: Tensor) -> Tensor:
            return mapping(z, c1) - mapping(z, c)

        def step(state: StepState) -> Asking[Call, Any, Tensor]:
            return (yield Call(Stage.MOVE, secant, (state.z, edit.target.c[state.rows], state.c), kind, MOST))

        return step


STEP_SIZES = {"w": 0.3, "z": 0.1}
"""Of `tuned`, by the mapping's latent space: in Z the field turns within a shorter way than in W."""


def tuned(mapping: SGFMapping) -> SteppingRule:
    """The rule that measured best for a mapping of its kind (docs/experiments.md)."""
    if mapping.spec.caption:
        return CaptionSecant()
    return GainControlled(step_size=STEP_SIZES[mapping.latent_space])


def _narrow(mapping: SGFMapping) -> bool:
    """Whether F's weights are so few that edits gain from sharing them; a wide one multiplies them in another way."""
    return isinstance(mapping, SGFMapping) and mapping.latent_dim < WIDE


def _log_odds(score: Tensor) -> Tensor:
    """log p / (1 - p) of a score 2 p - 1: a classifier's output is straighter there than its probability."""
    return 2 * score.clamp(-1 + 1e-6, 1 - 1e-6).atanh()
