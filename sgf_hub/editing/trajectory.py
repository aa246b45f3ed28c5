"""The steps of an edit, whatever the method; its outcome; the protocol of editors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor

from sgf_hub.editing.choosing import worth
from sgf_hub.editing.config import EditConfig, EditRequest, Wishes
from sgf_hub.types import ConditionSpec, Generator, Latent, Predictor, Target


class StopReason(Enum):
    """Why an edit of one sample ended."""

    TARGET_REACHED = "target reached"
    STEP_LIMIT = "step limit"
    STALLED = "stalled"
    NOT_FINITE = "not finite"
    OUT_OF_DISTRIBUTION = "out of distribution"
    UNREADABLE = "unreadable"

    @property
    def advice(self) -> str:
        """What it means and what to do about it, for a user."""
        return _ADVICE[self]


_ADVICE = {
    StopReason.TARGET_REACHED: "The picture now matches the target.",
    StopReason.STEP_LIMIT: "The steps ran out before the target was reached: allow more steps, a larger step size, or "
    "release some of what is held.",
    StopReason.STALLED: "The picture stopped coming closer: the target may lie outside what the generator can draw; "
    "try a nearer target, or release some of what is held.",
    StopReason.OUT_OF_DISTRIBUTION: "The predictor reads the target off this picture, but its latent lies farther out "
    "than 99 in 100 that the generator draws from: trust your eyes, or keep the edit within (the tuned stepping does).",
    StopReason.UNREADABLE: "There is no face in this picture to be read, so the edit did not start: take another.",
    StopReason.NOT_FINITE: "The edit ran into numbers that are not finite: use a smaller step size or another picture.",
}


@dataclass(frozen=True)
class EditStep:
    """One step of a batch of edits.

    Args:
        index: 0 for the picture before, then 1, 2, ...
        latent: where the edit is, B samples.
        images: G of it, [B, 3, R, R] in [-1, 1].
        c: C of them, [B, C].
        target: where it is going.
        distance: [B], in units of the tolerance.
        reasons: for each sample, why it stopped, or None while it moves.
        outlyingness: how far out of the latents' distribution, [B]: Mahalanobis distance in units of the one that 99%
            of them lie within; None where the distribution is not known.
    """

    index: int
    latent: Latent
    images: Tensor
    c: Tensor
    target: Target
    distance: Tensor
    reasons: tuple[StopReason | None, ...]
    outlyingness: Tensor | None = None


class Trajectory:
    """The steps of an edit, and its outcome so far.

    Args:
        spec: the meaning of c.
        config: of the edit; it says which step is the result.
        keep: whether all steps are kept; of many pictures only the first is.
    """

    def __init__(self, spec: ConditionSpec, config: EditConfig, *, keep: bool = True) -> None:
        self.spec, self.config, self.keep = spec, config, keep
        self.steps: list[EditStep] = []
        self.chosen: list[int] = []
        """For each sample, the step that is its result (`EditConfig.choose`)."""
        self.taken: list[int] = []
        """For each sample, the steps it moved before it stopped."""

    def add(self, step: EditStep) -> None:
        """Take in the next step."""
        moves = [int(reason is None) for reason in step.reasons]
        before = self.steps[0].c if self.steps else step.c
        value = worth(self.spec, self.config, before, step.c, step.target, step.distance, step.index)
        if not self.steps:
            self.result, self.chosen, self.taken, self._worth = step, [step.index] * len(moves), moves, value
        else:
            moved = torch.tensor([reason is None for reason in self.result.reasons], device=value.device)
            better = (value >= self._worth) & moved  # in a batch, what has stopped is in later steps too
            self.result = _merged(self.result, step, better)
            self._worth = torch.where(better, value, self._worth)
            self.chosen = [step.index if b else was for b, was in zip(better.tolist(), self.chosen, strict=True)]
            self.taken = [n + more for n, more in zip(self.taken, moves, strict=True)]
        if self.keep or not self.steps:
            self.steps.append(step)

    @property
    def first(self) -> EditStep:
        """The pictures before."""
        return self.steps[0]

    result: EditStep
    """The outcome as one step, each sample from the step chosen for it; `edit` draws it at full size."""

    @property
    def reasons(self) -> tuple[StopReason | None, ...]:
        """Why each sample stopped; None while it moves."""
        return self.result.reasons


def _merged(old: EditStep, new: EditStep, rows: Tensor) -> EditStep:
    """The later step, but samples outside of `rows` from the earlier one."""

    def pick(was: Tensor, now: Tensor) -> Tensor:
        return torch.where(rows.view(-1, *[1] * (was.ndim - 1)), now, was)

    return replace(
        new,
        latent=Latent(pick(old.latent.data, new.latent.data), new.latent.space),
        images=pick(old.images, new.images),
        c=pick(old.c, new.c),
        distance=pick(old.distance, new.distance),
        outlyingness=None
        if old.outlyingness is None or new.outlyingness is None
        else pick(old.outlyingness, new.outlyingness),
    )


class Editor(Protocol):
    """A method that moves a latent until the picture meets a target."""

    generator: Generator
    predictor: Predictor

    def steps(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
    ) -> Iterator[EditStep]:
        """The path, beginning with the unchanged picture; the last step has a reason for every sample."""
        ...


@torch.no_grad()
def edit(
    editor: Editor, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
) -> Trajectory:
    """Drain an editor's steps, and draw the outcome at full size if they were smaller."""
    config = config or EditConfig()
    trajectory = Trajectory(editor.predictor.spec, config)
    for step in editor.steps(latent, target, config):
        trajectory.add(step)
    if config.resolution is not None:
        images = editor.generator.synthesize(trajectory.result.latent)
        trajectory.result = replace(trajectory.result, images=images, c=editor.predictor(images))
    return trajectory
