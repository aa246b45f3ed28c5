"""Pictures and edits that come from elsewhere: a link in the page's address, a file; and the link to the present."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.core.errors import UserError, without_folders
from app.core.model_sets import ModelSet
from app.core.session import VARIETY, Origin, Session, present
from app.models.latents import taken_in
from app.panels.panel import EditorPanel
from app.panels.views import ConditionView, Updates
from app.widgets import render, share, stage
from app.widgets.scripted import STATIC

OFFERS = STATIC / "offers"
"""What comes of them, a picture a kind; `python -m app.offers` makes them."""


def set_in(panels: Iterable[EditorPanel], link: object) -> ModelSet | None:
    """Whose picture a link holds, of those that some panels show; None if it is for none of them.

    Where it is damaged, or holds another one, that is the panel's own; `linked_session` tells why.
    """
    for panel in panels:
        if is_for(panel, link):
            world: object = None
            with suppress(UserError):
                world = share.in_link(str(link)).get("world")
            return next((one for one in panel.served if one.generator == world), panel.set_of(None))
    return None


def is_for(panel: EditorPanel, link: object) -> bool:
    """Whether a link is about such pictures."""
    return share.is_for(panel.noun, link)


def opening(panel: EditorPanel, view: ConditionView, session: Session | None, link: object = "") -> Iterator[Updates]:
    """The first picture that a visitor sees, or the one that the page's address links to; later ones change nothing."""
    if session is not None:
        yield {panel.session: session}
        return
    linked, seed = linked_session(panel, view, link), view.model_set.first
    first = view.first(linked.latent if linked else view.models.sample(view.model_set, seed, VARIETY))
    if first is not None:
        yield {panel.stage: first}
    try:
        if linked:
            yield panel.show(view, linked)
        else:
            shown = panel.begin(view, seed, VARIETY)
            shown[panel.stage].update(_offered(view.model_set))
            yield shown
    except Exception:
        if first is not None:
            yield {panel.stage: stage.message(reading=None, status="The caption could not be read.")}
        raise
    view.prepare()


def _offered(model_set: ModelSet) -> dict[str, Any]:
    """The edit that is offered of the first picture, to be added to its message; {} if there is none."""
    if model_set.offer is None:
        return {}
    after = render.uri_of((OFFERS / f"{model_set.kind}.jpg").read_bytes())
    return stage.offer(model_set.offer.words, model_set.offer.wishes, after)


def linked_session(panel: EditorPanel, view: ConditionView, link: object) -> Session | None:
    """The session in the address of the page, if one is there for such pictures; told if it is damaged."""
    from sgf_hub.errors import SGFError

    if not is_for(panel, link):
        return None
    try:
        return share.session_in(view.models, view.model_set, share.in_link(str(link)))
    except (UserError, SGFError) as error:
        said = f"{without_folders(str(error))} The page begins with another {panel.noun}."
        gr.Warning(escape(said), title="The link did not work")
        return None


def recovered(panel: EditorPanel, session: Session | None, sent: object) -> Generator[Updates, None, Session | None]:
    """The session of a visitor, with its models there; where the server has none any more, the one in the page's link.

    Args:
        panel: whose picture it is.
        session: None where the server restarted, or let it go.
        sent: what the page keeps, of `panel.link`.

    Yields:
        What the page shows meanwhile.
    """
    from sgf_hub.errors import SGFError

    link = sent.get("link") if isinstance(sent, dict) else None
    model_set = set_in((panel,), link) if session is None else None
    if model_set is None:
        yield from panel.load_for(session)
        return session
    for news in panel.load(model_set):
        yield {panel.stage: stage.message(status=news)}
    with suppress(UserError, SGFError):  # not a link of ours: what needs a picture says that there is none
        session = share.session_in(panel.models, model_set, share.in_link(str(link)))
        gr.Info(f"The server restarted, or had let your {panel.noun} go: it is back from the link in this page.")
        yield {panel.session: session}
    return session


def opened(panel: EditorPanel, view: ConditionView, session: Session | None, path: str | None) -> Updates:
    """A picture from a visitor's file: a latent, ours or another inverter's, or edits."""
    from sgf_hub.latents import SeveralError, read_latent

    if path is None:
        raise UserError("No file came: choose a latent, or edits that were saved here.")
    if path.endswith(".json"):
        read = share.session_in(view.models, view.model_set, share.in_file(Path(path).read_bytes()))
        return panel.show(view, read.after(session))
    try:
        latent = read_latent(path, view.models.generator(view.model_set.generator))
    except SeveralError as error:
        raise UserError(
            f"The file holds {error.count} latents, and one is opened at a time: save the one that you want alone."
        ) from None
    return panel.show(view, panel.start(view, Origin(taken_in(latent, view.models, view.model_set)), session))


def link(panel: EditorPanel) -> Callable[[Session | None, object], Iterator[Updates]]:
    """A handler that shows the link to the picture and its edits."""

    def handler(session: Session | None, sent: object) -> Iterator[Updates]:
        session = present((yield from recovered(panel, session, sent)))
        model_set = panel.view_of(session).model_set
        yield {panel.share: stage.message(link=share.link_of(model_set, panel.noun, session) or "")}

    return handler
