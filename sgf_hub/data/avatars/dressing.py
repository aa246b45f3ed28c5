"""What a face wears: hair, spectacles, a hat, earrings; each function paints one part of one sitter."""

from __future__ import annotations

from sgf_hub.data.avatars.geometry import Point
from sgf_hub.data.avatars.sitter import Sitter
from sgf_hub.data.paint import WHITE, Colour, curve, scaled

GLASS: Colour = (34, 34, 48)
HAIR_DEPTH, BACK_DEPTH, FRINGE_DEPTH = 0.04, -0.07, 0.17


def hair_behind(it: Sitter) -> None:
    w = it.p.width
    if it.f.long_hair:
        left, right = -(w + 0.105), w + 0.105

        def at(u: float, v: float) -> Point:
            return it.at(u, v, BACK_DEPTH)

        path = curve(
            at(0, -0.39),
            (at(right * 0.70, -0.40), at(right * 0.92, -0.16), at(right * 0.95, 0.05)),
            (at(right * 0.98, 0.25), at(right * 1.08, 0.36), at(right * 0.94, 0.52)),
            (at(left * 0.94, 0.52),),
            (at(left * 1.08, 0.36), at(left * 0.98, 0.25), at(left * 0.95, 0.05)),
            (at(left * 0.92, -0.16), at(left * 0.70, -0.40), at(0, -0.39)),
        )
        it.pen.area(path, it.c.hair_dark)
        return
    if not it.f.male and not it.f.hat and it.f.hair_style > 0:  # a bun
        it.pen.oval(it.at(0.02 * it.f.parting, -0.425, BACK_DEPTH), 0.088, 0.078, it.c.hair_dark)
    it.pen.oval(it.at(0, -0.11, -0.02), w + 0.034, 0.27, it.c.hair_dark)


def hair_front(it: Sitter) -> None:
    f, w = it.f, it.p.width
    if f.long_hair:
        _locks(it)
    if f.hat:
        if not f.long_hair:
            for side in (-1, 1):
                a, b, d, e = it.mirrored(
                    (w - 0.050, -0.22), (w - 0.020, 0.03), (w + 0.030, 0.05), (w + 0.036, -0.22), depth=0.03, side=side
                )
                it.pen.area(curve(a, (b, d), (e,)), it.c.hair)
        return
    outer = w + 0.022
    top = -0.418 if f.male else -0.405
    lean = 0.08 * f.parting
    path = curve(
        it.at(-outer, 0.01, 0.03),
        (
            it.at(-outer - 0.02, -0.20, HAIR_DEPTH),
            it.at(-0.68 * outer, top, HAIR_DEPTH),
            it.at(lean, top, HAIR_DEPTH),
        ),
        (
            it.at(0.70 * outer, top, HAIR_DEPTH),
            it.at(outer + 0.02, -0.20, HAIR_DEPTH),
            it.at(outer, 0.01, 0.03),
        ),
        (it.at(w - 0.012, -0.02, 0.04), it.at(w - 0.030, -0.10, 0.06)),
    )
    if f.bangs:
        ends = [w - 0.050, (w - 0.05) * 0.36, -(w - 0.05) * 0.32, -(w - 0.050)]
        path.quadTo(*it.at(w - 0.045, -0.15, 0.08), *it.at(ends[0], -0.170, 0.09))
        for x, y in zip(ends, ends[1:], strict=False):
            end = it.at(y, -0.190, FRINGE_DEPTH) if y > -0.2 else it.at(y, -0.170, 0.09)
            path.quadTo(*it.at((x + y) / 2, -0.158, FRINGE_DEPTH), *end)
    else:
        part = 0.10 if f.parting > 0 else -0.10
        part += 0.02 * f.parting
        path.quadTo(*it.at(w - 0.055, -0.235, 0.09), *it.at(part, -0.302, 0.12))
        path.quadTo(*it.at(-w + 0.055, -0.235, 0.09), *it.at(-w + 0.030, -0.10, 0.06))
    path.quadTo(*it.at(-w + 0.012, -0.02, 0.04), *it.at(-outer, 0.01, 0.03))
    it.pen.area(path, it.c.hair)
    a, b, d = (it.at(u, v, 0.06) for u, v in ((-0.17, -0.305), (-0.10, -0.362), (0.01, -0.368)))
    it.pen.line(curve(a, (b, d)), 0.022, it.c.hair_light)


