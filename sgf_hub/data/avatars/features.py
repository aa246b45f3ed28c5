"""The parts of the face itself, and the body behind it; each function paints one part of one sitter."""

from __future__ import annotations

from sgf_hub.data.avatars.geometry import EYE_DEPTH, Eye, Point, through
from sgf_hub.data.avatars.palette import INK
from sgf_hub.data.avatars.sitter import Sitter
from sgf_hub.data.paint import WHITE, curve, mix, scaled


def body(it: Sitter) -> None:
    f, c = it.f, it.c
    neck = (0.122 if f.male else 0.092) + (0.026 if f.chubby else 0)
    x, top = it.p.x, 0.915
    left, right = x - neck, x + neck
    it.pen.area(curve((left, 0.72), ((right, 0.72),), ((right + 0.05, 1.02),), ((left - 0.05, 1.02),)), c.skin)
    chin_x, chin_y = it.p.chin  # the shadow of the chin
    it.pen.oval(((x + chin_x) / 2, chin_y - 0.05), neck * 1.22, 0.10, c.shade)
    shoulder = 0.43 if f.male else 0.37
    deep = 0.985 if f.male else 1.10
    collar = 0.02 if f.male else 0.06
    path = curve(
        (0.5 - shoulder, 1.03),
        ((0.5 - shoulder, 0.95), (x - 0.24, 0.945), (left - collar, top)),
        ((x, deep), (right + collar, top)),
        ((x + 0.24, 0.945), (0.5 + shoulder, 0.95), (0.5 + shoulder, 1.03)),
    )
    it.pen.area(path, c.clothes)
    it.pen.line(curve((left - collar, top), ((x, deep), (right + collar, top))), 0.026, c.clothes_dark)


def ears(it: Sitter) -> None:
    for side in (-1, 1):
        x, y = it.at(side * (it.p.width + 0.006), 0.030, -0.02)
        it.pen.oval((x, y), 0.042, 0.062, it.c.skin)
        it.pen.oval((x + side * 0.006, y), 0.020, 0.034, it.c.shade)


def _jaw_half(it: Sitter, side: int, grow: float = 1.0) -> tuple[list[Point], list[Point]]:
    """Return the outline from temple to jaw, and from jaw to chin: two cubic segments."""
    p = it.p
    slope_u, slope_v = (0.045, 0.060) if it.f.male else (0.055, 0.058)
    jaw, jaw_v = p.jaw * grow, p.jaw_v
    first = [
        it.at(side * p.width * grow, 0.09),
        it.at(side * (jaw + slope_u), jaw_v - slope_v),
        it.at(side * jaw, jaw_v),
    ]
    chin_x, chin_y = p.chin
    chin_y += 0.4 * (grow - 1)
    second = [
        it.at(side * (jaw - slope_u), jaw_v + slope_v),
        (chin_x + side * p.chin_width, chin_y),
        (chin_x, chin_y),
    ]
    return first, second


def face(it: Sitter) -> None:
    p = it.p
    w = p.width
    path = curve(it.at(0, -0.365), (it.at(0.68 * w, -0.365), it.at(w, -0.20), it.at(w, -0.01)))
    right, right_chin = _jaw_half(it, 1)
    left, left_chin = _jaw_half(it, -1)
    for a, b, end in (right, right_chin):
        path.cubicTo(*a, *b, *end)
    a, b, _ = left_chin
    path.cubicTo(*b, *a, *left[2])
    path.cubicTo(*left[1], *left[0], *it.at(-w, -0.01))
    path.cubicTo(*it.at(-w, -0.20), *it.at(-0.68 * w, -0.365), *it.at(0, -0.365))
    it.pen.area(path, it.c.skin)
    if it.f.bald:  # a shine
        it.pen.oval(it.at(0.10, -0.285, 0.10), 0.062, 0.026, mix(it.c.skin, WHITE, 0.45))
    if it.f.chubby:  # the crease above the second chin
        x, y = p.chin
        it.pen.line(curve((x - 0.085, y - 0.030), ((x, y - 0.004), (x + 0.085, y - 0.030))), 0.013, it.c.shade)


