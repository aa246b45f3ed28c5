"""The Captions tab in a browser, on the embedded zoo: from words to a result.

Run with `pytest -m browser`.
"""

from dataclasses import replace

import pytest

from app.core.model_sets import DRAWN, FLOWERS
from app.models.edit_run import config_of
from app.screenshots import FLOWER, WORDS, choose, finish_edit, open_captions, settle
from app.tabs.captions import EXAMPLES
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser

BOX = "#caption textarea"


@pytest.fixture(scope="module")
def captions(opened):
    """The page with the tab opened."""
    open_captions(opened)
    return opened


@pytest.fixture
def flower(captions):
    """The page with a flower that nothing was done to."""
    captions.fill("#flower-seed input", str(FLOWER))
    settle(captions, lambda: captions.press("#flower-seed input", "Enter"), "flower-stage")
    captions.wait_for_selector("#flower-result", state="hidden", timeout=15_000)
    return captions


@pytest.fixture
def endless(monkeypatch, taken):
    """Slow edits that never arrive, and the steps that the server took."""

    def never(plan, editor):
        editor, config = config_of(plan, editor)
        return editor, replace(config, tolerance=0.0, patience=None)

    monkeypatch.setattr("app.models.edit_run.config_of", never)
    return taken


def picture(page) -> str:
    return page.get_attribute("#flower-stage .stage-picture", "src")


def caption(page) -> str:
    return page.inner_text("#flower-stage .reading-words").strip()


def similarities(page) -> tuple[float, float]:
    before, after = page.text_content("#flower-verdict .numbers").split("→")
    return float(before), float(after)


def another_colour(page) -> str:
    """Words that ask for a colour which the flower does not have."""
    told = caption(page)
    colour = next(one for one in ("white", "red", "purple", "yellow", "blue") if one not in told)
    return f"a flower with {colour} petals"


def begin(page, words: str) -> None:
    """Ask by keyboard, and wait for the first steps."""
    page.fill(BOX, words)
    page.press(BOX, "Enter")
    page.wait_for_function("document.querySelectorAll('#flower-stage .strip img').length > 1", timeout=60_000)


def test_from_words_to_a_result(page, url):
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    assert not page.is_visible("#flower-stage")
    open_captions(page)
    assert page.is_visible("#flower-stage") and not page.is_visible("#stage")
    assert len(caption(page).split()) > 2 and not page.is_visible("#flower-stage .likeness")
    start, words = picture(page), another_colour(page)
    begin(page, words)
    assert page.is_visible("#flower-stage .likeness")
    page.wait_for_selector("#flower-result .verdict", state="attached", timeout=90_000)
    page.wait_for_selector("#edit-captions", state="visible", timeout=10_000)
    assert picture(page) != start
    before, after = similarities(page)
    assert after > before
    report = page.text_content("#flower-verdict")
    assert words in report and "step" in page.text_content("#flower-verdict .verdict").lower()
    assert page.locator("#flower-verdict del").count() and page.locator("#flower-verdict ins").count()
    assert caption(page) in report, "the caption below the picture is the report's"
    assert not errors
    outside = [address for address in requests if not address.startswith((url, "data:", "blob:"))]
    assert not outside, "a request left the machine"


def test_words_are_doubted_while_they_are_typed(flower):
    flower.fill(BOX, "ein zxqv blorp")
    flower.wait_for_selector("#caption-notice .notice", timeout=60_000)
    assert "knows no flower described like this" in flower.inner_text("#caption-notice")
    flower.fill(BOX, "white petals")
    flower.wait_for_selector("#caption-notice .notice", state="hidden", timeout=20_000)
    assert flower.get_attribute("#edit-captions", "aria-disabled") == "false"
    flower.fill(BOX, "")
    flower.wait_for_selector("#edit-captions[aria-disabled=true]", timeout=5_000)
    assert flower.inner_text("#edit-captions-about p") == "Say what the flower should become."


def test_examples_are_buttons_that_fill_the_box(flower):
    for words in (words for group in EXAMPLES.values() for words in group):
        flower.get_by_role("button", name=words, exact=True).click()
        flower.wait_for_function("words => document.querySelector('#caption textarea').value === words", arg=words)


