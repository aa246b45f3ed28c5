"""The page's first minute, in a browser, on the embedded zoo: what it opens with, where things stand, what stays.

Run with `pytest -m browser`.
"""

import pytest

from app.core.model_sets import Faces
from app.screenshots import finish_edit, move_slider, settle
from sgf_hub.editing import changes
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser

SIZE = {"width": 1440, "height": 900}
PARTS = (".stage-frame", ".told", ".steps", "#timeline", "#undo", "#seed", "#shuffle", "#edit-attributes")
COVERED = """() => {
  const toast = document.querySelector(".toast-body").getBoundingClientRect();
  const parts = [...document.querySelectorAll(".bench button, .bench input, .kind label")].filter((one) =>
    one.checkVisibility() && !one.closest(".stage-frame, .stage .wrap"));
  return parts.filter((one) => {
    const box = one.getBoundingClientRect();
    return box.left < toast.right && toast.left < box.right && box.top < toast.bottom && toast.top < box.bottom;
  }).length;
}"""


def box(page, part: str) -> dict:
    return page.locator(f"{part} >> visible=true").first.bounding_box()


def focused(page) -> str:
    return page.evaluate("document.activeElement.id")


@pytest.fixture
def visitor(desktop, url):
    """Somebody who has never been here, at a laptop."""
    size = desktop.viewport_size
    desktop.set_viewport_size(SIZE)
    desktop.evaluate("localStorage.clear()")
    yield go(desktop, url)
    desktop.set_viewport_size(size)


def test_the_first_minute(visitor, url):
    page = visitor
    assert page.input_value("#seed input") == str(Faces.first)
    assert page.inner_text("#stage .stage-offer") == "Make it smile"
    page.wait_for_selector(".canvas[data-played]", timeout=15_000)

    # the tour: three steps, of which one shows what it speaks of; skipped once and for all
    assert page.inner_text(".tour p").startswith("1 of 3.") and page.locator("#panel.toured").count() == 1
    page.click(".tour-next")
    assert page.inner_text(".tour p").startswith("2 of 3.") and page.locator("#edit-attributes.toured").count() == 1
    page.click(".tour-skip")
    assert page.is_hidden(".tour") and page.locator(".toured").count() == 0
    assert page.evaluate("localStorage.getItem('sgf-hub-tour')")

    # Edit: within ten stops of Tab, and off while nothing is asked
    page.evaluate("document.activeElement.blur(); getSelection().setPosition(document.body, 0)")
    stops = 0
    while focused(page) != "edit-attributes":
        page.keyboard.press("Tab")
        stops += 1
        assert stops <= 10
    assert page.get_attribute("#edit-attributes", "aria-disabled") == "true"
    page.keyboard.press("Enter")
    assert page.inner_text("#edit-attributes-about p") == "Move a slider to ask for something."

    # the offered edit, live: nothing moves, all that came of it is in view, and focus is at Edit
    page.evaluate("scrollTo(0, 0)")
    before, start = {part: box(page, part) for part in PARTS}, page.get_attribute(".stage-picture", "src")
    settle(page, lambda: page.press("#stage .stage-offer", "Enter"))
    page.wait_for_selector("#edit-attributes", timeout=10_000)
    page.wait_for_selector("#result", timeout=10_000)
    assert {part: box(page, part) for part in PARTS} == before
    assert page.locator(".said.good").count() == 1 and page.is_hidden("#stage .stage-offer")
    for part in (*PARTS, ".strip", "#save-png", "#share", "#verdict", "#result .fold >> nth=1"):
        here = box(page, part)
        assert here["y"] + here["height"] <= SIZE["height"], part
    page.wait_for_function("document.activeElement.id === 'edit-attributes'", timeout=5_000)
    assert page.evaluate("scrollY") == 0

    # before and after on the picture
    assert page.get_attribute(".stage-other", "src") == start
    page.wait_for_function("document.querySelector('.stage-wipe input').value === '0'", timeout=10_000)
    page.focus(".stage-wipe input")
    page.keyboard.press("End")
    assert page.locator(".canvas.wiping").count() == 1 and page.is_visible(".stage-other")
    page.keyboard.press("Home")
    assert page.is_hidden(".stage-other")

    # another picture, and the way back
    edited = page.get_attribute(".stage-picture", "src")
    page.fill("#seed input", "a cat")
    page.press("#seed input", "Enter")
    page.wait_for_selector("text=Face number is a whole number", timeout=20_000)
    assert page.evaluate(COVERED) == 0
    page.locator(".toast-close").first.click()
    page.fill("#seed input", "3")
    settle(page, lambda: page.press("#seed input", "Enter"))
    settle(page, lambda: page.get_by_role("button", name=f"Back to face {Faces.first}, edited").click())
    assert page.get_attribute(".stage-picture", "src") == edited and page.locator("#timeline li").count() == 2
    page.get_by_role("button", name="Back to face 3").wait_for(timeout=5_000)

    # a reload, from the address; from what stays in the browser where that would be too long
    page.wait_for_function("location.search.startsWith('?edit=face.1.')", timeout=10_000)
    page.evaluate("history.replaceState(null, '', location.pathname + '#' + location.search.slice(1))")
    page.reload()
    page.wait_for_selector("#timeline li:nth-child(2)", timeout=30_000)
    assert page.get_attribute(".stage-picture", "src") == edited and page.is_hidden(".tour")


def test_a_phone_keeps_the_picture_in_view(phone, url, monkeypatch):
    page = go(phone, url)
    for tab in page.locator("#tabs [role=tab] >> visible=true").all():
        here = tab.bounding_box()
        assert here["x"] >= 0 and here["x"] + here["width"] <= 390
    assert page.locator("#tabs [role=tab] >> visible=true").count() == 5 and page.is_hidden(".overflow-menu")
    beside = changes.Changes({}, {"hat": (0.0, 1.0)}, {}, {})
    monkeypatch.setattr(changes, "changes", lambda *_: beside)
    move_slider(page, "smile", 100)
    page.evaluate("window.scrollTo(0, 150)")
    finish_edit(page, "attributes")
    frame, told, edit = (box(page, part) for part in ("#stage .stage-frame", "#stage .told", "#edit-attributes"))
    assert 0 <= frame["y"] <= 10 and frame["y"] + frame["height"] < told["y"]
    assert told["y"] + told["height"] < edit["y"] and edit["y"] + edit["height"] <= 844
    assert page.locator(".group-tab.has-change").all_inner_texts() == ["Style"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
