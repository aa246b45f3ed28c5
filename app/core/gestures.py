"""Groups of keypoints moved together, the way the drawn heads move: turn, nod, and a few expressions.

The lengths are those of `sgf_hub.data.avatars.geometry` (a head's point turns by its depth times the sine of the
angle), written out here since that package needs the drawing library, which the demo runs without. A gesture reads how
far the face already is from its points and moves it to a set amount, so that pressing a button twice never leaves what
the generator can draw. `tests/app/test_gestures.py` holds it against the drawn heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

Point = tuple[float, float]
Points = Mapping[str, Point]

_SIDES = ("left", "right")
_EYE = ("eye_outer", "eye_inner", "eye_top", "eye_bottom", "pupil")
_BROW = ("brow_outer", "brow_mid", "brow_inner")
FEATURES: dict[str, tuple[str, ...]] = {
    **{f"{side} brow": tuple(f"{side}_{name}" for name in _BROW) for side in _SIDES},
    **{f"{side} eye": tuple(f"{side}_{name}" for name in _EYE) for side in _SIDES},
    "nose": ("nose_bridge", "nose_tip", "nose_left", "nose_right"),
    "mouth": ("mouth_left", "lip_top", "mouth_right", "lip_bottom"),
    "jaw": ("jaw_left", "chin", "jaw_right"),
}
"""Keypoints that belong together, in the order in which a line joins them."""

CENTRE = (0.5, 0.515)  # of the head
SKULL = 0.32  # radius of the sphere that eyes and brows foreshorten on
_DEPTH = {"eye": 0.21, "brow": 0.21, "jaw": 0.05}
DEPTHS: dict[str, float] = {
    **{name: _DEPTH[feature.split()[-1]] for feature, names in FEATURES.items() for name in names
       if feature.split()[-1] in _DEPTH},
    "nose_bridge": 0.235, "nose_tip": 0.30, "nose_left": 0.265, "nose_right": 0.265,
    "mouth_left": 0.21, "mouth_right": 0.21, "lip_top": 0.23, "lip_bottom": 0.23, "chin": 0.15,
}  # fmt: skip
"""How far each keypoint lies in front of the head's centre."""

YAW, PITCH = math.radians(20), math.radians(13)  # at the ends of what is drawn
_STEP, _REACH = 0.5, 0.9  # of that range: how far one press turns, and where turning ends


# -- reading a face ----------------------------------------------------------------------------------------------------


def yaw_of(points: Points) -> float:
    """The turn of a head in radians, from the parallax between nose tip and jaw."""
    middle = (points["jaw_left"][0] + points["jaw_right"][0]) / 2
    return _arcsine((points["nose_tip"][0] - middle) / (DEPTHS["nose_tip"] - DEPTHS["jaw_left"]), YAW)


def pitch_of(points: Points) -> float:
    """The nod of a head in radians, from the height of the eyes."""
    return _arcsine((_eye_line(points) - CENTRE[1]) / _DEPTH["eye"], PITCH)


def _arcsine(sine: float, limit: float) -> float:
    return max(-limit, min(limit, math.asin(max(-1.0, min(1.0, sine)))))


def _eye_line(points: Points) -> float:
    return _mean(points[f"{side}_{name}"][1] for side in _SIDES for name in ("eye_outer", "eye_inner"))


def _mean(values: object) -> float:
    numbers = list(values)  # type: ignore[call-overload]
    return sum(numbers) / len(numbers)


def mouth_gap(points: Points) -> float:
    """From the upper lip's edge to the lower one's: about 0.035 to 0.055 closed, 0.09 to 0.13 open."""
    return points["lip_bottom"][1] - points["lip_top"][1]


def mouth_sag(points: Points) -> float:
    """How far the lips' middle hangs below the corners: about 0.01 at rest, 0.045 in a smile."""
    corner = (points["mouth_left"][1] + points["mouth_right"][1]) / 2
    return (points["lip_top"][1] + points["lip_bottom"][1]) / 2 - corner


