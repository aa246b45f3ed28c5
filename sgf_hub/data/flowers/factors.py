"""The statistics of flowers: what a blossom is made of, what goes together in nature, and how one is sampled.

Every labelled factor is a choice among few; the amounts behind it (how large is "large") are ranges that never meet,
reached by a nuisance in [-1, 1], so a label is never a matter of opinion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgf_hub.errors import SGFError

COLORS: tuple[str, ...] = ("white", "yellow", "orange", "red", "pink", "purple", "blue", "maroon")
SIZES: tuple[str, ...] = ("small", "medium", "large")
SHAPES: tuple[str, ...] = ("round", "pointed", "ruffled")
PATTERNS: tuple[str, ...] = ("tips", "stripes", "throat")  # where the second colour is
CENTERS: tuple[str, ...] = ("yellow", "brown", "green", "white")
PETALS: tuple[int, ...] = (5, 6, 8, 12)
BACKGROUNDS: tuple[str, ...] = ("dark", "green", "sky", "cream")

GROUPS: dict[str, tuple[str, ...]] = {
    "color": COLORS,
    "second": tuple(f"{color}_second" for color in COLORS),
    "pattern": PATTERNS,
    "size": SIZES,
    "shape": SHAPES,
    "center": tuple(f"{color}_center" for color in CENTERS),
    "petals": tuple(f"{count}_petals" for count in PETALS),
    "background": tuple(f"{name}_background" for name in BACKGROUNDS),
}
"""Factor -> the attributes of which at most one holds (none: no second colour, or a closed bud's hidden centre)."""

ATTRIBUTES: tuple[str, ...] = (*(name for group in GROUPS.values() for name in group), "layered", "closed", "leaves")
"""Names of the A binary attributes, in the order of `Factors.attributes`."""

EXCLUSIVE: tuple[tuple[str, ...], ...] = tuple(GROUPS.values())
"""Groups of attributes of which at most one is on."""

_COLOR_SHARES = {
    "white": 0.15, "yellow": 0.16, "orange": 0.11, "red": 0.14, "pink": 0.16, "purple": 0.15, "blue": 0.07,
    "maroon": 0.06,
}  # fmt: skip
# petal colour -> second colours and their weights: what is not here is not found in nature (blue with orange)
SECONDS: dict[str, dict[str, float]] = {
    "white": {"pink": 4, "purple": 3, "yellow": 2, "red": 2, "blue": 1},
    "yellow": {"orange": 3, "red": 3, "white": 2, "maroon": 1},
    "orange": {"yellow": 4, "red": 2, "maroon": 2},
    "red": {"yellow": 4, "white": 3, "purple": 2, "orange": 1},
    "pink": {"white": 5, "purple": 2, "yellow": 2, "maroon": 2},
    "purple": {"white": 4, "yellow": 3, "pink": 2, "blue": 1, "red": 1},
    "blue": {"white": 4, "purple": 2, "yellow": 1},
    "maroon": {"yellow": 3, "pink": 2, "white": 1},
}
_CENTERS_OF: dict[str, dict[str, float]] = {
    "white": {"yellow": 7, "green": 2, "brown": 1},
    "yellow": {"brown": 6, "green": 3, "white": 1},
    "orange": {"brown": 5, "yellow": 2, "green": 2, "white": 1},
    "red": {"yellow": 6, "brown": 1, "green": 1, "white": 2},
    "pink": {"yellow": 6, "green": 2, "white": 1, "brown": 1},
    "purple": {"yellow": 5, "white": 3, "green": 1, "brown": 1},
    "blue": {"white": 4, "yellow": 5, "green": 1},
    "maroon": {"yellow": 6, "green": 2, "brown": 1, "white": 1},
}
_SIZES_OF = {"white": (4, 3, 3), "blue": (4, 3, 2), "maroon": (2, 3, 5), "red": (2, 3, 4)}  # else even
_SHAPES_OF = {"pink": (4, 2, 4), "yellow": (2, 5, 3), "blue": (5, 3, 2), "purple": (3, 4, 3)}  # else even
_PETALS_OF = {"round": (3, 3, 2, 2), "pointed": (1, 3, 3, 3), "ruffled": (4, 4, 2, 0)}  # narrow ruffles look like tips
_RADII = {"small": (0.20, 0.235), "medium": (0.29, 0.335), "large": (0.405, 0.455)}  # of the picture's side


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Everything needed to draw one flower: choices by name, and nuisances, all floats in [-1, 1].

    Args:
        color: of the petals, one of `COLORS`.
        second: second colour, or "" for none.
        pattern: where it is, one of `PATTERNS`, or "" for none: the petals' tips, a stripe along each, or the throat
            from the centre outwards.
        size: of the blossom, one of `SIZES`.
        shape: of the petals, one of `SHAPES`.
        center: colour of the centre, one of `CENTERS`; hidden in a closed bud.
        petals: how many, one of `PETALS`.
        layered: whether a second ring of petals lies on the first.
        closed: whether it is a bud, seen from the side.
        leaves: whether the stem has leaves.
        background: one of `BACKGROUNDS`.

    Raises:
        SGFError: a choice is unknown, or a second colour has no pattern (or the other way round).
    """

    color: str = "pink"
    second: str = ""
    pattern: str = ""
    size: str = "medium"
    shape: str = "round"
    center: str = "yellow"
    petals: int = 6
    layered: bool = False
    closed: bool = False
    leaves: bool = False
    background: str = "green"

    size_amount: float = 0.0
    center_size: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    turn: float = 0.0
    hue: float = 0.0
    light: float = 0.0
    second_hue: float = 0.0
    second_reach: float = 0.0
    petal_width: float = 0.0
    stem_bend: float = 0.0
    leaf_height: float = 0.0
    mist_x: float = 0.0
    mist_y: float = 0.0
    background_light: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in (
            ("color", COLORS),
            ("second", ("", *COLORS)),
            ("pattern", ("", *PATTERNS)),
            ("size", SIZES),
            ("shape", SHAPES),
            ("center", CENTERS),
            ("petals", PETALS),
            ("background", BACKGROUNDS),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise SGFError(f"{name} is {value!r}; a flower has one of {', '.join(map(repr, choices))}")
        if bool(self.second) != bool(self.pattern) or self.second == self.color:
            raise SGFError("a second colour differs from the first and has a pattern, and a pattern has a colour")

    def replace(self, **changes: Any) -> Factors:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def radius(self) -> float:
        """Of the blossom, as a share of the picture's side."""
        low, high = _RADII[self.size]
        return low + (high - low) * (self.size_amount + 1) / 2

    @property
    def attributes(self) -> np.ndarray:
        """The binary attributes, [A] float32 in {0, 1}, in the order of `ATTRIBUTES`."""
        on = {self.color, self.size, self.shape, f"{self.background}_background"}
        on |= {f"{self.second}_second", self.pattern} if self.second else set()
        # a bud hides its centre, its second ring and how many petals it has
        on |= set() if self.closed else {f"{self.center}_center", f"{self.petals}_petals"}
        on |= {name for name in ("closed", "leaves") if getattr(self, name)}
        on |= {"layered"} if self.layered and not self.closed else set()
        return np.array([name in on for name in ATTRIBUTES], dtype=np.float32)


NUISANCES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Factors) if field.type == "float")


