"""Edits as links and files: restored to the bit, and nothing else gets in."""

import base64
import copy
import json
import zlib
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
import torch

from app.core.errors import UserError
from app.core.model_sets import Faces
from app.core.session import HISTORY_LIMIT, TAKEN, Edit, Origin, Plan, Session
from app.panels import history, links
from app.panels.events import edited_by, handled
from app.panels.links import linked_session as shared
from app.widgets import share
from app.widgets.captions import unfamiliar
from sgf_hub.errors import BadValueError, SGFError
from sgf_hub.types import Latent
from tests.app.fakes import saved, with_fake_flowers
from tests.app.visits import begin, handle, opening

ATTRIBUTES, KEYPOINTS = "sgf-avatars-attributes", "sgf-avatars-keypoints"


@pytest.fixture
def here(zoo, models):
    """A world and its models, without a page."""
    return SimpleNamespace(model_set=Faces(), models=models)


@pytest.fixture
def session(here):
    """Seven edits of all kinds, five of which stand."""
    generator = here.models.generator(here.model_set.generator)
    latents = [generator.sample(1, seed=seed) for seed in range(8)]
    plus = Latent(generator.to_w_plus(latents[3]).data.clone() * 0.3, "w+")
    plans = [
        Plan(ATTRIBUTES, {"smile": 1.0}, ("hat",), 30, 0.15),
        Plan(KEYPOINTS, {"smile": 0.25, "nose_tip": (0.5, 0.6123)}, ("chin", "male"), gesture="turn left"),
        Plan(ATTRIBUTES, {"bald": 0.0}, layers=(1, 4)),
    ]
    session = Session(Origin(here.models.sample(here.model_set, 7, 0.8), 7, 0.8))
    for i, latent in enumerate([*latents[:3], plus, *latents[5:8]]):
        session = session.applied(Edit(plans[i % 3], latent, i + 1, ("STALLED", TAKEN)[i % 2], i / 3))
    return session.at(5)


def same(one: Session, other: Session) -> bool:
    def bits(latent):
        return latent.space, tuple(latent.data.shape), latent.data.numpy().tobytes()

    def facts(edit):
        return edit.plan, list(edit.plan.wishes), edit.steps, edit.reason, edit.distance, bits(edit.latent)

    origins = [
        (session.origin.seed, session.origin.truncation, bits(session.origin.latent)) for session in (one, other)
    ]
    edits = [[facts(edit) for edit in session.edits] for session in (one, other)]
    return origins[0] == origins[1] and edits[0] == edits[1] and one.cursor == other.cursor


def last(updates):
    *_, shown = updates
    return shown


def opened(panel, state) -> Session:
    return share.session_in(panel.models, panel.model_set, state)


# -- to the bit --------------------------------------------------------------------------------------------------------


def test_a_link_restores_every_bit(here, session):
    text = share.link_of(here.model_set, "face", session)
    assert text.startswith("face.1.") and len(text) <= share.LINK
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    back = opened(here, share.in_link(text))
    assert same(back, session) and not same(back.undone(), session)


def test_a_file_restores_every_bit(panel, session):
    path = saved(panel, "edits", session)
    assert path.endswith("face-7-edits.json")
    assert same(handle(panel, links.opened, None, path)[panel.session], session)


def test_the_page_of_a_link_shows_the_picture(panel, session, monkeypatch):
    text = share.link_of(panel.model_set, "face", session)
    monkeypatch.setattr("app.models.edit_run.steps", lambda *_: pytest.fail("nothing is computed again"))
    (updates,) = opening(panel, None, text)
    assert same(updates[panel.session], session)
    assert updates[panel.stage]["image"] == panel.show(panel.view_of(None), session)[panel.stage]["image"]
    assert len(updates[panel.timeline]["items"]) == 8


