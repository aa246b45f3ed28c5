"""What a page's components send, made safe: a client can send anything, and what passes here can be edited with.

Values out of range are told by the library (`types.aim`); this checks what it takes for granted: types, names, sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from app.told import UserError

Point = tuple[float, float]


def seed_of(text: object) -> int:
    """The seed typed into the page.

    Raises:
        BadValueError: if it is not a whole number from 0 on.
    """
    from sgf_hub.types import check_seed

    return check_seed(text.strip()[:40] if isinstance(text, str) else text)


def truncation_of(value: object) -> float:
    """The variety slider's value, in [0, 1]."""
    return round(_number("variety", value, 0, 1), 3)


def options_of(max_steps: object, step_size: object = 0.2) -> dict[str, Any]:
    """The options of an edit."""
    return {
        "max_steps": round(_number("the number of steps", max_steps, 1, 200)),
        "step_size": round(_number("the step size", step_size, 0.01, 1), 3),
    }


def attribute_wishes(value: object, attributes: Iterable[str]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Wishes and released names from the attribute panel.

    Args:
        value: {"wishes": {name: probability}, "released": [name]}.
        attributes: the names there are.

    Raises:
        UserError: for anything else, or for no wish.
    """
    names = tuple(attributes)
    content = _mapping(value)
    wishes = {
        _known(name, names): round(_number(_words(name), wish, 0, 1), 4)
        for name, wish in _mapping(content.get("wishes") or {}).items()
    }
    released = content.get("released") or []
    if not isinstance(released, list):
        raise UserError("The page sent something that is not a list of attributes: reload it.")
    if not wishes:
        raise UserError("Nothing is asked for yet: move a slider first.")
    # in the panel's order, so that the same clicks give the same code
    free = {_known(name, names) for name in released} - wishes.keys()
    return {name: wishes[name] for name in names if name in wishes}, tuple(name for name in names if name in free)


def keypoint_wishes(value: object, keypoints: Iterable[str]) -> dict[str, Point]:
    """Where points were moved to, from the canvas.

    Args:
        value: {"moved": {name: [x, y]}}, in [0, 1] of the side.
        keypoints: the names there are.

    Raises:
        UserError: for anything else.
    """
    names = tuple(keypoints)
    moved: dict[str, Point] = {}
    for name, place in _mapping(_mapping(value).get("moved") or {}).items():
        if not isinstance(place, list | tuple) or len(place) != 2:
            raise UserError(f"{_words(_known(name, names))} takes two numbers, x and y, in [0, 1].")
        x, y = (round(_number(_words(name), number, 0, 1), 4) for number in place)
        moved[_known(name, names)] = (x, y)
    return {name: moved[name] for name in names if name in moved}


def caption_of(text: object) -> str:
    """The words typed into the page, without control characters and superfluous spaces.

    Raises:
        BadValueError: if they are too long, or no words.
    """
    from sgf_hub.predictors.sentences import clean

    return clean(text)


def _mapping(value: object) -> Mapping:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError("The page sent something that cannot be read: reload it.")
    return value


def _known(name: object, names: tuple[str, ...]) -> str:
    if not isinstance(name, str) or name not in names:
        raise UserError(f"{str(name)[:40]!r} is not something that can be asked for here: {', '.join(names)}.")
    return name


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{name} takes a number from {low:g} to {high:g}, not {str(value)[:40]!r}.")
    if not low <= value <= high:
        raise UserError(f"{name} is {value:g}; it takes a number from {low:g} to {high:g}.")
    return float(value)


def _words(name: object) -> str:
    return str(name)[:40].replace("_", " ")
