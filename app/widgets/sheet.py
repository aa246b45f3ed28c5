"""A sheet of samples to begin with one of them: 24 pictures at once, in a dialog over the page.

The browser's part is `static/sheet.js`: it sends `{"from": "client", "seed": number}` for the one that is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import UserError
from app.widgets import render
from app.widgets.scripted import message, scripted

if TYPE_CHECKING:
    from app.core.model_sets import ModelSet
    from app.models.services import Models

COUNT = 24
SIDE = 112  # of a picture, in pixels
SEEDS = 10_000  # they are taken from below this

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<dialog class="sheet" aria-label="Choose a NOUN">
  <div class="sheet-head">
    <h2>Choose a NOUN</h2>
    <button type="button" class="sheet-more">COUNT others</button>
    <button type="button" class="sheet-close" aria-label="Close">✕</button>
  </div>
  <p class="sheet-status" role="status"></p>
  <div class="sheet-grid"></div>
</dialog>
"""


def build_sheet(noun: str, *, elem_id: str) -> gr.HTML:
    """The dialog, closed; listen with `.select` for a choice and with `.input` for other pictures.

    Args:
        noun: what the pictures show, in one word.
        elem_id: of the element.
    """
    return scripted(
        _TEMPLATE.replace("NOUN", noun).replace("COUNT", str(COUNT)), "sheet.js", elem_id=elem_id, setup={"noun": noun}
    )


def sheet(models: Models, model_set: ModelSet, truncation: float, seeds: Sequence[int] | None = None) -> dict[str, Any]:
    """A message: pictures to choose from.

    Args:
        models: what draws them.
        model_set: whose.
        truncation: psi of the sampling.
        seeds: what they are sampled from; `COUNT` random ones by default.
    """
    chosen = random.sample(range(SEEDS), COUNT) if seeds is None else seeds
    latents = [models.sample(model_set, seed, truncation) for seed in chosen]
    images = models.draw_all(model_set, latents)
    shown = [[seed, render.thumbnail(image, SIDE)] for seed, image in zip(chosen, images, strict=True)]
    return message(pictures=shown)


def seed_in(value: object) -> object:
    """The seed that was chosen, from what the browser's part sent; `wishes.seed_of` checks it.

    Raises:
        UserError: if there is none.
    """
    if not isinstance(value, Mapping) or value.get("seed") is None:
        raise UserError("The page sent something that is not a choice of a picture: reload it.")
    return value["seed"]
