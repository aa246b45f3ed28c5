"""Where everything in a face is: one head pose, and the points that both the picture and the keypoints use.

Lengths are in sides of the picture. A point of the head is (u, v, depth): right of and below the head's centre, and
towards the viewer. Turning moves a point by its depth times the sine of the angle, so the nose moves most, the outline
little, and the back of the hair the other way.
"""

from __future__ import annotations

import math

import numpy as np

from sgf_hub.data.avatars.factors import Factors

Point = tuple[float, float]

_SIDE_POINTS = ("brow_outer", "brow_mid", "brow_inner", "eye_outer", "eye_inner", "eye_top", "eye_bottom", "pupil")
KEYPOINTS: tuple[str, ...] = (
    *(f"left_{name}" for name in _SIDE_POINTS),
    *(f"right_{name}" for name in _SIDE_POINTS),
    "nose_bridge", "nose_tip", "nose_left", "nose_right",
    "mouth_left", "mouth_right", "lip_top", "lip_bottom",
    "chin", "jaw_left", "jaw_right",
)  # fmt: skip
"""Names of the K keypoints, in the order of `Layout.keypoints`; left is the left of the picture."""

YAW_RANGE = math.radians(20)
PITCH_RANGE = math.radians(13)
SKULL_RADIUS = 0.32  # of the sphere on which eyes and brows foreshorten
EYE_DEPTH, BROW_DEPTH, NOSE_DEPTH, MOUTH_DEPTH, CHIN_DEPTH, OUTLINE_DEPTH = 0.21, 0.21, 0.30, 0.23, 0.15, 0.05


def through(start: Point, middle: Point, end: Point) -> Point:
    """Return the control point of the quadratic curve that passes `middle` half-way from `start` to `end`."""
    return (2 * middle[0] - (start[0] + end[0]) / 2, 2 * middle[1] - (start[1] + end[1]) / 2)


class Eye:
    """One eye and its brow.

    Attributes:
        side: -1 for the left of the picture, 1 for the right.
        centre, outer, inner, top, bottom, pupil: points of the eye.
        half_width, half_height: of the opening; half_height is 0 when closed.
        brow: outer, middle and inner point of the brow's centre line.
        squeeze: how much the head's turn narrows it, 1 when frontal.
    """

    def __init__(self, layout: Layout, side: int) -> None:
        cause = layout.cause
        self.side = side
        u = side * (0.124 + 0.010 * cause["eye_spacing"])
        bend = math.asin(u / SKULL_RADIUS)
        self.squeeze = math.cos(bend + layout.yaw) / math.cos(bend)
        x, y = self.centre = layout.at(u, 0.0, EYE_DEPTH)
        size = 1 + 0.10 * cause["eye_size"]
        self.half_width = 0.067 * size * self.squeeze
        self.closed = cause["eye_open"] <= -0.99
        self.half_height = 0.0 if self.closed else 0.049 * size * (0.68 + 0.32 * cause["eye_open"])
        self.outer = (x + side * self.half_width, y - 0.004)
        self.inner = (x - side * self.half_width, y + 0.006)
        if self.closed:
            self.top = self.bottom = (x, y + 0.024)
        else:
            self.top, self.bottom = (x, y - self.half_height), (x, y + self.half_height * 0.9)
        self.pupil = (x + 0.012 * layout.factors.yaw, y + (0.016 if self.closed else 0.006 * layout.factors.pitch))
        self.iris_radius = 0.037 * size
        lift = -0.101 - 0.030 * (cause["brow_raise"] + 0.5)
        arch = 0.010 + 0.007 * (cause["brow_raise"] + 0.5)
        tilt = 0.006 * layout.factors.brow_tilt
        self.brow = tuple(
            layout.at(u + side * along * self.squeeze, lift + rise, BROW_DEPTH)
            for along, rise in ((0.074, 1.2 * arch + tilt), (0.016, -arch), (-0.062, 0.35 * arch - tilt))
        )


