"""The timeline below the picture, and the steps of the last edit as results."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.core.errors import UserError
from app.core.gestures import gesture
from app.core.model_sets import Faces, Flowers, RenderedFaces
from app.core.requests import layers_of, part_of_the_way, strength_of
from app.core.session import STOPPED, TAKEN, Edit, Plan, Session
from app.models.edit_run import EditRun
from app.panels import history, links
from app.panels.faces import plan_of
from app.tabs.options import Options
from app.widgets.code import as_python
from app.widgets.report import report, verdict
from app.widgets.timeline import LONGEST, wishes_in_words
from sgf_hub.editing.trajectory import Trajectory
from tests.app.fakes import drained, saved
from tests.app.visits import begin, handle, run

EMBEDDED = Path(__file__).parents[2] / "zoo"
ATTRIBUTES, KEYPOINTS = "sgf-avatars-attributes", "sgf-avatars-keypoints"


@pytest.fixture
def session(panel):
    """A face with two edits, of four steps each."""
    return edited(panel, edited(panel, face(panel), plan()), plan({"hat": 0.0}))


def face(panel):
    return begin(panel, "7", 0.8)[panel.session]


def plan(wishes=None, **changes) -> Plan:
    return Plan(**{"editor": ATTRIBUTES, "wishes": wishes or {"smile": 1.0}, "max_steps": 4, **changes})


def edited(panel, session: Session, some_plan: Plan) -> Session:
    *_, last = run(panel, session, some_plan, "me")
    return last[panel.session]


# -- the row -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "changes", "words"),
    [
        ({"glasses": 1.0}, {}, "+ glasses"),
        ({"long_hair": 0.0}, {}, "− long hair"),
        ({"smile": 0.6}, {}, "smile 60"),
        ({"smile": 1.0, "hat": 0.0, "bald": 0.0, "old": 1.0}, {}, "+ smile, − hat, 2 more"),
        ({"nose_tip": (0.5, 0.5), "nose_left": (0.5, 0.5)}, {}, "nose"),
        ({"nose_tip": (0.5, 0.5), "chin": (0.5, 0.5), "lip_top": (0.5, 0.5)}, {}, "3 points"),
        ({"nose_tip": (0.5, 0.5)}, {"gesture": "turn left"}, "turn left"),
        ({"smile": 1.0, "nose_tip": (0.5, 0.5)}, {"gesture": "turn left"}, "turn left, + smile"),
        ({"caption": "purple petals"}, {}, "“purple petals”"),
        ({"caption": "x" * 500}, {}, "“" + "x" * (LONGEST - 2) + "…”"),
    ],
)
def test_an_edit_is_called_by_what_was_asked(wishes, changes, words):
    assert wishes_in_words(Plan("editor", wishes, **changes)) == words


def test_the_row_shows_every_edit_and_where_one_is(panel, session):
    shown = panel.show(panel.view_of(None), session)[panel.timeline]
    assert [label for label, _ in shown["items"]] == ["Start", "+ smile", "− hat"] and shown["now"] == 2
    assert all(picture.startswith("data:image/jpeg") and len(picture) < 8000 for _, picture in shown["items"])
    assert [label for label, _ in panel.show(panel.view_of(None), face(panel))[panel.timeline]["items"]] == ["Start"]


def test_thumbnails_are_drawn_once(panel, session, monkeypatch):
    first = panel.show(panel.view_of(None), session)[panel.timeline]["items"]
    drawn: list = []
    monkeypatch.setattr(panel.models, "draw_all", lambda world, latents: drawn.extend(latents) or [])
    assert panel.show(panel.view_of(None), session.undone())[panel.timeline]["items"] == first and not drawn


def test_going_back_and_forward(panel, session):
    back = handle(panel, history.gone_to, session, {"at": 1})
    assert back[panel.session] == session.undone() and back[panel.timeline]["now"] == 1
    assert handle(panel, history.gone_to, back[panel.session], {"at": 2})[panel.session] == session
    other = edited(panel, back[panel.session], plan({"bald": 1.0}))
    assert [label for label, _ in panel.show(panel.view_of(None), other)[panel.timeline]["items"]] == [
        "Start",
        "+ smile",
        "+ bald",
    ]


def test_the_picture_that_was_left_stands_before_the_row(panel, session):
    other = handle(panel, history.begin, session, "3", 0.8)
    label, thumbnail = other[panel.timeline]["left"]
    assert label == "face 7, edited" and thumbnail.startswith("data:image/jpeg")
    back = handle(panel, history.gone_to, other[panel.session], {"at": "left"})
    assert back[panel.session].edits == session.edits and back[panel.timeline]["left"][0] == "face 3"
    assert panel.show(panel.view_of(None), session)[panel.timeline]["left"] is None


@pytest.mark.parametrize("value", [{"at": 3}, {"at": -1}, {"at": 10**400}])
def test_points_that_are_not_there_are_told(panel, session, value):
    with pytest.raises(UserError, match="it has 0 to 2"):
        handle(panel, history.gone_to, session, value)


@pytest.mark.parametrize("value", [None, 1, "1", {}, {"at": "1"}, {"at": True}, {"at": 1.0}, {"at": None}, [1]])
def test_what_is_no_point_is_told(panel, session, value):
    with pytest.raises(UserError, match="not a point of the timeline"):
        handle(panel, history.gone_to, session, value)


# -- a step as the result ----------------------------------------------------------------------------------------------


def path_of(panel, session: Session) -> Trajectory:
    edit_run = EditRun(panel.models, session.last.plan, session.before)
    list(edit_run.steps())
    return edit_run.trajectory


@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_step_is_taken_to_the_bit(panel, session, step):
    taken = drained(handle(panel, history.step_taken, session, {"take": step}))
    after = taken[panel.session]
    assert torch.equal(after.latent.data, path_of(panel, session).steps[step].latent.data)
    assert (after.last.reason, after.last.steps, after.last.plan) == (TAKEN, step, session.last.plan)
    assert after.cursor == 2 and after.before is session.before, "it takes the place of the edit's result"
    assert taken[panel.stage]["mark"] == step and "strip" not in taken[panel.stage], "the filmstrip stays"
    assert f"Step {step}, taken by you" in taken[panel.verdict]
    run = taken[panel.stage]["run"]
    assert (run["step"], len(run["distances"])) == (step, step + 1), "what is told is told of the step that is shown"
    again = drained(handle(panel, history.step_taken, after, {"take": 2}))[panel.session]
    assert again.last.steps == 2, "another step can be taken after it"


def test_the_first_picture_of_the_strip_undoes(panel, session):
    assert drained(handle(panel, history.step_taken, session, {"take": 0}))[panel.session] == session.undone()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"take": 9}, "no such step"),
        ({"take": -1}, "no such step"),
        ({"take": "1"}, "not a step"),
        (None, "not a step"),
    ],
)
def test_steps_that_are_not_there_are_told(panel, session, value, words):
    with pytest.raises(UserError, match=words):
        drained(handle(panel, history.step_taken, session, value))


def test_steps_without_an_edit_are_told(panel):
    with pytest.raises(UserError, match="no such step"):
        drained(handle(panel, history.step_taken, face(panel), {"take": 1}))


def test_the_filmstrip_says_which_step_it_shows(panel):
    *_, last = run(panel, face(panel), plan(), "me")
    steps = [step for step, _ in last[panel.stage]["strip"]]
    assert steps == list(range(len(steps))) and last[panel.stage]["mark"] in steps


# -- copied code, films ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["taken", "layers", "joint", "after layers"])
def test_copied_python_gives_the_same_latent(panel, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    wishes = {"smile": 1.0, "nose_tip": (0.51, 0.62)} if kind == "joint" else {"smile": 1.0}
    editor = KEYPOINTS if kind == "joint" else ATTRIBUTES
    layers = (1, 3) if "layers" in kind else None
    session = edited(panel, face(panel), plan(wishes, editor=editor, layers=layers))
    if kind == "taken":
        session = drained(handle(panel, history.step_taken, session, {"take": 2}))[panel.session]
    if kind == "after layers":
        session = edited(panel, session, plan({"hat": 1.0}))
    names: dict = {}
    exec(as_python(session, panel.model_set), names)
    assert torch.allclose(names["latent"].data, session.latent.data, atol=1e-6)


def frames(path: str) -> int:
    from PIL import Image

    with Image.open(path) as film:
        return film.n_frames


def test_a_film_ends_with_the_result(panel, session):
    last, whole = saved(panel, "gif", session), saved(panel, "gif", session, True)
    assert last.endswith("face-7-edit-2.gif") and whole.endswith("face-7-edits.gif")
    assert frames(whole) > frames(last) >= 5
    taken = drained(handle(panel, history.step_taken, session, {"take": 2}))[panel.session]
    assert frames(saved(panel, "gif", taken)) == 3


# -- layers of W+ ------------------------------------------------------------------------------------------------------


def test_an_edit_of_some_layers_leaves_the_others(panel, tmp_path):
    start = face(panel)
    after = edited(panel, start, plan(layers=(1, 3), choose="arrived"))
    assert after.latent.space == "w+"
    rows, before = after.latent.data[0], start.latent.data[0]
    assert torch.equal(rows[[0, 3, 4, 5]], before.expand(4, -1)) and not torch.equal(rows[1], before)
    # and everything goes on with it
    further = edited(panel, after, plan({"hat": 1.0}, layers=(0, 2)))
    assert torch.equal(further.latent.data[0, 2:], rows[2:])
    assert [label for label, _ in panel.show(panel.view_of(None), further)[panel.timeline]["items"]] == [
        "Start",
        "+ smile",
        "+ hat",
    ]
    opened = links.opened(panel, panel.view_of(None), None, saved(panel, "latent", further))[panel.session]
    assert torch.equal(opened.latent.data, further.latent.data) and opened.latent.space == "w+"
    assert saved(panel, "gif", further, True).endswith("edits.gif")


def test_worlds_know_their_layers():
    for world in (Faces(), Flowers()):
        config = json.loads((EMBEDDED / world.generator / "config.json").read_text())
        assert world.layers == 2 * len(config["channels"])


@pytest.mark.parametrize(
    ("first", "last", "layers"), [(1, 10, None), (1, 4, (0, 4)), (10, 10, (9, 10)), (3.0, 5.0, (2, 5))]
)
def test_layers_are_counted_from_one(first, last, layers):
    assert layers_of(first, last, 10) == layers


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(0, 4, "from 1 to 10"), (1, 11, "from 1 to 10"), ("1", 4, "from 1 to 10"), (6, 5, "cannot come before")],
)
def test_bad_layers_are_told(first, last, words):
    with pytest.raises(UserError, match=words):
        layers_of(first, last, 10)


# -- strength, and both tabs at once -----------------------------------------------------------------------------------


def test_strength_is_part_of_the_way():
    wishes, now = {"smile": 1.0, "chin": (0.5, 0.9)}, {"smile": 0.2, "chin": (0.5, 0.8), "hat": 0.0}
    assert part_of_the_way(wishes, now, 1.0) == wishes
    assert part_of_the_way(wishes, now, 0.5) == {"smile": 0.6, "chin": (0.5, 0.85)}
    assert part_of_the_way(wishes, now, 1.5) == {"smile": 1.0, "chin": (0.5, 0.95)}, "no further than there is room"


@pytest.mark.parametrize("value", [9, 151, "100", None, float("nan"), 10**400])
def test_bad_strength_is_told(value):
    with pytest.raises(UserError, match="strength"):
        strength_of(value)


def test_options_that_a_tab_lacks_keep_their_defaults():
    options, strength = Options({"max_steps": None}).read(RenderedFaces(), 30)
    assert (options, strength) == ({"max_steps": 30}, 1.0)
    controls = dict.fromkeys(("strength", "max_steps", "step_size", "first", "last"))
    options, strength = Options(controls).read(Faces(layers=10), 50, 30, 0.1, 1, 4)
    assert (options, strength) == ({"max_steps": 30, "step_size": 0.1, "layers": (0, 4)}, 0.5)


SLIDERS = {"wishes": {"smile": 1.0}, "released": ["hat"]}
POINTS = {"moved": {"chin": [0.5, 0.9]}}


def test_one_kind_of_wish_is_edited_by_its_own_mapping(panel):
    some = {"max_steps": 9}
    sliders = plan_of(panel.view_of(), face(panel), SLIDERS, None, some)
    assert (sliders.editor, sliders.wishes, sliders.release) == (ATTRIBUTES, {"smile": 1.0}, ("hat",))
    points = plan_of(panel.view_of(), face(panel), None, POINTS, some)
    assert (points.editor, points.wishes) == (KEYPOINTS, {"chin": (0.5, 0.9)})


def test_both_kinds_are_edited_jointly(panel):
    both = plan_of(panel.view_of(), face(panel), SLIDERS, POINTS, {"max_steps": 4})
    assert both.editor == KEYPOINTS and both.wishes == {"smile": 1.0, "chin": (0.5, 0.9)}
    assert "hat" in both.release and not set(both.release) & set(both.wishes)
    after = edited(panel, face(panel), both)
    said = panel.show(panel.view_of(None), after)[panel.verdict]
    assert "Smile" in said and "1 keypoint" in said


def test_strength_moves_both_kinds(panel):
    now = panel.view_of().read(face(panel).latent)
    both = plan_of(panel.view_of(), face(panel), SLIDERS, POINTS, {}, 0.5)
    assert both.wishes["smile"] == pytest.approx((now.attributes["smile"] + 1) / 2, abs=1e-3)
    assert both.wishes["chin"][1] == pytest.approx((now.points["chin"][1] + 0.9) / 2, abs=1e-3)


def test_nothing_asked_is_told(panel):
    with pytest.raises(UserError, match="move a slider, or drag a point"):
        plan_of(panel.view_of(), face(panel), {"wishes": {}}, {"moved": {}}, {})


def test_a_gesture_is_known_again(panel):
    points = panel.view_of().read(face(panel).latent).points
    moved = gesture("turn left", points, {})
    stage = {"moved": {name: list(place) for name, place in moved.items()}}
    assert plan_of(panel.view_of(), face(panel), None, stage, {}).gesture == "turn left"
    assert plan_of(panel.view_of(), face(panel), None, POINTS, {}).gesture == ""


# -- what came of it, in words -----------------------------------------------------------------------------------------


def said(panel, reason: str, before, after, wishes=None, **changes) -> str:
    edit = Edit(plan(wishes, **changes), face(panel).latent, 4, reason, 3.0)
    return report(edit, before, after, verdict(edit, before, after))


def test_a_weak_edit_is_explained(panel):
    here = panel.view_of().read(face(panel).latent)
    close = replace(here, image=here.image * 0.999)
    assert "Step limit after 4 steps. The steps ran out: press Edit again" in said(panel, "STEP_LIMIT", here, close)
    assert "it is as it was" in said(panel, "STEP_LIMIT", here, here)
    assert "open the locks" in said(panel, "STALLED", here, here)
    assert "open the locks" not in said(panel, "STALLED", here, here, release=("hat",))
    assert "take in more of them" in said(panel, "STALLED", here, here, layers=(0, 2))
    assert "Black hair and blond hair cannot both be" in said(
        panel, "STALLED", here, here, {"black_hair": 1.0, "blond_hair": 1.0}
    )
    both = {"smile": 1.0, "chin": (0.5, 0.9)}
    assert "Points and sliders at once" in said(panel, "STALLED", here, here, both, editor=KEYPOINTS)


def test_a_change_that_is_not_seen_is_said(panel):
    here, there = (
        panel.view_of().read(face(panel).latent),
        panel.view_of().read(begin(panel, "8", 0.8)[panel.session].latent),
    )
    assert "hardly changed to the eye" in said(panel, "TARGET_REACHED", here, here)
    assert "hardly changed" not in said(panel, "TARGET_REACHED", here, there)


def test_a_stopped_edit_can_be_taken_further_back(panel):
    steps = run(panel, face(panel), plan(max_steps=200), "me")
    list(itertools.islice(steps, 6))
    panel.stops.ask("me")
    session = list(steps)[-1][panel.session]
    assert session.last.reason == STOPPED
    taken = drained(handle(panel, history.step_taken, session, {"take": 2}))[panel.session]
    assert taken.last.steps == 2 and taken.last.plan.max_steps == 200
