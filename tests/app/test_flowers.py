"""The handlers behind the Captions tab, with a toy generator and fakes for what reads and edits."""

import itertools
import threading

import gradio as gr
import pytest
import torch

from app.core.errors import as_notices
from app.core.requests import caption_of
from app.core.session import STOPPED, Plan, Session
from app.panels import history, links
from app.panels.flowers import FlowerPanel
from app.tabs.captions import EXAMPLES
from sgf_hub.errors import BadValueError, SGFError
from tests.app.fakes import saved, with_fake_flowers
from tests.app.visits import begin, handle, opening, run


@pytest.fixture
def captions(flowers):
    """The predictor of the flowers' panel."""
    return with_fake_flowers(flowers.models, flowers.model_set)


@pytest.fixture
def session(flowers, captions):
    return begin(flowers, "7", 0.8)[flowers.session]


def plan(text: str = "a blue flower", **changes) -> Plan:
    return Plan(**{"editor": "sgf-flowers-captions", "wishes": {"caption": text}, "max_steps": 5, **changes})


def notice(panel: FlowerPanel, updates: dict) -> str:
    shown = updates[panel.notice]
    return shown.value if shown.visible else ""


# -- lazy loading ----------------------------------------------------------------------------------------------------


def test_the_flower_comes_first_and_its_caption_after(flowers, captions):
    glimpse, ready = as_notices(opening)(flowers, None)
    assert glimpse[flowers.stage]["image"].startswith("data:image/jpeg")
    assert glimpse[flowers.stage]["reading"]["busy"] and flowers.session not in glimpse
    reading = ready[flowers.stage]["reading"]
    assert not reading["busy"] and reading["similarity"] is None
    assert " ".join(word for word, _ in reading["words"]) in ready[flowers.stage]["alt"]
    assert ready[flowers.session].origin.seed == 7 and ready[flowers.stage]["status"] == "Flower 7."


def test_a_caption_at_rest_needs_no_embedder(flowers, captions, session):
    assert captions.embedded == []


def test_the_embedder_is_prepared_once_in_the_background(flowers, captions):
    for _ in range(2):
        list(opening(flowers, None))
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon and "load" in thread.name:
            thread.join()
    assert captions.embedded == ["a flower"]


def test_opening_the_tab_again_keeps_the_flower(flowers, session):
    (again,) = opening(flowers, session)
    assert again == {flowers.session: session}


def test_faces_load_nothing_of_the_flowers(panel, flowers):
    begin(panel, "7", 0.8)
    assert not [key for key in panel.models._loaded if "flowers" in str(key)]
    assert not flowers.models._loaded


def test_a_zoo_without_captions_is_told_and_the_flower_stays(flowers):
    steps = as_notices(opening)(flowers, None)
    assert "image" in next(steps)[flowers.stage]
    failed = next(steps)[flowers.stage]
    assert failed["reading"] is None and "could not be read" in failed["status"]
    with pytest.raises(gr.Error, match="flowers-captions"):
        next(steps)


# -- edits -----------------------------------------------------------------------------------------------------------


def test_an_edit_streams_captions_and_similarities(flowers, session):
    first, *frames, last = run(flowers, session, plan(), "me")
    assert first[flowers.stage]["status"] == "Reading your words …"
    shown = [frame[flowers.stage]["run"]["step"] for frame in frames]  # a page that is slower than the steps skips some
    assert shown == sorted(set(shown)) and shown[-1] == 3
    for step, frame in zip(shown, frames, strict=True):
        reading = frame[flowers.stage]["reading"]
        assert reading["words"] and 0 < reading["similarity"] <= 1
        assert step or not any(new for _, new in reading["words"]), "nothing is new before the edit"
    edit = last[flowers.session].last
    assert (edit.reason, edit.steps, edit.plan.note) == ("TARGET_REACHED", 3, "")
    assert "Target reached" in last[flowers.verdict] and "a blue flower" in last[flowers.verdict]
    assert len(last[flowers.stage]["strip"]) == 4
    assert notice(flowers, last) == ""


@pytest.mark.parametrize(
    ("words", "doubted"),
    [("a bicycle", True), ("a blue flower", False), ("", False), (None, False), ("x" * 999, False)],
)
def test_odd_words_are_doubted_while_they_are_written(flowers, captions, words, doubted):
    assert bool(notice(flowers, flowers.view_of().doubt(words))) is doubted


