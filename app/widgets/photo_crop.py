"""The part of a visitor's picture that is looked for: chosen, dropped or pasted, and cropped, all in the browser.

Its other half is `static/photo.js`. Only the crop leaves the browser, as `{"from": "client", "picture": data URI}`,
which `photo.picture_of` checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import gradio as gr

from app.widgets.scripted import scripted

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<div class="photo">
<div class="photo-drop">
  <label class="photo-choose"><input type="file" accept="image/*"><span>Choose a picture</span></label>
  <p>Or drop one here, or paste it.</p>
</div>
<div class="photo-crop" hidden>
  <canvas class="photo-view" width="512" height="512" role="img" aria-label="Your picture, cropped"></canvas>
  <div class="photo-ranges">
    <label>Zoom <input type="range" class="photo-zoom" min="1" max="8" step="0.05" value="1"></label>
    <label>Left to right <input type="range" class="photo-x" min="0" max="1" step="0.01" value="0.5"></label>
    <label>Up and down <input type="range" class="photo-y" min="0" max="1" step="0.01" value="0.5"></label>
    <p>Drag the picture to move it, and scroll or pinch to zoom.</p>
    <button type="button" class="photo-other">Another picture</button>
  </div>
</div>
<p class="photo-told" role="alert" hidden></p>
<div class="photo-examples"><h3 class="group-title">No picture at hand? Take a drawn one.</h3><div>EXAMPLES</div></div>
</div>
"""


def build_crop(examples: Mapping[str, str], *, elem_id: str) -> gr.HTML:
    """A picture of the visitor's in a square that pointer, touch, wheel and sliders move.

    Args:
        examples: pictures to try: what each shows, and its data URI.
        elem_id: of the element.
    """
    buttons = "".join(
        f'<button type="button" class="photo-example" title="{escape(words)}">'
        f'<img src="{source}" alt="{escape(words)}"></button>'
        for words, source in examples.items()
    )
    return scripted(
        _TEMPLATE.replace("EXAMPLES", buttons), "photo.js", elem_id=elem_id, sender="client", elem_classes="photo-tool"
    )
