"""A visitor's own picture, behind the page and over HTTP, on a toy zoo with an encoder."""

import base64
import io
import shutil
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

import sgf_hub.hub.names
from app.core.errors import UserError
from app.core.model_sets import Faces, Flowers
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.events import edited_by
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.server.page import build_page, launch
from app.widgets import photo_search as photo
from sgf_hub.errors import SGFError
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.projection import Projection
from sgf_hub.types import Latent
from tests.app.visits import begin, handle

WHO = SimpleNamespace(session_hash="me")


def uri(size=(64, 48), colour="orange", kind="PNG") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture(scope="module")
def encoder_zoo(toy_zoo, tmp_path_factory):
    """The toy zoo with an encoder of its faces."""
    root = tmp_path_factory.mktemp("with-encoder") / "zoo"
    shutil.copytree(toy_zoo, root)
    backbones = {"backbone": "avatars-backbone", "judge": "avatars-backbone"}
    LatentEncoder(
        generator="avatars-stylegan2", **backbones, latent_dim=8, layers=6, image_size=16, channels=(4, 4), hidden=8
    ).save_pretrained(root / "avatars-stylegan2-encoder")
    return root


@pytest.fixture(scope="module", autouse=True)
def short(encoder_zoo):
    """A short search, in that zoo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sgf_hub.hub.names, "root", lambda: encoder_zoo)
        patch.setattr(photo, "CONFIG", {"steps": 3, "plus_steps": 2})
        patch.setattr(photo, "EVERY", 0.0)
        yield


@pytest.fixture(scope="module")
def faces():
    panel = FacePanel(Faces(layers=6), Models(), Stops())
    panel.page = build_page(panel, FlowerPanel(Flowers(layers=6), Models(), Stops()))
    return panel


@pytest.fixture
def offer(faces):
    return next(offer for offer in faces.offers if offer.edit.elem_id == "edit-photo")


@pytest.fixture
def press(faces, offer):
    """The handler of the tab's button."""
    return edited_by(faces, offer)


@pytest.fixture
def found(faces):
    return next(block for block in faces.page.blocks.values() if block.elem_id == "photo-found")


@pytest.fixture
def close(monkeypatch):
    """Whether the next picture stands in for what was brought: whatever the untrained models find."""
    answer = {"yes": True}
    monkeypatch.setattr(Projection, "expressible", property(lambda self: (answer["yes"],)))
    return answer


@pytest.fixture
def session(faces):
    return begin(faces, "7", 0.8)[faces.session]


def test_a_picture_becomes_the_face_that_every_tab_edits(faces, offer, found, session, press, close):
    updates = list(press(WHO, session, None, {"from": "client", "picture": uri()}))
    first, last = updates[0], updates[-1]
    assert len(updates) == 7, "a guess, five steps, the result"
    assert first[faces.stage]["status"] == "Finding your picture: step 0 of 5."
    assert first[faces.stage]["image"].startswith("data:image/jpeg") and "Step 0 of 5" in first[found]
    assert first[offer.stop].visible and not first[offer.edit].visible
    assert last[offer.edit].visible and not last[offer.stop].visible
    now = last[faces.session]
    assert now.origin.title == "Your picture, projected." and now.origin.seed is None and now.latent.space == "w+"
    assert last[faces.stage]["status"] == "Your picture, projected."
    assert "in the other tabs" in last[found] and 'role="status"' in last[found]
    assert set(last) <= {*faces.outputs, faces.sliders} and now.left == session
    assert not faces.stops._events


def test_a_picture_that_cannot_be_drawn_is_offered_and_replaces_nothing(faces, found, session, press, close):
    close["yes"] = False
    *_, last = press(WHO, session, None, {"from": "client", "picture": uri()})
    assert last[faces.session] is session and "cannot draw your picture" in last[found]
    (offered,), (take,) = (
        [value for part, value in last.items() if part in faces.of_search and isinstance(value, kind)]
        for kind in (Latent, gr.Button)
    )
    assert take.visible
    ((_, handler, _),) = faces.sources
    after = handle(faces, handler, session, offered)
    assert after[faces.session].latent is offered and after[faces.session].left == session
    assert after[faces.stage]["status"] == photo.NEAREST
    assert all(after[part] in ("", None) or not after[part].visible for part in faces.of_search)
    with pytest.raises(UserError, match="no picture that was found"):
        handle(faces, handler, session, None)


def test_nothing_of_the_picture_is_written(offer, session, monkeypatch, tmp_path, press):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    list(press(WHO, session, None, {"picture": uri()}))
    assert list(tmp_path.iterdir()) == []


def test_stop_keeps_the_best_so_far(faces, offer, found, session, press, close):
    running = press(WHO, session, None, {"picture": uri()})
    next(running), next(running)
    faces.ask_to_stop(WHO)
    last = list(running)[-1]
    assert last[faces.session].origin.title == photo.TITLE and "in the other tabs" in last[found]


