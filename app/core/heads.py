"""Heads: which points a face has, how far each lies in front, and how they stand at rest.

All lengths are in the frame of the drawn heads. Theirs are those of `sgf_hub.data.avatars.geometry` (a head's point
turns by its depth times the sine of the angle), written out here since that package needs the drawing library, which
the demo runs without; `tests/app/test_gestures.py` holds them against it. Those of the rendered heads were measured:
how 760 faces of `faces-dcgan` differ, as `faces-keypoints` reads them, brought into that frame by a similarity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Point = tuple[float, float]
Points = Mapping[str, Point]

SIDES = ("left", "right")
_EYE = ("eye_outer", "eye_inner", "eye_top", "eye_bottom", "pupil")
_BROW = ("brow_outer", "brow_mid", "brow_inner")
FEATURES: dict[str, tuple[str, ...]] = {
    **{f"{side} brow": tuple(f"{side}_{name}" for name in _BROW) for side in SIDES},
    **{f"{side} eye": tuple(f"{side}_{name}" for name in _EYE) for side in SIDES},
    "nose": ("nose_bridge", "nose_tip", "nose_left", "nose_right"),
    "mouth": ("mouth_left", "lip_top", "mouth_right", "lip_bottom", "lip_top_inner", "lip_bottom_inner"),
    "jaw": ("cheek_left", "jaw_left", "chin", "jaw_right", "cheek_right"),
    "forehead": ("forehead",),
}
"""Keypoints that belong together; a head has some of each."""

CENTRE = (0.5, 0.515)  # of the head
EYES, APART = complex(0.5, 0.516), 0.382  # the middle between the eyes, and the distance of their outer corners


def features_of(keypoints: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Of some keypoints, those that belong together; others stand alone."""
    names = tuple(keypoints)
    known = {key: tuple(name for name in members if name in names) for key, members in FEATURES.items()}
    joined = {name for members in known.values() for name in members}
    return {**{key: members for key, members in known.items() if members},
            **{name: (name,) for name in names if name not in joined}}  # fmt: skip


# -- what is measured on a face in that frame --------------------------------------------------------------------------


def mean(values: Iterable[float]) -> float:
    """The mean of some numbers."""
    numbers = list(values)
    return sum(numbers) / len(numbers)


def eye_line(points: Points) -> float:
    """The height of the eyes."""
    return mean(points[f"{side}_{name}"][1] for side in SIDES for name in ("eye_outer", "eye_inner"))


def mouth_gap(points: Points) -> float:
    """From the upper lip's edge to the lower one's."""
    return points["lip_bottom"][1] - points["lip_top"][1]


def mouth_sag(points: Points) -> float:
    """How far the lips' middle hangs below the corners; in a smile it does."""
    corner = (points["mouth_left"][1] + points["mouth_right"][1]) / 2
    return (points["lip_top"][1] + points["lip_bottom"][1]) / 2 - corner


def brow_height(points: Points) -> float:
    """How far the brows' middle stands above the eyes."""
    return eye_line(points) - mean(points[f"{side}_brow_mid"][1] for side in SIDES)


def eye_gap(points: Points) -> float:
    """How far the eyes are open."""
    return mean(points[f"{side}_eye_bottom"][1] - points[f"{side}_eye_top"][1] for side in SIDES)


def _roll(points: Points) -> float:
    (x0, y0), (x1, y1) = points["left_eye_outer"], points["right_eye_outer"]
    return math.atan2(y1 - y0, x1 - x0)


def _spread(left: str, right: str) -> Callable[[Points], float]:
    return lambda points: points[right][0] - points[left][0]


def _nose_in_face(points: Points) -> float:
    return points["nose_tip"][1] - (points["cheek_left"][1] + points["cheek_right"][1]) / 2


# -- heads -------------------------------------------------------------------------------------------------------------

Shapes = Mapping[str, tuple[Callable[[Points], float], float]]


