"""Pictures that belong to no drawn world: what a generator of one must say that it cannot draw."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sgf_hub.errors import BadValueError

KINDS = ("digit", "gradient", "noise")


def sample_strangers(kind: str, count: int, *, seed: int, resolution: int) -> np.ndarray:
    """Draw pictures of one kind; the i-th depends on the seed and i alone.

    Args:
        kind: "digit" (a dark digit on a light ground), "gradient" (soft blots of colour, as a photograph out of focus
            has them), or "noise" (each pixel by itself).
        count: N.
        seed: a non-negative integer.
        resolution: the side in pixels.

    Returns:
        [N, 3, resolution, resolution] uint8.

    Raises:
        BadValueError: for another kind.
    """
    if kind not in KINDS:
        raise BadValueError(f"the kind is {kind!r}; choose {' or '.join(map(repr, KINDS))}.")
    draw = {"digit": _digit, "gradient": _gradient, "noise": _noise}[kind]
    pictures = [draw(np.random.default_rng((seed, index)), resolution) for index in range(count)]
    return np.stack(pictures).transpose(0, 3, 1, 2)  # NHWC => NCHW


def _digit(random: np.random.Generator, side: int) -> np.ndarray:
    paper, ink = (tuple(random.integers(*shades, 3).tolist()) for shades in ((200, 256), (0, 90)))
    page = Image.new("RGB", (side, side), paper)
    font = ImageFont.load_default(side * random.uniform(0.6, 0.95))
    at = tuple((side * random.uniform(0.4, 0.6, 2)).tolist())
    ImageDraw.Draw(page).text(at, str(random.integers(10)), ink, font, anchor="mm")
    return np.asarray(page)


def _gradient(random: np.random.Generator, side: int) -> np.ndarray:
    blots = Image.fromarray(random.integers(0, 256, (3, 3, 3), np.uint8))
    return np.asarray(blots.resize((side, side), Image.Resampling.BICUBIC))


def _noise(random: np.random.Generator, side: int) -> np.ndarray:
    return random.integers(0, 256, (side, side, 3), np.uint8)