def blush(it: Sitter) -> None:
    for side in (-1, 1):
        it.pen.oval(it.at(side * 0.172, 0.098, 0.17), 0.054, 0.036, it.c.blush)


def wrinkles(it: Sitter) -> None:
    line = it.c.line
    for side in (-1, 1):
        fold = it.mirrored((0.098, 0.090), (0.150, 0.130), (0.146, 0.205), depth=0.22, side=side)
        it.pen.line(curve(fold[0], (fold[1], fold[2])), 0.020, line)
        bag = it.mirrored((0.070, 0.058), (0.125, 0.092), (0.178, 0.056), depth=EYE_DEPTH, side=side)
        it.pen.line(curve(bag[0], (bag[1], bag[2])), 0.016, line)
    for v, half in ((-0.205, 0.115), (-0.240, 0.085)):
        a, b, d = (it.at(u, v + dv, 0.16) for u, dv in ((-half, 0.0), (0, -0.014), (half, 0.0)))
        it.pen.line(curve(a, (b, d)), 0.015, line)


def beard(it: Sitter) -> None:
    right, right_chin = _jaw_half(it, 1, 1.035)
    left, left_chin = _jaw_half(it, -1, 1.035)
    w = it.p.width * 1.02
    path = curve(it.at(w, 0.0), tuple(right), tuple(right_chin))
    a, b, _ = left_chin
    path.cubicTo(*b, *a, *left[2])
    path.cubicTo(*left[1], *left[0], *it.at(-w, 0.0))
    lip_x, lip_y = it.p.lip_bottom
    edge = 0.150
    path.cubicTo(*it.at(-w + 0.055, 0.17), *it.at(-edge - 0.03, 0.150, 0.15), *it.at(-edge + 0.01, 0.205, 0.2))
    path.cubicTo(*it.at(-edge + 0.02, 0.27, 0.2), lip_x - 0.06, lip_y + 0.006, lip_x, lip_y + 0.006)
    path.cubicTo(lip_x + 0.06, lip_y + 0.006, *it.at(edge - 0.02, 0.27, 0.2), *it.at(edge - 0.01, 0.205, 0.2))
    path.cubicTo(*it.at(edge + 0.03, 0.150, 0.15), *it.at(w - 0.055, 0.17), *it.at(w, 0.0))
    it.pen.area(path, it.c.beard)


def nose(it: Sitter) -> None:
    p = it.p
    (bx, by), (tx, ty), (lx, ly), (rx, ry) = p.nose_bridge, p.nose_tip, p.nose_left, p.nose_right
    half = p.nose_width * 0.60
    path = curve(
        (bx - 0.016, by + 0.01),
        ((bx - 0.018, (by + ty) / 2), (lx, ly - half), (lx, ly)),
        ((lx, ly + half * 0.75), (tx - half * 0.5, ty + half), (tx, ty + half * 0.85)),
        ((tx + half * 0.5, ty + half), (rx, ry + half * 0.75), (rx, ry)),
        ((rx, ry - half), (bx + 0.018, (by + ty) / 2), (bx + 0.016, by + 0.01)),
    )
    it.pen.area(path, it.c.nose)
    if it.f.big_nose:
        for x, y in (p.nose_left, p.nose_right):
            it.pen.oval((x + (tx - x) * 0.48, y + half * 0.36), 0.014, 0.010, it.c.line)
    it.pen.oval((tx - 0.008, ty - 0.012), half * 0.45, half * 0.36, mix(it.c.skin, WHITE, 0.30))


def mustache(it: Sitter) -> None:
    x, y = it.p.lip_top
    tx, ty = it.p.nose_tip
    x = (x + tx) / 2
    top = max(ty + 0.022, y - 0.052)
    path = curve(
        (x, top),
        ((x + 0.05, top - 0.014), (x + 0.105, top + 0.015), (x + 0.142, y + 0.012)),
        ((x + 0.10, y + 0.014), (x + 0.05, y + 0.006), (x, y + 0.002)),
        ((x - 0.05, y + 0.006), (x - 0.10, y + 0.014), (x - 0.142, y + 0.012)),
        ((x - 0.105, top + 0.015), (x - 0.05, top - 0.014), (x, top)),
    )
    it.pen.area(path, it.c.beard)


