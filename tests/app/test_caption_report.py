"""Captions compared, and the report of an edit by sentence."""

import pytest

from app.core.session import STOPPED, Edit, Plan
from app.models.captioning import Flower
from app.widgets.captions import marked, report, safe, verdict
from sgf_hub.predictors.captions.grounding import Kept


def an_edit(text: str = "a blue flower", reason: str = "TARGET_REACHED", note: str = "") -> Edit:
    plan = Plan("sgf-flowers-captions", {"caption": text}, note=note)
    return Edit(plan, "latent", steps=9, reason=reason, distance=0.8)


def told(edit: Edit, before: Flower, after: Flower, kept: Kept | None = None) -> str:
    return report(edit, before, after, verdict(edit, before, after, kept or Kept(False, (), ())))


RED, BLUE = Flower("image", "a small red flower, pointed", 0.41), Flower("image", "a small blue flower", 0.926)


def test_changed_words_are_marked():
    assert marked("a small red flower", "a Small blue flower.") == [
        ("a", False), ("Small", False), ("blue", True), ("flower.", False),
    ]  # fmt: skip
    assert marked("", "red petals") == [("red", True), ("petals", True)]
    assert marked("red petals", "") == []
    assert not any(new for _, new in marked("red and large", "red and large"))


def test_report_shows_both_captions_and_the_similarity():
    html = told(an_edit(), RED, BLUE)
    assert "Target reached after 9 steps" in html
    assert "a small <del>red</del> flower, <del>pointed</del>" in html
    assert "a small <ins>blue</ins> flower" in html
    assert "0.41 → <b>0.93</b>" in html and 'style="left:92.6%"' in html


@pytest.mark.parametrize(
    ("kept", "tone", "words"),
    [
        (Kept(True, (), ()), "good", "The caption says what you asked for, and the rest of it is held."),
        (
            Kept(True, ("round",), ("pointed",)),
            "fair",
            "The caption says what you asked for; besides, it lost “round” and gained “pointed”.",
        ),
        (Kept(False, (), ()), "fair", "The caption does not say what you asked for (similarity 0.93 after 0.41)."),
    ],
)
@pytest.mark.parametrize("reason", ["TARGET_REACHED", "STALLED", "STEP_LIMIT"])
def test_what_became_of_the_caption_counts_and_not_why_it_ended(kept, tone, words, reason):
    edit = an_edit(reason=reason)
    said = verdict(edit, RED, BLUE, kept)
    assert (said.tone, said.words, said.met, said.worse) == (tone, words, kept.says, False)
    assert ("talled" in told(edit, RED, BLUE, kept)) == (reason == "STALLED" and not kept.says)


def test_a_caption_that_went_away_is_worse():
    assert verdict(an_edit(), BLUE, RED, Kept(False, (), ())).worse


@pytest.mark.parametrize("reason", ["STALLED", "STEP_LIMIT", STOPPED])
def test_report_says_why_an_edit_stopped_short(reason):
    html = told(an_edit(reason=reason, note="The model knows no such flower."), RED, BLUE)
    assert "similarity of 0.93 to your words" in html and "knows no such flower" in html
    assert 'class="verdict fair"' in html and "release" not in html


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{constructor}}", "${7 * 7}", "`x`", "&lt;"]
)
def test_nothing_typed_is_markup_or_template(text):
    for html in (safe(text), told(an_edit(text, note=text), RED, Flower("image", text, 0.1))):
        assert text not in html
        assert "<script" not in html and "<img" not in html
        assert not set("{}$`") & set(html)


@pytest.mark.parametrize("similarity", [-0.2, 1.0000001, None])
def test_the_bar_stays_inside(similarity):
    html = told(an_edit(), RED, Flower("image", "a flower", similarity))
    assert "left:-" not in html and "left:100.1" not in html
