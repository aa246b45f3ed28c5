"""The tab that takes a visitor's own picture, and finds the nearest one that the generator draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.core.errors import UserError
from app.core.session import Origin, Session, present
from app.panels.components import Offer
from app.panels.faces import FacePanel
from app.widgets import render
from app.widgets.photo_crop import build_crop
from app.widgets.photo_search import TITLE, Pace, Search, examples, result, searching
from app.widgets.stage import other_picture

HINT = (
    "<p class='hint'>Bring a picture of your own. Each generator here knows its own faces only, drawn or rendered: "
    "such a face comes out best, and of a photograph the nearest that it has. Only the part in the square is sent, and "
    "it is not kept.</p>"
)


def build(panel: FacePanel) -> gr.Tab:
    """Build the tab; gives it."""
    with gr.Tab("Photo", id="photo", elem_id="tab-photo") as tab:
        gr.HTML(HINT, apply_default_css=False)
        crop = build_crop(examples(), elem_id="photo")
        with gr.Row(elem_classes="actions"):
            find = gr.Button("Find this face", variant="primary", elem_id="edit-photo")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-photo")
        found = gr.HTML("", elem_id="photo-found", elem_classes="photo-found", apply_default_css=False)

    def run(who: str, session: Session | None, sent: object) -> Iterator[dict[Any, Any]]:
        session = present(session)
        search = Search(panel.models, panel.set_of(session).generator, (_crop_of(sent),))
        yield from _found(panel, session, search, found, who)

    panel.found = found
    panel.offers.append(Offer(find, stop, inputs=[crop], events=[find.click], run=run))
    return tab


def _crop_of(sent: object) -> object:
    """The picture in what the browser sent."""
    if sent is not None and not isinstance(sent, dict):
        raise UserError("The page sent something that cannot be read: reload it.")
    return (sent or {}).get("picture")


def _found(panel: FacePanel, session: Session, search: Search, found: gr.HTML, who: str) -> Iterator[dict[Any, Any]]:
    """The updates of a search: previews, then the result, in the session and on the page.

    Args:
        panel: whose stage shows it.
        session: what to go back to where nothing was found.
        search: that is made.
        found: what shows the result in the tab.
        who: the visitor, by the page's session.
    """
    view, event, pace, shown = panel.view_of(session), panel.stops.begin(who), Pace(), False
    try:
        for step in panel.models.queue.work(who, search.steps()):
            if event.is_set():
                break
            if pace.due():
                preview = render.jpeg_uri(render.picture(step.images[0], render.PREVIEW), 82)
                words = f"Finding your picture: step {step.index} of {search.total}."
                buttons = {} if shown else panel.running(True)
                shown = True
                about = {panel.stage: other_picture(preview, words), panel.result: gr.Row(visible=False)}
                yield {**about, found: searching(search), **buttons}
        if search.last is None or event.superseded:
            yield panel.show(view, session)
            return
        outcome = search.outcome()
        yield {
            **panel.show(view, panel.start(view, Origin(outcome.latent, title=TITLE))),
            found: result(search, outcome),
        }
    except Exception:
        yield panel.show(view, session)
        raise
    finally:
        panel.stops.end(who, event)
