"""The tab that takes a visitor's own picture, and finds the nearest one that the generator draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from app.core.errors import UserError
from app.core.session import Origin, Session, present
from app.panels.components import IDLE
from app.panels.faces import FacePanel
from app.panels.views import ConditionView, Updates
from app.widgets import render
from app.widgets.photo_crop import build_crop
from app.widgets.photo_search import NEAREST, TITLE, Pace, Search, examples, result, searching
from app.widgets.stage import other_picture

if TYPE_CHECKING:
    from sgf_hub.types import Latent

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
        offer = panel.build_actions("photo", "Choose a picture first.", ("photo",), "Find this face")
        found = gr.HTML("", elem_id="photo-found", elem_classes="photo-found", apply_default_css=False)
        nearest = gr.State(None, time_to_live=IDLE)
        take = gr.Button("Take the nearest", visible=False, elem_id="photo-take")

    def run(who: str, session: Session | None, sent: object) -> Iterator[dict[Any, Any]]:
        session = present(session)
        search = Search(panel.models, panel.set_of(session).generator, (_crop_of(sent),))
        yield from _found(panel, session, search, Found(found, nearest, take), who)

    panel.of_search = {found: str, nearest: lambda: None, take: lambda: gr.Button(visible=False)}
    panel.sources.append((take.click, taken, [nearest]))
    offer.inputs, offer.events, offer.run = [crop], [offer.edit.click], run
    return tab


class Found(NamedTuple):
    """What shows what was found.

    Args:
        about: the two pictures, and what is said of them.
        nearest: the latent of a picture that is offered, and not yet taken.
        take: takes it.
    """

    about: gr.HTML
    nearest: gr.State
    take: gr.Button


def taken(panel: FacePanel, view: ConditionView, session: Session | None, latent: Latent | None) -> Updates:
    """The nearest picture that was found, in place of the visitor's own, to which there is a way back."""
    if latent is None:
        raise UserError("There is no picture that was found: choose one, and find its face first.")
    return panel.show(view, panel.start(view, Origin(latent, title=NEAREST), session))


def _crop_of(sent: object) -> object:
    """The picture in what the browser sent."""
    if sent is not None and not isinstance(sent, dict):
        raise UserError("The page sent something that cannot be read: reload it.")
    return (sent or {}).get("picture")


def _found(panel: FacePanel, session: Session, search: Search, found: Found, who: str) -> Iterator[dict[Any, Any]]:
    """The updates of a search: previews, then the result, in the session and on the page.

    What stands in for the photo becomes the picture; what does not is offered, and the visitor's own stays.

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
                yield {**about, found.about: searching(search), **buttons}
        if search.last is None or event.superseded:
            yield panel.show(view, session)
            return
        outcome = search.outcome()
        about = {found.about: result(search, outcome)}
        if outcome.expressible[0]:
            yield {**panel.show(view, panel.start(view, Origin(outcome.latent, title=TITLE), session)), **about}
        else:
            offered = {found.nearest: outcome.latent, found.take: gr.Button(visible=True)}
            yield {**panel.show(view, session), **about, **offered}
    except Exception:
        yield panel.show(view, session)
        raise
    finally:
        panel.stops.end(who, event)