class Layout:
    """All points of a face from its factors; see the module's docstring for the coordinates."""

    def __init__(self, factors: Factors) -> None:
        self.factors = f = factors
        self.cause = cause = f.cause
        self.yaw, self.pitch = f.yaw * YAW_RANGE, f.pitch * PITCH_RANGE
        self._cos_yaw, self._sin_yaw = math.cos(self.yaw), math.sin(self.yaw)
        self._cos_pitch, self._sin_pitch = math.cos(self.pitch), math.sin(self.pitch)
        self.x, self.y = 0.5 + 0.010 * f.shift_x, 0.515 + 0.008 * f.shift_y

        # Outline: half a width, where the jaw turns, and the chin.
        self.opening = 0.040 * (cause["mouth_open"] + 1)  # 0 .. 0.08
        self.width = 0.280 + 0.034 * cause["face_width"] + (0.004 if f.male else 0)
        fullness = (0.82 if f.male else 0.68) + 0.06 * max(cause["face_width"], 0)
        self.jaw = self.width * fullness
        stretch = 1 + 0.045 * cause["face_length"]
        self.jaw_v = (0.215 if f.male else 0.205) * stretch
        self.chin_v = (0.345 if f.male else 0.340) * stretch + 0.15 * self.opening
        self.chin_width = (0.120 if f.male else 0.085) + (0.03 if f.chubby else 0)
        self.jaw_left = self.at(-self.jaw, self.jaw_v, OUTLINE_DEPTH)
        self.jaw_right = self.at(self.jaw, self.jaw_v, OUTLINE_DEPTH)
        self.chin = self.at(0, self.chin_v, CHIN_DEPTH)

        self.eyes = (Eye(self, -1), Eye(self, 1))

        # Nose: half a width at the wings.
        self.nose_width = 0.058 + 0.030 * cause["nose_size"]
        self.nose_v = 0.108 * stretch + 0.012 * cause["nose_size"]
        self.nose_bridge = self.at(0, 0.0, 0.235)
        self.nose_tip = self.at(0, self.nose_v, NOSE_DEPTH)
        self.nose_left = self.at(-self.nose_width, self.nose_v + 0.004, NOSE_DEPTH - 0.035)
        self.nose_right = self.at(self.nose_width, self.nose_v + 0.004, NOSE_DEPTH - 0.035)

        # Mouth: corners, then the middle of the four edges of the lips.
        sag = 0.040 * (cause["smile"] + 0.30)  # how far the middle hangs below the corners
        width = (0.102 + 0.012 * cause["mouth_width"]) * (1.10 if f.smile else 0.86 if f.mouth_open else 0.94)
        corner_v = 0.214 * stretch - 0.55 * sag
        self.mouth_left = self.at(-width, corner_v, MOUTH_DEPTH - 0.02)
        self.mouth_right = self.at(width, corner_v, MOUTH_DEPTH - 0.02)
        middle = corner_v + sag
        self.lip = 0.025 if f.lipstick else 0.016
        upper, lower = (0.12, 0.88) if f.smile else (0.42, 0.58)
        self.mouth_upper = self.at(0, middle - upper * self.opening, MOUTH_DEPTH)
        self.mouth_lower = self.at(0, middle + lower * self.opening, MOUTH_DEPTH)
        self.lip_top = self.at(0, middle - upper * self.opening - self.lip, MOUTH_DEPTH)
        self.lip_bottom = self.at(0, middle + lower * self.opening + 1.15 * self.lip, MOUTH_DEPTH)

    def at(self, u: float, v: float, depth: float = OUTLINE_DEPTH) -> Point:
        """Return the (x, y), in sides of the picture, of a point of the head."""
        return (
            self.x + u * self._cos_yaw + depth * self._sin_yaw,
            self.y + v * self._cos_pitch + depth * self._sin_pitch,
        )

    def keypoints(self) -> np.ndarray:
        """Return the keypoints, [K, 2] float32, (x, y) in [0, 1], in the order of `KEYPOINTS`."""
        points: list[Point] = []
        for eye in self.eyes:
            points += [*eye.brow, eye.outer, eye.inner, eye.top, eye.bottom, eye.pupil]
        points += [self.nose_bridge, self.nose_tip, self.nose_left, self.nose_right]
        points += [self.mouth_left, self.mouth_right, self.lip_top, self.lip_bottom]
        points += [self.chin, self.jaw_left, self.jaw_right]
        return np.array(points, dtype=np.float32)
