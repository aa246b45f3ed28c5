"""The Zoo in a browser, on the embedded zoo: the cards, and a mapping that is opened and edited with.

Run with `pytest -m browser`.
"""

import pytest

from app.screenshots import settle
from sgf_hub.hub.names import entries

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser

NAME = "sgf-avatars-progan-attributes"


@pytest.fixture
def zoo(page):
    """The page with the tab opened, which may be folded into Gradio's menu of tabs."""
    tab = page.get_by_role("tab", name="Zoo")
    if tab.count() and tab.first.is_visible():
        tab.first.click()
    else:
        page.click(".overflow-menu > button")
        page.locator(".overflow-dropdown button", has_text="Zoo").click()
    page.wait_for_selector(".zoo-card", timeout=60_000)
    return page


def open_mapping(page, name: str) -> None:
    settle(page, lambda: page.click(f'[data-open="{name}"]'), "loaded-stage")
    page.wait_for_selector("#loaded-stage", state="visible")


def ask(page, name: str) -> None:
    """Move a slider to its end."""
    slider = page.locator(f'#loaded-panel .attribute[data-name="{name}"] input')
    slider.evaluate(
        "slider => { slider.value = 100; for (const kind of ['input', 'change'])"
        " slider.dispatchEvent(new Event(kind, {bubbles: true})); }"
    )


def test_every_entry_has_a_card_and_its_code_is_copied(zoo):
    assert zoo.locator(".zoo-card").count() == len(entries())
    assert not zoo.is_visible("#stage") and not zoo.is_visible("#loaded-stage")
    card = zoo.locator(".zoo-card").first
    assert not card.locator("code").is_visible(), "details are folded"
    card.locator("summary", has_text="In Python").click()
    card.locator("[data-copy]").click()
    zoo.wait_for_selector("[data-copy]:has-text('Copied')")
    assert zoo.evaluate("document.getSelection().toString()").startswith("from sgf_hub import")


def test_a_mapping_is_opened_and_edited_with(zoo):
    errors: list[str] = []
    zoo.on("pageerror", lambda error: errors.append(str(error)))
    open_mapping(zoo, NAME)
    assert zoo.inner_text("#loaded-about .loaded-name") == NAME and not zoo.is_visible("#stage")
    assert zoo.locator("#loaded-panel .attribute").count() == 25
    assert zoo.get_by_label("Glasses", exact=True).locator("visible=true").count() == 1
    before = zoo.get_attribute("#loaded-stage .stage-picture", "src")
    ask(zoo, "glasses")
    settle(zoo, lambda: zoo.click("#edit-loaded"), "loaded-stage")
    zoo.wait_for_selector("#loaded-result .verdict", state="attached", timeout=10_000)
    assert zoo.get_attribute("#loaded-stage .stage-picture", "src") != before
    assert "Glasses" in zoo.text_content("#loaded-verdict")
    zoo.click("#loaded-another")
    zoo.wait_for_selector(".zoo-card", state="visible")
    open_mapping(zoo, "sgf-avatars-keypoints")
    zoo.wait_for_selector("#loaded-stage .stage-points .point", state="visible")
    assert not zoo.is_visible("#loaded-result") and zoo.is_disabled("#loaded-undo")
    assert not errors


def test_what_cannot_be_opened_is_told(zoo):
    for name, told in (
        ("<b>no</b> name", "'<b>no</b> name' is not the name of a mapping"),
        ("sgf-avatar-progan-attributes", f"did you mean '{NAME}'"),
        ("avatars-stylegan2", "only mappings can be opened"),
    ):
        zoo.fill("#zoo-name input", name)
        zoo.press("#zoo-name input", "Enter")
        zoo.locator("#zoo-status", has_text=told).wait_for(timeout=20_000)
    assert zoo.is_enabled("#zoo-open") and zoo.is_visible(".zoo-card")
