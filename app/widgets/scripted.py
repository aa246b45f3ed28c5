"""Components of our own: a template of HTML, and scripts of `static/` that are the browser's part of it.

Page and server talk through the component's value: what the server sends is a `message`.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parents[1] / "static"
_NUMBERS = itertools.count()


def scripted(template: str, *scripts: str, elem_id: str, sender: str = "server", **options: Any) -> gr.HTML:
    """A component of ours.

    A function, not a subclass of `gr.HTML`: Gradio writes a .pyi file beside the source of every subclass it meets.

    Args:
        template: its HTML; Gradio reads it as a template of its own, so no backticks and no braces.
        scripts: names of its files in `static/`, which are one script.
        elem_id: of the element.
        sender: who is to speak first, "server" or "client".
        options: of `gr.HTML`.
    """
    return gr.HTML(
        value={"from": sender},
        html_template=template,
        js_on_load="\n".join((STATIC / script).read_text("utf-8") for script in scripts),
        apply_default_css=False,
        elem_id=elem_id,
        **options,
    )


def message(**content: Any) -> dict[str, Any]:
    """A value for one of our components. Numbered: Gradio does not pass on a value equal to the one before."""
    return {"from": "server", "id": next(_NUMBERS), **content}
