"""The sitter that the parts of a face are painted from: its factors, points and colours."""

from __future__ import annotations

from sgf_hub.data.avatars.factors import Factors
from sgf_hub.data.avatars.geometry import Layout, Point
from sgf_hub.data.avatars.palette import Palette
from sgf_hub.data.paint import Pen


class Sitter:
    """A face about to be painted.

    Attributes:
        pen: what paints it.
        f, p, c: its factors, points and colours.
        at: places a point (u, v, depth) of the head.
    """

    def __init__(self, pen: Pen, factors: Factors) -> None:
        self.pen = pen
        self.f = factors
        self.p = Layout(factors)
        self.c = Palette.of(factors)
        self.at = self.p.at

    def mirrored(self, *points: Point, depth: float, side: int) -> list[Point]:
        """Place (u, v) points given for the right of the picture (side 1) on either side."""
        return [self.at(side * u, v, depth) for u, v in points]
