"""The demo in a browser, on the embedded zoo: what a visitor does first.

Run with `pytest -m browser`; skipped where Playwright, a Chromium or the trained zoo is missing.
"""

import pytest

from app.screenshots import finish_edit, move_slider

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser


@pytest.fixture
def page(face):
    """The page with a face that nothing was done to."""
    return face


def picture(page) -> str:
    return page.get_attribute(".stage-picture", "src")


def read(page, name: str) -> int:
    return int(page.locator(f'.attribute[data-name="{name}"] output').inner_text())


def ask_for_the_opposite(page, name: str) -> int:
    """Ask for what the face does not have; gives the value asked for."""
    value = 0 if read(page, name) > 50 else 100
    move_slider(page, name, value)
    return value


def wait_until(page, condition: str) -> None:
    page.wait_for_function(condition, timeout=30_000)


def test_first_edit_works_and_no_request_leaves_the_machine(desktop, url):
    page = desktop
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector(".canvas.ready", timeout=60_000)
    before = picture(page)
    value = ask_for_the_opposite(page, "smile")
    assert page.locator('.attribute[data-name="smile"].wished').count() == 1
    finish_edit(page, "attributes")
    assert picture(page) != before
    assert abs(read(page, "smile") - value) <= 20
    assert page.locator(".strip img").count() > 2
    assert "reached" in page.inner_text("#stage .said-words") or "gone" in page.inner_text("#stage .said-words")
    assert page.text_content("#verdict .verdict strong") == page.inner_text("#stage .said-words")
    shown = page.get_attribute("#stage .strip [aria-current]", "data-step")
    assert page.inner_text("#stage .stage-step").startswith(f"Step {shown} of ")
    assert not errors
    outside = [address for address in requests if not address.startswith((url, "data:", "blob:"))]
    assert not outside, "a request left the machine"


def test_undo_redo_and_reset_restore(page):
    start = picture(page)
    ask_for_the_opposite(page, "glasses")
    finish_edit(page, "attributes")
    after = picture(page)
    assert after != start
    for button, shown in (("undo", start), ("redo", after), ("reset", start)):
        page.click(f"#{button}")
        page.wait_for_function("src => document.querySelector('.stage-picture').src === src", arg=shown, timeout=20_000)
    assert page.is_disabled("#undo") and page.is_enabled("#redo")


def test_dragging_a_keypoint_and_editing(page):
    page.get_by_role("tab", name="Keypoints").click()
    page.wait_for_selector(".stage-points .point", state="visible")
    box = page.locator('.point[data-name="nose_tip"] .dot').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 6, y + 3, steps=3)
    page.mouse.move(x + 12, y, steps=3)
    page.mouse.up()
    assert page.locator(".point.moved").count() == 1
    at = page.locator('.point[data-name="nose_tip"] .dot').bounding_box()
    assert at["x"] + at["width"] / 2 == pytest.approx(x + 12, abs=1.5)
    before = picture(page)
    finish_edit(page, "keypoints")
    assert picture(page) != before
    assert "1 keypoint" in page.text_content("#verdict")


def test_gestures_place_points_and_keys_move_them(page):
    page.get_by_role("tab", name="Keypoints").click()
    page.click("#gesture-turn-right")
    wait_until(page, "document.querySelectorAll('.point.moved').length > 15")
    page.click(".stage-clear")
    assert page.locator(".point.moved").count() == 0
    page.focus('.point[data-name="chin"]')
    page.keyboard.press("ArrowDown")
    assert page.locator('.point.moved[data-name="chin"]').count() == 1


def begin_a_long_edit(page) -> None:
    for name in ("black_hair", "blond_hair", "gray_hair"):  # cannot hold together: the edit goes on for long
        move_slider(page, name, 100)
    page.click("#edit-attributes")
    page.wait_for_function("document.querySelectorAll('.strip img').length > 2", timeout=30_000)


def assert_no_more_steps(page, taken) -> None:
    count = len(taken)
    page.wait_for_timeout(800)
    assert len(taken) == count < 15


def test_stop_ends_the_work_on_the_server(page, taken):
    begin_a_long_edit(page)
    page.click("#stop-attributes")
    page.wait_for_selector("#edit-attributes", state="visible", timeout=15_000)
    assert "Stopped by you" in page.text_content("#verdict .verdict")
    assert_no_more_steps(page, taken)
    assert page.is_enabled("#undo")


def test_a_new_face_ends_a_running_edit(page, taken):
    begin_a_long_edit(page)
    page.click("#shuffle")
    page.wait_for_function("document.querySelector('.stage-status').textContent.startsWith('Face ')", timeout=15_000)
    assert_no_more_steps(page, taken)
    page.wait_for_selector("#edit-attributes", state="visible", timeout=15_000)
    page.wait_for_selector("#undo:disabled", timeout=15_000)  # a slow machine draws the buttons after the face
    assert page.locator(".strip img").count() == 0


def test_bad_seed_is_told_and_nothing_is_lost(page):
    before = picture(page)
    page.fill("#seed input", "a cat")
    page.press("#seed input", "Enter")
    page.wait_for_selector("text=Face number is a whole number", timeout=20_000)
    assert picture(page) == before
    ask_for_the_opposite(page, "hat")
    finish_edit(page, "attributes")
    assert picture(page) != before


def test_downloads(page):
    ask_for_the_opposite(page, "old")
    finish_edit(page, "attributes")
    for button, suffix in (("save-png", ".png"), ("save-gif", ".gif"), ("save-latent", ".safetensors")):
        with page.expect_download(timeout=20_000) as download:
            page.click(f"#{button}")
        assert download.value.suggested_filename.endswith(suffix)
