"""The statistics of avatars: what a face is made of, which attributes go together, and how one is sampled.

Every attribute is a flag of `Factors`; the continuous amount behind it (how wide the smile, how dark the skin) is the
flag's own range, reached by a nuisance in [-1, 1]. The two ranges of a flag never meet, so a label is never a matter of
opinion, and `dataclasses.replace(factors, smile=True)` gives a face that does smile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgf_hub.errors import SGFError

ATTRIBUTES: tuple[str, ...] = (
    "male", "bald", "smile", "black_hair", "blond_hair", "gray_hair", "brown_hair", "long_hair", "bangs", "glasses",
    "sunglasses", "beard", "mustache", "lipstick", "mouth_open", "eyes_closed", "brows_raised", "big_nose", "chubby",
    "old", "dark_skin", "hat", "earrings", "warm_background", "blush",
)  # fmt: skip
"""Names of the A binary attributes, in the order of `Factors.attributes`."""

CAUSES: tuple[str, ...] = (
    "yaw", "pitch", "smile", "mouth_open", "eye_open", "brow_raise", "face_width", "face_length", "eye_spacing",
    "eye_size", "nose_size", "mouth_width", "skin_tone",
)  # fmt: skip
"""Names of the R continuous causes, each in [-1, 1], in the order of `Factors.causes`."""

HAIR_COLOURS: tuple[str, ...] = ("black_hair", "blond_hair", "gray_hair", "brown_hair")

EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    (*HAIR_COLOURS, "bald"),
    ("glasses", "sunglasses"),
    ("bald", "long_hair"),
    ("bald", "hat"),
    ("bald", "bangs"),
    ("hat", "bangs"),  # a hat would hide them
    ("sunglasses", "eyes_closed"),  # nobody could tell
)
"""Groups of attributes of which at most one is on."""

# flag -> (range when off, range when on), in the units of its cause; the gap between them is the label's margin.
_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "smile": ((-0.35, 0.0), (0.70, 1.0)),
    "mouth_open": ((-1.0, -0.95), (0.30, 1.0)),
    "eyes_closed": ((0.35, 1.0), (-1.0, -1.0)),
    "brows_raised": ((-0.70, -0.30), (0.70, 1.0)),
    "chubby": ((-0.90, -0.25), (0.60, 1.0)),
    "big_nose": ((-0.80, -0.35), (0.65, 1.0)),
    "dark_skin": ((-1.0, -0.35), (0.45, 1.0)),
}


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Everything needed to draw one face: A binary attributes, and nuisances, all floats in [-1, 1].

    Raises:
        SGFError: two attributes of one group of `EXCLUSIVE` are on.
    """

    male: bool = False
    bald: bool = False
    smile: bool = False
    black_hair: bool = False
    blond_hair: bool = False
    gray_hair: bool = False
    brown_hair: bool = False
    long_hair: bool = False
    bangs: bool = False
    glasses: bool = False
    sunglasses: bool = False
    beard: bool = False
    mustache: bool = False
    lipstick: bool = False
    mouth_open: bool = False
    eyes_closed: bool = False
    brows_raised: bool = False
    big_nose: bool = False
    chubby: bool = False
    old: bool = False
    dark_skin: bool = False
    hat: bool = False
    earrings: bool = False
    warm_background: bool = False
    blush: bool = False

    yaw: float = 0.0
    """Head turn, +1 is 20 degrees towards the right of the picture."""
    pitch: float = 0.0
    """Head nod, +1 is 13 degrees down."""
    shift_x: float = 0.0
    shift_y: float = 0.0
    smile_amount: float = 0.0
    mouth_open_amount: float = 0.0
    eye_open_amount: float = 0.0
    brow_raise_amount: float = 0.0
    brow_tilt: float = 0.0
    face_width_amount: float = 0.0
    face_length: float = 0.0
    nose_size_amount: float = 0.0
    skin_tone_amount: float = 0.0
    eye_spacing: float = 0.0
    eye_size: float = 0.0
    mouth_width: float = 0.0
    hair_shade: float = 0.0
    hair_style: float = 0.0
    parting: float = 0.0
    iris: float = 0.0
    lip_hue: float = 0.0
    background_hue: float = 0.0
    background_light: float = 0.0
    clothes_hue: float = 0.0
    clothes_light: float = 0.0
    accent: float = 0.0
    """Chooses frames, hats and earrings."""

    def __post_init__(self) -> None:
        for group in EXCLUSIVE:
            on = [name for name in group if getattr(self, name)]
            if len(on) > 1:
                raise SGFError(f"a face cannot have {' and '.join(on)} at once: at most one of {', '.join(group)}")

    def replace(self, **changes: Any) -> Factors:
        """Return a copy with some fields changed; raises `SGFError` where the change breaks `EXCLUSIVE`."""
        return dataclasses.replace(self, **changes)

    def amount(self, flag: str, nuisance: float) -> float:
        """Return the continuous amount in [-1, 1] behind a flag, from its nuisance in [-1, 1]."""
        low, high = _RANGES[flag][bool(getattr(self, flag))]
        return low + (high - low) * (nuisance + 1) / 2

    @property
    def cause(self) -> dict[str, float]:
        """The continuous causes by name, each in [-1, 1]; -1 is closed, small or light, 1 is open, large or dark."""
        return {
            "yaw": self.yaw,
            "pitch": self.pitch,
            "smile": self.amount("smile", self.smile_amount),
            "mouth_open": self.amount("mouth_open", self.mouth_open_amount),
            "eye_open": self.amount("eyes_closed", self.eye_open_amount),
            "brow_raise": self.amount("brows_raised", self.brow_raise_amount),
            "face_width": self.amount("chubby", self.face_width_amount),
            "face_length": self.face_length,
            "eye_spacing": self.eye_spacing,
            "eye_size": self.eye_size,
            "nose_size": self.amount("big_nose", self.nose_size_amount),
            "mouth_width": self.mouth_width,
            "skin_tone": self.amount("dark_skin", self.skin_tone_amount),
        }

    @property
    def attributes(self) -> np.ndarray:
        """The binary attributes, [A] float32 in {0, 1}, in the order of `ATTRIBUTES`."""
        return np.array([getattr(self, name) for name in ATTRIBUTES], dtype=np.float32)

    @property
    def causes(self) -> np.ndarray:
        """The continuous causes, [R] float32 in [-1, 1], in the order of `CAUSES`."""
        return np.array(list(self.cause.values()), dtype=np.float32)


