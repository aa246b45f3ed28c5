"""Other pictures to begin with, and ways back: seeds, sheets of samples, undo, the timeline, a step of an edit."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

from app.core.errors import UserError
from app.core.requests import truncation_of
from app.core.session import Session, present
from app.models.edit_run import EditRun
from app.panels.panel import EditorPanel
from app.panels.views import ConditionView, Updates
from app.widgets.scripted import message
from app.widgets.sheet import seed_in, sheet
from app.widgets.timeline import point_of, step_of


def begin(panel: EditorPanel, view: ConditionView, session: Session | None, seed: object, variety: object) -> Updates:
    """A picture from a seed."""
    return panel.begin(view, seed, variety, session)


def shuffled(panel: EditorPanel, view: ConditionView, session: Session | None, variety: object) -> Updates:
    """A picture from a random seed."""
    return panel.begin(view, random.randrange(10_000), variety, session)


def samples(panel: EditorPanel, view: ConditionView, session: Session | None, variety: object) -> Updates:
    """Pictures to begin with."""
    return {panel.sheet: sheet(view.models, view.model_set, truncation_of(variety))}


def chosen(panel: EditorPanel, view: ConditionView, session: Session | None, value: object, variety: object) -> Updates:
    """The picture that was chosen of them."""
    return panel.begin(view, seed_in(value), variety, session)


def moved(move: Callable[[Session], Session]) -> Callable[..., Updates]:
    """A handler for undo, redo, reset."""

    def handler(panel: EditorPanel, view: ConditionView, session: Session | None) -> Updates:
        return panel.show(view, move(present(session)))

    return handler


def gone_to(panel: EditorPanel, view: ConditionView, session: Session | None, value: object) -> Updates:
    """Back, or forward, to a point of the timeline, or to the picture that was left for this one."""
    session, point = present(session), point_of(value)
    return panel.show(view, session.returned() if point is None else session.at(point))


def step_taken(
    panel: EditorPanel, view: ConditionView, session: Session | None, value: object
) -> Generator[Updates, None, Updates]:
    """A step of the last edit as its result; the path is taken again, by the same plan from the same latent."""
    session, wanted = present(session), step_of(value)
    last = session.last
    if last is None or not 0 <= wanted <= last.plan.max_steps:
        raise UserError("There is no such step: edit, and click one of the pictures below the result.")
    if wanted == 0:
        return panel.show(view, session.undone())
    edit_run = EditRun(view.models, last.plan, session.before)
    for step in edit_run.steps():
        if step.index == wanted:
            break
        yield {panel.stage: message(status=f"Going back to step {wanted} …")}
    if edit_run.taken < wanted:
        raise UserError(f"This edit took {edit_run.taken} steps: choose one of them.")
    first, now = (view.read_result(edit_run.trajectory.steps[i], last.plan) for i in (0, wanted))
    amended = session.amended(edit_run.edit_at(wanted))
    return panel.show(
        view, amended, strip=None, mark=wanted, distances=edit_run.distances, done=(), pictures=(first, now)
    )
