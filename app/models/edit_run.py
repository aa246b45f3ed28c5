"""An edit of a visitor's picture: its steps as they are taken, and what came of it. No Gradio in here.

On a Space with ZeroGPU, the package `spaces` runs what is marked `on_gpu` in a process that it forks off, where a GPU
is: arguments and results are pickled. There an edit runs by itself; elsewhere it runs with all others (`edit_loop`).
One picture is quicker drawn here than a GPU is lent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

try:
    from spaces import GPU as on_gpu  # before torch is imported; elsewhere than on ZeroGPU it changes nothing
except ImportError:

    def on_gpu(function: Callable) -> Callable:
        """What marks a function for the GPU of a Space; here it changes nothing."""
        return function


from app.core.session import STOPPED, TAKEN, Edit, Plan
from app.models.services import Models

if TYPE_CHECKING:
    from torch import Tensor

    from sgf_hub.editing import EditConfig, EditStep, SGFEditor, Trajectory
    from sgf_hub.editing.together import Work
    from sgf_hub.types import Latent


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
        for step in steps(self.models, self.plan, self.latent):
            self._add(step)
            yield step

    def newest(self) -> Iterator[EditStep]:
        """The step that it has come to, as often as a page can show it; all are kept."""
        for some in _arriving(self.models, self.plan, self.latent, paced=True):
            for step in some:
                self._add(step)
            yield some[-1]

    def _add(self, step: EditStep) -> None:
        self.trajectory.add(step)
        self.distances.append(float(step.distance[0]))

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
    for some in _arriving(models, plan, latent):
        yield from some


def _arriving(models: Models, plan: Plan, latent: Latent, *, paced: bool = False) -> Iterator[list[EditStep]]:
    """The steps, as many at a time as have come."""
    editor = models.editor(plan.editor)
    # what a caption's predictor read it remembers, and the page asks for it here
    if steps_on_gpu is not steps_on and not editor.predictor.spec.caption:
        for step in steps_on_gpu(models, plan, latent):
            yield [step]
        return
    drawn = models.drawn(editor.generator, latent)
    if models.apart is not None:
        yield from models.apart.steps(editor.predictor, plan, latent, drawn, paced=paced)
        return
    editor, work = work_of(models, plan, latent, drawn)
    yield from models.edits.steps(editor.generator, work, paced=paced)


def work_of(models: Models, plan: Plan, latent: Latent, drawn: Tensor | None) -> tuple[SGFEditor, Work]:
    """What does a plan, and its work.

    Args:
        models: what edits.
        plan: what is asked.
        latent: where it begins.
        drawn: its picture, [1, 3, R, R], where that is known.
    """
    from sgf_hub.editing import EditRequest

    editor, config = config_of(plan, models.editor(plan.editor))
    return editor, editor.work(latent, EditRequest(plan.wishes, plan.release, plan.hold), config, drawn)


def steps_on(models: Models, plan: Plan, latent: Latent, device: str | None = None) -> Iterator[EditStep]:
    """The steps on a device, by themselves; those that come out are on the CPU.

    Args:
        models: what edits.
        plan: what is asked.
        latent: where it begins.
        device: the GPU, if there is one, by default.
    """
    import torch

    from sgf_hub.editing import EditRequest

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    editor, config = config_of(plan, editor_on(models, plan.editor, device))
    for step in editor.steps(_moved(latent, device), EditRequest(plan.wishes, plan.release, plan.hold), config):
        yield _moved(step, "cpu")


steps_on_gpu = on_gpu(steps_on)


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
