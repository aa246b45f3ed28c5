"""What is listened to: the events of a workbench's components, and in which line each waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.downloads import Downloads
from app.session import Session
from app.told import told

if TYPE_CHECKING:
    from app.workbench import Workbench

COMPUTE = {"concurrency_id": "compute", "concurrency_limit": 1}
"""All that computes waits in one line: two edits at once would both be slow."""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}

_FETCH = "() => setTimeout(() => document.querySelector('#{}').click(), 60)"  # once its address has arrived


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


def wire(bench: Workbench, opening: Any, in_tabs: list[Any]) -> None:
    """Listen to everything but the tabs' own events; call it when all tabs are built.

    Args:
        bench: the workbench.
        opening: the event with which the first picture is shown.
        in_tabs: the components that `Workbench.in_tabs` fills.
    """
    view, quiet = [*bench.view, *in_tabs], {**COMPUTE, **QUIET}
    seed_bar = [bench.seed, bench.variety]
    opening(told(bench.opening), [bench.session, *seed_bar], view, **quiet)
    for offer in bench.offers:
        # one listener for all that begins an edit: while one runs, Enter begins no second
        gr.on(offer.events, offer.run, [bench.session, *offer.inputs], view, **quiet)
        offer.stop.click(bench.ask_to_stop, queue=False, **QUIET)
    moves = ((bench.undo, Session.undone), (bench.redo, Session.redone), (bench.reset, Session.reset))
    pictures: list[tuple[Callable, Callable, list[Any]]] = [
        (bench.seed.submit, told(bench.begin), seed_bar),
        (bench.variety.release, told(bench.begin), seed_bar),
        (bench.shuffle.click, told(bench.shuffled), [bench.variety]),
        (bench.open.upload, told(bench.opened), [bench.open]),
    ]
    history = [(button.click, bench.moved_in_history(move), [bench.session]) for button, move in moves]
    for end, transitions in ((bench.give_way, pictures), (bench.ask_to_stop, history)):
        for listen, handler, inputs in transitions:
            # an edit that runs is asked to end, or this would wait in line behind it
            listen(end, queue=False, **QUIET)
            listen(handler, inputs, view, **quiet)
    downloads = Downloads(bench.world, bench.models, bench.download, bench.noun)
    files = ((bench.png, downloads.png), (bench.gif, downloads.gif), (bench.latent, downloads.latent))
    fetch = _FETCH.format(bench.download.elem_id)
    for button, write in files:
        button.click(told(write), [bench.session], [bench.download], **quiet).success(None, js=fetch, **QUIET)
