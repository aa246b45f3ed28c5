"""A path that a method takes, as the page shows it: pictures and what an observer sees in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.widgets import render

if TYPE_CHECKING:
    from torch import Tensor

    from sgf_hub.editing.trajectory import EditStep
    from sgf_hub.evaluation.disentanglement.mds import Curve
    from sgf_hub.types import Predictor

SIDE = 256  # of a frame's picture, in pixels
MOST = 31  # frames of a path


@dataclass(frozen=True)
class Frame:
    """A point of a path.

    Args:
        step: its number; 0 is the unchanged picture.
        seconds: of computing until there.
        image: data URI.
        asked: how far what was asked is there, in [0, 1].
        kept: 1 minus the mean move of the other attributes' probabilities; None where there are none.
        changed: other attributes that are now present or absent where they were not.
        drift: distance to the unchanged picture away from the edit (`Likeness`); None where it cannot be told.
        says: the picture in words, where words were asked for.
    """

    step: int
    seconds: float
    image: str
    asked: float
    kept: float | None = None
    changed: tuple[str, ...] = ()
    drift: float | None = None
    says: str = ""


@dataclass(frozen=True)
class Path:
    """What a method made of a wish.

    Args:
        method: its name.
        frames: of its steps, the first and the last among them.
        steps: how many it took.
        ended: why it stopped, in a few words; "" for a path that runs to the end of its strengths.
        others: how many attributes were watched beside the wish.
    """

    method: str
    frames: tuple[Frame, ...]
    steps: int
    ended: str = ""
    others: int = 0

    @cached_property
    def curve(self) -> Curve | None:
        """The manipulation disentanglement curve of this one picture; None where nothing but the wish was watched.

        Shares of samples become moves of probabilities: accuracy is how far the asked one came from where it was,
        disentanglement is what the others kept.
        """
        from sgf_hub.evaluation.disentanglement.mds import Curve

        kept = [frame.kept for frame in self.frames if frame.kept is not None]
        if len(kept) < len(self.frames):
            return None
        start = self.frames[0].asked
        return Curve(tuple(max(0.0, frame.asked - start) for frame in self.frames), tuple(kept))

    @property
    def best(self) -> int:
        """The frame with the largest harmonic mean of both, as the evaluation chooses a method's setting."""
        asked = [frame.asked for frame in self.frames]
        return self.curve.best if self.curve is not None else asked.index(max(asked))


@dataclass(frozen=True)
class Progress:
    """A method is at a step."""

    method: str
    step: int


@dataclass(frozen=True)
class Missing:
    """A method that cannot take part, and why, in one sentence."""

    method: str
    why: str


Event = Progress | Path | Missing


@dataclass(frozen=True)
class Watch:
    """The observer of an attribute's change, from one start picture.

    Args:
        observer: who looks.
        start: [1, 3, R, R].
        name: the asked attribute.
        wanted: whether it should appear.
        likeness: to the start picture, away from where the attribute shows.
    """

    observer: Predictor
    start: Tensor
    name: str
    wanted: bool
    likeness: Any

    def frames(self, steps: Sequence[EditStep], seconds: Sequence[float]) -> list[Frame]:
        """The frames of some steps."""
        import torch

        from sgf_hub.editing.changes import changes

        spec, others = self.observer.spec, self.others
        images = torch.cat([step.images for step in steps])
        scores = self._scores(images)
        moves = ((scores - self._before) / 2)[:, others].abs()
        asked = (1 + scores[:, spec.index(self.name).start] * (1 if self.wanted else -1)) / 2
        drift = [None] * len(steps) if self.likeness is None else self.likeness.distances(images).tolist()
        return [
            Frame(
                step.index, seconds[i], picture(step.images[0]), min(1.0, max(0.0, asked[i].item())),
                kept=1.0 if step.index == 0 else min(1.0, max(0.0, 1 - moves[i].mean().item())) if others else None,
                changed=tuple(changes(spec, self._before[0], scores[i], [self.name]).others),
                drift=drift[i],
            )
            for i, step in enumerate(steps)
        ]  # fmt: skip

    @cached_property
    def others(self) -> list[int]:
        """Where the attributes stand that should stay as they are."""
        spec = self.observer.spec
        return [spec.index(name).start for name in spec.others([self.name])]

    @cached_property
    def _before(self) -> Tensor:
        return self._scores(self.start)

    def _scores(self, images: Tensor) -> Tensor:
        import torch

        with torch.no_grad():
            return self.observer.spec.scores(self.observer(images))


def thinned(count: int) -> list[int]:
    """At most `MOST` of so many steps, evenly, the first and the last among them."""
    kept = min(count, MOST)
    return sorted({round(i * (count - 1) / max(kept - 1, 1)) for i in range(kept)})


def ended(step: EditStep) -> str:
    """Why a path of one picture stopped."""
    reason = step.reasons[0]
    return reason.value if reason else ""


def picture(image: Tensor) -> str:
    """An image [3, R, R] as a small JPEG in a data URI."""
    return render.jpeg_uri(render.picture(image, SIDE), 75)
