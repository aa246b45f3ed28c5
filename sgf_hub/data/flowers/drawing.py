"""The picture of a flower, painted from back to front straight at the asked resolution."""

from __future__ import annotations

import math

import numpy as np

from sgf_hub.data.flowers.factors import Factors
from sgf_hub.data.paint import WHITE, Colour, Pen, Point, curve, from_hsv, mix, pen_at, scaled

_PETALS: dict[str, tuple[float, float, float]] = {  # hue in degrees, saturation, value
    "white": (60, 0.03, 0.98),
    "yellow": (51, 0.84, 0.99),
    "orange": (25, 0.90, 0.98),
    "red": (357, 0.88, 0.86),
    "pink": (335, 0.42, 0.98),
    "purple": (277, 0.62, 0.68),
    "blue": (221, 0.74, 0.88),
    "maroon": (343, 0.82, 0.42),
}
_CENTERS: dict[str, Colour] = {
    "yellow": (250, 200, 40),
    "brown": (104, 62, 34),
    "green": (142, 178, 66),
    "white": (250, 246, 232),
}
_BACKGROUNDS: dict[str, tuple[Colour, Colour, Colour]] = {  # below, above, mist
    "dark": ((26, 34, 36), (40, 48, 58), (66, 80, 78)),
    "green": ((66, 112, 66), (104, 150, 92), (150, 188, 120)),
    "sky": ((156, 196, 222), (188, 218, 238), (222, 238, 248)),
    "cream": ((226, 208, 178), (240, 228, 206), (252, 246, 234)),
}
_STEM: Colour = (72, 128, 62)
_LEAF: Colour = (88, 150, 70)
_TAU = 2 * math.pi


def draw(factors: Factors, resolution: int = 64) -> np.ndarray:
    """Draw a flower.

    Args:
        factors: what to draw.
        resolution: the side in pixels, 32 .. 512; the same picture at every resolution.

    Returns:
        [resolution, resolution, 3] uint8, RGB.

    Raises:
        SGFError: the resolution is out of range, or skia-python is not installed.
    """
    pen = pen_at(resolution)
    centre = (0.5 + 0.03 * factors.shift_x, 0.47 + 0.02 * factors.shift_y)
    _background(pen, factors)
    _stem(pen, factors, centre)
    if factors.closed:
        _bud(pen, factors, centre)
    else:
        _blossom(pen, factors, centre)
    return pen.pixels[..., :3].copy()


def _petal_colour(name: str, hue: float, light: float) -> Colour:
    degrees, saturation, value = _PETALS[name]
    saturation *= 1 + 0.05 * light
    return from_hsv(degrees + 5 * hue, min(saturation, 1), min(value * (1 + 0.03 * light), 1))


def _background(pen: Pen, f: Factors) -> None:
    below, above, mist = (scaled(colour, 1 + 0.06 * f.background_light) for colour in _BACKGROUNDS[f.background])
    whole = curve((0, 0), ((1, 0),), ((1, 1),), ((0, 1),))
    pen.glow(whole, (0.5 + 0.3 * f.mist_x, 0.1), 1.1, ((0, above), (1, below)))
    for k in range(4):  # light that falls through leaves
        angle = 2.4 * k + 3 * f.mist_y
        spot = (0.5 + 0.42 * math.cos(angle + f.mist_x), 0.5 + 0.42 * math.sin(1.3 * angle))
        pen.mist(spot, 0.16 + 0.05 * math.sin(angle), mist, 110)


def _stem(pen: Pen, f: Factors, centre: Point) -> None:
    x, y = centre
    foot = 0.5 + 0.16 * f.stem_bend
    pen.line(curve((x, y), ((x + 0.02 * f.stem_bend, 0.8), (foot, 1.05))), 0.034, _STEM)
    if not f.leaves:
        return
    height = 0.90 + 0.03 * f.leaf_height
    for side in (-1, 1):
        base = (foot + (x - foot) * (1.05 - height), height + 0.04)
        tip = (base[0] + side * 0.36, height - 0.10)
        bend, belly = (base[0] + side * 0.12, height - 0.16), (base[0] + side * 0.26, height + 0.10)
        pen.area(curve(base, (bend, tip), (belly, base)), scaled(_LEAF, 0.92 if side < 0 else 1.04))
        pen.line(curve(base, (((base[0] + tip[0]) / 2, height - 0.04), tip)), 0.008, scaled(_LEAF, 0.75))


def _blossom(pen: Pen, f: Factors, centre: Point) -> None:
    turn = f.turn * math.pi / f.petals
    heart = f.radius * (0.24 + 0.05 * f.center_size)
    _ring(pen, f, centre, f.radius, turn, shade=1.0)
    if f.layered:
        _ring(pen, f, centre, 0.66 * f.radius, turn + math.pi / f.petals, shade=0.93)
    colour = _CENTERS[f.center]
    pen.oval(centre, heart * 1.12, heart * 1.12, scaled(colour, 0.72))
    disc = curve(
        (centre[0] + heart, centre[1]),
        *(
            ((centre[0] + heart * math.cos(_TAU * k / 24), centre[1] + heart * math.sin(_TAU * k / 24)),)
            for k in range(24)
        ),
    )
    pen.glow(disc, centre, heart, ((0, mix(colour, WHITE, 0.25)), (1, colour)))
    for k in range(7):  # anthers
        angle = _TAU * k / 7 + f.turn
        spot = (centre[0] + 0.6 * heart * math.cos(angle), centre[1] + 0.6 * heart * math.sin(angle))
        pen.oval(spot, 0.13 * heart, 0.13 * heart, scaled(colour, 0.66))