@dataclass(frozen=True)
class Frame:
    """A similarity: a picture's points to the drawn heads' frame and back.

    Args:
        turn: what a way is multiplied with, as a complex number.
        eyes: where the middle between the eyes is in the picture.
        at: where it comes to.
    """

    turn: complex = 1
    eyes: complex = EYES
    at: complex = EYES

    def into(self, points: Points) -> dict[str, Point]:
        """Points of the picture, in the frame."""
        return {name: _pair((complex(*p) - self.eyes) * self.turn + self.at) for name, p in points.items()}

    def back(self, points: Points) -> dict[str, Point]:
        """Points of the frame, in the picture."""
        return {name: _pair((complex(*p) - self.at) / self.turn + self.eyes) for name, p in points.items()}


def _pair(number: complex) -> Point:
    return number.real, number.imag


@dataclass(frozen=True, kw_only=True)
class Head:
    """A kind of head.

    Args:
        depths: of its keypoints, all of them: how far each lies in front of what the head turns about.
        nods: likewise for a nod, where that differs: an outline is another one from below.
        yaw: the end of what is drawn, in radians.
        pitch: likewise.
        nod: grows with the sine of the pitch.
        level: that at no pitch, and how much a sine of 1 adds to it.
        skull: radius of the ball that eyes and brows foreshorten on; 0 where their depths say it.
        scattered: whether its faces stand in the picture as they like, and must be brought into the frame.
        lips: how far each point of the mouth and the chin goes down as the middle hangs by 1 more, and as the mouth
            opens by 1 more.
        arch: of a brow that rises by 1 in its middle, how far its ends rise.
        lids: in an eye that is open by 1, how far the upper lid stands above the eyes' line, and the lower one below.
        shut: how far below that line lids meet.
        closed: `mouth_gap` of a closed mouth.
        open: of an open one.
        rest: `mouth_sag` of a face that does not smile.
        smile: of one that does.
        widens: the mouth's width in a smile, in those of one at rest.
        narrows: likewise in a serious face, after a smile.
        brows: `brow_height` at rest.
        raised: with raised brows.
        opened: `eye_gap` of open eyes.
        wide: of wide ones.
        shapes: the attributes that are the shape of some points: what measures it, and the change that counts as a wish
            about it.
        poses: likewise those that are how the head is turned.
    """

    depths: Mapping[str, float]
    nods: Mapping[str, float] = field(default_factory=dict)
    yaw: float
    pitch: float
    nod: Callable[[Points], float]
    level: tuple[float, float]
    skull: float = 0.0
    scattered: bool = False
    lips: Mapping[str, tuple[float, float]]
    arch: tuple[float, float]
    lids: tuple[float, float]
    shut: float = 0.0
    closed: float
    open: float
    rest: float
    smile: float
    widens: float
    narrows: float
    brows: float
    raised: float
    opened: float
    wide: float
    shapes: Shapes
    poses: Shapes = field(default_factory=dict)

    def yaw_of(self, points: Points) -> float:
        """The turn in radians, from the parallax between nose tip and jaw."""
        middle = (points["jaw_left"][0] + points["jaw_right"][0]) / 2
        return _arcsine(
            (points["nose_tip"][0] - middle) / (self.depths["nose_tip"] - self.depths["jaw_left"]), self.yaw
        )

    def pitch_of(self, points: Points) -> float:
        """The nod in radians."""
        return _arcsine((self.nod(points) - self.level[0]) / self.level[1], self.pitch)

    def frame(self, points: Points) -> Frame:
        """Of a face in its picture: level, and with its eyes where those of a drawn head are."""
        if not self.scattered:
            return Frame()
        left, right = (complex(*points[f"{side}_eye_outer"]) for side in SIDES)
        corners = [complex(*points[f"{side}_eye_{end}"]) for side in SIDES for end in ("outer", "inner")]
        return Frame(APART / (right - left), sum(corners) / len(corners)) if abs(right - left) > 1e-3 else Frame()


def _arcsine(sine: float, limit: float) -> float:
    return max(-limit, min(limit, math.asin(max(-1.0, min(1.0, sine)))))


def _both(**depths: float) -> dict[str, float]:
    """Depths of points that both sides have: "eye_outer" of "left_eye_outer", "jaw" of "jaw_left"."""
    return {
        f"{side}_{name}" if "_" in name else f"{name}_{side}": depth for name, depth in depths.items() for side in SIDES
    }


