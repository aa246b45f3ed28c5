"""An edit of a visitor's picture: its steps as they are taken, and what came of it. No Gradio in here.

On a Space with ZeroGPU, the package `spaces` runs what is marked `on_gpu` in a process that it forks off, where a GPU
is: arguments and results are pickled. That is done for edits; one picture is quicker drawn here than a GPU is lent.
"""

from __future__ import annotations

import contextvars
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from spaces import GPU as on_gpu  # before torch is imported; elsewhere than on ZeroGPU it changes nothing
except ImportError:

    def on_gpu(function: Callable) -> Callable:
        """What marks a function for the GPU of a Space; here it changes nothing."""
        return function


from app.core.session import STOPPED, TAKEN, Edit, Plan
from app.models.services import Models

if TYPE_CHECKING:
    from sgf_hub.editing import EditConfig, EditStep, SGFEditor, Trajectory
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
        from sgf_hub.editing import Trajectory

        self.models, self.plan, self.latent = models, plan, latent
        editor, config = config_of(plan, models.editor(plan.editor))
        self.trajectory: Trajectory = Trajectory(editor.predictor.spec, config)
        self.distances: list[float] = []

    def steps(self) -> Iterator[EditStep]:
        """The steps, each kept as it is given; closing the iterator ends the work."""
        for step in prefetched(steps(self.models, self.plan, self.latent)):
            self.trajectory.add(step)
            self.distances.append(float(step.distance[0]))
            yield step

    @property
    def taken(self) -> int:
        """How many steps were taken."""
        return len(self.trajectory.steps) - 1

    def edit(self) -> Edit:
        """What came of it: the step that the plan has chosen, of those that were made."""
        result, reason = self.trajectory.result, self.trajectory.reasons[0]
        return self._edit(result, self.taken, reason.name if reason else STOPPED, self.trajectory.chosen[0])

    def edit_at(self, index: int) -> Edit:
        """With one of its steps as the result, by the visitor's choice."""
        return self._edit(self.trajectory.steps[index], index, TAKEN, index)

    def _edit(self, result: EditStep, steps: int, reason: str, chosen: int) -> Edit:
        far = None if result.outlyingness is None else float(result.outlyingness[0])
        return Edit(self.plan, result.latent, steps, reason, float(result.distance[0]), far, chosen)


def steps(models: Models, plan: Plan, latent: Latent) -> Iterator[EditStep]:
    """The steps of a plan, begun at `latent`; closing the iterator ends the work."""
    # what a caption's predictor read it remembers, and the page asks for it here
    here = models.editor(plan.editor).predictor.spec.caption
    yield from (steps_on if here else steps_on_gpu)(models, plan, latent)


@on_gpu
def steps_on_gpu(models: Models, plan: Plan, latent: Latent) -> Iterator[EditStep]:
    """`steps`, where the GPU is."""
    import torch

    yield from steps_on(models, plan, latent, device="cuda" if torch.cuda.is_available() else "cpu")


def steps_on(models: Models, plan: Plan, latent: Latent, *, device: str = "cpu") -> Iterator[EditStep]:
    """`steps` on a device; those that come out are on the CPU."""
    from sgf_hub.editing import EditRequest

    editor, config = config_of(plan, editor_on(models, plan.editor, device))
    path = editor.steps(_moved(latent, device), EditRequest(plan.wishes, plan.release, plan.hold), config)
    while True:
        with models.computing:
            step = next(path, None)
        if step is None:
            return
        yield _moved(step, "cpu")


def editor_on(models: Models, name: str, device: str) -> SGFEditor:
    """The editor, or a copy of it on a GPU."""
    editor = models.editor(name)
    if device == "cpu":
        return editor
    parts: list[Any] = [editor.mapping, editor.generator, editor.predictor]
    return models.once(
        ("editor", name, device), lambda: type(editor)(*(copy.deepcopy(part).to(device) for part in parts))
    )


def config_of(plan: Plan, editor: SGFEditor) -> tuple[SGFEditor, EditConfig]:
    """A mapping's editor as a plan has it step, and the settings of the edit."""
    from sgf_hub.editing import EditConfig, GainControlled

    config = EditConfig(max_steps=plan.max_steps, layers=plan.layers, choose=plan.choose)
    if plan.step_size is None or editor.predictor.spec.caption:  # a caption's steps have no size
        return editor, config
    return editor.with_stepping(GainControlled(step_size=plan.step_size)), config


def _moved(value: Any, device: str) -> Any:
    """A `Latent`, `Target` or `EditStep` with its tensors on a device."""
    import torch

    parts = {
        name: _moved(part, device) if name in ("latent", "target") else part.to(device)
        for name, part in vars(value).items()
        if isinstance(part, torch.Tensor) or name in ("latent", "target")
    }
    return replace(value, **parts)


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
