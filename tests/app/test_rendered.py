"""Rendered faces on the panel of the drawn ones, on a toy zoo: pictures, edits, links, files, code, the endpoints."""

from dataclasses import replace

import pytest
import torch

from app.api import answers
from app.core.errors import UserError
from app.core.model_sets import KINDS, Faces, RenderedFaces
from app.core.session import Edit, Origin, Plan, Session
from app.models import edit_run
from app.models.services import Models
from app.panels import downloads, history, links
from app.panels.faces import plan_of
from app.tabs.options import Options
from app.widgets import share
from app.widgets.code import as_python
from app.widgets.report import headline, report
from app.widgets.timeline import wishes_in_words
from sgf_hub.editing import StopReason
from sgf_hub.predictors import BasePredictor
from tests.app.conftest import RENDERED_ATTRIBUTES, RENDERED_KEYPOINTS
from tests.app.fakes import saved
from tests.app.visits import handle, run

SLIDERS = {"wishes": {"smile": 1.0, "tilted_right": 0.0}, "released": ["hat"]}
STEPS = {"max_steps": 3, "step_size": 0.1}


@pytest.fixture
def view(panel):
    return panel.view_on(panel.rendered)


@pytest.fixture
def first(panel, view):
    """All that the page shows of the first rendered face."""
    return panel.begin(view, panel.rendered.first, 0.8)


@pytest.fixture
def session(panel, first):
    return first[panel.session]


def edited(panel, session, plan):
    *_, last = run(panel, session, plan)
    return last[panel.session], last


def test_a_face_knows_what_it_is_drawn_by(panel, first, session):
    assert session.model_set == panel.rendered and session.origin.seed == RenderedFaces.first
    assert panel.set_of(session) == panel.rendered and panel.set_of(None) == panel.drawn == panel.model_set
    assert session.latent.space == "z" and first[panel.stage]["alt"].startswith("A rendered face: ")
    assert set(first[panel.stage]["points"]) == set(RENDERED_KEYPOINTS)
    shown = {name for members in first[panel.stage]["features"].values() for name in members}
    assert shown == set(RENDERED_KEYPOINTS) and "left_pupil" not in first[panel.stage]["features"]["left eye"]
    asked = [name for _, members in first[panel.sliders]["groups"] for name, _ in members]
    assert set(asked) == set(RENDERED_ATTRIBUTES) and ("Pose", "Light") == tuple(
        title for title, _ in first[panel.sliders]["groups"] if title in ("Pose", "Light")
    )


def test_new_faces_stay_of_their_kind(panel, session):
    for handler, values in ((history.shuffled, [0.8]), (history.begin, ["5", 0.8])):
        assert handle(panel, handler, session, *values)[panel.session].model_set == panel.rendered


def test_it_is_edited_undone_and_told_of(panel, session, view):
    plan = plan_of(view, session, SLIDERS, None, STEPS)
    assert plan.editor == panel.rendered.attributes and plan.release == ("hat",)
    after, shown = edited(panel, session, plan)
    assert after.model_set == panel.rendered and after.last.steps == 3 and after.last.outlyingness > 0
    assert "of how far out 99 in 100 of its pictures lie" in shown[panel.verdict]
    back = handle(panel, history.moved(Session.undone), after)
    assert torch.equal(back[panel.session].latent.data, session.latent.data)
    assert wishes_in_words(plan) == "+ smile, − tilted right"


def test_points_are_edited_jointly_and_their_gesture_is_known(panel, session, view):
    from app.core.gestures import gesture

    moved = gesture("turn left", view.read(session.latent).points, {})
    plan = plan_of(view, session, SLIDERS, {"moved": {name: list(place) for name, place in moved.items()}}, STEPS)
    assert (plan.editor, plan.gesture) == (panel.rendered.keypoints, "turn left")
    assert "facing_left" in plan.release and wishes_in_words(plan).startswith("turn left, + smile")
    after, shown = edited(panel, session, plan)
    assert f"{len(moved)} keypoints" in shown[panel.verdict] and after.latent.space == "z"


