"""The tab that edits by sentence: a flower, and words for what it should become."""

from __future__ import annotations

import json

import gradio as gr

from app.core.requests import caption_of
from app.core.session import Plan, Session
from app.panels.actions import announce
from app.panels.events import QUIET
from app.panels.flowers import FlowerPanel
from app.panels.views import CaptionView, Updates
from app.tabs.options import build_options

EXAMPLES: dict[str, tuple[str, ...]] = {
    "One thing": ("purple petals", "white petals", "a small flower", "a large flower", "pointed petals"),
    "Two things": ("red and purple", "large and red", "red and large", "yellow with red tips"),
    "A whole sentence": (
        "a small purple flower with pointed petals",
        "this flower has large white petals with a yellow center",
    ),
}


_PAUSE = (
    "(words) => new Promise((done) => "
    "setTimeout(() => done(document.querySelector('#caption textarea, #caption input')?.value ?? words), 500))"
)


def build(panel: FlowerPanel) -> gr.Tab:
    """Build the tab; gives it."""
    with gr.Tab("Captions", id="captions", elem_id="tab-captions") as tab:
        gr.HTML(
            "<p class='hint'>Say in your own words, in English, what the flower should become, or take an example. "
            "Below the picture you read how much of the rest of its caption was held.</p>",
            apply_default_css=False,
        )
        text = gr.Textbox(
            label="What the flower should become", placeholder="a small purple flower with pointed petals",
            lines=1, max_lines=4, elem_id="caption", elem_classes="caption",
        )  # fmt: skip
        panel.build_notice()
        panel.build_actions("captions", "Say what the flower should become.", ("caption",))
        announce(text, "caption")
        for title, examples in EXAMPLES.items():
            gr.HTML(f"<h3 class='group-title'>{title}</h3>", apply_default_css=False)
            with gr.Row(elem_classes="examples"):
                for words in examples:
                    example = gr.Button(words, size="sm", min_width=60, elem_classes="example")
                    example.click(None, None, text, js=f"() => {json.dumps(words)}", **QUIET)
        # a caption's steps have no size, and nothing lies between two captions
        options = build_options(panel, "captions", sized=False)

    def plan(view: CaptionView, session: Session, words: object, *values: object) -> Plan:
        return Plan(
            panel.model_set.captions, {"caption": caption_of(words)}, **options.read(view.model_set, *values)[0]
        )

    def doubted(words: object) -> Updates:
        return panel.view_of().doubt(words)

    # one question at a time, of the words as they are when the typing pauses
    text.change(
        doubted, text, panel.notice, js=_PAUSE, trigger_mode="always_last", concurrency_id="doubt",
        concurrency_limit=2, **QUIET,
    )  # fmt: skip
    panel.offer(plan, [text, *options.inputs], text.submit)
    return tab
