"""The Compare tab in a browser, on the embedded zoo: paths side by side, the sliders along them, and a vote.

Run with `pytest -m browser`.
"""

import re

import pytest

from app.compare.comparison import METHODS
from app.screenshots import open_tab
from sgf_hub.evaluation.user_study import read
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser


@pytest.fixture
def page(face):
    """The page with a face on which the paths are known to arrive."""
    return face


def open_compare(page):
    open_tab(page, "Compare")
    page.wait_for_selector("#path-source img[src]", timeout=30_000)


def compare(page):
    page.click("#compare-go")
    page.wait_for_selector('#path-latent-descent .path[data-state="done"]', timeout=60_000)
    page.wait_for_selector("#compare-go", state="visible", timeout=10_000)


def picture(page, method: str) -> str:
    return page.get_attribute(f"#path-{method} img", "src")


def asked(page, method: str) -> int:
    return int(page.inner_text(f"#path-{method} output").split()[0])


def move(page, selector: str, value: int) -> None:
    page.locator(selector).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def test_from_a_wish_to_the_paths(page):
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    open_compare(page)
    assert not page.is_visible("#stage") and "Face 7." in page.inner_text("#path-source")
    compare(page)
    before = picture(page, "source")
    assert all(picture(page, method) != before for method in METHODS)
    page.wait_for_function("document.querySelectorAll('.mdc .here').length === 7")
    kept = page.inner_text("#compare-result .kept")
    assert re.match(r"SGF \(ours\) kept \d+ of 23 other attributes.*InterFaceGAN \d+.*Latent descent \d+.*\.$", kept), (
        kept
    )
    assert "MDC" not in page.inner_text("#tab-compare") and "Drift" not in page.inner_text("#tab-compare")
    assert not page.is_visible(".mdc")
    page.click(".curves-box summary")
    assert page.locator(".mdc .axis").all_text_contents() == ["how far the wish came", "what was kept"]
    rows = page.locator(".effects-table tbody tr")
    assert rows.count() == 7 and "SGF (ours)" in rows.first.inner_text()
    assert "the judge" in page.inner_text(".levels")

    shown = picture(page, "sgf")
    move(page, "#path-sgf input", 0)
    assert picture(page, "sgf") != shown and "Unchanged" in page.inner_text("#path-sgf")
    assert rows.first.locator("td").nth(1).inner_text() == "nothing"
    move(page, "#compare-level", 95)
    assert picture(page, "sgf") == shown and "95 %" in page.inner_text(".levels")
    assert asked(page, "sgf") >= 95 and asked(page, "interfacegan") >= 95
    dot = '.mdc .here[data-method="interfacegan"]'
    page.get_by_role("button", name="Best of each").click()
    ring = page.locator(".mdc .m-interfacegan .best")
    assert page.get_attribute(dot, "cx") is not None
    assert abs(float(page.get_attribute(dot, "cx")) - float(ring.get_attribute("cx"))) < 1
    assert not errors

    open_tab(page, "Attributes")
    open_compare(page)
    page.wait_for_timeout(500)
    assert picture(page, "sgf") and rows.count() == 7, "what was compared stays while the picture is the same"


def test_a_gesture_shows_sgf_alone(page):
    open_compare(page)
    page.get_by_role("radio", name="Gesture", exact=True).click()
    page.wait_for_selector('#path-ganspace .path[data-state="away"]', state="attached", timeout=20_000)
    assert "Keypoints are for SGF alone" in page.inner_text("#compare-alone")
    page.click("#compare-go")
    page.wait_for_selector('#path-sgf .path[data-state="done"]', timeout=60_000)
    assert picture(page, "sgf") != picture(page, "source") and not page.is_visible("#path-ganspace")


def test_components_by_hand(page):
    open_compare(page)
    page.get_by_text("GANSpace by hand").click()
    page.wait_for_selector("#by-hand img", timeout=30_000)
    images = "[...document.querySelectorAll('#by-hand img')].map((image) => image.src)"
    one, two = page.evaluate(images)
    assert one == two and re.search(r"Component \d+: (more|less) \w+", page.inner_text("#by-hand"))
    strength = page.locator("#sigmas-0 input[type=range]")
    strength.focus()
    for _ in range(6):
        strength.press("ArrowRight")
    strength.dispatch_event("pointerup")
    page.wait_for_function(f"(() => {{ const [one, two] = {images}; return one !== two; }})()", timeout=20_000)


@pytest.mark.slow
def test_a_vote_on_a_phone(phone, url, votes):
    page = go(phone, url)
    open_compare(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    count = len(read([votes]).votes)
    page.click("#vote-next")
    page.wait_for_selector("#vote-pair img", timeout=60_000)
    assert "SGF (ours)" not in page.inner_text("#vote-pair")
    page.click("#vote-left")
    page.wait_for_selector("#vote-result .tally", timeout=20_000)
    assert "You chose" in page.inner_text("#vote-result .reveal") and not page.is_visible("#vote-left")
    assert len(read([votes]).votes) == count + 1