NUISANCES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Factors) if field.name not in ATTRIBUTES)


def sample(seed: int | Sequence[int]) -> Factors:
    """Draw the factors of one face.

    Args:
        seed: a non-negative integer, or several (a batch uses `(seed, index)`).

    Raises:
        SGFError: the seed is negative.
    """
    try:
        rng = np.random.default_rng(seed)
    except ValueError:
        raise SGFError(f"seed is {seed}, and must be a non-negative integer") from None
    uniform = iter(rng.random(len(ATTRIBUTES) + len(NUISANCES) + 4).tolist())

    # Every flag takes its number whether or not it is needed, so that a face changes little when a probability does.
    def chance(probability: float) -> bool:
        return next(uniform) < probability

    male = chance(0.48)
    old = chance(0.32)
    dark = chance(0.28)
    bald = chance((0.40 if old else 0.14) if male else 0.007)
    hat = chance(0.15) and not bald
    flags = {
        "male": male,
        "old": old,
        "dark_skin": dark,
        "bald": bald,
        "hat": hat,
        "long_hair": chance(0.09 if male else 0.66) and not bald,
        "bangs": chance(0.24 if male else 0.46) and not bald and not hat,
        "glasses": (glasses := chance(0.38 if old else 0.17)),
        "sunglasses": (shades := chance(0.15) and not glasses),
        "eyes_closed": chance(0.17) and not shades,
        "smile": (smile := chance(0.44 if male else 0.56)),
        "mouth_open": (mouth_open := chance(0.42 if smile else 0.24)),
        "brows_raised": chance(0.42 if mouth_open else 0.24),
        "big_nose": chance(0.36 if male else 0.14),
        "chubby": chance(0.30 if old else 0.20),
        "beard": (beard := chance((0.42 if old else 0.36) if male else 0.012)),
        "mustache": chance((0.50 if beard else 0.17) if male else 0.010),
        "lipstick": chance(0.02 if male else 0.56),
        "earrings": chance(0.07 if male else 0.48),
        "blush": chance(0.08 if male else 0.38),
        "warm_background": chance(0.5),
    }
    # Cumulative shares of black, brown, blond and gray; what is left is red, which no attribute names.
    if old:
        shares = (0.14, 0.26, 0.36, 0.95)
    elif dark:
        shares = (0.60, 0.83, 0.90, 0.94)
    else:
        shares = (0.29, 0.61, 0.88, 0.91)
    pick = next(uniform)
    for name, share in zip(("black_hair", "brown_hair", "blond_hair", "gray_hair"), shares, strict=True):
        if pick < share:
            flags[name] = not bald
            break
    nuisances = {name: 2 * next(uniform) - 1 for name in NUISANCES}
    # A pose is more often frontal than not: the mean of two uniforms is triangular, standard deviation 0.41.
    for name in ("yaw", "pitch"):
        nuisances[name] = (nuisances[name] + 2 * next(uniform) - 1) / 2
    return Factors(**flags, **nuisances)