def _locks(it: Sitter) -> None:
    w = it.p.width
    curl = 0.02 * it.f.hair_style
    for side in (-1, 1):
        a, b, d, e, g, h, i, j, k, m = it.mirrored(
            (w - 0.075, -0.24), (w + 0.010, 0.00), (w - 0.050, 0.20), (w - 0.020 + curl, 0.42),
            (w + 0.020 + curl, 0.50), (w + 0.150 + curl, 0.47), (w + 0.098, 0.33),
            (w + 0.130 - curl, 0.10), (w + 0.085, -0.14), (w - 0.030, -0.30),
            depth=0.0, side=side,
        )  # fmt: skip
        it.pen.area(curve(a, (b, d, e), (g, h, i), (j, k, m)), it.c.hair)


def spectacles(it: Sitter) -> None:
    dark = it.f.sunglasses
    rims = []
    for eye in it.p.eyes:
        x, y = eye.centre
        y += 0.008
        rx, ry = 0.098 * eye.squeeze, 0.074
        rims.append((x, y, rx))
        colour = GLASS if dark else it.c.frame
        temple = it.at(eye.side * it.p.width, -0.012, 0.02)
        it.pen.line(curve((x + eye.side * rx, y - 0.012), (temple,)), 0.020, colour)
        if dark:
            it.pen.oval((x, y), rx + 0.010, ry + 0.008, GLASS)
            it.pen.line(curve((x - 0.045, y + 0.008), ((x - 0.010, y - 0.034),)), 0.016, (112, 116, 140))
        else:
            it.pen.oval((x, y), rx, ry, WHITE, 26)
            it.pen.ring((x, y), rx, ry, 0.024, colour)
    (lx, ly, lr), (rx_, ry_, rr) = rims
    a, b = (lx + lr, ly - 0.012), (rx_ - rr, ry_ - 0.012)
    middle = ((a[0] + b[0]) / 2, a[1] - 0.014)
    it.pen.line(curve(a, (middle, b)), 0.022, colour)


def hat(it: Sitter) -> None:
    c, w = it.c, it.p.width + 0.040
    dome = curve(
        it.at(-w, -0.215, 0.03),
        (it.at(-w * 1.02, -0.36, 0.02), it.at(-w * 0.62, -0.462, 0.0), it.at(0, -0.462, 0.0)),
        (it.at(w * 0.62, -0.462, 0.0), it.at(w * 1.02, -0.36, 0.02), it.at(w, -0.215, 0.03)),
    )
    if it.f.hair_style > 0:  # a beanie
        it.pen.oval(it.at(0, -0.452, 0.0), 0.062, 0.052, c.hat_dark)
        it.pen.area(dome, c.hat)
        low, high = -0.190, -0.280
        band = curve(
            it.at(-w - 0.006, low, 0.03),
            (it.at(0, low - 0.012, 0.26), it.at(w + 0.006, low, 0.03)),
            (it.at(w + 0.004, high, 0.03),),
            (it.at(0, high - 0.012, 0.26), it.at(-w - 0.004, high, 0.03)),
        )
        it.pen.area(band, c.hat_dark)
        return
    band = curve(
        it.at(-w, -0.215, 0.03),
        (it.at(0, -0.300, 0.26), it.at(w, -0.215, 0.03)),
    )
    dome.quadTo(*it.at(0, -0.235, 0.26), *it.at(-w, -0.215, 0.03))
    it.pen.area(dome, c.hat)
    brim = curve(  # a cap, with its visor turned with the head
        it.at(-w + 0.010, -0.222, 0.04),
        (it.at(-w * 0.5, -0.330, 0.22), it.at(w * 0.5, -0.330, 0.22), it.at(w - 0.010, -0.222, 0.04)),
        (it.at(w * 0.6, -0.195, 0.24), it.at(-w * 0.6, -0.195, 0.24), it.at(-w + 0.010, -0.222, 0.04)),
    )
    it.pen.area(brim, c.hat_dark)


def earrings(it: Sitter) -> None:
    for side in (-1, 1):
        x, y = it.at(side * (it.p.width + 0.016), 0.128, -0.01)
        it.pen.oval((x, y), 0.033, 0.033, it.c.jewel)
        it.pen.oval((x, y), 0.015, 0.015, scaled(it.c.jewel, 0.72))
