"""The tab Photo in a browser, on the embedded zoo: a picture comes in, is found, and another tab edits it."""

import io

import pytest
from PIL import Image

from app.screenshots import finish_edit, move_slider, settle
from app.widgets import photo_search as photo
from sgf_hub.hub.names import root
from tests.browser.conftest import go

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (root() / "avatars-stylegan2-encoder/model.safetensors").is_file(), reason="the zoo lacks the encoder"
    ),
]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(photo, "CONFIG", {"steps": 30, "plus_steps": 20})


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Photo").click()
    page.wait_for_selector(".photo-example")
    return page


def content(colour="teal", size=(90, 60), kind="PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


LARGE = """() => {
  const data = new DataTransfer(), input = document.querySelector(".photo input[type=file]");
  data.items.add(new File([new ArrayBuffer(20 * 2 ** 20 + 1)], "c.png", {type: "image/png"}));
  input.files = data.files;
  input.dispatchEvent(new Event("change", {bubbles: true}));
}"""


def choose(page, name: str, kind: str, data: bytes) -> None:
    page.set_input_files(".photo input[type=file]", {"name": name, "mimeType": kind, "buffer": data})


def find(page) -> None:
    page.click("#edit-photo")
    page.wait_for_selector(".photo-found .verdict", timeout=60_000)
    page.wait_for_selector("#edit-photo", state="visible")


def test_a_drawn_face_is_found_and_another_tab_edits_it(tab):
    before = tab.get_attribute(".stage-picture", "src")
    tab.locator(".photo-example").first.click()
    tab.wait_for_selector(".photo-crop", state="visible")
    find(tab)
    assert "similar" in tab.inner_text(".photo-found .verdict strong")
    assert tab.locator(".photo-pair img").count() == 2
    assert tab.inner_text(".stage-status") == "Your picture, projected."
    found = tab.get_attribute(".stage-picture", "src")
    assert found != before
    tab.get_by_role("tab", name="Attributes").click()
    move_slider(tab, "glasses", 100)
    finish_edit(tab, "attributes")
    assert tab.get_attribute(".stage-picture", "src") != found
    assert tab.locator(".photo-found .verdict").count() == 0, "the similarity was that of another picture"


def test_what_is_no_face_is_offered_as_the_nearest_and_replaces_nothing(tab):
    mine = tab.get_attribute(".stage-picture", "src")
    choose(tab, "teal.png", "image/png", content())
    tab.wait_for_selector(".photo-crop", state="visible")
    find(tab)
    assert "cannot draw your picture" in tab.inner_text(".photo-found .verdict strong")
    assert tab.get_attribute(".stage-picture", "src") == mine
    settle(tab, lambda: tab.click("#photo-take"))
    assert tab.inner_text(".stage-status") == "The nearest face to your picture."
    settle(tab, lambda: tab.click(".left-picture"))
    assert tab.get_attribute(".stage-picture", "src") == mine and tab.is_hidden("#photo-take")


def test_stop_keeps_what_was_found(tab, monkeypatch):
    monkeypatch.setattr(photo, "CONFIG", {"steps": 5_000, "plus_steps": 0})
    tab.locator(".photo-example").last.click()
    tab.click("#edit-photo")
    tab.wait_for_selector(".photo-progress", timeout=30_000)
    tab.click("#stop-photo")
    tab.wait_for_selector(".photo-found .verdict", timeout=30_000)
    assert tab.inner_text(".stage-status") == "Your picture, projected."


def test_files_that_are_no_pictures_are_told_in_the_browser(tab):
    for name, kind, data, words in (
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be shown"),
        ("a.txt", "text/plain", b"hello", "not a picture that can be shown"),
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n broken", "cannot read this file"),
        ("b.png", "image/png", content(size=(8, 8)), "too small"),
        ("c.png", "image/png", None, "larger than 20 MB"),
    ):
        if data is None:  # made there: to send it there takes ten seconds
            tab.evaluate(LARGE)
        else:
            choose(tab, name, kind, data)
        tab.wait_for_function("words => document.querySelector('.photo-told').textContent.includes(words)", arg=words)
        assert not tab.is_visible(".photo-crop")
        assert tab.get_attribute("#edit-photo", "aria-disabled") == "true"
    tab.locator(".photo-example").first.click()
    tab.wait_for_selector("#edit-photo[aria-disabled=false]", timeout=5_000)
    choose(tab, "a.txt", "text/plain", b"hello")
    tab.wait_for_selector("#edit-photo[aria-disabled=true]", timeout=5_000)
    assert not tab.is_visible(".photo-crop"), "nor is the picture before it searched"


def drawn(page) -> str:
    return page.evaluate("document.querySelector('.photo-view').toDataURL()")


def test_the_square_moves_by_pointer_wheel_and_keys(tab):
    wide = Image.linear_gradient("L").convert("RGB").resize((300, 200))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    choose(tab, "wide.png", "image/png", buffer.getvalue())
    tab.wait_for_selector(".photo-crop", state="visible")
    assert tab.is_enabled(".photo-x") and tab.is_disabled(".photo-y"), "a wide picture has room to the sides alone"
    seen = [drawn(tab)]
    box = tab.locator(".photo-view").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.wheel(0, -300)
    tab.wait_for_function("Number(document.querySelector('.photo-zoom').value) > 1.1")
    seen.append(drawn(tab))
    tab.mouse.down()
    tab.mouse.move(x + 30, y + 40, steps=4)
    tab.mouse.up()
    seen.append(drawn(tab))
    tab.get_by_label("Up and down").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    seen.append(drawn(tab))
    assert len(set(seen)) == 4


def test_a_dropped_and_a_pasted_picture(tab):
    script = """(kind) => {
      const view = document.createElement('canvas');
      view.width = view.height = 64;
      return new Promise((done) => view.toBlob((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], 'a.png', {type: 'image/png'}));
        const drop = new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
        const paste = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
        document.querySelector('.photo').dispatchEvent(kind === 'drop' ? drop : paste);
        done();
      }));
    }"""
    for kind in ("drop", "paste"):
        tab.evaluate(script, kind)
        tab.wait_for_selector(".photo-crop", state="visible")
        before = drawn(tab)
        tab.locator(".photo-example").first.click()
        tab.wait_for_function("before => document.querySelector('.photo-view').toDataURL() !== before", arg=before)


@pytest.mark.slow
def test_a_phone_reaches_the_tab_and_needs_no_sideways_scrolling(phone, url):
    page = go(phone, url)
    tab = page.get_by_role("tab", name="Photo")
    if not tab.is_visible():  # it is folded into the menu of tabs
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text="Photo")
    tab.click()
    page.locator(".photo-example").first.click()
    page.wait_for_selector(".photo-crop", state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