def test_unfamiliar_words_are_said_before_the_first_step(flowers, session):
    updates = list(run(flowers, session, plan("a bicycle"), "me"))
    shown_at = next(i for i, update in enumerate(updates) if flowers.notice in update and notice(flowers, update))
    begun_at = next(i for i, update in enumerate(updates) if update.get(flowers.stage, {}).get("run"))
    assert shown_at < begun_at
    sentence = notice(flowers, updates[shown_at])
    assert "knows no flower described like this" in sentence and "this flower has red petals" in sentence
    assert "Step limit" in updates[-1][flowers.verdict] and "similarity of 0." in updates[-1][flowers.verdict]
    after = updates[-1][flowers.session]
    assert "bicycle" not in sentence and notice(flowers, updates[-1]) == sentence
    back = handle(flowers, history.moved(Session.undone), after)
    assert notice(flowers, back) == "", "what was said goes with the edit that it was said of"
    assert notice(flowers, handle(flowers, history.moved(Session.redone), back[flowers.session])) == sentence


def test_stop_ends_the_work(flowers, session):
    steps = run(flowers, session, plan("a red flower", max_steps=100), "me")
    list(itertools.islice(steps, 4))
    flowers.stops.ask("me")
    last = next(steps)
    assert last[flowers.session].last.reason == STOPPED and next(steps, None) is None


def test_stop_while_the_words_are_read(flowers, session):
    steps = run(flowers, session, plan(), "me")
    next(steps)
    flowers.stops.ask("me")
    *_, last = steps
    assert last[flowers.session] == session
    assert last[flowers.stage]["status"] == "Stopped before the first step."


def test_a_failing_edit_gives_the_edit_button_back(flowers, captions, session, monkeypatch):
    def fails(text):
        raise SGFError("no embedder is here.")

    monkeypatch.setattr(captions, "familiarity", fails)
    steps = as_notices(run)(flowers, session, plan(), "me")
    next(steps)
    restored = next(steps)
    (offer,) = flowers.offers
    assert restored[offer.edit].visible and not restored[offer.stop].visible
    with pytest.raises(gr.Error, match="No embedder is here"):
        next(steps)
    assert not flowers.stops._events


def test_downloads_are_named_after_the_flower(flowers, session):
    *_, last = run(flowers, session, plan(), "me")
    assert saved(flowers, "png", last[flowers.session]).endswith("flower-7-edit-1.png")
    assert saved(flowers, "gif", last[flowers.session]).endswith("flower-7-edit-1.gif")
    path = saved(flowers, "latent", last[flowers.session])
    assert path.endswith("flower-7-edit-1.safetensors")
    assert links.opened(flowers, flowers.view_of(None), None, path)[flowers.session].origin.seed is None


@pytest.mark.parametrize("text", ["a blue flower", "a 'red' flower \\ \"so\"", "{red} ${1} <b>"])
def test_copied_python_gives_the_same_latent(flowers, session, monkeypatch, text):
    *_, last = run(flowers, session, plan(text), "me")
    names: dict = {}
    monkeypatch.setattr("sgf_hub.editing.editor.SGFEditor.from_pretrained", flowers.models.editor)
    monkeypatch.setattr("sgf_hub.types.Latent.save", lambda latent, path: None)
    exec(last[flowers.code], names)
    assert torch.equal(names["latent"].data, last[flowers.session].latent.data)


# -- what is typed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "caption is empty"),
        (" \t\n", "caption is empty"),
        ("\x00\x1b\u202e", "caption is empty"),
        ("🌷🌷", "no word in it"),
        ("123 !!", "no word in it"),
        ("a" * 513, "513 characters"),
        (None, "is a sentence"),
        (["a"], "is a sentence"),
    ],
)
def test_no_words_are_told(text, words):
    with pytest.raises(BadValueError, match=words):
        caption_of(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  a\tred\nflower ", "a red flower"),
        ("a\x00 red\x1b[0m flower", "a red[0m flower"),
        ("a" * 512, "a" * 512),
        ("eine rote Blüte 🌷", "eine rote Blüte 🌷"),
        ("<b>red</b>", "<b>red</b>"),
    ],
)
def test_words_are_cleaned(text, kept):
    assert caption_of(text) == kept


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "{{7}} ${7*7} **b**"])
def test_nothing_typed_is_rendered(flowers, session, text):
    *_, last = run(flowers, session, plan(text), "me")
    assert text not in last[flowers.verdict] and "<script" not in last[flowers.verdict]
    assert repr(text) in last[flowers.code] or text in last[flowers.code], "code is shown as it is"


def test_mistakes_quote_what_was_typed_as_text():
    def handler():
        raise BadValueError("'<img src=x>' & co are no words.")

    with pytest.raises(gr.Error) as caught:
        as_notices(handler)()
    assert caught.value.message == "'&lt;img src=x&gt;' &amp; co are no words."


def test_examples_are_words_that_pass():
    examples = [words for group in EXAMPLES.values() for words in group]
    assert {"red and purple", "large and red", "red and large"} <= set(examples)
    assert [caption_of(words) for words in examples] == examples