def brow_height(points: Points) -> float:
    """How far the brows' middle stands above the eyes: about 0.11 at rest, 0.16 raised."""
    return _eye_line(points) - _mean(points[f"{side}_brow_mid"][1] for side in _SIDES)


def eye_gap(points: Points) -> float:
    """How far the eyes are open: 0 closed, 0.07 to 0.1 open."""
    return _mean(points[f"{side}_eye_bottom"][1] - points[f"{side}_eye_top"][1] for side in _SIDES)


def _spread(left: str, right: str) -> Callable[[Points], float]:
    return lambda points: points[right][0] - points[left][0]


SHAPES: dict[str, tuple[Callable[[Points], float], float]] = {
    "smile": (mouth_sag, 0.010),
    "mouth_open": (mouth_gap, 0.014),
    "eyes_closed": (eye_gap, 0.012),
    "brows_raised": (brow_height, 0.012),
    "big_nose": (_spread("nose_left", "nose_right"), 0.016),
    "chubby": (_spread("jaw_left", "jaw_right"), 0.030),
}
"""The attributes that are the shape of some points: what measures it, and the change that counts as a wish about it."""


def releases(points: Points, wishes: Points) -> tuple[str, ...]:
    """What an edit must not hold when `wishes` are asked of a face at `points`.

    The other points of a feature that is pulled at, and the attributes that a wish is a new shape of: a held "no smile"
    would fight the mouth corners that were dragged up.
    """
    goal = {**points, **wishes}
    free = [
        name for names in FEATURES.values() if any(n in wishes for n in names) for name in names if name not in wishes
    ]
    if all(name in goal for name in DEPTHS):
        free += [
            attribute
            for attribute, (measure, change) in SHAPES.items()
            if abs(measure(goal) - measure(points)) > change
        ]
    return tuple(free)


# -- moving it ---------------------------------------------------------------------------------------------------------


def turned(points: Points, *, yaw: float = 0.0, pitch: float = 0.0) -> dict[str, Point]:
    """The points after the head has turned by `yaw` and nodded by `pitch`, in units of the range that is drawn."""
    yaw0, pitch0 = yaw_of(points), pitch_of(points)
    yaw1 = _further(yaw0, yaw * YAW, _REACH * YAW)
    pitch1 = _further(pitch0, pitch * PITCH, _REACH * PITCH)
    jaw = (points["jaw_left"][0] + points["jaw_right"][0]) / 2
    axis = jaw - DEPTHS["jaw_left"] * math.sin(yaw0)  # x of the head's centre
    moved = {}
    for name, (x, y) in points.items():
        depth = DEPTHS[name]
        u = (x - axis - depth * math.sin(yaw0)) / math.cos(yaw0)
        v = (y - CENTRE[1] - depth * math.sin(pitch0)) / math.cos(pitch0)
        moved[name] = (
            axis + u * math.cos(yaw1) + depth * math.sin(yaw1),
            CENTRE[1] + v * math.cos(pitch1) + depth * math.sin(pitch1),
        )
    # eyes and brows lie on a ball: the side that turns away gets narrower
    for side, sign in (("left", -1), ("right", 1)):
        bend = math.asin(max(-0.9, min(0.9, sign * 0.124 / SKULL)))
        narrower = math.cos(bend + yaw1) / math.cos(bend + yaw0)
        middle = (moved[f"{side}_eye_outer"][0] + moved[f"{side}_eye_inner"][0]) / 2
        for name in (*FEATURES[f"{side} eye"], *FEATURES[f"{side} brow"]):
            x, y = moved[name]
            moved[name] = (middle + (x - middle) * narrower * math.cos(yaw0) / math.cos(yaw1), y)
    return moved


def _further(now: float, by: float, limit: float) -> float:
    return max(min(now, -limit), min(max(now, limit), now + by)) if by else now


