"""The picture of a face: flat colours and round shapes, painted from back to front straight at the asked resolution."""

from __future__ import annotations

import numpy as np

from sgf_hub.data.avatars import dressing, features
from sgf_hub.data.avatars.factors import Factors
from sgf_hub.data.avatars.sitter import Sitter
from sgf_hub.data.paint import pen_at


def draw(factors: Factors, resolution: int = 64) -> np.ndarray:
    """Draw a face.

    Args:
        factors: what to draw.
        resolution: the side in pixels, 32 .. 512; the same picture at every resolution.

    Returns:
        [resolution, resolution, 3] uint8, RGB.

    Raises:
        SGFError: the resolution is out of range, or skia-python is not installed.
    """
    pen = pen_at(resolution)
    _paint(Sitter(pen, factors))
    return pen.pixels[..., :3].copy()


def _paint(it: Sitter) -> None:
    """Paint all parts, from back to front."""
    f = it.f
    it.pen.clear(it.c.background)
    it.pen.oval((0.5, 0.50), 0.46, 0.46, it.c.disc)
    if not f.bald:
        dressing.hair_behind(it)
    features.body(it)
    if not f.long_hair:
        features.ears(it)
    features.face(it)
    if f.blush:
        features.blush(it)
    if f.old:
        features.wrinkles(it)
    if f.beard:
        features.beard(it)
    features.nose(it)
    if f.mustache:
        features.mustache(it)
    features.mouth(it)
    if not f.sunglasses:
        for eye in it.p.eyes:
            features.eye(it, eye)
    if not f.bald:
        dressing.hair_front(it)
    features.brows(it)  # over a fringe, so that they can be read
    if f.glasses or f.sunglasses:
        dressing.spectacles(it)
    if f.hat:
        dressing.hat(it)
    if f.earrings:
        dressing.earrings(it)
