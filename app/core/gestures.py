"""Groups of keypoints moved together, the way heads move: turn, nod, and a few expressions.

A gesture is one of a head of `app.core.heads`, in the frame of the drawn ones; the points of other heads are brought
into it, and back. It reads how far the face already is from its points and moves it to a set amount, so that pressing a
button twice never leaves what the generator can draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from app.core.heads import (
    CENTRE,
    FEATURES,
    SIDES,
    Head,
    Point,
    Points,
    brow_height,
    eye_gap,
    head_of,
    mouth_gap,
    mouth_sag,
)

_STEP, _REACH = 1.0, 0.9  # of the range that is drawn: how far one press turns, and where turning ends
_LEAST = 0.003  # of the picture's side: a shorter way is none


def releases(points: Points, wishes: Points) -> tuple[str, ...]:
    """The attributes that an edit must not hold when `wishes` are asked of a face at `points`.

    They are those that a wish is a new shape of: a held "no smile" would fight the mouth corners that were dragged up.
    Points near those that are asked for need no release: they follow (`sgf_hub.editing.following`).
    """
    head = head_of(points)
    if head is None:
        return ()
    frame = head.frame(points)
    now, goal = frame.into(points), frame.into({**points, **wishes})
    # a head that nods shows another mouth, and a nose that is dragged is no nod: both ways must see a change
    ways = [(now, goal), (_facing(head, now), _facing(head, goal))]
    shapes = (
        name
        for name, (shape, change) in head.shapes.items()
        if all(abs(shape(goal) - shape(now)) > change for now, goal in ways)
    )
    poses = (name for name, (pose, change) in head.poses.items() if abs(pose(goal) - pose(now)) > change)
    return (*shapes, *poses)


# -- moving a head, in the frame ---------------------------------------------------------------------------------------


def turned(head: Head, points: Points, *, yaw: float = 0.0, pitch: float = 0.0) -> dict[str, Point]:
    """The points after the head has turned by `yaw` and nodded by `pitch`, in units of the range that is drawn."""
    yaw1 = _further(head.yaw_of(points), yaw * head.yaw, _REACH * head.yaw)
    pitch1 = _further(head.pitch_of(points), pitch * head.pitch, _REACH * head.pitch)
    return _posed(head, points, yaw1, pitch1)


def _facing(head: Head, points: Points) -> dict[str, Point]:
    """The points of the head seen from the front."""
    return _posed(head, points, 0.0, 0.0)


def _posed(head: Head, points: Points, yaw1: float, pitch1: float) -> dict[str, Point]:
    yaw0, pitch0 = head.yaw_of(points), head.pitch_of(points)
    jaw = (points["jaw_left"][0] + points["jaw_right"][0]) / 2
    axis = jaw - head.depths["jaw_left"] * math.sin(yaw0)  # x of the head's centre
    moved = {}
    for name, (x, y) in points.items():
        depth = head.depths[name]
        nod = head.nods.get(name, depth)
        u = (x - axis - depth * math.sin(yaw0)) / math.cos(yaw0)
        v = (y - CENTRE[1] - nod * math.sin(pitch0)) / math.cos(pitch0)
        moved[name] = (
            axis + u * math.cos(yaw1) + depth * math.sin(yaw1),
            CENTRE[1] + v * math.cos(pitch1) + nod * math.sin(pitch1),
        )
    if not head.skull:
        return moved
    # eyes and brows lie on a ball: the side that turns away gets narrower
    for side, sign in (("left", -1), ("right", 1)):
        bend = math.asin(max(-0.9, min(0.9, sign * 0.124 / head.skull)))
        narrower = math.cos(bend + yaw1) / math.cos(bend + yaw0)
        middle = (moved[f"{side}_eye_outer"][0] + moved[f"{side}_eye_inner"][0]) / 2
        for name in (*FEATURES[f"{side} eye"], *FEATURES[f"{side} brow"]):
            x, y = moved[name]
            moved[name] = (middle + (x - middle) * narrower * math.cos(yaw0) / math.cos(yaw1), y)
    return moved


def _further(now: float, by: float, limit: float) -> float:
    return max(min(now, -limit), min(max(now, limit), now + by)) if by else now


def _mouth(
    head: Head, points: Points, *, sag: float | None = None, gap: float | None = None, wider: float = 1.0
) -> dict[str, Point]:
    """The mouth with another hang of its middle, another opening, and another width."""
    down = 0.0 if sag is None else sag - mouth_sag(points)
    open_ = 0.0 if gap is None else gap - mouth_gap(points)
    middle = (points["mouth_left"][0] + points["mouth_right"][0]) / 2
    moved = {}
    for name, (hangs, opens) in head.lips.items():
        x, y = points[name]
        x = middle + (x - middle) * wider if name in ("mouth_left", "mouth_right") else x
        moved[name] = (x, y + hangs * down + opens * open_)
    return moved


def _brows(head: Head, points: Points, height: float) -> dict[str, Point]:
    rise = height - brow_height(points)
    outer, inner = head.arch
    return {
        f"{side}_{name}": (points[f"{side}_{name}"][0], points[f"{side}_{name}"][1] - rise * share)
        for side in SIDES
        for name, share in (("brow_mid", 1.0), ("brow_outer", outer), ("brow_inner", inner))
    }


def _eyes(head: Head, points: Points, gap: float) -> dict[str, Point]:
    above, below = head.lids
    moved = {}
    for side in SIDES:
        level = (points[f"{side}_eye_outer"][1] + points[f"{side}_eye_inner"][1]) / 2 - 0.001
        for name, y in (
            ("eye_top", level - gap * above if gap else level + head.shut),
            ("eye_bottom", level + gap * below if gap else level + head.shut),
            ("pupil", level if gap else level + 0.016),
        ):
            if f"{side}_{name}" in points:
                moved[f"{side}_{name}"] = (points[f"{side}_{name}"][0], y)
    return moved


def _grin(head: Head, points: Points) -> float:
    """How much of a smile a face shows, in [0, 1]."""
    return min(1.0, max(0.0, (mouth_sag(points) - head.rest) / (head.smile - head.rest)))


def _smile(head: Head, points: Points) -> dict[str, Point]:
    wider = 1 + (head.widens - 1) * (1 - _grin(head, points))
    return _mouth(head, points, sag=max(head.smile, mouth_sag(points)), wider=wider)


def _serious(head: Head, points: Points) -> dict[str, Point]:
    moved = _mouth(
        head, points, sag=min(head.rest, mouth_sag(points)), gap=min(head.closed, mouth_gap(points)),
        wider=1 + (head.narrows - 1) * _grin(head, points),
    )  # fmt: skip
    return {**moved, **_brows(head, points, min(head.brows, brow_height(points)))}


def _surprise(head: Head, points: Points) -> dict[str, Point]:
    rounder = 0.95 if mouth_gap(points) < (head.closed + head.open) / 2 else 1.0
    return {
        **_mouth(head, points, gap=max(head.open, mouth_gap(points)), wider=rounder),
        **_brows(head, points, max(head.raised, brow_height(points))),
        **_eyes(head, points, max(head.wide, eye_gap(points))),
    }


GESTURES: dict[str, Callable[[Head, Points], dict[str, Point]]] = {
    "turn left": lambda head, points: turned(head, points, yaw=-_STEP),
    "turn right": lambda head, points: turned(head, points, yaw=_STEP),
    "look up": lambda head, points: turned(head, points, pitch=-_STEP),
    "look down": lambda head, points: turned(head, points, pitch=_STEP),
    "smile": _smile,
    "serious": _serious,
    "surprise": _surprise,
    "open mouth": lambda head, points: _mouth(head, points, gap=max(head.open, mouth_gap(points))),
    "close eyes": lambda head, points: _eyes(head, points, 0.0),
    "open eyes": lambda head, points: _eyes(head, points, max(head.opened, eye_gap(points))),
}
"""A button's name to where it moves the points; what a gesture does not mention stays."""


def gesture(name: str, points: Points, wished: Points) -> dict[str, Point]:
    """The wishes after a gesture on top of earlier ones, as far as they differ from the face.

    Args:
        name: of `GESTURES`.
        points: the face's, of a known head.
        wished: points that were moved already.
    """
    head = head_of(points)
    assert head is not None
    frame = head.frame(points)
    now = frame.into({**points, **wished})
    goal = frame.back({**now, **GESTURES[name](head, now)})
    moved = {n: place for n, place in goal.items() if math.dist(place, points[n]) > _LEAST}
    # a chin below the picture's edge cannot be asked for, and must not be pulled up to it
    return {n: _inside(place) for n, place in moved.items() if _inside(place) == _rounded(place) or _seen(points[n])}


def _rounded(place: Point) -> Point:
    return round(place[0], 4), round(place[1], 4)


def _inside(place: Point) -> Point:
    return _rounded((min(1.0, max(0.0, place[0])), min(1.0, max(0.0, place[1]))))


def _seen(place: Point) -> bool:
    return all(0 <= value <= 1 for value in place)