def test_copied_python_gives_the_same_latent(panel, session, view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    after, shown = edited(panel, session, plan_of(view, session, SLIDERS, None, STEPS))
    assert "GainControlled" not in shown[panel.code], "the step size is the mapping's own in Z"
    names: dict = {}
    assert shown[panel.code] == as_python(after, panel.rendered)
    exec(shown[panel.code], names)
    assert torch.allclose(names["latent"].data, after.latent.data, atol=1e-6)


def test_downloads_are_of_its_models(panel, session, view):
    after, _ = edited(panel, session, plan_of(view, session, SLIDERS, None, STEPS))
    for kind in ("png", "gif", "latent"):
        assert saved(panel, kind, after)
    path = handle(panel, downloads.latent, after)[panel.download]
    again = links.opened(panel, view, after, path)[panel.session]
    assert again.model_set == panel.rendered and torch.equal(again.latent.data, after.latent.data)


def test_a_link_says_whose_it_is_and_restores_every_bit(panel, session, view):
    after, _ = edited(panel, session, plan_of(view, session, SLIDERS, None, STEPS))
    text = share.link_of(panel.rendered, "face", after)
    assert text.startswith("face.1.") and links.set_in([panel], text) == panel.rendered
    back = links.linked_session(panel, view, text)
    assert back.model_set == panel.rendered and back.last.plan == after.last.plan
    assert torch.equal(back.latent.data, after.latent.data) and back.last.outlyingness == after.last.outlyingness
    with pytest.warns(UserWarning, match="pictures of another kind"):
        assert links.linked_session(panel, panel.view_on(panel.drawn), text) is None


def test_whose_link_it_is(panel, flowers, session):
    drawn = Session(Origin(panel.models.sample(panel.drawn, 7, 0.8), 7))
    assert links.set_in([panel], share.link_of(panel.drawn, "face", drawn)) == panel.drawn
    flower = share.link_of(flowers.model_set, "flower", drawn)
    assert links.set_in([panel, flowers], flower) == flowers.model_set
    assert links.set_in([panel, flowers], "face.1.abcd") == panel.model_set, "damaged: told when it is read"
    assert links.set_in([panel, flowers], "") is None and links.set_in([panel], flower) is None
    state = share.state_of(panel.rendered, session)
    assert "outlyingness" not in state["edits"] and share.session_in(panel.models, panel.rendered, state).edits == ()


@pytest.mark.parametrize("far", [-1, "1", True, [1], 1e9])
def test_an_odd_distance_from_the_middle_is_told(panel, session, view, far):
    after, _ = edited(panel, session, plan_of(view, session, SLIDERS, None, STEPS))
    state = share.state_of(panel.rendered, after)
    state["edits"][0]["outlyingness"] = far
    with pytest.raises(UserError, match="how far out"):
        share.session_in(panel.models, panel.rendered, state)
    del state["edits"][0]["outlyingness"]
    assert share.session_in(panel.models, panel.rendered, state).last.outlyingness is None, "of an older page"


def test_layers_are_not_asked_for(panel):
    controls = dict.fromkeys(("strength", "max_steps", "step_size", "first", "last"))
    assert Options(controls).read(RenderedFaces(), 100, 30, 0.1, 3, 1)[0] == {"max_steps": 30, "step_size": 0.1}
    looks = {
        kind: {type(look).__name__: getattr(look, "visible", None) for look in panel.fitted(one).values()}
        for kind, one in panel.kinds.items()
    }
    assert looks["drawn"]["Row"] and not looks["rendered"]["Row"]
    assert looks["drawn"]["Slider"] and not looks["rendered"]["Slider"], "variety, and the layers of a component"


def test_the_names_that_are_written_out_are_those_of_the_zoo():
    from sgf_hub.hub.names import root
    from sgf_hub.validation import read_json

    for one in (Faces(), RenderedFaces()):
        configs = [read_json(root() / name / "config.json") for name in one.heads]
        assert sorted(one.reads) == sorted(name for config in configs for name in config.get("attributes") or ())
        assert one.kind in KINDS and all((root() / name / "config.json").is_file() for name in one.judge)


# -- how an edit ends --------------------------------------------------------------------------------------------------


class Blind(BasePredictor):
    """A predictor that finds nothing to read."""

    def __init__(self, sighted) -> None:
        super().__init__()
        self.sighted, self.spec = sighted, sighted.spec

    def forward(self, images):
        return self.sighted(images)

    def readable(self, images):
        return torch.zeros(len(images), dtype=torch.bool)


@pytest.fixture
def blind(panel, monkeypatch):
    """Models that find no face in any picture."""
    models, heads = Models(), panel.rendered.heads
    for names in (heads, heads[:2]):
        predictor = Blind(panel.models.predictor(names))
        models.once(("predictor", names), lambda predictor=predictor: predictor)
    monkeypatch.setattr(panel, "models", models)
    return models


def test_an_unreadable_picture_is_told_and_not_edited(panel, blind, capsys):
    view = panel.view_on(panel.rendered)
    shown = panel.begin(view, 3, 0.8)
    assert (
        shown[panel.stage]["status"] == "Face 3. No face can be made out in it, so it cannot be edited: take another."
    )
    session, plan = shown[panel.session], Plan(panel.rendered.attributes, {"smile": 1.0}, max_steps=3)
    after, last = edited(panel, session, plan)
    assert StopReason.UNREADABLE.advice in capsys.readouterr().out  # gr.Info, outside of a page
    assert after.cursor == 0 and last[panel.stage]["status"] == StopReason.UNREADABLE.advice
    *_, told = answers.run(view, session.latent, plan, answers.face_edit)
    assert (
        told["stop_reason"] == "unreadable"
        and told["step"] == 0
        and told["asked"]["smile"][0] == told["asked"]["smile"][1]
    )


def test_outside_of_the_distribution_is_fair_and_never_done(panel, session, view, monkeypatch):
    arriving = edit_run._arriving

    def outside(models, plan, latent, **how):
        for step in (one for some in arriving(models, plan, latent) for one in some):
            reasons = (StopReason.OUT_OF_DISTRIBUTION,) if step.index == 2 else (None,)
            yield [replace(step, reasons=reasons, outlyingness=torch.tensor([1.234]))]
            if step.index == 2:
                return

    monkeypatch.setattr(edit_run, "_arriving", outside)
    after, shown = edited(panel, session, plan_of(view, session, SLIDERS, None, STEPS))
    assert after.last.reason == "OUT_OF_DISTRIBUTION" and list(shown[panel.sliders]["done"]) == []
    assert '<div class="verdict fair">' in shown[panel.verdict] and "draws, after 2 steps" in shown[panel.verdict]
    assert "Outside of what the generator draws: at 1.23 of how far out" in shown[panel.verdict]
    assert "trust your eyes" in shown[panel.verdict]


@pytest.mark.parametrize("reason", StopReason.__members__)
def test_every_reason_has_words_and_what_came_of_it_a_tone(panel, session, view, reason):
    plan = Plan(panel.rendered.attributes, {"smile": 1.0})
    words, advice = headline(Edit(plan, session.latent, 4, reason, 2.0))
    assert "after 4 steps" in words and advice.endswith(".")
    reading = view.read(session.latent)
    c = reading.c.clone()
    c[reading.spec.index("smile")] = 1.0
    now = replace(reading, c=c, image=reading.image + 0.1)
    edit = Edit(plan, session.latent, 4, reason, 2.0, 0.87)
    said = view.verdict(edit, reading, now)
    assert said.tone == {"OUT_OF_DISTRIBUTION": "fair", "NOT_FINITE": "bad"}.get(reason, "good")
    html = report(edit, reading, now, said)
    assert "Within what the generator draws: at 0.87" in html and f"verdict {said.tone}" in html
    assert "whereabouts" not in report(Edit(plan, session.latent, 4, reason, 2.0), reading, now, said)


def test_a_step_tells_how_far_out_it_lies(panel, session, view):
    plan = Plan(panel.rendered.attributes, {"smile": 1.0}, max_steps=2)
    *steps, told = answers.run(view, session.latent, plan, answers.face_edit)
    assert all(0 < step["outlyingness"] < 3 for step in (*steps, told)) and "keypoints" in told
    drawn = panel.models.sample(panel.drawn, 7, 0.8)
    *_, told = answers.run(
        panel.view_on(panel.drawn), drawn, replace(plan, editor=panel.drawn.attributes), answers.face_edit
    )
    assert told["outlyingness"] is None, "a mapping of before it was kept"
