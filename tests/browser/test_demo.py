"""The demo in a browser, on the embedded zoo: what a visitor does first.

Run with `pytest -m browser`; skipped where Playwright, a Chromium or the trained zoo is missing.
"""

import pytest

from app.screenshots import finish_edit, move_slider, settle

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
    for words in ("Variety is how far a face may be", "Distance is how far the picture is from what you asked for"):
        assert page.get_by_text(words).locator("visible=true").count() == 1
    page.get_by_text("Advanced", exact=True).locator("visible=true").click()
    page.get_by_text("How far, how fast and where an edit goes").locator("visible=true").wait_for()
    page.get_by_text("Copy as Python").locator("visible=true").click()
    page.locator("#code", has_text="picture.png").wait_for()
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


def hold(page, name: str) -> tuple[float, float]:
    """Put the pointer down on a point; gives where it is."""
    box = page.locator(f'.point[data-name="{name}"] .dot').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y


def test_a_dragged_point_previews_edits_when_let_go_and_shows_how_near_it_came(page):
    page.get_by_role("tab", name="Keypoints").click()
    page.wait_for_selector(".stage-points .point", state="visible")
    before = picture(page)
    x, y = hold(page, "mouth_left")
    page.mouse.move(x - 1, y)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert picture(page) == before and page.is_disabled("#undo"), "a click is no drag"
    hold(page, "mouth_left")
    page.mouse.move(x - 6, y - 14, steps=3)
    page.wait_for_function("src => document.querySelector('.stage-picture').src !== src", arg=before, timeout=30_000)
    assert page.is_disabled("#undo"), "a preview is no edit"
    settle(page, page.mouse.up)
    assert picture(page) != before and page.locator(".point.moved").count() == 0
    assert "1 keypoint" in page.text_content("#verdict") and "The point reached" in page.inner_text(".said-words")
    assert page.locator(".ends .reached").count() == 1 and page.locator(".ends .short").count() == 0
    # farther than any face goes
    x, y = hold(page, "nose_tip")
    page.mouse.move(x + 110, y - 140, steps=3)
    settle(page, page.mouse.up)
    assert page.locator(".ends .short polyline").count() == 1
    assert float(page.text_content(".ends .short text").rstrip("%")) > 1
    assert "of the way" in page.inner_text(".said-words") or "as it was" in page.inner_text(".said-words")


def test_a_turn_turns_visibly_at_once_and_keys_move_points(page):
    def aside() -> float:
        """How far the nose points to a side, in widths of the jaw."""
        nose, left, right = (
            page.locator(f'.point[data-name="{name}"] .dot').bounding_box()["x"]
            for name in ("nose_tip", "jaw_left", "jaw_right")
        )
        return (nose - (left + right) / 2) / (right - left)

    page.get_by_role("tab", name="Keypoints").click()
    page.wait_for_selector(".stage-points .point", state="visible")
    before = aside()
    settle(page, lambda: page.click("#gesture-turn-right"))
    assert aside() - before > 0.12
    assert "Turn right reached" in page.inner_text(".said-words")
    page.focus('.point[data-name="chin"]')
    page.keyboard.press("ArrowDown")
    assert page.locator('.point.moved[data-name="chin"]').count() == 1
    page.click(".stage-clear")
    assert page.locator(".point.moved").count() == 0
    page.focus('.point[data-name="chin"]')
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    settle(page, lambda: page.keyboard.press("Enter"))
    assert page.locator('.ends [data-name="chin"]').count() == 1


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
