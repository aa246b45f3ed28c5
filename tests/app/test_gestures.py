"""Gestures hold against the drawn heads: points are moved the way the drawing moves them. And they suit other heads."""

import math

import numpy as np
import pytest

from app.core.gestures import GESTURES, gesture, releases, turned
from app.core.heads import DRAWN, FEATURES, RENDERED, features_of, head_of
from app.core.model_sets import Faces, RenderedFaces
from app.widgets.attribute_sliders import GROUPS
from sgf_hub.data.avatars.geometry import Layout
from sgf_hub.predictors.faces.heads import MEASURES
from sgf_hub.predictors.faces.mesh import LANDMARKS
from tests.app.usual import usual_face

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


def test_names_are_those_that_are_read():
    assert DRAWN.depths.keys() == set(avatars.KEYPOINTS) and RENDERED.depths.keys() == set(LANDMARKS)
    assert {name for names in FEATURES.values() for name in names} == DRAWN.depths.keys() | RENDERED.depths.keys()
    assert sorted(Faces().reads) == sorted(avatars.ATTRIBUTES)
    assert RenderedFaces().reads[-len(MEASURES) :] == tuple(MEASURES)
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped)) and set(grouped) == {*Faces().reads, *RenderedFaces().reads}
    assert DRAWN.shapes.keys() <= set(avatars.ATTRIBUTES) and {*RENDERED.shapes, *RENDERED.poses} <= {
        *RenderedFaces().reads
    }
    assert head_of(avatars.KEYPOINTS) is DRAWN and head_of(LANDMARKS) is RENDERED and head_of(["chin"]) is None


def test_pose_is_read(factors):
    points = points_of(factors)
    assert math.degrees(DRAWN.yaw_of(points)) == pytest.approx(20 * factors.yaw, abs=0.5)
    assert math.degrees(DRAWN.pitch_of(points)) == pytest.approx(13 * factors.pitch, abs=2.5)


@pytest.mark.parametrize("by", [{"yaw": 0.5}, {"yaw": -0.5}, {"pitch": 0.5}, {"pitch": -0.4}])
def test_turning_is_what_the_drawing_does(factors, by):
    drawn = factors.replace(**{name: getattr(factors, name) + amount for name, amount in by.items()})
    ours = turned(DRAWN, points_of(factors), **by)
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
    assert abs(math.degrees(DRAWN.yaw_of(after))) < 19 and apart(before, after) < 0.09


def test_gestures_add_up(factors):
    before = points_of(factors)
    both = gesture("turn left", before, gesture("smile", before, {}))
    assert both["mouth_left"] != gesture("smile", before, {})["mouth_left"]
    assert len(both) > len(gesture("smile", before, {}))


def test_what_a_pulled_point_gives_another_shape_is_free(factors):
    before = points_of(factors)
    x, y = before["mouth_left"]
    assert releases(before, {"mouth_left": (x - 0.01, y - 0.05)}) == ("smile",), "points follow by themselves"
    assert (
        releases(before, {"mouth_left": (x - 0.001, y)}) == () == releases({"beak": (0.5, 0.5)}, {"beak": (0.6, 0.5)})
    )


# -- rendered heads ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[0.0, 5.0, -5.0])
def rendered(request):
    """A usual face; the head tilted by some degrees."""
    turn, middle = complex(math.cos(a := math.radians(request.param)), math.sin(a)), complex(0.493, 0.6)
    turned_ = {name: (complex(*place) - middle) * turn + middle for name, place in usual_face().items()}
    return {name: (place.real, place.imag) for name, place in turned_.items()}


def pose(points) -> tuple[float, float]:
    inside = RENDERED.frame(points).into(points)
    return RENDERED.yaw_of(inside), RENDERED.pitch_of(inside)


def test_a_usual_face_looks_ahead(rendered):
    assert max(map(abs, pose(rendered))) < math.radians(5)


@pytest.mark.parametrize(
    ("name", "which", "sign"), [("turn left", 0, -1), ("turn right", 0, 1), ("look up", 1, -1), ("look down", 1, 1)]
)
def test_rendered_heads_turn_about_their_eyes(rendered, name, which, sign):
    wished: dict = {}
    for _ in range(5):
        before, wished = wished, gesture(name, rendered, wished)
    goal = {**rendered, **wished}
    change = (pose(goal)[which] - pose(rendered)[which]) * sign
    assert math.radians(10) < change < math.radians(30) and before == wished, "turning ends"
    eyes = [point for point in rendered if "_eye_" in point]
    assert (
        apart({n: goal[n] for n in eyes}, {n: rendered[n] for n in eyes})
        < 0.03
        < math.dist(goal["nose_tip"], rendered["nose_tip"])
    )
    free = set(releases(rendered, wished)) & {*RenderedFaces().reads}
    assert free == {("facing_left", "facing_up")[which]}


@pytest.mark.parametrize(
    ("name", "free"),
    [("smile", {"smile"}), ("open mouth", {"mouth_open"}), ("close eyes", {"eyes_closed"}),
     ("surprise", {"mouth_open", "brows_raised", "eyes_closed"})],
)  # fmt: skip
def test_expressions_of_rendered_heads_let_their_attributes_go(rendered, name, free):
    wished = gesture(name, rendered, {})
    assert free <= set(releases(rendered, wished)) and not {"facing_left", "tilted_right"} & set(
        releases(rendered, wished)
    )
    again = gesture(name, rendered, wished)
    assert again.keys() == wished.keys() and apart(again, wished) < 0.001, "a second press adds nothing"
    assert apart({n: rendered[n] for n in wished}, wished) < 0.06 and "left_pupil" not in wished


def test_a_smile_follows_the_tilt_of_the_head(rendered):
    wished = gesture("smile", rendered, {})
    raised = [rendered[corner][1] - wished[corner][1] for corner in ("mouth_left", "mouth_right")]
    assert all(way > 0.01 for way in raised)
    assert {"lip_top_inner", "lip_bottom_inner"} <= wished.keys()


def test_what_lies_below_the_picture_is_not_asked_for(rendered):
    low = {**rendered, "chin": (0.5, 1.02)}
    for name in GESTURES:
        assert "chin" not in gesture(name, low, {}) or gesture(name, low, {})["chin"][1] < 1
    assert gesture("open mouth", {**rendered, "chin": (0.5, 0.995)}, {})["chin"][1] == 1.0


def test_features_are_those_of_the_points():
    assert features_of(LANDMARKS)["left eye"] == ("left_eye_outer", "left_eye_inner", "left_eye_top", "left_eye_bottom")
    assert features_of(avatars.KEYPOINTS)["jaw"] == ("jaw_left", "chin", "jaw_right")
    assert "forehead" not in features_of(avatars.KEYPOINTS)
    assert features_of(["beak"]) == {"beak": ("beak",)} and features_of([]) == {}
