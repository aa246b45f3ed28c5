"""The methods side by side: their paths, what the observer sees in them, and the tab's handlers, on a toy zoo."""

import itertools
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch

import sgf_hub.hub.names
from app.compare.comparison import METHODS, TITLES, Comparison
from app.compare.curve import curves
from app.compare.paths import MOST, Frame, Missing, Path, Progress, thinned
from app.core.errors import UserError
from app.core.model_sets import Flowers
from app.core.session import Origin, Session
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.flowers import FlowerPanel
from app.tabs.compare import ALONE, KINDS, CompareTab, Wish, standing, wish_of
from app.tabs.components import build as build_components
from app.tabs.components import seems
from app.widgets import share
from sgf_hub.baselines import Choice
from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError
from sgf_hub.types import Latent
from tests.app.fakes import with_fake_flowers
from tests.app.visits import begin

REQUEST = SimpleNamespace(session_hash="me")
GLASSES = (KINDS[0], "glasses", "Flip it", "smile", "")


@pytest.fixture
def comparison(panel):
    return Comparison(panel.model_set, panel.models)


@pytest.fixture
def latent(panel):
    return begin(panel, "7", 0.8)[panel.session].latent


def paths(events):
    return {event.method: event for event in events if isinstance(event, Path)}


# -- paths -------------------------------------------------------------------------------------------------------------


def test_every_method_takes_the_same_picture_and_wish(comparison, latent, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)  # nothing is fitted on the page
    events = list(comparison.attribute(latent, "glasses", None))
    found = paths(events)
    assert list(found) == comparison.present() and set(METHODS) - set(found) == {"lace", "stylespace"}, (
        "not in this zoo"
    )
    starts = {path.frames[0].image for path in found.values()}
    assert len(starts) == 1, "all begin at the same picture"
    for path in found.values():
        assert path.frames[0].step == 0 and path.frames[-1].step == path.steps > 0
        assert [frame.step for frame in path.frames] == sorted({frame.step for frame in path.frames})
        assert path.frames[0].kept == 1 and path.frames[0].drift == pytest.approx(0, abs=1e-5)
        assert all(0 <= frame.asked <= 1 and 0 <= frame.kept <= 1 for frame in path.frames)
        assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(path.frames))
        assert not any("glasses" in frame.changed for frame in path.frames)
        assert path.frames[path.best].image.startswith("data:image/jpeg;base64,")
    assert sum(isinstance(event, Progress) for event in events) > 50, "in short pieces"


def test_a_latent_by_layer_is_taken_by_every_method(comparison, latent, panel):
    plus = panel.models.generator(panel.model_set.generator).to_w_plus(latent)
    layers = plus.data + 0.3 * torch.randn(plus.data.shape, generator=torch.Generator().manual_seed(0))
    found = paths(comparison.attribute(Latent(layers, "w+"), "smile", None))
    assert list(found) == comparison.present()


def test_what_the_observer_sees(comparison, latent, panel):
    wanted = comparison.wanted(latent, "smile")
    path = paths(comparison.attribute(latent, "smile", wanted, ["interfacegan"]))["interfacegan"]
    assert (
        not comparison.judged("smile")
        and comparison.observer("smile").spec.attributes
        == panel.models.predictor(("avatars-attributes",)).spec.attributes
    )
    editor, config = comparison._editor("interfacegan")
    *_, last = editor.steps(latent, {"smile": float(wanted)}, config)
    before, after = (panel.models.read(panel.model_set, one).attributes for one in (latent, last.latent))
    assert path.frames[-1].asked == pytest.approx(after["smile"] if wanted else 1 - after["smile"], abs=1e-4)
    others = [name for name in before if name != "smile"]
    assert path.others == len(others)
    assert path.frames[-1].changed == tuple(n for n in others if abs(after[n] - before[n]) > 0.5)
    mean = sum(abs(after[n] - before[n]) for n in others) / len(others)
    assert path.frames[-1].kept == pytest.approx(1 - mean, abs=1e-4)


def test_the_judge_looks_where_there_is_one(comparison, latent, toy_zoo, tmp_path, monkeypatch):
    copy = shutil.copytree(toy_zoo, tmp_path / "zoo")
    shutil.copytree(copy / "avatars-attributes", copy / "avatars-judge-attributes")
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: copy)
    judged = Comparison(comparison.model_set, Models())
    assert judged.observer("smile") is judged.models.predictor(("avatars-judge-attributes",))
    assert judged.judged("smile") and not judged.judged("tilted_right"), "what it does not read, it does not judge"


