"""Pictures and edits as plain values: what endpoints answer with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from app.core.session import Edit, Plan
from app.models import latents
from app.models.captioning import Flower
from app.models.edit_run import EditRun
from app.models.services import Reading
from app.panels.views import AttributeView, CaptionView, ConditionView
from app.widgets import render

if TYPE_CHECKING:
    from sgf_hub.types import Latent


def run(
    view: ConditionView, start: Latent, plan: Plan, of_edit: Callable, of_step: Callable | None = None
) -> Iterator[dict]:
    """The steps of an edit, and then its result.

    Args:
        view: how such pictures are read.
        start: what is edited.
        plan: the edit.
        of_edit: (view, edit, before, after) => what is told of the result; `face_edit` or `flower_edit`.
        of_step: what is told of a step's picture.
    """
    edit_run = EditRun(view.models, plan, start)
    for step in edit_run.steps():
        more = of_step(view.read_step(step, plan)) if of_step else {}
        far = None if step.outlyingness is None else float(step.outlyingness[0])
        yield {**_where(step.index, float(step.distance[0]), far), **more}
    edit, trajectory = edit_run.edit(), edit_run.trajectory
    before, after = (view.read_result(trajectory.steps[i], plan) for i in (0, trajectory.chosen[0]))
    reason = trajectory.reasons[0]
    assert reason is not None
    where = _where(edit.step, edit.distance, edit.outlyingness)
    stopped = {**where, "steps": edit.steps, "stop_reason": reason.value}
    yield {**stopped, **of_edit(view, edit, before, after)}


def _where(step: int, distance: float, outlyingness: float | None) -> dict[str, Any]:
    """Where an edit is: its step, what is left to go, and how far out it lies where that is known."""
    far = None if outlyingness is None else round(outlyingness, 3)
    return {"step": step, "distance": round(distance, 3), "outlyingness": far}


def face_edit(view: AttributeView, edit: Edit, before: Reading, after: Reading) -> dict[str, Any]:
    """What an edit of a face did, and the new face."""
    from sgf_hub.editing.changes import changes

    plan = edit.plan
    was, now = ({**_attributes(reading), **_points(reading)} for reading in (before, after))
    found = changes(before.spec, before.c, after.c, plan.wishes, plan.release)
    return {
        "asked": {name: [was[name], now[name]] for name in plan.wishes},
        "changed": {name: [was[name], now[name]] for name in (*found.others, *found.freed)},
        "excluded": {name: [was[name], now[name]] for name in found.excluded},
        **face(view, edit.latent, after),
    }


def flower_edit(view: CaptionView, edit: Edit, before: Flower, after: Flower) -> dict[str, Any]:
    """What an edit of a flower did, and the new flower."""
    return {"before": words_of(before), **words_of(after), **_picture(view, edit.latent, after)}


def face(view: AttributeView, latent: Latent, reading: Reading) -> dict[str, Any]:
    """A face: its picture, its latent, and what is read in it."""
    known = {"attributes": _attributes(reading), "keypoints": _points(reading)}
    return {**known, **_picture(view, latent, reading)}


def _attributes(reading: Reading) -> dict[str, float]:
    return {name: round(p, 3) for name, p in reading.attributes.items()}


def _points(reading: Reading) -> dict[str, list[float]]:
    return {name: [round(x, 4), round(y, 4)] for name, (x, y) in reading.points.items()}


def words_of(picture: Flower) -> dict[str, Any]:
    """A flower's caption, and how near it is to what is asked for."""
    return {"caption": picture.caption, "similarity": round(picture.similarity or 0.0, 3)}


def _picture(view: ConditionView, latent: Latent, picture: Any) -> dict[str, str]:
    image = render.jpeg_uri(render.picture(picture.image, render.SIDE))
    return {"image": image, "latent": latents.as_text(latent, view.model_set.generator)}
