"""The line at a tab's Edit: what is to be done while nothing is asked, then what is asked.

The browser alone knows what is asked for until Edit is pressed: sliders, points and words announce it to the page
(`sgf-asked`). `static/actions.js` turns Edit off while that is nothing, and keeps the focus where it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import gradio as gr

from app.widgets.scripted import STATIC


def build_hint(hint: str, *, edit: str, stop: str, kinds: Iterable[str]) -> gr.HTML:
    """The line.

    Args:
        hint: what is to be done.
        edit: id of the button that edits.
        stop: of the one that stands there meanwhile.
        kinds: of what can be asked, as it is announced: "attributes", "points", "caption", "photo".
    """
    return gr.HTML(
        html_template='<p class="edit-hint"></p>',
        js_on_load=(STATIC / "actions.js").read_text("utf-8"),
        apply_default_css=False,
        elem_id=f"{edit}-about",
        setup={"edit": edit, "stop": stop, "kinds": list(kinds), "hint": hint},
    )


def announce(words: gr.Textbox, kind: str) -> None:
    """Have the browser announce what is written in a box, as something that can be asked."""
    name = json.dumps(kind)
    words.change(
        None, [words], None, api_visibility="private", show_progress="hidden",
        js=f"(words) => {{ window.sgfAsked = {{ ...window.sgfAsked, [{name}]: (words || '').trim() }};"
        " window.dispatchEvent(new Event('sgf-asked')); }",
    )  # fmt: skip
