"""The edits of a picture in a row below it, the picture itself first: where one is, and the way back to any of them.

A thumbnail an edit, labelled with what was asked; those that were undone are dimmed until a new edit takes their place.
Before them stands the picture that was left for this one, as the way back to it. The browser's part is
`static/timeline.js`: it sends `{"from": "client", "at": number of standing edits}`, or `"at": "left"`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import UserError
from app.core.gestures import FEATURES
from app.core.session import Plan, Session
from app.widgets import render
from app.widgets.attribute_sliders import label_of
from app.widgets.scripted import message, scripted

if TYPE_CHECKING:
    from torch import Tensor

    from app.core.model_sets import ModelSet
    from app.models.services import Models
    from sgf_hub.types import Latent

SIDE = 96  # of a thumbnail, in pixels
REMEMBERED = 1024  # thumbnails, of about 2 KB
LONGEST = 40  # characters of a label
_NAMED = 3  # wishes or features of a label, from which on the others are counted

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<nav class="timeline" aria-label="Edits of this picture" hidden>
<button type="button" class="left-picture" hidden></button><ol></ol></nav>
"""


def build_timeline(*, elem_id: str) -> gr.HTML:
    """The row, hidden until there is a picture; listen with `.select`."""
    return scripted(_TEMPLATE, "timeline.js", elem_id=elem_id)


def wishes_in_words(plan: Plan) -> str:
    """What a plan asks for in a few words: "+ glasses", "smile 60", "turn left", "nose", "“purple petals”"."""
    if "caption" in plan.wishes:
        return _cut(f"“{plan.wishes['caption']}”")
    asked = [_attribute(name, wish) for name, wish in plan.wishes.items() if isinstance(wish, int | float)]
    points = [name for name, wish in plan.wishes.items() if not isinstance(wish, int | float)]
    if plan.gesture:
        asked.insert(0, plan.gesture)
    elif points:
        moved = [feature for feature, members in FEATURES.items() if any(name in members for name in points)]
        asked += moved if len(moved) < _NAMED else [f"{len(points)} points"]
    few = asked if len(asked) <= _NAMED else [*asked[: _NAMED - 1], f"{len(asked) - _NAMED + 1} more"]
    return _cut(", ".join(few))


def _attribute(name: str, wish: float) -> str:
    label = label_of(name).lower()
    return {1.0: f"+ {label}", 0.0: f"− {label}"}.get(float(wish), f"{label} {wish * 100:.0f}")


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 1].rstrip() + ("…”" if text.endswith("”") else "…")


def timeline(
    models: Models, model_set: ModelSet, noun: str, session: Session, drawn: Iterable[tuple[Latent, Tensor]] = ()
) -> dict[str, Any]:
    """A message: the session's edits, and the picture before it.

    Args:
        models: what draws the thumbnails.
        model_set: of the picture.
        noun: what the picture shows, in one word.
        session: with its edits.
        drawn: pictures that are at hand, [3, R, R] each, after their latents.
    """
    left = session.left
    latents = [session.origin.latent, *(edit.latent for edit in session.edits), *([left.latent] if left else [])]
    shown = _thumbnails(models, model_set, latents, drawn)
    labels = ["Start", *(wishes_in_words(edit.plan) for edit in session.edits)]
    items = [list(item) for item in zip(labels, shown[: len(labels)], strict=True)]
    return message(items=items, now=session.cursor, left=[_name_of(left, noun), shown[-1]] if left else None)


def _name_of(session: Session, noun: str) -> str:
    """A picture, in a few words."""
    seed = session.origin.seed
    name = f"the last {noun}" if seed is None else f"{noun} {seed}"
    return f"{name}, edited" if session.cursor else name


def _thumbnails(
    models: Models, model_set: ModelSet, latents: list[Latent], drawn: Iterable[tuple[Latent, Tensor]]
) -> list[str]:
    """Of each latent, a data URI; drawn once."""
    from sgf_hub.predictors.captions.sentences import Recent

    known = models.once("thumbnails", lambda: Recent(REMEMBERED))
    keys = [_key(model_set, latent) for latent in latents]
    found = {key: known.get(key) for key in keys}
    missing = {key: latent for key, latent in zip(keys, latents, strict=True) if found[key] is None}
    images = {_key(model_set, latent): image for latent, image in drawn if missing}
    away = {key: latent for key, latent in missing.items() if key not in images}
    images.update(zip(away, models.draw_all(model_set, list(away.values())), strict=True))
    for key in missing:
        found[key] = render.thumbnail(images[key], SIDE)
        known.put(key, found[key])
    return [str(found[key]) for key in keys]


def _key(model_set: ModelSet, latent: Latent) -> bytes:
    data = latent.data.contiguous().numpy().tobytes()
    return hashlib.blake2b(model_set.generator.encode() + latent.space.encode() + data, digest_size=16).digest()


def point_of(value: object) -> int | None:
    """The point of the timeline that was chosen, from what its browser's part sent; None for the picture before it.

    Raises:
        UserError: if it is neither.
    """
    if isinstance(value, Mapping) and value.get("at") == "left":
        return None
    return _whole(value, "at", "The page sent something that is not a point of the timeline: reload it.")


def step_of(value: object) -> int:
    """The step of the filmstrip that was chosen, from what the picture's browser's part sent.

    Raises:
        UserError: if it is no whole number.
    """
    return _whole(value, "take", "The page sent something that is not a step of the edit: reload it.")


def _whole(value: object, key: str, sentence: str) -> int:
    number = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int):
        raise UserError(sentence)
    return number