def mouth(it: Sitter) -> None:
    p, c = it.p, it.c
    left, right = p.mouth_left, p.mouth_right
    upper, lower = through(left, p.mouth_upper, right), through(left, p.mouth_lower, right)
    top, bottom = through(left, p.lip_top, right), through(left, p.lip_bottom, right)
    if it.f.lipstick or it.f.mouth_open:
        it.pen.area(curve(left, (top, right), (bottom, left)), c.lips)
        it.pen.line(curve(left, (top, right), (bottom, left)), 0.008, c.lips)
    else:  # bare lips: the lower one is a soft shadow
        it.pen.area(curve(left, (upper, right), (bottom, left)), c.lips)
    if not it.f.mouth_open:
        it.pen.line(curve(left, (upper, right)), 0.017, scaled(c.lips, 0.52))
        return
    inside = curve(left, (upper, right), (lower, left))
    it.pen.area(inside, (112, 30, 44))
    # Teeth hang from the upper lip, the tongue lies on the lower one.
    teeth = through(left, (p.mouth_upper[0], p.mouth_upper[1] + 0.36 * p.opening), right)
    inner_left, inner_right = (left[0] + 0.016, left[1] + 0.001), (right[0] - 0.016, right[1] + 0.001)
    it.pen.area(curve(inner_left, (upper, inner_right), (teeth, inner_left)), WHITE)
    tongue_y = p.mouth_lower[1] - 0.18 * p.opening
    it.pen.oval((p.mouth_lower[0], tongue_y), 0.032, 0.17 * p.opening, (226, 96, 104))


def eye(it: Sitter, eye: Eye) -> None:
    side, male = eye.side, it.f.male
    (ox, oy), (ix, iy) = eye.outer, eye.inner
    lid = scaled(it.c.line, 0.62) if male else INK
    if eye.closed:
        arc = curve(eye.outer, (through(eye.outer, eye.top, eye.inner), eye.inner))
        it.pen.line(arc, 0.020, lid)
    else:
        h = eye.half_height
        upper = ((ox - side * 0.004, oy - h * 1.25), (ix + side * 0.012, iy - h * 1.45), (ix, iy))
        lower = ((ix + side * 0.012, iy + h * 0.95), (ox - side * 0.012, oy + h * 1.25), (ox, oy))
        it.pen.canvas.save()
        white = curve(eye.outer, upper, lower)
        it.pen.area(white, (255, 253, 250))
        it.pen.canvas.clipPath(white, doAntiAlias=True)
        x, y = eye.pupil
        r = eye.iris_radius
        it.pen.oval((x, y), r * eye.squeeze, r, it.c.iris)
        it.pen.oval((x, y), r * 0.56 * eye.squeeze, r * 0.56, (28, 22, 28))
        it.pen.canvas.restore()
        it.pen.oval((x + 0.011, y - 0.012), 0.0105, 0.0105, WHITE)
        it.pen.line(curve(eye.outer, upper), 0.014 if male else 0.019, lid)
    if not male:  # a wing and two lashes
        lift, drop = (-0.55, 0.006) if eye.closed else (1.0, 0.0)  # the lashes of a closed eye point down
        for root_u, root_v, tip_u, tip_v in ((0.0, 0.0, 0.040, -0.026), (-0.022, -0.012, 0.004, -0.040)):
            start = (ox + side * root_u, oy + root_v * (lift > 0) - drop * root_u / 0.022)
            tip = (ox + side * tip_u, oy + tip_v * lift + drop)
            it.pen.line(curve(start, (tip,)), 0.015, INK)


def brows(it: Sitter) -> None:
    width = 0.037 if it.f.male else 0.022
    for eye in it.p.eyes:
        outer, middle, inner = eye.brow
        it.pen.line(curve(outer, (through(outer, middle, inner), inner)), width, it.c.brow)
