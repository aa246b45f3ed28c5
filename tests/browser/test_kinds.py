"""The choice of the kind of picture in a browser, on the embedded zoo and what is fetched for rendered faces.

Run with `pytest -m browser`.
"""

import pytest

from app.core.model_sets import DRAWN, FLOWERS, KINDS, RENDERED, RenderedFaces
from app.screenshots import choose, finish_edit, move_slider, open_tab, settle
from sgf_hub.hub.names import root
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser

FACES = RenderedFaces()


@pytest.fixture(scope="module", autouse=True)
def needed(fetched_faces):
    """What rendered faces run on."""
    missing = [name for name in (*FACES.heads, *FACES.editors) if not (root() / name / "model.safetensors").is_file()]
    if missing:
        pytest.skip(f"the zoo lacks {', '.join(missing)}")


def tabs(page) -> set[str]:
    """The tabs that the page offers, in the bar or in its menu."""
    shown = page.locator("#tabs [role=tab]").all_inner_texts()
    return {*shown, *page.locator("#tabs .overflow-dropdown button").all_text_contents()}


def picture(page) -> str:
    return page.get_attribute("#stage .stage-picture", "src")


def rows(page) -> set[str]:
    return {row.get_attribute("data-name") for row in page.locator("#panel .attribute >> visible=true").all()}


def test_each_kind_has_its_pictures_sliders_and_tabs(page):
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    drawn, sliders = picture(page), rows(page)
    assert page.locator("#kind label").all_inner_texts() == list(KINDS.values())
    assert tabs(page) == {"Attributes", "Keypoints", "Photo", "Compare", "Zoo"} and page.is_visible("#variety")
    choose(page, RENDERED)
    rendered = picture(page)
    assert rendered != drawn and rows(page) == set(FACES.reads) != sliders
    assert tabs(page) == {"Attributes", "Keypoints", "Photo", "Compare", "Zoo"} and not page.is_visible("#variety")
    assert page.input_value("#seed input") == str(FACES.first)
    open_tab(page, "Photo")
    assert page.is_visible("#photo .photo-choose") and not page.is_visible("#photo .photo-examples")  # drawn ones
    open_tab(page, "Keypoints")
    assert page.locator("#stage .stage-points .point").count() == 30
    settle(page, lambda: page.click("#gesture-turn-left"))
    assert page.locator("#stage .ends .end").count() > 10
    page.get_by_text("Advanced").locator("visible=true").click()
    page.wait_for_selector("#step-size-keypoints")
    assert not page.is_visible("#first-layer-keypoints")
    assert page.input_value("#step-size-keypoints input[type=number]") == "0.1"
    choose(page, FLOWERS)
    assert tabs(page) == {"Captions", "Compare", "Zoo"}
    assert page.is_visible("#flower-stage") and not page.is_visible("#stage")
    choose(page, DRAWN)
    assert picture(page) == drawn and page.is_visible("#stage") and not page.is_visible("#flower-stage")
    open_tab(page, "Attributes")
    assert rows(page) == sliders and page.is_visible("#variety")
    assert not errors


def test_an_edit_of_a_rendered_face_is_kept_and_linked_to(phone, page):
    choose(page, RENDERED)
    start = picture(page)
    move_slider(page, "glasses", 100)
    finish_edit(page, "attributes")
    edited = picture(page)
    assert edited != start and "of how far out 99 in 100 of its pictures lie" in page.text_content("#verdict .verdict")
    choose(page, DRAWN)
    assert page.is_disabled("#undo") and not page.is_visible("#result")
    choose(page, RENDERED)
    assert picture(page) == edited and page.locator("#timeline li").count() == 2 and page.is_visible("#result")
    page.click("#share")
    page.wait_for_selector(".share-box:not([hidden])")
    other = phone
    other.goto(page.input_value(".share-link input >> visible=true"))
    other.wait_for_selector("#timeline li >> nth=1", timeout=60_000)
    assert picture(other) == edited and other.input_value("#kind input:checked") == RENDERED
    assert "Photo" in tabs(other) and rows(other) <= set(FACES.reads)


def test_compare_follows_the_choice(page):
    open_tab(page, "Compare")
    page.wait_for_selector("#path-source img[src]", timeout=60_000)
    first = page.get_attribute("#path-source img", "src")
    assert page.is_visible("#vote")
    choose(page, RENDERED)
    assert page.is_visible("#compare-go"), "the tab stays"
    page.wait_for_function("src => document.querySelector('#path-source img').src !== src", arg=first, timeout=30_000)
    assert not page.is_visible("#vote") and not page.is_visible("#stage")
    page.click("#compare-go")
    page.wait_for_selector("#path-latent-descent .path:is([data-state=done], [data-state=missing])", timeout=90_000)
    page.wait_for_selector("#compare-go", state="visible", timeout=90_000)
    assert page.locator('#path-sgf .path[data-state="done"]').count() == 1
    choose(page, FLOWERS)
    assert page.is_visible("#compare-words") and not page.is_visible("#compare-attribute")
    choose(page, DRAWN)
    assert page.is_visible("#vote") and page.is_visible("#compare-attribute")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling(phone, url, dark):
    phone.emulate_media(color_scheme="dark" if dark else "light")
    page = go(phone, url)
    for kind, names in ((RENDERED, ()), (FLOWERS, ()), (DRAWN, ("Keypoints", "Photo"))):
        choose(page, kind)
        for name in (None, *names):
            if name:
                open_tab(page, name)
            page.wait_for_timeout(200)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.locator("#kind .wrap").last.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
