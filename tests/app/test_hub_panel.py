"""The handlers behind Zoo and Loaded model, on toy mappings of each kind of condition."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

import sgf_hub.hub.names
from app.core.errors import UserError
from app.core.heads import FEATURES, features_of
from app.core.model_sets import Faces, Flowers, HubModelSet
from app.core.session import Plan, Session
from app.core.stopping import Stops
from app.models.services import Models
from app.panels import downloads, history, links
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.panels.hub import HubPanel, spec_of
from app.server.page import build_page
from app.widgets.attribute_sliders import GROUPS, groups_of
from app.widgets.code import as_python
from sgf_hub.errors import SGFError
from sgf_hub.generators.progan import ProGAN
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import AttributeHead, KeypointHead, load_backbone
from tests.app.fakes import FakeCaptions, FakeEditor
from tests.app.visits import handle, run

ODD = ["smile", "wears a scarf", "blue"]
POINTS = ["beak", "tail"]
KINDS = ("sgf-avatars-attributes", "sgf-avatars-keypoints", "sgf-in-z", "sgf-odd", "sgf-points", "sgf-flowers-captions")
WORDS = HubModelSet("flowers-stylegan2", ("flowers-captions",), mapping="sgf-flowers-captions")


@pytest.fixture(scope="module")
def hub_zoo(toy_zoo, tmp_path_factory):
    """The toy zoo, with mappings of other conditions."""
    root = tmp_path_factory.mktemp("hub_panel") / "zoo"
    shutil.copytree(toy_zoo, root)
    torch.manual_seed(1)
    ProGAN(resolution=16, latent_dim=8, channels=(8, 8, 8)).save_pretrained(root / "toy-progan")
    loaded = load_backbone(root / "avatars-backbone")
    shape = {
        "channels": loaded.channels,
        "side": loaded.side,
        "squeeze": 4,
        "hidden": 8,
        "backbone": "avatars-backbone",
    }
    AttributeHead(attributes=ODD, **shape).save_pretrained(root / "odd-attributes")
    KeypointHead(keypoints=POINTS, **shape).save_pretrained(root / "odd-points")
    shared = {"latent_dim": 8, "layers": 2, "embedding": 8}
    for name, generator, head, space, names in (
        ("sgf-in-z", "sgf-hub/toy-progan", "sgf-hub/odd-attributes", "z", {"attributes": ODD}),
        ("sgf-odd", "avatars-stylegan2", "odd-attributes", "w", {"attributes": ODD}),
        ("sgf-points", "avatars-stylegan2", "odd-points", "w", {"keypoints": POINTS}),
    ):
        SGFMapping(generator=generator, predictor=[head], latent_space=space, **names, **shared).save_pretrained(
            root / name
        )
    (root / "sgf-flowers-captions").mkdir()
    told = {"class": "SGFMapping", "generator": WORDS.generator, "predictor": list(WORDS.heads), "caption": 3}
    (root / "sgf-flowers-captions" / "config.json").write_text(json.dumps(told))
    return root


@pytest.fixture(scope="module")
def hub_panel(hub_zoo):
    """The hub_panel' panel of a page that is built; captions are read and edited by fakes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sgf_hub.hub.names, "root", lambda: hub_zoo)
        yield _built()


def _built() -> HubPanel:
    models, predictor = Models(), FakeCaptions()
    models.once(("predictor", WORDS.heads), lambda: predictor)
    models.once(("editor", WORDS.mapping), lambda: FakeEditor(models.generator(WORDS.generator), predictor))
    panel = HubPanel(models, Stops())
    build_page(FacePanel(Faces(), models, Stops()), FlowerPanel(Flowers(), models, Stops()), panel)
    return panel


def opened(panel: HubPanel, name: str):
    """The session of an opened model, and all that the page shows of it."""
    *news, (model_set, updates) = panel.open_model(name, "me")
    assert all(isinstance(one, str) for one in news) and model_set.mapping == name
    return updates[panel.session], updates