def truth(factors: Factors) -> dict[str, str]:
    """What a caption may say of a flower, in the keys of `captions.stated`; what cannot be seen is left out."""
    said = {"color": factors.color, "size": factors.size, "shape": factors.shape}
    if factors.second:
        said |= {"second": factors.second, "pattern": factors.pattern}
    if factors.closed:
        return said | {"closed": "yes"}
    return (
        said
        | {"center": factors.center, "petals": str(factors.petals)}
        | ({"layered": "yes"} if factors.layered else {})
    )


def sample(seed: int | Sequence[int]) -> Factors:
    """Draw the factors of one flower.

    Args:
        seed: a non-negative integer, or several (a batch uses `(seed, index)`).

    Raises:
        SGFError: the seed is negative.
    """
    try:
        rng = np.random.default_rng(seed)
    except ValueError:
        raise SGFError(f"seed is {seed}, and must be a non-negative integer") from None
    uniform = iter(rng.random(12 + len(NUISANCES)).tolist())

    def choose(weights: Mapping[Any, float]) -> Any:
        place = next(uniform) * sum(weights.values())
        for choice, weight in weights.items():
            place -= weight
            if place < 0:
                return choice
        return choice

    color = choose(_COLOR_SHARES)
    second = choose(SECONDS[color])
    pattern = choose({"tips": 4, "stripes": 2, "throat": 4})
    two = next(uniform) < 0.4
    closed = next(uniform) < 0.1
    shape = choose(dict(zip(SHAPES, _SHAPES_OF.get(color, (1, 1, 1)), strict=True)))
    return Factors(
        color=color,
        second=second if two else "",
        pattern=pattern if two else "",
        size=choose(dict(zip(SIZES, _SIZES_OF.get(color, (1, 1, 1)), strict=True))),
        shape=shape,
        center=choose(_CENTERS_OF[color]),
        petals=choose(dict(zip(PETALS, _PETALS_OF[shape], strict=True))),
        layered=next(uniform) < 0.25,
        closed=closed,
        leaves=next(uniform) < 0.5,
        background=choose({"dark": 3, "green": 4, "sky": 2, "cream": 2}),
        **{name: 2 * next(uniform) - 1 for name in NUISANCES},
    )
