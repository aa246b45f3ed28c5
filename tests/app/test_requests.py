"""What clients send: everything is checked on the server."""

import math

import pytest

from app.core.errors import UserError
from app.core.requests import attribute_wishes, keypoint_wishes, options_of, seed_of, truncation_of
from sgf_hub.errors import BadValueError

NAMES = ("smile", "glasses", "bald")
POINTS = ("nose_tip", "chin")


def test_wishes_come_in_the_panels_order():
    wishes, free = attribute_wishes({"wishes": {"bald": 0, "smile": 1}, "released": ["glasses", "smile"]}, NAMES)
    assert list(wishes.items()) == [("smile", 1.0), ("bald", 0.0)]
    assert free == ("glasses",), "what is asked for is not released"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"wishes": {}}, "move a slider first"),
        (None, "move a slider first"),
        ("smile", "cannot be read"),
        ([1, 2], "cannot be read"),
        ({"wishes": ["smile"]}, "cannot be read"),
        ({"wishes": {"smile": 1.5}}, "smile is 1.5; it takes a number from 0 to 1"),
        ({"wishes": {"smile": -0.1}}, "from 0 to 1"),
        ({"wishes": {"smile": math.nan}}, "from 0 to 1, not 'nan'"),
        ({"wishes": {"smile": math.inf}}, "from 0 to 1"),
        ({"wishes": {"smile": "1"}}, "from 0 to 1"),
        ({"wishes": {"smile": True}}, "from 0 to 1"),
        ({"wishes": {"smile": None}}, "from 0 to 1"),
        ({"wishes": {"tail": 1}}, "'tail' is not something that can be asked for"),
        ({"wishes": {"smile": 1}, "released": ["tail"]}, "'tail' is not something"),
        ({"wishes": {"smile": 1}, "released": [["smile"]]}, "not something"),
        ({"wishes": {"smile": 1}, "released": "smile"}, "not a list"),
    ],
)
def test_bad_attribute_values_are_told(value, words):
    with pytest.raises(UserError, match=words):
        attribute_wishes(value, NAMES)


def test_points_are_rounded_so_that_code_repeats_them():
    assert keypoint_wishes({"moved": {"chin": [0.5, 0.123456]}}, POINTS) == {"chin": (0.5, 0.1235)}
    assert keypoint_wishes(None, POINTS) == {}


@pytest.mark.parametrize(
    "place",
    [[0.5, math.nan], [0.5, -0.01], [1.01, 0.5], [0.5], [0.5, 0.5, 0.5], "0.5", 0.5, None, {"x": 1}, ["a", "b"]],
)
def test_bad_points_are_told(place):
    with pytest.raises(UserError, match=r"nose tip|two numbers"):
        keypoint_wishes({"moved": {"nose_tip": place}}, POINTS)


def test_unknown_points_are_told():
    with pytest.raises(UserError, match="'tail' is not something"):
        keypoint_wishes({"moved": {"tail": [0.5, 0.5]}}, POINTS)


@pytest.mark.parametrize(("text", "seed"), [("7", 7), (" 12 ", 12), (3, 3)])
def test_seeds(text, seed):
    assert seed_of(text) == seed


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", "9" * 5000, None, 1.5, [], {}, "0x10"])
def test_bad_seeds_are_told(text):
    with pytest.raises(BadValueError, match="a seed is a whole number"):
        seed_of(text)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, "0.5", None, True])
def test_bad_variety_is_told(value):
    with pytest.raises(UserError, match="variety"):
        truncation_of(value)


def test_bad_options_are_told():
    assert options_of(40, 0.2) == {"max_steps": 40, "step_size": 0.2}
    with pytest.raises(UserError, match="steps"):
        options_of(10**6, 0.2)
    with pytest.raises(UserError, match="step size"):
        options_of(40, math.nan)
