"""A page whose server restarts under it, on the embedded zoo: the visitor goes on.

Run with `pytest -m browser`.
"""

import pytest

from app.screenshots import finish_edit, move_slider, open_page, served

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser


def test_the_page_goes_on_where_it_was_and_says_so(browser, embedded):
    with served() as first:
        page = open_page(browser, first, "desktop")
        move_slider(page, "glasses", 100)
        finish_edit(page, "attributes")
        edited = page.get_attribute("#stage .stage-picture", "src")
        move_slider(page, "smile", 100)
    with served(port=int(first.rstrip("/").rpartition(":")[2])):
        page.click("#edit-attributes")
        page.get_by_text("The server restarted").wait_for(timeout=20_000)
        page.wait_for_selector("#timeline li:nth-child(3)", timeout=60_000)
        assert "Smile" in page.text_content("#verdict"), "the wish was not lost"
        page.reload()
        page.wait_for_selector("#timeline li:nth-child(3)", timeout=60_000)
        page.click("#undo")
        page.wait_for_function("src => document.querySelector('#stage .stage-picture').src === src", arg=edited)
        page.close()
