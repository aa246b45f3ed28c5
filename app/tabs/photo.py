"""The tab that takes a visitor's own picture, and finds the nearest one that the generator draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.core import queue as turns
from app.core.errors import UserError, told
from app.core.queue import Waiting
from app.core.session import Origin, Session, present
from app.panels import photo_search as photo
from app.panels.faces import FaceBench
from app.panels.wiring import Offer
from app.widgets import render
from app.widgets.photo_crop import build_crop
from app.widgets.scripted import message

HINT = (
    "<p class='hint'>Bring a picture of your own. The generator here knows drawn faces only: a drawn face comes out "
    "best, and a photograph becomes a cartoon at most. Only the part in the square is sent, and it is not kept.</p>"
)


def build(bench: FaceBench) -> gr.HTML:
    """Build the tab; gives what shows the result, which `wire` must count among what the bench fills."""
    with gr.Tab("Photo", id="photo", elem_id="tab-photo"):
        gr.HTML(HINT, apply_default_css=False)
        crop = build_crop(photo.examples(), elem_id="photo")
        with gr.Row(elem_classes="actions"):
            find = gr.Button("Find this face", variant="primary", elem_id="edit-photo")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-photo")
        found = gr.HTML("", elem_id="photo-found", elem_classes="photo-found", apply_default_css=False)

    def run(session: Session | None, request: gr.Request, sent: object) -> Iterator[dict[Any, Any]]:
        session = present(session)
        here = bench.of(session)
        search = photo.Search(bench.models, here.world.generator, (_crop_of(sent),))
        yield from _found(here, session, search, found, str(request.session_hash))

    bench.offers.append(Offer(find, stop, told(run), [crop], [find.click]))
    return found


def _crop_of(sent: object) -> object:
    """The picture in what the browser sent."""
    if sent is not None and not isinstance(sent, dict):
        raise UserError("The page sent something that cannot be read: reload it.")
    return (sent or {}).get("picture")


def _found(
    bench: FaceBench, session: Session, search: photo.Search, found: gr.HTML, who: str
) -> Iterator[dict[Any, Any]]:
    """The updates of a search: previews, then the result, in the session and on the page.

    Args:
        bench: whose stage shows it.
        session: what to go back to where nothing was found.
        search: that is made.
        found: what shows the result in the tab.
        who: the visitor, by the page's session.
    """
    event, pace, shown = bench.stops.begin(who), photo.Pace(), False
    try:
        for step in bench.models.turns.work(who, search.steps()):
            if event.is_set():
                break
            if isinstance(step, Waiting):
                yield {bench.stage: message(status=turns.told(step)), **bench.running(True)}
            elif pace.due():
                preview = render.jpeg_uri(render.picture(step.images[0], render.PREVIEW), 82)
                words = f"Finding your picture: step {step.index} of {search.total}."
                buttons = {} if shown else bench.running(True)
                shown = True
                yield {bench.stage: message(image=preview, status=words), found: photo.searching(search), **buttons}
        if search.last is None or event.superseded:
            yield {**bench.show(session), found: ""}
            return
        outcome = search.outcome()
        yield {
            **bench.show(bench.start(Origin(outcome.latent, title=photo.TITLE))),
            found: photo.result(search, outcome),
        }
    except Exception:
        yield {**bench.show(session), found: ""}
        raise
    finally:
        bench.stops.end(who, event)
