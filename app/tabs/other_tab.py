"""What the other tab asks for of the same face, beside the button that will do it all, and a way to forget it.

The browser alone knows what is asked for until Edit is pressed: the panel of sliders and the picture with its points
announce it to the page (`sgf-asked`), and this line shows it.
"""

from __future__ import annotations

import gradio as gr

from app.widgets.scripted import STATIC

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<div class="asked" hidden>
  <p role="status">Also asked: <b></b></p>
  <button type="button" aria-label="Forget what is also asked">Forget</button>
</div>
"""


def build_asked(of: str) -> gr.HTML:
    """The line, empty and hidden while nothing is asked.

    Args:
        of: whose wishes it tells of: "attributes" or "points".
    """
    return gr.HTML(
        html_template=_TEMPLATE,
        js_on_load=(STATIC / "other_tab.js").read_text("utf-8"),
        apply_default_css=False,
        elem_id=f"asked-{of}",
        setup={"of": of},
    )