def test_a_missing_entry_is_one_sentence_and_the_others_work(comparison, latent, toy_zoo, tmp_path, monkeypatch):
    copy = shutil.copytree(toy_zoo, tmp_path / "zoo")
    shutil.rmtree(copy / "avatars-stylegan2-ganspace")
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: copy)
    less = Comparison(comparison.model_set, Models())
    events = list(less.attribute(latent, "glasses", None, ["sgf", "ganspace", "interfacegan"]))
    missing = [event for event in events if isinstance(event, Missing)]
    assert missing == [Missing("ganspace", "The zoo holds no GANSpace for these pictures: it takes no part here.")]
    assert list(paths(events)) == ["sgf", "interfacegan"]
    assert less.present() == [name for name in comparison.present() if name != "ganspace"], "else it is not asked for"


@pytest.fixture
def sure(comparison, latent, monkeypatch):
    """An attribute that the picture shows, or lacks, for sure."""
    monkeypatch.setattr("app.compare.comparison.THERE", 0.8)
    p = comparison.models.read(comparison.model_set, latent).attributes
    name = max(p, key=lambda name: abs(p[name] - 0.5))
    assert abs(p[name] - 0.5) > 0.35
    return name, p[name] > 0.5


def test_what_is_there_cannot_be_asked_for(comparison, latent, sure):
    with pytest.raises(UserError, match=r"(there|absent) already: ask for the other way"):
        next(comparison.attribute(latent, *sure))


def test_a_gesture_is_for_sgf_alone(comparison, latent):
    *_, path = comparison.gesture(latent, "turn left")
    assert path.method == "sgf" and path.curve is None and 0 <= path.best < len(path.frames)
    assert path.frames[0].asked == 0 and all(frame.kept is None for frame in path.frames)


def test_a_sentence_is_for_sgf_alone(panel, comparison, zoo):
    models = Models()
    flowers = FlowerPanel(Flowers(), models, Stops())
    with_fake_flowers(models, flowers.model_set)
    alone = Comparison(panel.model_set, models)
    *_, path = alone.sentence(flowers.view_of(), models.sample(flowers.model_set, 7, 0.8), "blue")
    assert path.steps == 3 and path.ended == "target reached"
    assert all(frame.says.startswith("this flower has") for frame in path.frames)


def frame(step: int, asked: float, kept: float | None = 1.0) -> Frame:
    return Frame(step, 0.1 * step, "data:,", asked, kept)


def test_the_best_frame_has_the_best_harmonic_mean():
    path = Path("sgf", (frame(0, 0.1), frame(1, 0.6, 0.95), frame(2, 0.9, 0.9), frame(3, 1.0, 0.4)), 3)
    assert path.best == 2
    assert path.curve.accuracy == pytest.approx((0, 0.5, 0.8, 0.9)), "counted from where it began"
    assert path.curve.mds == pytest.approx(0.5 * 0.975 + 0.3 * 0.925 + 0.1 * 0.65)
    assert Path("sgf", (frame(0, 0.1, None), frame(1, 0.6, None), frame(2, 0.3, None)), 2).best == 1


def test_long_paths_are_thinned():
    assert thinned(1) == [0] and thinned(4) == [0, 1, 2, 3]
    chosen = thinned(81)
    assert len(chosen) == MOST and (chosen[0], chosen[-1]) == (0, 80)


def test_curves_are_drawn_with_a_legend():
    one = Path("sgf", (frame(0, 0.0), frame(1, 1.0, 0.9)), 1)
    html = curves([one, Path("ganspace", (frame(0, 0.0, None),), 0)], METHODS)
    assert html.count("<polyline") == 1 and "SGF (ours), area 0.95" in html and "GANSpace" not in html
    x, y, width, height = map(float, re.search(r'data-box="([\d. ]+)"', html)[1].split())
    best = re.search(r'class="here" data-method="sgf" cx="([\d.]+)" cy="([\d.]+)"', html)
    assert (float(best[1]), float(best[2])) == pytest.approx((x + width, y + 0.1 * height), abs=0.06)
    named = re.findall(r'class="axis">([^<]+)<', html)
    assert named == ["how far the wish came", "what was kept"]
    ends = re.findall(r">([\d.]+)</text>", html)
    assert (ends[0], ends[-1]) == ("0.00", "1.00"), "both axes run from 0 to 1"
    assert curves([], METHODS) == ""


# -- the tab -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tab(panel, flowers):
    made = CompareTab(panel, flowers)
    with gr.Blocks():
        for one in (panel, flowers):
            one.build_stage()
        made.build()
    return made


@pytest.fixture
def session(latent):
    return Session(Origin(latent, 7))


