"""The choice of the kind of picture, above the tabs: which of them it shows, and the first picture of each kind.

Faces of both kinds are on one panel; what was done to those of the other kind is kept, and comes back with the choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape
from itertools import chain
from typing import Any

import gradio as gr

from app.core.errors import UserError, as_notices, without_folders
from app.core.model_sets import DRAWN, FIRST, FLOWERS, KINDS, RENDERED, Faces
from app.core.session import VARIETY, Session
from app.panels import links
from app.panels.components import IDLE
from app.panels.events import COMPUTE, FETCH, QUIET, gathered, handled, in_turn
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.panels.views import Updates
from app.tabs.compare import CompareTab
from app.widgets.scripted import message

_OF_FACES = ("attributes", "keypoints", "photo")
TABS = {DRAWN: _OF_FACES, RENDERED: _OF_FACES, FLOWERS: ("captions",)}
"""The tabs that a kind of picture has beside those that are always there."""
_STAYS = "compare"  # of those the one that shows the chosen kind
# JavaScript: in place of the last input
_ADDRESS = (
    "(...values) => [...values.slice(0, -1), new URLSearchParams(window.location.search).get('edit')"
    " || new URLSearchParams(window.location.hash.slice(1)).get('edit') || '']"
)
_SELECTED = (
    "(...values) => [...values.slice(0, -1), document.querySelector('#tabs [role=tab].selected')?.dataset.tabId || '']"
)


class Choice:
    """The choice, and what it does.

    Args:
        faces: the panel of both kinds of faces.
        flowers: that of the flowers.
    """

    def __init__(self, faces: FacePanel, flowers: FlowerPanel) -> None:
        self.faces, self.flowers = faces, flowers

    def build(self) -> None:
        """The choice, in the page that is being built."""
        self.radio = gr.Radio(
            [(label, kind) for kind, label in KINDS.items()], value=FIRST, label="Which pictures", show_label=False,
            container=False, elem_id="kind", elem_classes="kind",
        )  # fmt: skip
        self.said = gr.HTML(_said(""), elem_id="kind-said", apply_default_css=False)
        self.chosen = gr.State(FIRST)
        self.kept = gr.State({}, time_to_live=IDLE)  # the sessions of faces by their kind
        self.told = gr.Textbox(visible=False, max_length=100_000)  # what the browser knows: a link, or a tab

    def wire(
        self, load: Any, tabs: gr.Tabs, parts: dict[str, gr.Tab], compare: CompareTab, fillings: list[Any]
    ) -> None:
        """Listen; call it when all tabs are built.

        Args:
            load: the page's opening.
            tabs: all tabs.
            parts: those that are not always there, by their ids.
            compare: which asks other things of other kinds.
            fillings: components of the tabs that the panels' views fill.
        """
        self.tabs, self.parts, self.compare = tabs, parts, compare
        faces, flowers, quiet = self.faces, self.flowers, {**COMPUTE, **QUIET}
        for name, part in parts.items():
            part.visible = name in TABS[FIRST] or "hidden"
        tabs.selected = TABS[FIRST][0]
        outputs = [
            *faces.outputs, *faces.fitting, *flowers.outputs, *fillings, self.radio, self.said, self.chosen, self.kept,
            tabs, *parts.values(), *compare.suiting,
        ]  # fmt: skip
        inputs = [faces.session, flowers.session, self.told]
        load(as_notices(self.opened), inputs, outputs, js=_ADDRESS, **quiet)
        # what is fetched stands in no queue, and edits go on beside it
        inputs = [self.radio, self.chosen]
        loaded = self.radio.input(as_notices(self.loaded), inputs, [self.radio, self.said, faces.stage], **FETCH)
        # a running edit ends first: Gradio reads the session before a handler begins, and the edit gives it another one
        ended = loaded.success(self.ended, [self.radio, faces.session], queue=False, **QUIET)
        inputs = [self.radio, self.kept, *faces.inputs, *flowers.inputs, self.told]
        switched = ended.then(as_notices(self.switched), inputs, outputs, js=_SELECTED, **quiet)
        switched.then(lambda: gr.Radio(interactive=True), None, [self.radio], queue=False, **QUIET)
        compare.listen(switched.then)

    def shown(self, kind: str, tab: object = "") -> Updates:
        """What the page shows for a kind of picture.

        Args:
            kind: of `KINDS`.
            tab: the one that is selected; it stays so if the kind has it.
        """
        own = TABS[kind]
        selected = tab if tab in (*own, _STAYS) else own[0]
        return {
            self.radio: kind, self.chosen: kind, self.said: _said(""),
            self.tabs: gr.Tabs(selected=selected),
            **{part: gr.Tab(visible=name in own or "hidden") for name, part in self.parts.items()},
            **self.compare.suited(kind),
        }  # fmt: skip

    # -- the page's opening --------------------------------------------------------------------------------------------

    def opened(
        self, request: gr.Request, face: Session | None, flower: Session | None, link: object
    ) -> Iterator[Updates]:
        """The first picture that a visitor sees, or the one that the page's address links to."""
        linked = links.set_in((self.faces, self.flowers), link)
        kind = linked.kind if linked else FIRST
        if kind in self.faces.kinds:
            yield from gathered(self._first_face(request, face, self.faces.kinds[kind], link))
        else:
            first = handled(self.flowers, links.opening)(request, flower, None, link)
            yield from gathered(chain([self.shown(kind)], first))

    def _first_face(self, request: gr.Request, face: Session | None, wanted: Faces, link: object) -> Iterator[Updates]:
        """The first face; a drawn one, where rendered ones cannot be had."""
        from sgf_hub.errors import SGFError

        faces = self.faces
        if face is not None:  # the page has one
            yield {faces.session: face}
            return
        try:
            for news in faces.load(wanted):
                yield {faces.stage: message(status=news)}
        except (SGFError, UserError) as error:
            if wanted is faces.drawn:
                raise
            said = f"The page begins with a drawn face: {without_folders(str(error))}"
            gr.Warning(escape(said), title="There are no rendered faces")
            wanted, link = faces.drawn, ""
        yield {**self.shown(wanted.kind), **faces.fitted(wanted)}
        begin = partial(links.opening, faces, faces.view_on(wanted), None)
        yield from in_turn(faces.models.queue, begin)(request, link)

    # -- another choice ------------------------------------------------------------------------------------------------

    def loaded(self, kind: str, before: str) -> Iterator[Updates]:
        """See to it that what draws and reads the chosen faces is there; if not, the choice is what it was."""
        wanted = self.faces.kinds.get(kind)
        try:
            for news in self.faces.load(wanted) if wanted else ():
                yield {self.said: _said(news), self.faces.stage: message(status=news)}
        except Exception:
            failed = "These faces could not be loaded."
            yield {self.radio: before, self.said: _said(""), self.faces.stage: message(status=failed)}
            raise
        yield {self.said: _said("")}

    def ended(self, request: gr.Request, kind: str, face: Session | None) -> None:
        """End a running edit of the other kind of faces, and wait until its result stands."""
        if kind in self.faces.kinds and self.faces.set_of(face).kind != kind:
            self.faces.end_edit(request)

    def switched(
        self, request: gr.Request, kind: str, kept: dict[str, Session], face: Session | None, face_sent: object,
        flower: Session | None, flower_sent: object, tab: object,
    ) -> Iterator[Updates]:  # fmt: skip
        """The page of the chosen kind, with its first picture or the one that it had."""
        if kind == FLOWERS:
            first = handled(self.flowers, links.opening)(request, flower, flower_sent)
        else:
            face = yield from links.recovered(self.faces, face, face_sent)
            show = partial(self._face, self.faces.kinds[kind], face, kept)
            first = in_turn(self.faces.models.queue, show)(request)
        # no other choice until this one has its picture, or theirs would stand beside it
        waiting = {**self.shown(kind, tab), self.radio: gr.Radio(value=kind, interactive=False)}
        yield from gathered(chain([waiting], first))

    def _face(self, wanted: Faces, face: Session | None, kept: dict[str, Session]) -> Updates:
        faces = self.faces
        if face is not None and faces.set_of(face) == wanted:
            return {faces.session: face}
        if face is not None:
            kept = {**kept, faces.set_of(face).kind: face}
        view, again = faces.view_on(wanted), kept.get(wanted.kind)
        shown = faces.show(view, again) if again else faces.begin(view, wanted.first, VARIETY)
        return {**shown, **faces.fitted(wanted), self.kept: kept}


def _said(news: str) -> str:
    return f"<p class='kind-said' role='status'>{escape(news)}</p>"
