"""Gestures hold against the drawn heads: points are moved the way the drawing moves them."""

import math

import numpy as np
import pytest

from app.core.gestures import DEPTHS, FEATURES, GESTURES, gesture, pitch_of, releases, turned, yaw_of
from app.widgets.attribute_sliders import GROUPS
from sgf_hub.data.avatars.geometry import Layout

avatars = pytest.importorskip("sgf_hub.data.avatars", reason="the drawing library is an extra of training")


def points_of(factors) -> dict[str, tuple[float, float]]:
    return {
        name: (float(x), float(y)) for name, (x, y) in zip(avatars.KEYPOINTS, Layout(factors).keypoints(), strict=True)
    }


def apart(a, b) -> float:
    return float(np.mean([math.dist(a[name], b[name]) for name in b]))


@pytest.fixture(params=range(6))
def factors(request):
    return avatars.sample(request.param).replace(
        smile=False, mouth_open=False, eyes_closed=False, brows_raised=False, yaw=0.1, pitch=-0.2
    )


def test_names_are_the_avatars():
    assert sorted(name for names in FEATURES.values() for name in names) == sorted(avatars.KEYPOINTS)
    assert DEPTHS.keys() == set(avatars.KEYPOINTS)
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(avatars.ATTRIBUTES)


def test_pose_is_read(factors):
    points = points_of(factors)
    assert math.degrees(yaw_of(points)) == pytest.approx(20 * factors.yaw, abs=0.5)
    assert math.degrees(pitch_of(points)) == pytest.approx(13 * factors.pitch, abs=2.5)


@pytest.mark.parametrize("by", [{"yaw": 0.5}, {"yaw": -0.5}, {"pitch": 0.5}, {"pitch": -0.4}])
def test_turning_is_what_the_drawing_does(factors, by):
    drawn = factors.replace(**{name: getattr(factors, name) + amount for name, amount in by.items()})
    ours = turned(points_of(factors), **by)
    moved = apart(points_of(factors), points_of(drawn))
    assert apart(ours, points_of(drawn)) < 0.2 * moved


@pytest.mark.parametrize(
    ("name", "flags"),
    [("smile", ["smile"]), ("open mouth", ["mouth_open"]), ("close eyes", ["eyes_closed"]),
     ("surprise", ["mouth_open", "brows_raised"])],
)  # fmt: skip
def test_expressions_go_where_the_drawing_goes(factors, name, flags):
    before, drawn = points_of(factors), points_of(factors.replace(**dict.fromkeys(flags, True)))
    wished = gesture(name, before, {})
    goal = {point: drawn[point] for point in wished}
    assert apart(wished, goal) < 0.5 * apart(before, goal)
    assert set(flags) <= set(releases(before, wished)), "the attribute that the shape is about must not be held"


def test_turning_lets_no_attribute_go(factors):
    before = points_of(factors)
    for name in ("turn left", "turn right", "look up", "look down"):
        assert not set(releases(before, gesture(name, before, {}))) & set(avatars.ATTRIBUTES)


@pytest.mark.parametrize("name", GESTURES)
def test_pressing_twice_stays_inside_what_is_drawn(factors, name):
    before = points_of(factors)
    wished: dict = {}
    for _ in range(5):
        wished = gesture(name, before, wished)
    assert all(0 <= v <= 1 for place in wished.values() for v in place)
    after = {**before, **wished}
    assert abs(math.degrees(yaw_of(after))) < 19 and apart(before, after) < 0.09


def test_gestures_add_up(factors):
    before = points_of(factors)
    both = gesture("turn left", before, gesture("smile", before, {}))
    assert both["mouth_left"] != gesture("smile", before, {})["mouth_left"]
    assert len(both) > len(gesture("smile", before, {}))


def test_neighbours_of_a_pulled_point_are_free(factors):
    before = points_of(factors)
    x, y = before["mouth_left"]
    free = releases(before, {"mouth_left": (x - 0.01, y - 0.05)})
    assert {"mouth_right", "lip_top", "lip_bottom", "smile"} <= set(free)
    assert "nose_tip" not in free and "mouth_left" not in free