def test_face_and_flower_are_both_kept(flower):
    flower.fill(BOX, another_colour(flower))
    finish_edit(flower, "captions")
    read, edited = caption(flower), picture(flower)
    choose(flower, DRAWN)
    flower.wait_for_selector("#stage", state="visible")
    assert not flower.is_visible("#flower-stage") and not flower.is_visible("#flower-result")
    assert flower.is_disabled("#undo"), "the face has a history of its own"
    choose(flower, FLOWERS)
    flower.wait_for_selector("#flower-result", state="visible")
    flower.wait_for_timeout(1000)
    assert (caption(flower), picture(flower)) == (read, edited)
    flower.click("#flower-undo")
    flower.wait_for_function("src => document.querySelector('#flower-stage .stage-picture').src !== src", arg=edited)
    assert not flower.is_visible("#flower-result") and not flower.is_visible("#flower-stage .likeness")


def test_stop_ends_the_work_on_the_server(flower, endless):
    begin(flower, WORDS)
    flower.press(BOX, "Enter")  # an edit runs: this begins no other
    flower.click("#stop-captions")
    flower.wait_for_selector("#edit-captions", state="visible", timeout=15_000)
    assert "Stopped by you" in flower.text_content("#flower-verdict .verdict")
    count = len(endless)
    flower.wait_for_timeout(1500)
    assert len(endless) == count < 50, "60 steps are allowed"


def test_unfamiliar_words_are_said_and_nothing_typed_is_rendered(flower, endless):
    words = "zxqv <img src=x onerror='window.hacked=1'> {{7}} ${7*7} **b** <b>c</b>"
    flower.fill(BOX, words)
    flower.click("#edit-captions")
    flower.wait_for_selector("#caption-notice .notice", timeout=60_000)
    assert "knows no flower described like this" in flower.inner_text("#caption-notice")
    flower.wait_for_function("document.querySelectorAll('#flower-stage .strip img').length > 1", timeout=60_000)
    flower.click("#stop-captions")
    flower.wait_for_selector("#flower-result .verdict", state="attached", timeout=15_000)
    assert flower.text_content("#flower-verdict .wish") == words
    assert flower.locator("img[src='x']").count() == 0 and flower.evaluate("window.hacked") is None


@pytest.mark.parametrize(
    ("words", "told"), [("", "caption is empty"), ("🌷🌼", "no word in it"), ("a" * 513, "513 characters")]
)
def test_what_cannot_be_asked_is_told(flower, words, told):
    before = picture(flower)
    flower.fill(BOX, words)
    flower.press(BOX, "Enter")
    flower.wait_for_selector(f"text={told}", timeout=20_000)
    assert picture(flower) == before and flower.is_visible("#edit-captions")


def test_a_notice_shows_what_was_typed_as_text(flower):
    flower.fill("#flower-seed input", "<b>x</b>")
    flower.press("#flower-seed input", "Enter")
    flower.get_by_text("<b>x</b>").wait_for(timeout=20_000)


def test_everything_has_a_name(flower):
    for role, name in (("textbox", "What the flower should become"), ("textbox", "Flower number"), ("button", "Edit")):
        assert flower.get_by_role(role, name=name, exact=True).first.is_visible()
    assert caption(flower) in flower.get_attribute("#flower-stage .stage-picture", "alt")


@pytest.mark.slow
def test_a_phone_sees_the_picture_change(phone, url, endless):
    page = go(phone, url)
    open_captions(page)
    begin(page, WORDS)
    page.wait_for_timeout(800)  # scrolls smoothly
    box = page.locator("#flower-stage .stage-frame").bounding_box()
    assert -5 <= box["y"] and box["y"] + box["height"] <= 844
    stop = page.locator("#stop-captions").bounding_box()
    assert stop["y"] + stop["height"] <= 844, "Stop stays in view"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#stop-captions")
    page.wait_for_selector("#flower-result .verdict", state="attached", timeout=15_000)
    below = (
        "[...document.querySelectorAll('#caption [data-testid=block-info]')].every((label) => {"
        " scrollBy(0, label.getBoundingClientRect().top - 150); const box = label.getBoundingClientRect();"
        " return document.elementFromPoint(box.left + 60, box.top + box.height / 2).closest('.stage-frame, .told'); })"
    )
    assert page.evaluate(below), "what is scrolled passes behind the picture"


def test_downloads(flower):
    flower.fill(BOX, another_colour(flower))
    finish_edit(flower, "captions")
    for button, suffix in (("save-png", ".png"), ("save-gif", ".gif"), ("save-latent", ".safetensors")):
        with flower.expect_download(timeout=60_000) as download:
            flower.click(f"#flower-{button}")
        assert download.value.suggested_filename.startswith("flower-")
        assert download.value.suggested_filename.endswith(suffix)
