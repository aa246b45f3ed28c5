"""History and sharing, in a browser, on the embedded zoo: timeline, steps, sheet, links, joint edits.

Run with `pytest -m browser`.
"""

import pytest

from app.core.model_sets import Faces
from app.screenshots import finish_edit, move_slider, open_captions, open_page, settle
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser


@pytest.fixture
def page(face):
    """The page with a face that nothing was done to."""
    return face


HERE = "#timeline [aria-current]"


def picture(page, stage: str = "stage") -> str:
    return page.get_attribute(f"#{stage} .stage-picture", "src")


def edit(page, name: str) -> None:
    move_slider(page, name, 0 if int(page.inner_text(f'.attribute[data-name="{name}"] output')) > 50 else 100)
    finish_edit(page, "attributes")


def test_the_timeline_goes_back_and_a_link_restores_it(browser, page):
    start = picture(page)
    edit(page, "glasses")
    first = picture(page)
    edit(page, "old")
    assert page.locator("#timeline li").count() == 3
    assert page.get_attribute(HERE, "data-at") == "2"
    settle(page, lambda: page.click("#timeline li:nth-child(2) button"))
    assert picture(page) == first and page.locator("#timeline .undone").count() == 1
    page.focus(HERE)
    page.keyboard.press("ArrowLeft")
    settle(page, lambda: page.keyboard.press("Enter"))
    assert picture(page) == start and page.is_disabled("#undo")
    settle(page, lambda: page.click("#timeline li:nth-child(2) button"))
    page.click("#share")
    page.wait_for_selector(".share-box:not([hidden])")
    link = page.input_value(".share-link input")
    assert "?edit=face.1." in link and len(link) < 6200
    other = open_page(browser, link, "desktop")
    other.wait_for_selector("#timeline .undone", timeout=20_000)
    assert picture(other) == first and other.locator("#timeline li").count() == 3
    with other.expect_download(timeout=20_000) as download:
        other.click("#share")
        other.click(".share-file")
    assert download.value.suggested_filename == "face-7-edits.json"
    settle(other, lambda: other.click("#shuffle"))
    path = download.value.path().with_name("face-7-edits.json")  # Playwright's own name has no suffix
    download.value.save_as(path)
    settle(other, lambda: other.locator("input[type=file][accept*='.json']").first.set_input_files(path))
    assert picture(other) == first and other.locator("#timeline .undone").count() == 1
    other.close()


def test_a_damaged_link_is_told_and_the_page_opens(phone, url):
    page = go(phone, f"{url}?edit=face.1.eJyrVkrLLE4tVrJSAAAYvgPn")
    page.get_by_text("This edit cannot be opened").wait_for(timeout=20_000)
    assert page.inner_text(".stage-status") == f"Face {Faces.first}."


def test_a_flower_link_opens_its_tab(phone, page):
    open_captions(page)
    page.fill("#caption textarea", "white petals")
    finish_edit(page, "captions")
    page.click("#flower-share")
    page.wait_for_selector(".share-box:not([hidden])")
    other = phone
    other.goto(page.input_value(".share-link input >> visible=true"))
    other.wait_for_selector("#flower-timeline li >> nth=1", timeout=60_000)
    assert other.is_visible("#flower-stage") and picture(other, "flower-stage") == picture(page, "flower-stage")
    assert other.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_step_is_taken_as_the_result(page):
    edit(page, "glasses")
    steps = page.locator("#stage .strip button").count()
    settle(page, lambda: page.click("#stage .strip li:nth-child(2) button"))
    assert "Step 1, taken by you" in page.text_content("#verdict")
    assert page.locator("#stage .strip button").count() == steps, "the filmstrip stays"
    assert page.get_attribute("#stage .strip [aria-current]", "data-step") == "1"
    assert page.locator("#timeline li").count() == 2


def test_a_sheet_is_chosen_from_by_keyboard(page):
    page.click("#many")
    page.wait_for_selector("dialog[open] .sheet-grid button >> nth=23")
    seeds = page.locator("dialog[open] .sheet-grid button").evaluate_all("all => all.map((one) => one.dataset.seed)")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.click("#many")
    page.wait_for_selector("dialog[open]")
    page.click("dialog[open] .sheet-more")
    page.wait_for_selector("dialog[open] .sheet-more:enabled")
    others = page.locator("dialog[open] .sheet-grid button").evaluate_all("all => all.map((one) => one.dataset.seed)")
    assert set(others) != set(seeds)
    page.focus("dialog[open] .sheet-grid button")
    page.keyboard.press("ArrowRight")
    settle(page, lambda: page.keyboard.press("Enter"))
    assert page.inner_text(".stage-status") == f"Face {others[1]}." and page.locator("dialog[open]").count() == 0


def test_sliders_and_points_are_edited_together(page):
    move_slider(page, "smile", 100)
    page.get_by_role("tab", name="Keypoints").click()
    assert page.inner_text("#asked-attributes b") == "smile 100"
    page.focus('.point[data-name="chin"]')
    page.keyboard.press("ArrowDown")
    page.get_by_role("tab", name="Attributes").click()
    assert page.inner_text("#asked-points b") == "1 point moved"
    settle(page, lambda: page.locator('.attribute[data-name="smile"] input').press("Enter"))
    page.wait_for_selector("#verdict .verdict", state="attached", timeout=10_000)
    said = page.text_content("#verdict")
    assert "Smile" in said and "1 keypoint" in said


def test_the_other_tabs_wishes_can_be_forgotten(page):
    move_slider(page, "smile", 100)
    page.get_by_role("tab", name="Keypoints").click()
    page.click("#asked-attributes button")
    assert page.locator("#asked-attributes .asked").is_hidden()
    page.get_by_role("tab", name="Attributes").click()
    assert page.locator(".attribute.wished").count() == 0


def test_a_wish_that_was_not_reached_is_asked_for_again(page, taken):
    for name in ("black_hair", "blond_hair", "gray_hair"):
        move_slider(page, name, 100)
    page.click("#edit-attributes")
    page.wait_for_function("document.querySelectorAll('.strip img').length > 2", timeout=30_000)
    settle(page, lambda: page.click("#stop-attributes"))
    page.wait_for_selector("#edit-attributes", state="visible", timeout=15_000)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#stop-attributes", timeout=15_000)
    settle(page, lambda: page.click("#stop-attributes"))
    assert page.locator("#timeline li").count() >= 2


def test_films_are_saved(page):
    edit(page, "glasses")
    edit(page, "old")
    page.get_by_label("GIF and MP4 of all edits").check()
    with page.expect_download(timeout=60_000) as download:
        page.click("#save-mp4")
    assert download.value.suggested_filename == "face-7-edits.mp4"
