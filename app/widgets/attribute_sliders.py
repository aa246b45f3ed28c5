"""The attributes as one panel of sliders: 25 `gr.Slider` would be heavy, and could not show what is read beside what is
asked. Keyboard and screen reader get native range inputs with labels. The browser's part is `static/panel.js`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import gradio as gr

from app.widgets.scripted import message, scripted

GROUPS: dict[str, tuple[str, ...]] = {
    "Expression": ("smile", "mouth_open", "eyes_closed", "brows_raised"),
    "Pose": ("facing_left", "facing_up", "tilted_right"),
    "Hair": (
        "black_hair", "brown_hair", "blond_hair", "gray_hair", "dark_hair", "fair_hair", "red_hair", "long_hair",
        "bangs", "bald",
    ),
    "Face": ("male", "old", "chubby", "big_nose", "dark_skin", "beard", "mustache"),
    "Style": ("glasses", "sunglasses", "hat", "earrings", "lipstick", "blush", "warm_background"),
    "Light": ("bright_background", "warm_light"),
}  # fmt: skip
"""The attributes of all faces, as a visitor looks for them."""


def build_sliders(names: Iterable[str] = (), *, elem_id: str, tab: str = "attributes", alone: bool = False) -> gr.HTML:
    """A slider for each attribute, which shows what is read; moving it makes it a wish, its lock lets it go.

    The value sent to Python is `{"from": "client", "wishes": {name: probability}, "released": [name]}`, which
    `wishes.attribute_wishes` checks.

    Args:
        names: the attributes that are shown until a message brings others, as `groups_of` gives them.
        elem_id: of the element.
        tab: whose Edit the wishes are for.
        alone: no other tab edits the same picture.
    """
    groups = escape(json.dumps(groups_of(names)))
    # in the template, for a component that is first shown late gets no other properties than its value
    template = (
        f'<div class="group-tabs"></div><div class="groups" data-tab="{tab}" data-alone="{str(alone).lower()}" '
        f'data-groups="{groups}">{_ROW}</div>'
    )
    return scripted(template, "panel.js", elem_id=elem_id, elem_classes="panel")


def reads(
    attributes: Mapping[str, float], done: Iterable[str] | None = (), changed: Iterable[str] = ()
) -> dict[str, Any]:
    """A message: what the predictor reads, which wishes are done with (None: all of them), and what an edit changed."""
    rounded = {name: round(p, 3) for name, p in attributes.items()}
    return message(
        groups=groups_of(attributes), reads=rounded, done=None if done is None else list(done), changed=list(changed)
    )


def groups_of(names: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Attributes as a visitor looks for them: [(title, [(name, label), ...]), ...]; others come last."""
    names = tuple(names)
    known = {name for members in GROUPS.values() for name in members}
    groups = {title: [name for name in members if name in names] for title, members in GROUPS.items()}
    others = [name for name in names if name not in known]
    groups["More" if any(groups.values()) else "Attributes"] = others
    return [(title, [(name, label_of(name)) for name in members]) for title, members in groups.items() if members]


def label_of(name: str) -> str:
    """An attribute's or a keypoint's name as a visitor reads it."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


# Gradio reads this as a template: no backticks, no braces.
_ICONS = (
    '<svg class="held" viewBox="0 0 16 16" aria-hidden="true"><path d="M5 7V5a3 3 0 0 1 6 0v2"></path>'
    '<rect x="3.5" y="7" width="9" height="6.5" rx="1.6"></rect></svg>'
    '<svg class="open" viewBox="0 0 16 16" aria-hidden="true"><path d="M5 7V4.6a3 3 0 0 1 5.8-1"></path>'
    '<rect x="3.5" y="7" width="9" height="6.5" rx="1.6"></rect></svg>'
    '<svg class="undo" viewBox="0 0 16 16" aria-hidden="true"><path d="M4.5 4.5l7 7M11.5 4.5l-7 7"></path></svg>'
)
# a model of a row, which the browser copies
_ROW = (
    f'<div class="attribute" data-name=""><button type="button">{_ICONS}</button><label></label>'
    '<input type="range" min="0" max="100" step="1" value="50"><output></output></div>'
)