DRAWN: Head = Head(
    depths={
        **_both(eye_outer=0.21, eye_inner=0.21, eye_top=0.21, eye_bottom=0.21,
                brow_outer=0.21, brow_mid=0.21, brow_inner=0.21, jaw=0.05, mouth=0.21, nose=0.265),
        "left_pupil": 0.21, "right_pupil": 0.21,
        "nose_bridge": 0.235, "nose_tip": 0.30, "lip_top": 0.23, "lip_bottom": 0.23, "chin": 0.15,
    },
    yaw=math.radians(20),
    pitch=math.radians(13),
    nod=eye_line,
    level=(CENTRE[1], 0.21),
    skull=0.32,
    lips={"mouth_left": (-0.55, 0.0), "mouth_right": (-0.55, 0.0), "lip_top": (0.45, -0.42), "lip_bottom": (0.45, 0.58),
          "chin": (0.0, 0.15)},
    arch=(0.58, 0.74),
    lids=(1 / 1.9, 0.9 / 1.9),
    shut=0.024,
    closed=0.042, open=0.105,
    rest=0.007, smile=0.042, widens=1.16, narrows=0.88,
    brows=0.110, raised=0.158,
    opened=0.088, wide=0.092,
    shapes={
        "smile": (mouth_sag, 0.010),
        "mouth_open": (mouth_gap, 0.014),
        "eyes_closed": (eye_gap, 0.012),
        "brows_raised": (brow_height, 0.012),
        "big_nose": (_spread("nose_left", "nose_right"), 0.016),
        "chubby": (_spread("jaw_left", "jaw_right"), 0.030),
    },
)  # fmt: skip
"""Turns about its middle."""

RENDERED: Head = Head(
    depths={
        **_both(eye_outer=-0.045, eye_inner=0.0, eye_top=-0.01, eye_bottom=-0.01,
                brow_outer=-0.07, brow_mid=0.02, brow_inner=0.08, jaw=-0.25, mouth=-0.015, nose=0.055, cheek=-0.30),
        "nose_bridge": 0.07, "nose_tip": 0.165, "lip_top": 0.085, "lip_bottom": 0.045, "lip_top_inner": 0.055,
        "lip_bottom_inner": 0.055, "chin": -0.045, "forehead": 0.07,
    },
    nods={
        **_both(jaw=-0.16, cheek=-0.18), "nose_bridge": 0.04, "nose_tip": 0.14, "lip_bottom": 0.03, "forehead": -0.02,
    },
    yaw=math.radians(28),
    pitch=math.radians(16),
    nod=_nose_in_face,
    level=(0.126, 0.32),
    scattered=True,
    lips={"mouth_left": (-1.95, 0.52), "mouth_right": (-1.95, 0.52), "lip_top": (-0.95, 0.02),
          "lip_bottom": (-0.95, 1.02), "lip_top_inner": (-1.25, 0.13), "lip_bottom_inner": (-0.7, 0.85),
          "chin": (-0.65, 0.47)},
    arch=(0.76, 0.92),
    lids=(0.57, 0.43),
    closed=0.063, open=0.118,
    rest=0.009, smile=0.031, widens=1.22, narrows=0.86,
    brows=0.103, raised=0.124,
    opened=0.050, wide=0.054,
    shapes={
        "smile": (mouth_sag, 0.007),
        "mouth_open": (mouth_gap, 0.012),
        "eyes_closed": (eye_gap, 0.008),
        "brows_raised": (brow_height, 0.006),
    },
    poses={
        "facing_left": (lambda points: RENDERED.yaw_of(points), math.radians(3)),
        "facing_up": (lambda points: RENDERED.pitch_of(points), math.radians(3)),
        "tilted_right": (_roll, math.radians(2)),
    },
)  # fmt: skip
"""Turns about its eyes: its pictures are cropped by them."""


def head_of(points: Iterable[str]) -> Head | None:
    """The kind of head that has such points; None if there is none."""
    names = set(points)
    return next((head for head in (DRAWN, RENDERED) if names.issuperset(head.depths)), None)
