"""An edit on the page: its steps as updates, in the visitor's turn, and how it ends."""

from __future__ import annotations

import contextvars
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr

from app.core.queue import Waiting
from app.core.session import STOPPED, Edit, Plan, Session
from app.models.services import Stop, config_of
from app.widgets import render
from app.widgets import stage as keypoint_canvas

if TYPE_CHECKING:
    from app.panels.panel import Updates, Workbench

Item = TypeVar("Item")


def run(bench: Workbench, session: Session, plan: Plan, who: str) -> Iterator[Updates]:
    """Edit when it is the visitor's turn, one update a step; the last one shows the result.

    Args:
        bench: the picture's.
        session: the picture.
        plan: what to do with it.
        who: the visitor, by the page's session.
    """
    event, begun = bench.stops.begin(who), False
    try:
        for item in bench.models.turns.work(who, _edit(bench, session, plan, event)):
            if not isinstance(item, Waiting):
                begun = True
                yield item
            elif begun or not event.is_set():
                yield {bench.stage: bench.place(item), **bench.running(True)}
            else:
                stopped = keypoint_canvas.message(status="Stopped before its turn came.")
                yield {bench.stage: stopped, **bench.running(False)}
                return
    finally:
        bench.stops.end(who, event)


def _edit(bench: Workbench, session: Session, plan: Plan, event: Stop) -> Generator[Updates, None, Updates]:
    """The updates of an edit; what it returns shows the result, whatever ended it but another picture."""
    from sgf_hub.editing.editor import Trajectory

    steps: list[Any] = []
    distances: list[float] = []
    start: Any = None
    try:
        plan = yield from bench.consider(plan)
        for step in ahead(bench.models.steps(plan, session.latent)):
            steps.append(step)
            distances.append(float(step.distance[0]))
            now = bench.seen(step, plan)
            start = start or now
            yield _frame(bench, plan, step.index, start, now, distances)
            if event.is_set():
                break
    except Exception:
        yield {bench.stage: keypoint_canvas.message(run=None), **bench.running(False)}
        raise
    if event.superseded:
        # as before the edit, in case no other picture comes (its seed was mistyped)
        return bench.show(session, done=())
    trajectory = Trajectory(config_of(plan).return_best, steps)
    reason = trajectory.reasons[0]
    taken = len(steps) - 1
    if taken == 0:
        # nothing happened: the picture was there already, or was stopped before it moved
        unchanged = bench.show(session, done=())
        words, more = bench.nothing(plan) if reason else ("Stopped before the first step.", {})
        gr.Info(words, title="Nothing to do" if reason else "Stopped")
        unchanged[bench.stage]["status"] = words
        return {**unchanged, **more}
    result, mark = trajectory.result, trajectory.chosen[0]
    edit = Edit(
        plan=plan,
        latent=result.latent,
        steps=taken,
        reason=reason.name if reason else STOPPED,
        distance=float(result.distance[0]),
    )
    images = [step.images[0] for step in steps]
    # wishes that were not reached stay: a second press of Edit goes on from here
    done = plan.wishes if edit.reason == "TARGET_REACHED" else ()
    return bench.show(
        session.applied(edit),
        strip=render.strip(images),
        mark=mark,
        distances=distances,
        done=done,
        looks=(bench.looked(steps[0], plan), bench.looked(steps[mark], plan)),
    )


def ahead(items: Iterator[Item]) -> Iterator[Item]:
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
        with ThreadPoolExecutor(1, "ahead") as thread:
            coming = thread.submit(compute)
            while (item := coming.result()) is not over:
                coming = thread.submit(compute)
                yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _frame(bench: Workbench, plan: Plan, index: int, start: Any, now: Any, distances: list[float]) -> Updates:
    preview = render.jpeg_uri(render.picture(now.image, render.PREVIEW), 82)
    updates: Updates = {
        bench.stage: keypoint_canvas.frame(preview, index, distances, **bench.marks(now, start)),
        **bench.in_tabs(now, plan, ()),
    }
    return {**updates, **bench.running(True)} if index == 0 else updates