def test_numbers_of_all_kinds_survive(here):
    size = here.models.generator(here.model_set.generator).latent_dim
    data = torch.tensor([-0.0, 1e-45, 999.0, -1 / 3, torch.finfo(torch.float32).tiny] + [0.1] * size)[None, :size]
    session = Session(Origin(Latent(data, "w")))
    back = opened(here, share.in_link(share.link_of(here.model_set, "face", session)))
    assert back.latent.data.numpy().tobytes() == data.numpy().tobytes() and back.origin.seed is None


def test_a_picture_is_called_by_its_seed_only_if_it_is_that(here, session):
    state = share.state_of(here.model_set, session)
    state["origin"]["seed"] = 8
    back = opened(here, state)
    assert back.origin.seed is None and back.origin.title == share.TITLE


# -- a server that has forgotten its visitors --------------------------------------------------------------------------

WHO = SimpleNamespace(session_hash="me")


def test_an_event_of_a_page_whose_server_restarted_goes_on_from_its_link(panel, session, capsys):
    kept = panel.show(panel.view_of(session), session)[panel.link]
    undo = handled(panel, history.moved(Session.undone))
    told, shown = undo(WHO, None, kept)
    assert same(told[panel.session], session) and same(shown[panel.session], session.undone())
    assert "The server restarted" in capsys.readouterr().out  # gr.Info, outside of a page
    again = last(undo(WHO, shown[panel.session], kept))
    assert same(again[panel.session], session.undone().undone()) and "restarted" not in capsys.readouterr().out
    shared = last(links.link(panel)(None, kept))[panel.share]["link"]
    assert same(opened(panel, share.in_link(shared)), session)


def test_an_edit_of_such_a_page_is_made(panel, session):
    kept, offer = panel.show(panel.view_of(session), session)[panel.link], panel.offers[0]
    plan = Plan(ATTRIBUTES, {"smile": 1.0}, max_steps=2)
    asking = replace(offer, make_plan=lambda view, now, *values: plan)
    shown = last(edited_by(panel, asking)(WHO, None, kept))
    made = shown[panel.session]
    assert len(made.standing) == 6 and torch.equal(made.before.data, session.latent.data)


def test_such_a_page_has_the_kind_of_face_that_it_had(panel):
    rendered = Session(Origin(panel.models.sample(panel.rendered, 8, 0.8), 8), model_set=panel.rendered)
    kept = panel.show(panel.view_of(rendered), rendered)[panel.link]
    again = last(handled(panel, history.shuffled)(WHO, None, kept, 0.8))[panel.session]
    assert panel.set_of(again) == panel.rendered


@pytest.mark.parametrize("sent", [None, 7, "face", {}, {"link": None}, {"link": ["face."]}, {"link": "face.1.abcd"}])
def test_what_is_no_link_is_told_as_before(panel, sent):
    with pytest.raises(gr.Error, match="The server restarted, or let this page's picture go after a long time"):
        list(handled(panel, history.moved(Session.undone))(WHO, None, sent))


def test_what_is_too_long_for_an_address_is_kept_all_the_same(panel, session, monkeypatch):
    noise, generator = torch.Generator().manual_seed(0), panel.models.generator(panel.model_set.generator)
    shape = (1, generator.num_layers, generator.latent_dim)

    def edited(session, count):
        for _ in range(count):
            latent = Latent(torch.randn(shape, generator=noise), "w+")
            session = session.applied(Edit(session.last.plan, latent, 3, "STALLED", 2.0))
        return session, panel.show(panel.view_of(session), session)[panel.link]

    assert panel.show(panel.view_of(session), session)[panel.link]["address"]
    longer, kept = edited(session, 20)
    assert not kept["address"] and same(opened(panel, share.in_link(kept["link"])), longer)
    monkeypatch.setattr(share, "_MOST_LINK", share.LINK)
    longest, kept = edited(longer, 1)
    back = opened(panel, share.in_link(kept["link"]))
    assert not back.edits and torch.equal(back.latent.data, longest.latent.data), "the picture alone"