def test_paths_come_method_by_method(tab, session):
    updates = list(tab.run(REQUEST, *GLASSES, session, None, None, None))
    assert updates[0][tab.stop].visible and updates[0][tab.source]["note"] == "Face 7."
    done = [
        tuple(m for m, card in tab.cards.items() if update[card]["state"] == "done") for update in updates
    ]  # every update holds all cards: of those that a slow page skips, nothing may be missed
    assert list(dict.fromkeys(done)) == [tuple(tab.comparison(session).present())[:n] for n in range(6)]
    last = updates[-1]
    assert last[tab.go].visible and not last[tab.stop].visible
    assert last[tab.board]["matched"] and last[tab.board]["observer"] == "the predictor, which steers SGF"
    assert last[tab.board]["curves"].count('class="best"') == 5
    assert all(updates), "Gradio takes no empty update"
    assert not tab.stops._events and not tab.faces.models.computing.locked()


def test_stop_keeps_the_paths_that_are_there(tab, session):
    steps, seen = tab.run(REQUEST, *GLASSES, session, None, None, None), []
    for update in steps:
        seen.append(update)
        if update.get(tab.cards["sgf"], {}).get("state") == "done":
            tab.stops.ask("me")
            break
    rest = list(steps)
    assert rest[-1][tab.board]["note"] == "Stopped. The paths that are there stay." and rest[-1][tab.go].visible
    assert rest[-1][tab.cards["latent-descent"]]["says"] == "Stopped before its path was there." and len(rest) < 5
    assert rest[-1][tab.cards["sgf"]]["state"] == "done"


def test_a_gesture_hides_the_others_and_says_why(tab, session):
    updates = list(tab.run(REQUEST, KINDS[1], "", "", "turn left", "", session, None, None, None))
    states = {method: updates[0][card]["state"] for method, card in tab.cards.items()}
    assert states == {"sgf": "waiting", **{m: "away" for m in TITLES if m != "sgf"}}
    assert not updates[-1][tab.board]["matched"]
    shown, *_, notice = (tab._asked_by(KINDS[1])[i] for i in (1, 0, 3))
    assert shown.visible and notice.visible and "none for a point" in notice.value and set(ALONE) == set(KINDS[1:])


def test_words_that_are_not_known_are_told(tab, recwarn):
    models, flowers = tab.flowers.models, tab.flowers.model_set
    with_fake_flowers(models, flowers)
    latent = models.sample(flowers, 7, 0.8)
    for words, told in (("blue", False), ("花", True)):
        *_, path = tab._events(Comparison(tab.faces.model_set, models), Wish(KINDS[2], words), latent)
        said = [str(one.message) for one in recwarn]  # gr.Warning, outside of a page
        assert isinstance(path, Path) and any("knows no flower described like this" in one for one in said) is told


def test_opening_the_tab_keeps_what_was_compared(tab, session, panel):
    (first,) = tab.opened(KINDS[0], "", session, None, None, None)
    assert first[tab.source]["state"] == "source" and first[tab.board]["open"] is False
    (again,) = tab.opened(KINDS[0], first[tab.compared], session, None, None, None)
    assert list(again) == [tab.compared]
    other = begin(panel, "8", 0.8)[panel.session]
    assert tab.source in next(tab.opened(KINDS[0], first[tab.compared], other, None, None, None))
    with pytest.raises(UserError, match="press New face"):
        list(tab.opened(KINDS[0], "", None, None, None, None))
    kept = {"link": share.link_of(panel.model_set, "face", session)}
    back, same = tab.opened(KINDS[0], first[tab.compared], None, kept, None, None)
    assert back[panel.session].origin.seed == 7 and list(same) == [tab.compared], "it is the same picture"


@pytest.mark.parametrize(
    "values",
    [
        ("Anything", "glasses", "Add it", "smile", ""),
        (KINDS[0], "<b>", "Add it", "smile", ""),
        (KINDS[0], ["glasses"], "Add it", "smile", ""),
        (KINDS[0], "glasses", None, "smile", ""),
        (KINDS[0], "glasses", ["Add it"], "smile", ""),
        (KINDS[1], "glasses", "Add it", {"smile": 1}, ""),
        (KINDS[1], "glasses", "Add it", "dance", ""),
        (None, None, None, None, None),
    ],
)
def test_hostile_wishes_are_told(values):
    with pytest.raises(UserError, match="choose one of those on the page"):
        wish_of(("glasses",), *values)


def test_hostile_sentences_are_told():
    with pytest.raises(BadValueError):
        wish_of((), KINDS[2], None, None, None, "")
    with pytest.raises(BadValueError):
        wish_of((), KINDS[2], None, None, None, 7)


