"""What the parts of a face are painted with: a pen in unit coordinates, and the sitter it paints."""

from __future__ import annotations

import numpy as np

from sgf_hub.datasets.avatars.factors import Factors
from sgf_hub.datasets.avatars.geometry import Layout, Point
from sgf_hub.datasets.avatars.palette import Colour, Palette

try:
    import skia
except ImportError:  # statistics and keypoints work without it; draw() says what to install
    skia = None


class Pen:
    """A skia canvas in unit coordinates, with one brush for areas and one for lines."""

    def __init__(self, resolution: int) -> None:
        self.pixels = np.zeros((resolution, resolution, 4), dtype=np.uint8)
        self._surface = skia.Surface(self.pixels)
        self.canvas = self._surface.getCanvas()
        self.canvas.scale(resolution, resolution)
        self._area = skia.Paint(AntiAlias=True)
        self._line = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeCap=skia.Paint.kRound_Cap,
            StrokeJoin=skia.Paint.kRound_Join,
        )

    @staticmethod
    def _pack(colour: Colour, alpha: int) -> int:
        return alpha << 24 | int(colour[0]) << 16 | int(colour[1]) << 8 | int(colour[2])

    def clear(self, colour: Colour) -> None:
        self.canvas.clear(self._pack(colour, 255))

    def oval(self, centre: Point, rx: float, ry: float, colour: Colour, alpha: int = 255) -> None:
        x, y = centre
        self._area.setColor(self._pack(colour, alpha))
        self.canvas.drawOval(skia.Rect(x - rx, y - ry, x + rx, y + ry), self._area)

    def ring(self, centre: Point, rx: float, ry: float, width: float, colour: Colour) -> None:
        x, y = centre
        self._line.setColor(self._pack(colour, 255))
        self._line.setStrokeWidth(width)
        self.canvas.drawOval(skia.Rect(x - rx, y - ry, x + rx, y + ry), self._line)

    def area(self, path: skia.Path, colour: Colour, alpha: int = 255) -> None:
        self._area.setColor(self._pack(colour, alpha))
        self.canvas.drawPath(path, self._area)

    def line(self, path: skia.Path, width: float, colour: Colour) -> None:
        self._line.setColor(self._pack(colour, 255))
        self._line.setStrokeWidth(width)
        self.canvas.drawPath(path, self._line)


def curve(start: Point, *segments: tuple[Point, ...]) -> skia.Path:
    """Return a path of straight (1 point), quadratic (2) and cubic (3) segments."""
    path = skia.Path()
    path.moveTo(*start)
    for points in segments:
        flat = [value for point in points for value in point]
        (path.lineTo, path.quadTo, path.cubicTo)[len(points) - 1](*flat)
    return path


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
