"""What an edit is, whatever the method: how it steps, its steps, its outcome, and the protocol of editors.

`EditConfig()` is the paper's stepping; what is ours is named there and gathered in `EditConfig.ours()`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal, Protocol

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.errors import BadValueError
from sgf_hub.hub.module import bounded
from sgf_hub.types import Generator, Latent, Predictor, Space, Target, Wish, short

Wishes = Mapping[str, Wish]


class StopReason(Enum):
    """Why an edit of one sample ended."""

    TARGET_REACHED = "target reached"
    STEP_LIMIT = "step limit"
    STALLED = "stalled"
    NOT_FINITE = "not finite"

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
    StopReason.NOT_FINITE: "The edit ran into numbers that are not finite: use a smaller step size or another picture.",
}


_BOUNDS = (
    ("step_size", 1e-6, 100.0),
    ("max_steps", 1, 10_000),
    ("tolerance", 0.0, 1e6),
    ("certainty", 1e-6, 1.0),
    ("hold_rate", 0.0, 100.0),
    ("drive_growth", 1.0, 100.0),
    ("drive_limit", 0.0, 1e6),
    ("damping", 0.0, 1e6),
)


@dataclass(frozen=True, kw_only=True)
class EditConfig:
    """How an edit steps. The defaults are the paper's.

    Args:
        order: m, order of the Neumann series; None solves exactly (ours).
        step_size: lambda.
        max_steps: n, after which an edit stops wherever it is; the paper does not say its own.
        tolerance: an edit has arrived at a distance of at most this, in the predictor's units (1 is "close"); with 0
            none ever has, and all samples take `max_steps`.
        certainty: factor on the tolerance where all that is asked is attributes wholly there or wholly gone
            (1 or 0): short of that, the picture is often in between (ours: 0.05).
        stepping: what delta_c is. "fixed": lambda (c1 - c0) throughout, the paper's. "reaim" (ours): lambda (c1 - c),
            towards the target from wherever the edit is. "drive" (ours): asked attributes are driven along c1 - c0, as
            hard as the last step's gain tells; asked keypoints and held coordinates are re-aimed; for captions, the
            secant F(z, c1) - F(z, c) takes the place of the field.
        hold_rate: lambda of held coordinates, in "drive".
        drive_growth: factor by which the drive grows or shrinks at most from one step to the next, in "drive".
        drive_limit: largest drive, in "drive".
        patience: stop as stalled after so many steps without a better distance; None never does.
        release_siblings: let go of attributes that exclude one that is raised (hair colours) and aim them at absent.
        grounded: aim at the caption of a picture that does what the sentence asks and leaves the rest as it is
            (`CaptionPredictor.ground`), not at the sentence; of attributes and keypoints it changes nothing.
        integrator: "euler" (the paper's); "heun" (ours: averages the field at both ends of a step, which costs a
            picture more; of second order where delta_c is fixed); "halves" (ours: two half steps, which costs none).
        guard: leave out terms of the series that do not shrink.
        damping: of the exact solve.
        return_best: a sample that stops short gives back its closest step, not its last one.
        layers: edit only the w+ layers first <= i < last; None edits all.
        resolution: side of the pictures on the way, which the predictor reads (ours: StyleGAN2 stops early at it); None
            draws all at full size. `edit` draws what came out at full size.
    """

    order: int | None = 1
    step_size: float = 0.2
    max_steps: int = 80
    tolerance: float = 1.0
    certainty: float = 1.0
    stepping: Literal["fixed", "reaim", "drive"] = "fixed"
    hold_rate: float = 0.5
    drive_growth: float = 1.5
    drive_limit: float = 6.0
    patience: int | None = None
    release_siblings: bool = False
    grounded: bool = False
    integrator: Literal["euler", "heun", "halves"] = "euler"
    guard: bool = False
    damping: float = 0.0
    return_best: bool = False
    layers: tuple[int, int] | None = None
    resolution: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in _BOUNDS:
            bounded(name, getattr(self, name), low, high)
        if self.patience is not None:
            bounded("patience", self.patience, 1, 10_000)
        if self.layers is not None and not (
            isinstance(self.layers, (list, tuple)) and [type(end) for end in self.layers] == [int, int]
        ):
            raise BadValueError(f"layers are {short(self.layers)}; give two whole numbers, first and last + 1.")
        for name, choices in (("stepping", ("fixed", "reaim", "drive")), ("integrator", ("euler", "heun", "halves"))):
            if getattr(self, name) not in choices:
                raise BadValueError(f"{name} is {getattr(self, name)!r}; choose {' or '.join(map(repr, choices))}.")

    @classmethod
    def ours(cls, *, space: Space = "w", **changes: object) -> Self:
        """The stepping that measured best: see `docs/experiments.md`.

        Args:
            space: of the mapping. In Z the field turns within a shorter way than in W: steps begin smaller.
            changes: settings to set otherwise.
        """
        best = cls(
            step_size=0.1 if space == "z" else 0.3,
            certainty=0.05,
            stepping="drive",
            max_steps=60,
            integrator="halves",
            patience=15,
            release_siblings=True,
            grounded=True,
            guard=True,
            return_best=True,
        )
        return replace(best, **changes)  # type: ignore[arg-type]


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
    """

    index: int
    latent: Latent
    images: Tensor
    c: Tensor
    target: Target
    distance: Tensor
    reasons: tuple[StopReason | None, ...]


