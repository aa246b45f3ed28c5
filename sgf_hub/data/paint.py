"""What drawn worlds are painted with: colours, a pen in unit coordinates, one canvas a thread and resolution."""

from __future__ import annotations

import colorsys
import threading
from collections.abc import Sequence

import numpy as np

from sgf_hub.errors import SGFError

try:
    import skia
except ImportError:  # factors, labels and captions work without it; drawing says what to install
    skia = None

MIN_RESOLUTION, MAX_RESOLUTION = 32, 512

Colour = tuple[float, float, float]  # red, green, blue in 0..255
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)

_local = threading.local()


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return `a` moved towards `b` by `share` in [0, 1]."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def scaled(colour: Colour, factor: float) -> Colour:
    """Return a darker (factor < 1) or lighter colour, clipped at white."""
    return (min(colour[0] * factor, 255), min(colour[1] * factor, 255), min(colour[2] * factor, 255))


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the colour of a hue in degrees, and saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return (red * 255, green * 255, blue * 255)


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

    def glow(self, path: skia.Path, centre: Point, radius: float, stops: Sequence[tuple[float, Colour]]) -> None:
        """Fill a path with a radial gradient; `stops` are (share of the radius, colour), from the centre outwards."""
        colours = [self._pack(colour, 255) for _, colour in stops]
        shares = [share for share, _ in stops]
        shader = skia.GradientShader.MakeRadial(skia.Point(*centre), radius, colours, shares)
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def mist(self, centre: Point, radius: float, colour: Colour, alpha: int) -> None:
        """A disc that fades into what is behind it."""
        shades = [self._pack(colour, alpha), self._pack(colour, 0)]
        shader = skia.GradientShader.MakeRadial(skia.Point(*centre), radius, shades, [0.3, 1.0])
        self.canvas.drawCircle(skia.Point(*centre), radius, skia.Paint(AntiAlias=True, Shader=shader))


def pen_at(resolution: int) -> Pen:
    """The pen of this thread at a resolution; the next picture is painted over the last one.

    Raises:
        SGFError: the resolution is out of range, or skia-python is not installed.
    """
    if not MIN_RESOLUTION <= resolution <= MAX_RESOLUTION:
        raise SGFError(f"resolution is {resolution}: pictures are drawn at {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels")
    if skia is None:
        raise SGFError("drawing needs skia-python: pip install 'sgf-hub[train]'")
    pens: dict[int, Pen] = _local.__dict__.setdefault("pens", {})
    if resolution not in pens:
        pens[resolution] = Pen(resolution)
    return pens[resolution]


def curve(start: Point, *segments: tuple[Point, ...]) -> skia.Path:
    """Return a path of straight (1 point), quadratic (2) and cubic (3) segments."""
    path = skia.Path()
    path.moveTo(*start)
    for points in segments:
        flat = [value for point in points for value in point]
        (path.lineTo, path.quadTo, path.cubicTo)[len(points) - 1](*flat)
    return path
