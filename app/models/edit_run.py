"""An edit of a visitor's picture: its steps as they are taken, and what came of it. No Gradio in here."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from app.core.session import STOPPED, TAKEN, Edit, Plan
from app.models.services import Models

if TYPE_CHECKING:
    from sgf_hub.editing import EditStep, Trajectory
    from sgf_hub.types import Latent

Item = TypeVar("Item")


class EditRun:
    """A plan, carried out.

    Args:
        models: what edits.
        plan: what is asked.
        latent: where it begins, one sample.

    Attributes:
        trajectory: the steps so far.
        distances: what was left to go, at each of them.
    """

    def __init__(self, models: Models, plan: Plan, latent: Latent) -> None:
        from sgf_hub.editing import EditConfig, Trajectory

        self.models, self.plan, self.latent = models, plan, latent
        self.trajectory: Trajectory = Trajectory(EditConfig().return_best)
        self.distances: list[float] = []

    def steps(self) -> Iterator[EditStep]:
        """The steps, each kept as it is given; closing the iterator ends the work."""
        for step in prefetched(self.models.steps(self.plan, self.latent)):
            self.trajectory.add(step)
            self.distances.append(float(step.distance[0]))
            yield step

    @property
    def taken(self) -> int:
        """How many steps were taken."""
        return len(self.trajectory.steps) - 1

    def edit(self) -> Edit:
        """What came of it: the closest step, where it was stopped short."""
        result, reason = self.trajectory.result, self.trajectory.reasons[0]
        return self._edit(result, self.taken, reason.name if reason else STOPPED)

    def edit_at(self, index: int) -> Edit:
        """With one of its steps as the result, by the visitor's choice."""
        return self._edit(self.trajectory.steps[index], index, TAKEN)

    def _edit(self, result: EditStep, steps: int, reason: str) -> Edit:
        return Edit(self.plan, result.latent, steps, reason, float(result.distance[0]))


def prefetched(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each computed while the one before it is drawn and sent.

    Where a turn passes on, one item is computed in the next visitor's turn: everybody gives and takes that one.

    Args:
        items: an iterator; closed at the end, once the item that it computes is there.
    """
    over = object()
    here = contextvars.copy_context()  # says whose event it is, to Gradio and to ZeroGPU

    def compute() -> Any:
        return here.run(next, items, over)

    try:
        with ThreadPoolExecutor(1, "prefetch") as thread:
            coming = thread.submit(compute)
            while (item := coming.result()) is not over:
                coming = thread.submit(compute)
                yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