@dataclass
class Trajectory:
    """The steps of an edit, and its outcome.

    Args:
        return_best: whether samples that stopped short give back their closest step.
        steps: those added so far.
        full: the outcome once more, drawn at full size and read there, where the steps are smaller.
    """

    return_best: bool = False
    steps: list[EditStep] = field(default_factory=list)
    full: EditStep | None = None

    @property
    def reasons(self) -> tuple[StopReason | None, ...]:
        """Why each sample stopped."""
        return self.steps[-1].reasons

    @property
    def chosen(self) -> list[int]:
        """For each sample, the step that is its result."""
        if not self.return_best:
            return [len(self.steps) - 1] * len(self.reasons)
        distances = torch.stack([step.distance for step in self.steps]).nan_to_num(nan=float("inf"))
        last = len(distances) - 1
        return [last - behind for behind in distances.flip(0).argmin(dim=0).tolist()]  # of equals, the last

    @property
    def result(self) -> EditStep:
        """The outcome as one step, each sample from the step chosen for it."""
        if self.full is not None:
            return self.full
        chosen, final = self.chosen, self.steps[-1]

        def pick(attribute: str) -> Tensor:
            return torch.stack([_data(self.steps[s], attribute)[b] for b, s in enumerate(chosen)])

        return replace(
            final,
            latent=Latent(pick("latent"), final.latent.space),
            images=pick("images"),
            c=pick("c"),
            distance=pick("distance"),
        )

    def taken(self) -> list[int]:
        """For each sample, the steps it moved before it stopped."""
        running = torch.tensor([[reason is None for reason in step.reasons] for step in self.steps])
        return running.sum(dim=0).tolist()


def _data(step: EditStep, attribute: str) -> Tensor:
    value = getattr(step, attribute)
    return value.data if isinstance(value, Latent) else value


class Editor(Protocol):
    """A method that moves a latent until the picture meets a target."""

    generator: Generator
    predictor: Predictor

    def steps(self, latent: Latent, target: Target | Wishes, config: EditConfig) -> Iterator[EditStep]:
        """The path, beginning with the unchanged picture; the last step has a reason for every sample."""
        ...


@torch.no_grad()
def edit(editor: Editor, latent: Latent, target: Target | Wishes, config: EditConfig | None = None) -> Trajectory:
    """Drain an editor's steps, and draw the outcome at full size if they were smaller."""
    config = config or EditConfig()
    trajectory = Trajectory(config.return_best)
    trajectory.steps.extend(editor.steps(latent, target, config))
    if config.resolution is not None:
        result = trajectory.result
        images = editor.generator.synthesize(result.latent)
        trajectory.full = replace(result, images=images, c=editor.predictor(images))
    return trajectory