def test_a_mistake_gives_the_buttons_back(tab, session, sure):
    name, there = sure
    way = "Add it" if there else "Take it away"
    updates = []
    with pytest.raises(UserError, match="already"):
        for update in tab.run(REQUEST, KINDS[0], name, way, "smile", "", session, None, None, None):
            updates.append(update)
    assert updates[-1][tab.go].visible and not tab.stops._events


def test_which_picture_it_is(latent):
    assert standing(Session(Origin(latent, 7)), "face") == "Face 7."
    assert standing(Session(Origin(latent, title="Your picture, projected.")), "face") == "Your picture, projected."


# -- components by hand ------------------------------------------------------------------------------------------------


def test_components_move_the_picture(panel, session):
    with gr.Blocks() as page:
        panel.build_stage()
        move = build_components(panel)
    del page
    layers = panel.model_set.layers
    still = move(session, *[1, 0, 1, layers] * 3)
    one, two = re.findall(r'src="([^"]+)"', still)
    assert one == two and "Component 1: more" in still
    before, after = re.findall(r'src="([^"]+)"', move(session, *[2, 3.5, 1, 2], *[1, 0, 1, layers] * 2))
    assert before == one and after != one


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ((7, 0, 1, 6), "the component is 7; it takes a number from 1 to 6"),
        (("x", 0, 1, 6), "the component takes a number"),
        ((1, 21, 1, 6), "the strength is 21"),
        ((1, float("nan"), 1, 6), "the strength takes a number"),
        ((1, 1, 4, 2), "the last cannot come before the first"),
        ((1, 1, 0, 2), "first layer is 0"),
    ],
)
def test_hostile_components_are_told(panel, session, row, told):
    with gr.Blocks():
        panel.build_stage()
        move = build_components(panel)
    with pytest.raises(UserError, match=told):
        move(session, *row, *[1, 0, 1, 6] * 2)


def test_what_a_component_seems_to_do():
    choices = {"smile": Choice(3, (0, 5), 1), "old": Choice(3, None, -1), "hat": Choice(1, None, 1)}
    assert seems(choices, 3) == "more smile (layers 1 to 5), less old"
    assert seems(choices, 0) == "it is no attribute's best one."


# -- a direction that a visitor brings ---------------------------------------------------------------------------------


@pytest.fixture
def brought(tab, session, tmp_path):
    """A direction in a file, taken in: SGF's own change of the picture, along which the wish comes about."""
    editor = tab.faces.models.editor(tab.faces.model_set.attributes)
    direction = torch.randn(editor.generator.latent_dim, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "smile.npy", direction.numpy())
    return tab.take_direction(str(tmp_path / "smile.npy"), session)


def test_a_direction_takes_part(tab, session, brought):
    direction, said = brought
    assert "smile.npy takes part" in said and direction.generator == tab.faces.model_set.generator
    assert direction.tensor.norm().item() == pytest.approx(1, abs=1e-5)
    updates = list(tab.run(REQUEST, *GLASSES, session, None, None, None, direction))
    assert updates[0][tab.cards["direction"]]["state"] == "waiting"
    last = updates[-1]
    assert last[tab.cards["direction"]]["state"] == "done" and "Your direction" in last[tab.board]["curves"]
    without = list(tab.run(REQUEST, *GLASSES, session, None, None, None, None))
    assert all(
        update[tab.cards["direction"]]["state"] == "away" for update in without if tab.cards["direction"] in update
    )


def test_it_goes_back_where_an_attribute_should_go(comparison, latent, brought):
    (up, config), (down, _) = (comparison._along(brought[0], wanted) for wanted in (True, False))
    assert up.step_size == -down.step_size > 0 and config is up.sweep


def test_directions_of_other_pictures(tab, comparison, latent, session, brought, tmp_path):
    other = replace(brought[0], generator="sgf-hub/another")
    *_, told = comparison.attribute(latent, "glasses", None, (), other)
    assert isinstance(told, Missing) and told.why == (
        "smile.npy moves latents of other pictures than these: bring one of theirs."
    )
    np.save(tmp_path / "wide.npy", np.ones(7, np.float32))
    with pytest.raises(SpaceError, match="wide.npy holds a direction of shape .7.*"):
        tab.take_direction(str(tmp_path / "wide.npy"), session)
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(CorruptFileError, match="text.npy is no file of latents or directions"):
        tab.take_direction(str(tmp_path / "text.npy"), session)
    with pytest.raises(UserError, match="sent no file"):
        tab.take_direction(["x"], session)
