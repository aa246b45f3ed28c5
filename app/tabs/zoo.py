"""The tab that shows the embedded zoo, and opens mappings: one of its cards, or one of the Hub by its id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.core.errors import UserError, as_notices, sentence_of
from app.panels.events import FETCH, QUIET
from app.panels.hub import HubPanel
from app.tabs import catalogue
from app.widgets.captions import safe
from app.widgets.scripted import STATIC


def build(panel: HubPanel) -> ZooTab:
    """Build the tab."""
    with gr.Tab("Zoo", id="zoo", elem_id="tab-zoo") as tab:
        gr.HTML(
            "<p class='hint'>Every model of this page, and how good it is. A mapping can be opened: one of those "
            "below, or one of the Hugging Face Hub by its id.</p>",
            apply_default_css=False,
        )
        with gr.Row(elem_classes="zoo-open", equal_height=True):
            name = gr.Textbox(
                label="Mapping to open", placeholder="owner/name", max_lines=1, max_length=200, elem_id="zoo-name",
                scale=4, min_width=180,
            )  # fmt: skip
            button = gr.Button("Open", variant="primary", elem_id="zoo-open", scale=1, min_width=90)
        status = gr.HTML(_said(""), elem_id="zoo-status", apply_default_css=False)
        shown = gr.HTML(
            "<p class='hint zoo-wait'>Reading the cards …</p>", js_on_load=(STATIC / "zoo.js").read_text("utf-8"),
            apply_default_css=False, elem_id="zoo-cards",
        )  # fmt: skip
    return ZooTab(panel, tab, name, button, status, shown)


class ZooTab:
    """The tab's components, and what they do.

    Args:
        panel: shows what is opened.
        tab: the tab.
        name: what the visitor typed.
        button: opens it.
        status: how it goes.
        shown: the cards.
    """

    def __init__(
        self, panel: HubPanel, tab: gr.Tab, name: gr.Textbox, button: gr.Button, status: gr.HTML, shown: gr.HTML
    ) -> None:
        self.panel, self.tab, self.name, self.button, self.status, self.shown = panel, tab, name, button, status, shown

    def wire(self, tabs: gr.Tabs, loaded: gr.Tab) -> None:
        """Listen; call it when all tabs are built.

        Args:
            tabs: all of them.
            loaded: the one that shows what is opened.
        """
        panel, quiet = self.panel, dict[str, Any](QUIET)
        outputs = [
            *panel.outputs, panel.sliders, panel.notice, *panel.sections, self.status, self.name, self.button, tabs,
            loaded,
        ]  # fmt: skip

        def opening(name: object, request: gr.Request) -> Iterator[dict[Any, Any]]:
            try:
                for news in panel.open_model(name, str(request.session_hash)):
                    if isinstance(news, str):
                        yield {self.status: _said(news), self.button: gr.Button(interactive=False)}
                        continue
                    _, updates = news
                    yield {
                        **updates, self.status: _said(""), self.name: "", self.button: gr.Button(interactive=True),
                        tabs: gr.Tabs(selected="loaded"), loaded: gr.Tab(label="Loaded model", visible=True),
                    }  # fmt: skip
            except Exception as error:
                told = sentence_of(error)  # beside the name, where it is corrected
                yield {
                    self.status: _said(told or "It could not be opened."), self.button: gr.Button(interactive=True)
                }  # fmt: skip
                if not told:
                    raise

        def typed(name: object, request: gr.Request) -> Iterator[dict[Any, Any]]:
            yield from opening(name, request)

        def chosen(request: gr.Request, event: gr.EventData) -> Iterator[dict[Any, Any]]:
            name = getattr(event, "name", None)
            if not isinstance(name, str):
                raise UserError("The page sent something that cannot be read: reload it.")
            yield from opening(name, request)

        gr.on([self.button.click, self.name.submit], as_notices(typed), [self.name], outputs, **FETCH)
        self.shown.open(as_notices(chosen), None, outputs, **FETCH)
        panel.another.click(lambda: gr.Tabs(selected="zoo"), None, [tabs], queue=False, **quiet)
        self.tab.select(catalogue.page, None, [self.shown], **quiet)


def _said(news: str) -> str:
    busy = " busy" if news.endswith("…") else ""
    return f"<p class='zoo-status{busy}' role='status'>{safe(news)}</p>"