def test_many_edits_are_too_long_for_a_link(panel, session):
    noise = torch.Generator().manual_seed(0)
    generator = panel.models.generator(panel.model_set.generator)
    shape = (1, generator.num_layers, generator.latent_dim)
    for _ in range(HISTORY_LIMIT - session.cursor):
        latent = Latent(torch.randn(shape, generator=noise), "w+")
        session = session.applied(Edit(session.last.plan, latent, 3, "STALLED", 2.0))
    assert share.link_of(panel.model_set, "face", session) is None
    assert last(links.link(panel)(session, None))[panel.share]["link"] == ""
    assert same(handle(panel, links.opened, None, saved(panel, "edits", session))[panel.session], session)


def test_flowers_are_shared_as_well(flowers):
    predictor = with_fake_flowers(flowers.models, flowers.model_set)
    predictor.captions = ("a red flower",)
    start = begin(flowers, "7", 0.8)[flowers.session]
    known = Plan("sgf-flowers-captions", {"caption": "eine Blüte “rot” <b>"}, note=unfamiliar("a red flower"))
    for note, kept in ((known.note, known.note), ("Call 555 now.", "")):
        plan = Plan(known.editor, known.wishes, note=note)
        session = start.applied(Edit(plan, start.latent, 3, "STALLED", 2.0))
        back = opened(flowers, share.in_link(share.link_of(flowers.model_set, "flower", session)))
        assert back.last.plan.wishes == plan.wishes
        assert back.last.plan.note == kept, "only the page's own words are told"


def test_links_of_other_pictures_are_left_alone(panel, session):
    text = share.link_of(panel.model_set, "face", session)
    assert share.is_for("face", text) and not share.is_for("flower", text) and not share.is_for("face", None)
    assert shared(panel, panel.view_of(), "flower.1.xyz") is None


# -- anybody may have written it ---------------------------------------------------------------------------------------


