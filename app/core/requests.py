"""Request validation: a client can send anything, and what passes here can be edited with.

Values out of range are told by the library (`types.aim`); this checks what it takes for granted: types, names, sizes.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from typing import Any, Literal

from app.core.errors import UserError

Point = tuple[float, float]


def seed_of(text: object, field: str = "a seed") -> int:
    """The seed typed into the page.

    Args:
        text: what was typed.
        field: as the page calls it.

    Raises:
        BadValueError: if it is not a whole number from 0 on.
    """
    from sgf_hub.errors import BadValueError
    from sgf_hub.validation import check_seed

    typed = text.strip()[:40] if isinstance(text, str) else text
    try:
        return check_seed(typed)
    except BadValueError as error:
        raise BadValueError(str(error).replace("a seed", field, 1)) from None


def truncation_of(value: object) -> float:
    """The variety slider's value, in [0, 1]."""
    return round(_number("variety", value, 0, 1), 3)


def options_of(max_steps: object, step_size: object = None) -> dict[str, Any]:
    """The options of an edit that say how it steps; without a step size, the mapping's own."""
    options: dict[str, Any] = {"max_steps": round(_number("steps at most", max_steps, 1, 200))}
    if step_size is not None:
        options["step_size"] = round(_number("step size", step_size, 0.01, 1), 3)
    return options


def choice_of(value: object) -> Literal["balanced", "arrived"]:
    """Which step is the result."""
    if value == "balanced" or value == "arrived":
        return value  # type: ignore[return-value]
    raise UserError(f"choose is {str(value)[:40]!r}; choose 'balanced' or 'arrived'.")


def held_of(value: object, attributes: Iterable[str], named: Container[object]) -> tuple[str, ...]:
    """The attributes that are to be held firmly.

    Args:
        value: a list of names, or nothing.
        attributes: the names there are.
        named: those that are asked for, or released.

    Raises:
        UserError: for anything else.
    """
    names = tuple(attributes)
    if not isinstance(value or [], list):
        raise UserError("hold takes a list of attributes.")
    held = dict.fromkeys(_known(name, names) for name in value or [])  # type: ignore[attr-defined]
    if twice := [name for name in held if name in named]:
        raise UserError(f"{_words(twice[0])} is to be held, and asked for or released too: name it once.")
    return tuple(held)


def layers_of(first: object, last: object, count: int) -> tuple[int, int] | None:
    """The layers to edit, first <= i < last, from the first and the last one as the page counts them, from 1.

    Args:
        first: 1 for the earliest layer.
        last: that layer is edited too.
        count: how many there are; None is given for all of them.

    Raises:
        UserError: if there are no such layers, or the last comes before the first.
    """
    low, high = (round(_number(f"{name} layer", value, 1, count)) for name, value in
                 (("first", first), ("last", last)))  # fmt: skip
    if low > high:
        raise UserError(f"The first layer is {low} and the last is {high}: the last cannot come before the first.")
    return None if (low, high) == (1, count) else (low - 1, high)


def component_of(component: object, strength: object, count: int, far: float) -> tuple[int, float]:
    """A principal component as the page counts them, from 1 to `count`, and how far to go along it, up to `far`."""
    number = round(_number("the component", component, 1, count))
    return number - 1, _number("the strength", strength, -far, far)


def strength_of(value: object) -> float:
    """How much of the way to what is asked is to be gone, from the slider's percent."""
    return round(_number("strength", value, 10, 150) / 100, 3)


def part_of_the_way(
    wishes: Mapping[str, float | Point], now: Mapping[str, float | Point], strength: float
) -> dict[str, Any]:
    """Wishes so strong: now + strength (wish - now) of each number, within [0, 1].

    Args:
        wishes: attribute to probability, keypoint to (x, y).
        now: what is read in the picture, by the same names.
        strength: 1 leaves the wishes as they are.
    """
    if strength == 1:
        return dict(wishes)

    def between(start: float, end: float) -> float:
        return round(min(1.0, max(0.0, start + strength * (end - start))), 4)

    return {
        name: between(now[name], wish) if isinstance(wish, float)  # type: ignore[arg-type]
        else tuple(map(between, now[name], wish))  # type: ignore[arg-type]
        for name, wish in wishes.items()
    }  # fmt: skip


def attribute_wishes(
    value: object, attributes: Iterable[str], *, needed: bool = True
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Wishes and released names from the attribute panel.

    Args:
        value: {"wishes": {name: probability}, "released": [name]}.
        attributes: the names there are.
        needed: whether there must be a wish.

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
    if needed and not wishes:
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


def drag_of(value: object) -> int:
    """Which drag a canvas tells of: it counts them."""
    return round(_number("the drag", _mapping(value).get("drag"), 0, 1e9))


def caption_of(text: object) -> str:
    """The words typed into the page, without control characters and superfluous spaces.

    Raises:
        BadValueError: if they are too long, or no words.
    """
    from sgf_hub.predictors.captions.sentences import clean

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
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or value in (math.inf, -math.inf)
        or value != value
    ):
        raise UserError(f"{name} takes a number from {low:g} to {high:g}, not {str(value)[:40]!r}.")
    if not low <= value <= high:  # a whole number may be larger than any float
        raise UserError(f"{name} is {str(value)[:40]}; it takes a number from {low:g} to {high:g}.")
    return float(value)


def _words(name: object) -> str:
    return str(name)[:40].replace("_", " ")