def test_another_picture_takes_its_place(faces, offer, found, session, press):
    running = press(WHO, session, None, {"picture": uri()})
    next(running)
    faces.give_way(WHO)
    last = list(running)[-1]
    assert last[faces.session] is session and last[found] == ""


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (None, "There is no picture yet"),
        ({"from": "client"}, "There is no picture yet"),
        ("text", "cannot be read: reload it"),
        ([1], "cannot be read: reload it"),
        ({"picture": 7}, "as a data URI or as base64 text, not 7"),
        ({"picture": {"path": "/etc/passwd"}}, "as a data URI"),
        ({"picture": "/etc/passwd"}, "not base64|no picture"),
        ({"picture": "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()}, "an SVG drawing"),
        ({"picture": uri(size=(8, 8))}, "too small"),
        ({"picture": "A" * (2 * 2**20 + 1)}, "longer than 2 MB"),
    ],
)
def test_what_is_no_picture_is_told_and_nothing_is_lost(faces, offer, session, sent, words, press):
    updates = []
    with pytest.raises(gr.Error, match=words):
        for update in press(WHO, session, None, sent):
            updates.append(update)
    if updates:
        assert updates[-1][faces.session] is session and updates[-1][offer.edit].visible
    assert not faces.stops._events


def test_a_generator_without_an_encoder_is_searched_from_its_own_pictures(faces, toy_zoo, monkeypatch):
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: toy_zoo)
    for network in ("FEATURES", "JUDGE"):
        monkeypatch.setattr(f"sgf_hub.inversion.projector.{network}", "avatars-backbone")
    search = photo.Search(Models(), faces.rendered.generator, (uri(),))
    assert [step.index for step in search.steps()] == [0, 1, 2, 3] and search.total == 3, "Z has no layers"
    found = search.outcome()
    assert found.latent.space == "z" and 0 <= found.similarity[0] <= 1
    assert "%" in photo.result(search, found)


def outcome(similarity: float, plain: float) -> Projection:
    image = torch.zeros(1, 3, 8, 8)
    return Projection(Latent(torch.zeros(1, 6, 8), "w+"), image, (similarity,), (plain,), 0.5)


def test_the_result_in_words():
    search = photo.Search(Models(), "avatars-stylegan2", ())
    search.image = torch.zeros(1, 3, 8, 8)
    good, bad = (photo.result(search, outcome(*pair)) for pair in ((0.84, 0.7), (0.2, 0.2)))
    assert "84% similar" in good and "stands in for your picture" in good and 'class="verdict good"' in good
    assert "cannot draw your picture" in bad and "20% similar" in bad and 'class="verdict fair"' in bad
    assert good.count("<img") == bad.count("<img") == 2
    assert "{" not in good and "`" not in good, "Gradio reads templates"


def test_examples_are_small_squares_of_drawn_faces():
    examples = photo.examples()
    assert len(examples) == 3 and all(len(source) < 40_000 for source in examples.values())
    for source in examples.values():
        assert photo.picture_of(source).shape == (1, 3, 512, 512)


def test_a_client_crops_by_numbers():
    wide = Image.new("RGB", (80, 40), "white")
    wide.paste("black", (40, 0, 80, 40))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    assert photo.picture_of(text, 2, 0.1, 0.5).mean() > 0.99
    assert photo.picture_of(text, 2, 0.9, 0.5).mean() < -0.99
    for numbers, words in (((0, 0.5, 0.5), "zoom is 0"), ((1, "a", 0.5), "x is 'a'"), ((1, 0.5, 9), "y is 9")):
        with pytest.raises(SGFError, match=words):
            photo.picture_of(text, *numbers)


def test_a_search_takes_turns_in_short_pieces(faces):
    search = photo.Search(faces.models, "avatars-stylegan2", (uri(),))
    indices = []
    for step in search.steps():
        assert not faces.models.computing.locked(), "the lock is not held over a yield"
        indices.append(step.index)
    assert indices == [0, 1, 2, 3, 4, 5] and search.total == 5


@pytest.fixture(scope="module")
def client(faces):
    _, url, _ = launch(faces.page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield Client(url, verbose=False)
    faces.page.close(verbose=False)


def test_programs_project(client, tmp_path):
    job = client.submit(uri(), zoom=1.5, x=0.4, y=0.6, api_name="/project")
    result = job.result(timeout=60)
    steps = [step for step in job.outputs() if "waiting" not in step]
    assert [step["step"] for step in steps] == [0, 1, 2, 3, 4, 5, 5]
    assert all(step["of"] == 5 and step["distance"] > 0 for step in steps[:-1])
    assert result["image"].startswith("data:image/jpeg") and result["expressible"] in (True, False)
    assert 0 <= result["similarity"] <= 1 and result["sentence"].endswith(".")
    (tmp_path / "latent.safetensors").write_bytes(base64.b64decode(result["latent"]))
    assert Latent.load(tmp_path / "latent.safetensors").data.shape == (1, 6, 8)
    again = client.predict({"smile": 1}, latent=result["latent"], max_steps=1, api_name="/edit_attributes")
    assert "latent" in again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/etc/passwd",), "not base64"),
        ((uri(), 0.0), "Zoom is 0.0"),
        ((uri(), 1, 2), "X is 2"),
        (("data:image/png;base64,AAAA",), "no picture that can be read"),
        (("",), "There is no picture yet"),
    ],
)
def test_programs_are_told_in_a_sentence(client, arguments, words):
    with pytest.raises(AppError, match=words):
        client.predict(*arguments, api_name="/project")
