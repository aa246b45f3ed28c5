"""An edit on the page: its steps as updates, how it ends, and the preview of one while a point is dragged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import UserError
from app.core.requests import drag_of
from app.core.session import Plan, Session, present
from app.core.stopping import Stop
from app.models.edit_run import EditRun, steps
from app.panels.components import Offer
from app.panels.panel import EditorPanel
from app.panels.views import ConditionView, Updates
from app.widgets import render, stage

if TYPE_CHECKING:
    from sgf_hub.editing import StopReason
    from sgf_hub.types import Latent


def run(panel: EditorPanel, view: ConditionView, session: Session, plan: Plan, who: str) -> Iterator[Updates]:
    """Edit, with an update a picture that is shown; the last one shows the result.

    Args:
        panel: the picture's.
        view: of the session.
        session: the picture.
        plan: what to do with it.
        who: the visitor, by the page's session.
    """
    event = panel.stops.begin(who)
    try:
        yield from view.models.queue.work(who, _edit(panel, view, session, plan, event))
    finally:
        panel.stops.end(who, event)


def held_again(panel: EditorPanel, view: ConditionView, session: Session, who: str) -> Iterator[Updates]:
    """The last edit again from where it began, with what it changed beside the wish held firmly.

    Raises:
        UserError: if there is no such edit, or it changed nothing else.
    """
    last = session.last
    beside: tuple[str, ...] = ()
    if last is not None:
        before, now = (view.read(latent, last.plan) for latent in (session.before, session.latent))
        beside = view.verdict(last, before, now).hold
    if last is None or not beside:
        raise UserError("Nothing changed beside what you asked for: there is nothing to hold.")
    plan = replace(last.plan, hold=(*last.plan.hold, *(name for name in beside if name not in last.plan.hold)))
    yield from run(panel, view, session.undone(), plan, who)


def _edit(
    panel: EditorPanel, view: ConditionView, session: Session, plan: Plan, event: Stop
) -> Generator[Updates, None, Updates]:
    """The updates of an edit; what it returns shows the result, whatever ended it but another picture."""
    start: Any = None
    try:
        plan = yield from _considered(panel, view, plan)
        edit_run = EditRun(view.models, plan, session.latent)
        for step in () if event.is_set() else edit_run.newest():
            begun, now = start is not None, view.read_step(step, plan)
            start = start or view.read_step(edit_run.trajectory.first, plan)
            yield {
                **_frame(panel, view, plan, start, now, edit_run.distances),
                **({} if begun else panel.running(True)),
            }
            if event.is_set():
                break
    except Exception:
        yield {panel.stage: stage.message(run=None), **panel.running(False)}
        raise
    if event.superseded:
        # as before the edit, in case no other picture comes (its seed was mistyped)
        return panel.show(view, session, done=())
    trajectory = edit_run.trajectory
    if edit_run.taken < 1:
        # nothing happened: the picture was there already, could not be read, or was stopped before it moved
        unchanged = panel.show(view, session, done=_points(plan))
        title, words, more = _nothing(view, plan, trajectory.reasons[0] if trajectory.steps else None)
        gr.Info(words, title=title)
        unchanged[panel.stage]["status"] = words
        return {**unchanged, **more}
    edit, mark = edit_run.edit(), trajectory.chosen[0]
    return panel.show(
        view,
        session.applied(edit),
        strip=render.strip([step.images[0] for step in trajectory.steps]),
        mark=mark,
        distances=edit_run.distances,
        # wishes that were not reached stay: a second press of Edit goes on from here
        done=plan.wishes if edit.reason == "TARGET_REACHED" else _points(plan),
        pictures=(view.read_result(trajectory.first, plan), view.read_result(trajectory.steps[mark], plan)),
    )


def _points(plan: Plan) -> list[str]:
    """The points that were asked for; the next edit asks for those that are dragged then, and no earlier ones."""
    return [name for name, wish in plan.wishes.items() if isinstance(wish, tuple)]


def _nothing(view: ConditionView, plan: Plan, reason: StopReason | None) -> tuple[str, str, Updates]:
    """Title and words for an edit that took no step, and what else is shown then."""
    if reason is None:
        return "Stopped", "Stopped before the first step.", {}
    if reason.name == "UNREADABLE":
        return "Nothing was edited", reason.advice, {}
    return ("Nothing to do", *view.nothing(plan))


def _considered(panel: EditorPanel, view: ConditionView, plan: Plan) -> Generator[Updates, None, Plan]:
    """What is shown before the first step; gives back the plan to take."""
    considering = view.consider(plan)
    while True:
        try:
            status, updates = next(considering)
        except StopIteration as end:
            return end.value
        if status:
            updates = {panel.stage: stage.message(status=status, done=[]), **updates, **panel.running(True)}
        yield updates


def _frame(
    panel: EditorPanel, view: ConditionView, plan: Plan, start: Any, now: Any, distances: list[float]
) -> Updates:
    preview = render.jpeg_uri(render.picture(now.image, render.PREVIEW), 82)
    return {
        panel.stage: stage.frame(preview, len(distances) - 1, distances, **view.marks(now, start)),
        **view.controls(now, plan, ()),
    }


# -- a point that is still held ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dragged:
    """Where a drag's preview has come.

    Args:
        drag: which drag, as the page counts them.
        latent: of the picture that is shown.
    """

    drag: int
    latent: Latent


def previewed(offer: Offer) -> Callable[..., Updates]:
    """The handler of a drag that goes on: one step from the picture that it shows to where the point is now."""

    def handler(
        panel: EditorPanel, view: ConditionView, session: Session | None, last: object, moved: object, *values: Any
    ) -> Updates:
        assert offer.make_plan is not None
        session, drag = present(session), drag_of(moved)
        plan = replace(offer.make_plan(view, session, *values), max_steps=1)
        latent = last.latent if isinstance(last, Dragged) and last.drag == drag else session.latent
        *_, step = itertools.islice(steps(view.models, plan, latent), 2)
        now = view.read_step(step, plan)
        image = render.jpeg_uri(render.picture(now.image, render.PREVIEW), 82)
        return {panel.dragged: Dragged(drag, step.latent), panel.stage: stage.preview(drag, image, now.points)}

    return handler