def plan_for(panel: HubPanel, session, sliders=None, points=None, words="", steps=3, size=0.1) -> Plan:
    return panel.plan_of(
        panel.view_of(session), session, {"wishes": sliders or {}}, {"moved": points or {}}, words, steps, size
    )


def edited(panel: HubPanel, session, plan: Plan):
    *_, last = run(panel, session, plan, "me")
    return last[panel.session], last


ASKED = {
    "sgf-avatars-attributes": {"sliders": {"smile": 1.0}},
    "sgf-avatars-keypoints": {"sliders": {"smile": 1.0}, "points": {"nose_tip": [0.5, 0.6]}},
    "sgf-in-z": {"sliders": {"wears a scarf": 1.0}},
    "sgf-odd": {"sliders": {"blue": 0.0}},
    "sgf-points": {"points": {"beak": [0.2, 0.3]}},
    "sgf-flowers-captions": {"words": "a blue flower"},
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_opened_edited_and_undone(hub_panel, name):
    session, updates = opened(hub_panel, name)
    stage = updates[hub_panel.stage]
    assert isinstance(session.model_set, HubModelSet) and session.model_set.mapping == name
    assert stage["image"].startswith("data:image/jpeg") and stage["alt"].startswith("A picture")
    after, shown = edited(hub_panel, session, plan_for(hub_panel, session, **ASKED[name]))
    assert after.model_set == session.model_set and after.cursor == 1
    assert after.last.steps == 3 and 'class="verdict' in shown[hub_panel.verdict]
    back = handle(hub_panel, history.moved(Session.undone), after)
    assert back[hub_panel.session].latent is session.latent
    again = hub_panel.begin(hub_panel.view_of(after), "11", 0.8)[hub_panel.session]
    assert again.model_set == session.model_set
    assert handle(hub_panel, downloads.png, after)[hub_panel.download].endswith(
        f"picture-{session.origin.seed}-edit-1.png"
    )


@pytest.mark.parametrize(
    ("name", "points", "sliders", "words"),
    [
        ("sgf-avatars-attributes", False, True, False),
        ("sgf-avatars-keypoints", True, True, False),
        ("sgf-points", True, False, False),
        ("sgf-flowers-captions", False, False, True),
    ],
)
def test_what_the_condition_allows_is_offered(hub_panel, name, points, sliders, words):
    _, updates = opened(hub_panel, name)
    shown = [updates[part].visible for part in (hub_panel.points_part, hub_panel.sliders_part, hub_panel.words_part)]
    assert shown == [points, sliders, words]
    assert bool(updates[hub_panel.stage]["features"]) == points
    assert updates[hub_panel.step_size].visible != words
    assert name in updates[hub_panel.about]


def test_names_come_with_the_messages(hub_panel):
    _, updates = opened(hub_panel, "sgf-odd")
    panel = updates[hub_panel.sliders]
    assert panel["groups"] == [
        ("Expression", [("smile", "Smile")]),
        ("More", [("wears a scarf", "Wears a scarf"), ("blue", "Blue")]),
    ]
    assert set(panel["reads"]) == set(ODD) and panel["done"] is None
    _, updates = opened(hub_panel, "sgf-points")
    assert updates[hub_panel.stage]["features"] == {"beak": ["beak"], "tail": ["tail"]}
    assert set(updates[hub_panel.stage]["points"]) == set(POINTS)


def test_groups_and_features_of_faces_are_known():
    names = [name for members in GROUPS.values() for name in members]
    assert [title for title, _ in groups_of(names)] == list(GROUPS)
    assert groups_of(["a", "b"])[0][0] == "Attributes" and groups_of([]) == []
    keypoints = [name for members in FEATURES.values() for name in members]
    assert features_of([*keypoints, "beak"]) == {**FEATURES, "beak": ("beak",)}
    assert features_of([]) == {}


def test_another_models_caption_does_not_stay(hub_panel):
    opened(hub_panel, "sgf-flowers-captions")
    _, updates = opened(hub_panel, "sgf-odd")
    assert updates[hub_panel.stage]["reading"] is None


def test_in_z_the_steps_are_those_of_z(hub_panel):
    session, updates = opened(hub_panel, "sgf-in-z")
    assert session.latent.space == "z" and updates[hub_panel.step_size].value == 0.1
    assert not updates[hub_panel.variety].visible
    after, shown = edited(hub_panel, session, plan_for(hub_panel, session, {"smile": 1.0}))
    assert after.latent.space == "z"
    assert "EditConfig(max_steps=3)" in shown[hub_panel.code] and "GainControlled" not in shown[hub_panel.code]


@pytest.mark.parametrize("name", ["sgf-in-z", "sgf-odd", "sgf-points", "sgf-avatars-keypoints"])
def test_copied_python_gives_the_same_latent(hub_panel, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    session, _ = opened(hub_panel, name)
    after, shown = edited(hub_panel, session, plan_for(hub_panel, session, **{"words": "", **ASKED[name]}))
    names: dict = {}
    assert shown[hub_panel.code] == as_python(after, after.model_set)
    exec(shown[hub_panel.code], names)
    assert torch.allclose(names["latent"].data, after.latent.data, atol=1e-6)


def test_a_latent_comes_back_in_its_own_space(hub_panel):
    session, _ = opened(hub_panel, "sgf-in-z")
    path = handle(hub_panel, downloads.latent, session)[hub_panel.download]
    again = links.opened(hub_panel, hub_panel.view_of(session), session, path)[hub_panel.session]
    assert isinstance(again.model_set, HubModelSet) and again.latent.data.equal(session.latent.data)


def test_two_visitors_have_a_model_each(hub_panel):
    one, _ = opened(hub_panel, "sgf-in-z")
    two, _ = opened(hub_panel, "sgf-points")
    first, second = (spec_of(hub_panel.view_of(session)) for session in (one, two))
    assert first.attributes == tuple(ODD) and second.keypoints == tuple(POINTS)
    assert hub_panel.model_set is None, "the panel itself has none"


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("sgf-odd", {}, "move a slider first"),
        ("sgf-avatars-keypoints", {}, "move a slider or drag a point"),
        ("sgf-points", {}, "drag a point first"),
        ("sgf-flowers-captions", {}, "caption is empty"),
        ("sgf-odd", {"sliders": {"glasses": 1.0}}, "'glasses' is not something"),
        ("sgf-odd", {"sliders": {"blue": 7}}, "takes a number from 0 to 1"),
        ("sgf-odd", {"points": {"beak": [0, 0]}}, "'beak' is not something"),
        ("sgf-odd", {"sliders": {"blue": 1.0}, "steps": 10**9}, "steps at most"),
    ],
)
def test_what_cannot_be_asked_is_told(hub_panel, name, asked, words):
    session, _ = opened(hub_panel, name)
    with pytest.raises((UserError, SGFError), match=words):
        plan_for(hub_panel, session, **asked)


@pytest.mark.parametrize("session", [None, Session(SimpleNamespace(latent=None)), "x"])
def test_a_session_that_went_is_told(hub_panel, session):
    with pytest.raises(UserError, match="open it again in the tab Zoo"):
        hub_panel.view_of(session)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("avatars-stylegan2", "holds a StyleGAN2, which draws or reads"),
        ("sgf-hub/odd-attributes", "holds a AttributeHead"),
        ("nothing", "is not the name of a mapping"),
        ("", "Nothing is named"),
        ({"a": 1}, "Nothing is named"),
    ],
)
def test_other_names_are_told_and_what_was_open_stays(hub_panel, name, words):
    with pytest.raises(UserError, match=words):
        list(hub_panel.open_model(name, "me"))
    assert not hub_panel.models.queue._pieces


def test_the_tab_tells_how_it_goes_and_ends_at_the_picture(hub_panel):
    news = list(hub_panel.open_model("sgf-hub/sgf-odd", "me"))
    assert news[0] == "Opening sgf-hub/sgf-odd …" and news[-1][0].mapping == "sgf-odd"
