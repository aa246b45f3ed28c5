"""What is listened to: the events of a workbench's components, and in which line each waits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import told
from app.core.queue import Turns, Waiting
from app.core.session import Session
from app.panels.comfort import WITH_ADDRESS, wire_comfort

if TYPE_CHECKING:
    from app.panels.panel import Workbench

COMPUTE = {"concurrency_id": "compute", "concurrency_limit": 32}
"""All that computes: so many may stand in the line of `app.core.queue`, which lets one work at a time."""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass
class Offer:
    """How a tab edits.

    Args:
        edit: its button.
        stop: the one that takes its place during an edit.
        run: the handler.
        inputs: the tab's controls.
        events: what begins an edit.
    """

    edit: gr.Button
    stop: gr.Button
    run: Callable | None = None
    inputs: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)


def in_turn(turns: Turns, handler: Callable, waiting: Callable[[Waiting], Any] | None = None) -> Callable:
    """A handler that computes when it is its visitor's turn, and tells mistakes; a generator, whatever it was.

    Args:
        turns: the line.
        handler: a function or a generator.
        waiting: what the page shows meanwhile; None shows nothing.
    """

    def steps(values: tuple) -> Generator[Any, None, Any]:
        if inspect.isgeneratorfunction(handler):
            return (yield from handler(*values))
        return handler(*values)

    @told
    def stream(request: gr.Request, *values: Any) -> Iterator[Any]:
        for item in turns.work(str(request.session_hash), steps(values)):
            if not isinstance(item, Waiting):
                yield item
            elif waiting is not None:
                yield waiting(item)

    return stream


def wire(bench: Workbench, opening: Any, in_tabs: list[Any]) -> None:
    """Listen to everything but the tabs' own events; call it when all tabs are built.

    Args:
        bench: the workbench.
        opening: the event with which the first picture is shown; None where it comes in another way.
        in_tabs: the components that `Workbench.in_tabs` fills.
    """
    view, quiet = [*bench.view, *in_tabs], {**COMPUTE, **QUIET}
    seed_bar = [bench.seed, bench.variety]
    if opening is not None:
        inputs = [bench.session, *seed_bar, bench.address]
        opening(bench.in_turn(bench.opening), inputs, view, js=WITH_ADDRESS, **quiet)
    for offer in bench.offers:
        # one listener for all that begins an edit: while one runs, Enter begins no second
        gr.on(offer.events, offer.run, [bench.session, *offer.inputs], view, **quiet)
        offer.stop.click(bench.ask_to_stop, queue=False, **QUIET)
    moves = ((bench.undo, Session.undone), (bench.redo, Session.redone), (bench.reset, Session.reset))

    def begin(session: Session | None, *values: Any) -> Any:
        return bench.of(session).begin(*values)

    def shuffled(session: Session | None, *values: Any) -> Any:
        return bench.of(session).shuffled(*values)

    pictures: list[tuple[Callable, Callable, list[Any]]] = [
        (bench.seed.submit, begin, [bench.session, *seed_bar]),
        (bench.variety.release, begin, [bench.session, *seed_bar]),
        (bench.shuffle.click, shuffled, [bench.session, bench.variety]),
    ]
    for listen, handler, inputs in pictures:
        # an edit that runs is asked to end, or this would wait in line behind it
        listen(bench.give_way, queue=False, **QUIET)
        listen(bench.in_turn(handler), inputs, view, **quiet)
    for button, move in moves:
        # after it has ended: Gradio reads the session before a handler begins, and the edit gives it another one
        ended = button.click(bench.end_edit, queue=False, **QUIET)
        ended.then(bench.in_turn(bench.moved_in_history(move)), [bench.session], view, **quiet)
    wire_comfort(bench, view, quiet, QUIET)