def _ring(pen: Pen, f: Factors, centre: Point, radius: float, turn: float, *, shade: float) -> None:
    """Petals around the centre, each over the one before."""
    for k in range(f.petals):
        _petal(pen, f, centre, radius, turn + _TAU * k / f.petals - math.pi / 2, math.pi / f.petals, shade=shade)


def _petal(pen: Pen, f: Factors, centre: Point, radius: float, angle: float, half: float, *, shade: float) -> None:
    """One petal: `angle` is where it points, `half` half the angle it may fill."""
    first = scaled(_petal_colour(f.color, f.hue, f.light), shade)
    cosine, sine = math.cos(angle), math.sin(angle)

    def at(along: float, across: float) -> Point:  # in units of the radius
        return (
            centre[0] + radius * (along * cosine - across * sine),
            centre[1] + radius * (along * sine + across * cosine),
        )

    width = (1.0 + 0.08 * f.petal_width) * math.tan(min(half, 0.46 if f.shape == "pointed" else 0.62)) * 0.78
    outline = _outline(f.shape, width)
    path = curve(at(*outline[0]), *((at(*point),) for point in outline[1:]))
    deep, rim = scaled(first, 0.80 if f.color != "white" else 0.90), mix(first, WHITE, 0.10)
    stops = [(0.0, deep), (0.55, first), (1.0, rim)]
    reach = 0.04 * f.second_reach
    if f.second:
        second = scaled(_petal_colour(f.second, f.second_hue, 0), shade)
        # the first colour keeps more of the petal: pink with white tips is not white with a pink throat
        if f.pattern == "tips":
            stops = [(0.0, deep), (0.68 + reach, first), (0.76 + reach, second), (1.0, second)]
        elif f.pattern == "throat":
            stops = [(0.0, second), (0.42 + reach, second), (0.52 + reach, first), (1.0, rim)]
    pen.glow(path, centre, radius, stops)
    if f.pattern == "stripes":
        band = 0.36 * width * (1 + reach)
        stripe = [at(0.05, -band * 0.5), at(0.60, -band), at(0.93, 0), at(0.60, band), at(0.05, band * 0.5)]
        pen.area(curve(stripe[0], *((point,) for point in stripe[1:])), second)
    for across in (-0.45, 0.45) if f.pattern == "stripes" else (-0.4, 0, 0.4):  # veins
        vein = curve(at(0.1, 0), (at(0.4, across * width * 1.1), at(0.72, across * width)))
        pen.line(vein, 0.006, scaled(first, 0.84))
    pen.line(path, 0.010, scaled(first, 0.62 if f.color != "white" else 0.74))


def _outline(shape: str, width: float) -> list[Point]:
    """A petal as (along, across) points from the centre to 1 and back, `width` to either side."""
    steps = 24 if shape != "ruffled" else 48
    points = []
    for k in range(steps + 1):
        t = k / steps  # along one side and back along the other
        phase = math.pi * t
        side = math.cos(phase)  # 1 => -1
        if shape == "pointed":  # a lens that ends in a tip
            along = 1 - abs(side)
            across = width * 0.92 * math.copysign(math.sin(math.pi * along**0.9), side)
        else:  # a drop with a broad end
            along = math.sin(phase) ** 0.75 * 0.96
            across = width * 1.12 * math.copysign(math.sin(math.pi * min(t, 1 - t)) ** 0.6 * abs(side) ** 0.55, side)
            if shape == "ruffled":
                lobes = 0.26 * math.sin(phase) * (abs(math.sin(3.5 * phase)) - 0.6)  # rounded, with sharp notches
                along, across = along * (0.96 + lobes), across * (1 + 0.4 * lobes)
        points.append((along, across))
    return points


def _bud(pen: Pen, f: Factors, centre: Point) -> None:
    """A closed blossom from the side: petals that lean on each other, in a green cup."""
    foot = (centre[0], centre[1] + 0.62 * f.radius)
    height = 1.5 * f.radius
    for lean in (-0.42, 0.42, -0.2, 0.2, 0.0):
        _petal(pen, f, foot, height, -math.pi / 2 + lean * (1 + 0.1 * f.petal_width), 0.42, shade=1 - 0.25 * abs(lean))
    cup = 0.34 * f.radius
    x, y = foot
    sepals = curve(
        (x - cup, y - cup), ((x, y + 1.6 * cup), (x + cup, y - cup)), ((x, y - 0.4 * cup), (x - cup, y - cup))
    )
    pen.area(sepals, _STEM)