def _mouth(
    points: Points, *, sag: float | None = None, gap: float | None = None, wider: float = 1.0
) -> dict[str, Point]:
    """The mouth with another hang of its middle, another opening, and another width."""
    down = 0.0 if sag is None else sag - mouth_sag(points)
    open_ = 0.0 if gap is None else gap - mouth_gap(points)
    middle = (points["mouth_left"][0] + points["mouth_right"][0]) / 2
    moved = {}
    for name in ("mouth_left", "mouth_right"):
        x, y = points[name]
        moved[name] = (middle + (x - middle) * wider, y - 0.55 * down)
    for name, share in (("lip_top", -0.42), ("lip_bottom", 0.58)):
        x, y = points[name]
        moved[name] = (x, y + 0.45 * down + share * open_)
    x, y = points["chin"]
    moved["chin"] = (x, y + 0.15 * open_)
    return moved


def _brows(points: Points, height: float) -> dict[str, Point]:
    rise = height - brow_height(points)
    # in the drawing a raised brow also arches: of 1 at the middle, the outer end rises 0.58 and the inner one 0.74
    shares = {"brow_mid": 1.0, "brow_outer": 0.58, "brow_inner": 0.74}
    return {
        f"{side}_{name}": (points[f"{side}_{name}"][0], points[f"{side}_{name}"][1] - rise * share)
        for side in _SIDES
        for name, share in shares.items()
    }


def _eyes(points: Points, gap: float) -> dict[str, Point]:
    moved = {}
    for side in _SIDES:
        level = (points[f"{side}_eye_outer"][1] + points[f"{side}_eye_inner"][1]) / 2 - 0.001
        for name, y in (
            ("eye_top", level - gap / 1.9 if gap else level + 0.024),
            ("eye_bottom", level + gap * 0.9 / 1.9 if gap else level + 0.024),
            ("pupil", level if gap else level + 0.016),
        ):
            moved[f"{side}_{name}"] = (points[f"{side}_{name}"][0], y)
    return moved


def _smile(points: Points) -> dict[str, Point]:
    grin = max(0.0, 0.042 - mouth_sag(points)) / 0.035  # 0 for a face that smiles already
    return _mouth(points, sag=max(0.042, mouth_sag(points)), wider=1 + 0.16 * min(1.0, grin))


def _serious(points: Points) -> dict[str, Point]:
    sag = mouth_sag(points)
    grin = max(0.0, sag - 0.004) / 0.035
    moved = _mouth(points, sag=min(0.004, sag), gap=min(mouth_gap(points), 0.042), wider=1 - 0.12 * min(1.0, grin))
    return {**moved, **_brows(points, min(brow_height(points), 0.110))}


def _surprise(points: Points) -> dict[str, Point]:
    return {
        **_mouth(points, gap=max(0.105, mouth_gap(points)), wider=0.95 if mouth_gap(points) < 0.08 else 1.0),
        **_brows(points, max(0.158, brow_height(points))),
        **_eyes(points, max(0.092, eye_gap(points))),
    }


GESTURES: dict[str, Callable[[Points], dict[str, Point]]] = {
    "turn left": lambda points: turned(points, yaw=-_STEP),
    "turn right": lambda points: turned(points, yaw=_STEP),
    "look up": lambda points: turned(points, pitch=-_STEP),
    "look down": lambda points: turned(points, pitch=_STEP),
    "smile": _smile,
    "serious": _serious,
    "surprise": _surprise,
    "open mouth": lambda points: _mouth(points, gap=max(0.105, mouth_gap(points))),
    "close eyes": lambda points: _eyes(points, 0.0),
    "open eyes": lambda points: _eyes(points, max(0.088, eye_gap(points))),
}
"""A button's name to where it moves the points; what a gesture does not mention stays."""


def gesture(name: str, points: Points, wished: Points) -> dict[str, Point]:
    """The wishes after a gesture on top of earlier ones, as far as they differ from the face.

    Args:
        name: of `GESTURES`.
        points: the face's.
        wished: points that were moved already.
    """
    now = {**points, **wished}
    goal = {**now, **GESTURES[name](now)}
    inside = {n: (min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for n, (x, y) in goal.items()}
    return {n: (round(x, 4), round(y, 4)) for n, (x, y) in inside.items() if math.dist((x, y), points[n]) > 0.003}