def link(content: bytes | str, version: str = "1") -> str:
    content = content.encode() if isinstance(content, str) else content
    return f"face.{version}." + base64.urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("face.", "another version"),
        ("face.2.abc", "another version"),
        ("face.1.", "cut off"),
        ("face.1.%%%", "cut off or changed"),
        ("face.1.äöü", "cut off or changed"),
        ("face.1.abcd", "cut off or changed"),
        ("face.1." + "A" * 30_000, "longer than any link"),
        (link(b"\0" * 10_000_000), "too large"),
        (link("[" * 100_000), "no JSON"),
        (link("{"), "no JSON"),
        (link(b"\xff\xfe"), "no JSON"),
        (link('{"format": NaN}'), "no JSON"),
        (link("9" * 5000), "no JSON"),
        (link("[]"), "not saved by this page"),
        (link('{"format": "sgf-edits", "version": 2}'), "another version"),
        (link('{"format": "sgf-edits", "version": 1}'), "another kind"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_damaged_links_are_told(here, text, words):
    with pytest.raises(UserError, match=words):
        opened(here, share.in_link(text))


def test_the_page_opens_with_a_damaged_link(panel):
    with pytest.warns(UserWarning, match="This edit cannot be opened"):
        (updates,) = opening(panel, None, "face.1.abcd")
    assert updates[panel.session].origin.seed == panel.model_set.first


def test_a_link_cut_anywhere_is_told(here, session):
    text = share.link_of(here.model_set, "face", session)
    for end in range(7, len(text) - 1, 97):
        with pytest.raises(UserError, match="cannot be opened"):
            opened(here, share.in_link(text[:end]))


ROW = base64.b64encode(bytes(32)).decode()  # 8 numbers


def row_of(*numbers: float) -> str:
    return base64.b64encode(torch.tensor(numbers).numpy().tobytes()).decode()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("world", "flowers-stylegan2", "another kind"),
        ("cursor", 8, "which of its edits stand"),
        ("cursor", True, "which of its edits stand"),
        ("cursor", -1, "which of its edits stand"),
        ("edits", [{}] * 61, "0 to 60 edits"),
        ("edits", {"0": 1}, "0 to 60 edits"),
        ("edits.0", 7, "something is missing"),
        ("edits.0", {}, "number of steps"),
        ("origin", None, "something is missing"),
        ("origin.seed", "cat", "seed is a whole number"),
        ("origin.seed", 10**400, "seed is a whole number"),
        ("origin.truncation", 10**400, "variety"),
        ("origin.truncation", "0.8", "variety"),
        ("origin.latent", "w", "something is missing"),
        ("origin.latent.space", "z", "not one of this generator"),
        ("origin.latent.space", ["w"], "not one of this generator"),
        ("origin.latent.space", "w+", "not one of this generator"),
        ("origin.latent.rows", [ROW, ROW], "not one of this generator"),
        ("origin.latent.rows", ROW, "not one of this generator"),
        ("origin.latent.rows", [ROW[:-4]], "damaged|not one of this generator"),
        ("origin.latent.rows", ["?"], "damaged"),
        ("origin.latent.rows", [7], "damaged"),
        ("origin.latent.rows", [row_of(*[float("nan")] * 8)], "no latent has"),
        ("origin.latent.rows", [row_of(*[float("inf")] * 8)], "no latent has"),
        ("origin.latent.rows", [row_of(*[2000.0] * 8)], "no latent has"),
        ("edits.0.editor", "../../etc/passwd", "does not use"),
        ("edits.0.editor", "someone/else", "does not use"),
        ("edits.0.editor", ["sgf-avatars-attributes"], "does not use"),
        ("edits.0.steps", 0, "number of steps"),
        ("edits.0.steps", 10**9, "number of steps"),
        ("edits.0.reason", "BECAUSE", "why it ended"),
        ("edits.0.reason", ["STALLED"], "why it ended"),
        ("edits.0.distance", -1, "no distance"),
        ("edits.0.distance", 10**400, "no distance"),
        ("edits.0.wishes", {}, "move a slider"),
        ("edits.0.wishes", {"tail": 1.0}, "not something that can be asked"),
        ("edits.0.wishes", {"smile": 2.0}, "from 0 to 1"),
        ("edits.0.wishes", {"smile": "1"}, "from 0 to 1"),
        ("edits.0.wishes", {"chin": [0.5, 0.5]}, "not something that can be asked"),
        ("edits.0.wishes", {"caption": "hello"}, "not something that can be asked"),
        ("edits.1.wishes", {"chin": [0.5]}, "two numbers"),
        ("edits.1.wishes", {"chin": [0.5, 1e9]}, "from 0 to 1"),
        ("edits.0.release", "hat", "lets go"),
        ("edits.0.release", ["tail"], "lets go"),
        ("edits.0.release", [["hat"]], "lets go"),
        ("edits.0.max_steps", 10**9, "steps at most"),
        ("edits.0.max_steps", None, "steps at most"),
        ("edits.0.step_size", 1e9, "step size"),
        ("edits.0.layers", [0], "layers"),
        ("edits.0.layers", [0, 99], "last layer"),
        ("edits.0.layers", [4, 2], "cannot come before"),
        ("edits.0.layers", "all", "layers"),
    ],
)
def test_hostile_contents_are_told(here, session, path, value, words):
    state = copy.deepcopy(share.state_of(here.model_set, session))
    *way, last = path.split(".")
    place = state
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[int(last) if last.isdigit() else last] = value
    with pytest.raises((UserError, SGFError), match=words):
        opened(here, json.loads(json.dumps(state)))


def test_foreign_words_are_not_told(here, session):
    state = share.state_of(here.model_set, session)
    state["edits"][0] |= {"note": "<b>Call 555</b>", "gesture": "<script>"}
    back = opened(here, state).edits[0].plan
    assert (back.note, back.gesture) == ("", "")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\x80", b"{" * 200_000, b" " * 1_000_000])
def test_foreign_files_are_told(panel, tmp_path, content):
    path = tmp_path / "face.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="This edit cannot be opened") as caught:
        handle(panel, links.opened, None, str(path))
    assert str(tmp_path) not in str(caught.value)


def test_no_file_is_told(panel):
    with pytest.raises((UserError, BadValueError), match="No file came"):
        handle(panel, links.opened, None, None)
