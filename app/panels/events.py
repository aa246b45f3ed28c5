"""What is listened to: the events of a panel's components, and in which queue each waits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from typing import Any

import gradio as gr

from app.core.errors import as_notices
from app.core.queue import VisitorQueues
from app.core.session import Session, present
from app.panels import downloads, edits, history, links
from app.panels.components import Offer
from app.panels.panel import EditorPanel
from app.panels.views import Updates

COMPUTE: dict[str, Any] = {"concurrency_id": "compute", "concurrency_limit": 32}
"""All that computes: so many at once; when each does is `app.core.queue`'s matter."""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
FETCH: dict[str, Any] = {"concurrency_id": "fetch", "concurrency_limit": 8, **QUIET}
"""What waits for a fetch stands in a line of its own: edits go on beside it."""


def in_turn(queue: VisitorQueues, handler: Callable) -> Callable:
    """A handler that begins when its visitor's earlier work is over, and tells mistakes; a generator, whatever it was.

    Args:
        queue: of the visitors.
        handler: a function or a generator.
    """

    @as_notices
    def stream(request: gr.Request, *values: Any) -> Iterator[Any]:
        yield from queue.work(str(request.session_hash), _steps(handler, values))

    return stream


def _steps(handler: Callable, values: tuple) -> Generator[Any, None, Any]:
    """The items of a handler, whether it is a generator or not."""
    if inspect.isgeneratorfunction(handler):
        return (yield from handler(*values))
    return handler(*values)


def gathered(updates: Iterator[Updates]) -> Iterator[Updates]:
    """Updates, each with all that came before it: of those that a slow page skips, nothing may be missed."""
    shown: Updates = {}
    for update in updates:
        if update:
            shown.update(update)
            yield dict(shown)


def handled(panel: EditorPanel, handler: Callable[..., Any]) -> Callable:
    """A panel's handler as a listener to `panel.inputs` and more: its session is there, then it computes in its turn.

    Args:
        panel: whose picture it is.
        handler: (panel, view, session, *values), a function or a generator.
    """

    def ready(session: Session | None, *values: Any) -> Generator[Any, None, Any]:
        return (yield from _steps(handler, (panel, panel.view_of(session), session, *values)))

    waiting = in_turn(panel.models.queue, ready)

    @as_notices
    def stream(request: gr.Request, session: Session | None, sent: object, *values: Any) -> Iterator[Updates]:
        session = yield from links.recovered(panel, session, sent)  # before it queues, so that nobody waits for that
        yield from waiting(request, session, *values)

    return stream


def edited_by(panel: EditorPanel, offer: Offer) -> Callable:
    """What a tab's Edit does."""

    def run(request: gr.Request, session: Session | None, sent: object, *values: Any) -> Iterator[Updates]:
        who = str(request.session_hash)
        session = yield from links.recovered(panel, session, sent)
        if offer.run is not None:
            yield from offer.run(who, session, *values)
            return
        assert offer.make_plan is not None
        view, session = panel.view_of(session), present(session)
        yield from edits.run(panel, view, session, offer.make_plan(view, session, *values), who)

    return as_notices(run)


def held_again(panel: EditorPanel) -> Callable:
    """What "Hold them and try again" does."""

    def run(request: gr.Request, session: Session | None, sent: object) -> Iterator[Updates]:
        session = present((yield from links.recovered(panel, session, sent)))
        yield from edits.held_again(panel, panel.view_of(session), session, str(request.session_hash))

    return as_notices(run)


def wire(panel: EditorPanel, in_tabs: list[Any]) -> None:
    """Listen to everything but the tabs' own events and how a first picture comes; call it when all tabs are built.

    Args:
        panel: the panel.
        in_tabs: the components that `ConditionView.controls` fills.
    """
    outputs, quiet = [*panel.outputs, *in_tabs], {**COMPUTE, **QUIET}
    seed_bar = [panel.seed, panel.variety]
    for offer in panel.offers:
        # one listener for all that begins an edit: while one runs, Enter begins no second
        gr.on(offer.events, edited_by(panel, offer), [*panel.inputs, *offer.inputs], outputs, **quiet)
        offer.stop.click(panel.ask_to_stop, queue=False, **QUIET)
        if offer.by_points:
            shown = [panel.session, panel.dragged, panel.stage]
            inputs = [*panel.inputs, panel.dragged, panel.stage, *offer.inputs]
            panel.stage.input(handled(panel, edits.previewed(offer)), inputs, shown, **quiet)
    panel.stage.retry(held_again(panel), panel.inputs, outputs, **quiet)
    pictures: list[tuple[Callable, Callable, list[Any]]] = [
        (panel.seed.submit, history.begin, seed_bar),
        (panel.variety.release, history.begin, seed_bar),
        (panel.shuffle.click, history.shuffled, [panel.variety]),
        (panel.sheet.select, history.chosen, [panel.sheet, panel.variety]),
        (panel.open.upload, links.opened, [panel.open]),
        *panel.sources,
    ]
    for listen, handler, more in pictures:
        # an edit that runs is asked to end, or this would wait in the queue behind it
        listen(panel.give_way, queue=False, **QUIET)
        listen(handled(panel, handler), [*panel.inputs, *more], outputs, **quiet)
    moves: list[tuple[Callable, Callable, list[Any]]] = [
        (panel.undo.click, history.moved(Session.undone), []),
        (panel.redo.click, history.moved(Session.redone), []),
        (panel.reset.click, history.moved(Session.reset), []),
        (panel.timeline.select, history.gone_to, [panel.timeline]),
        (panel.stage.select, history.step_taken, [panel.stage]),
    ]
    for listen, handler, more in moves:
        # after it has ended: Gradio reads the session before a handler begins, and the edit gives it another one;
        # a second click that comes before the first one's answer waits for it, and is not lost
        ended = listen(panel.end_edit, queue=False, trigger_mode="always_last", **QUIET)
        ended.then(handled(panel, handler), [*panel.inputs, *more], outputs, trigger_mode="always_last", **quiet)
    for listen in (panel.many.click, panel.sheet.input):
        shown = [panel.session, panel.sheet, panel.stage]
        listen(handled(panel, history.samples), [*panel.inputs, panel.variety], shown, **quiet)
    shown = [panel.session, panel.share, panel.stage]
    panel.share_edit.click(as_notices(links.link(panel)), panel.inputs, shown, **QUIET)
    _wire_files(panel, quiet)


def _wire_files(panel: EditorPanel, quiet: dict[str, Any]) -> None:
    outputs = [panel.session, panel.download, panel.share, panel.stage]
    # once its address has arrived
    fetch = f"() => setTimeout(() => document.querySelector('#{panel.download.elem_id}').click(), 60)"
    files: tuple[tuple[Callable, Callable, list[Any]], ...] = (
        (panel.png.click, downloads.png, []),
        (panel.gif.click, downloads.gif, [panel.whole]),
        (panel.mp4.click, downloads.mp4, [panel.whole]),
        (panel.latent.click, downloads.latent, []),
        (panel.share.download, downloads.edits, []),
    )
    for listen, write, more in files:
        saved = listen(handled(panel, write), [*panel.inputs, *more], outputs, **quiet)
        saved.success(None, js=fetch, **QUIET)
