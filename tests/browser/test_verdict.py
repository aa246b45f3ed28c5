"""What is said of an edit beside its picture, in a browser: the sentence, what it offers, and of which picture it is.

Run with `pytest -m browser`.
"""

import pytest

from app.panels import views
from app.screenshots import finish_edit, move_slider, settle
from app.widgets.report import Verdict

pytest.importorskip("playwright", reason="browser tests drive the demo with Playwright: pip install playwright")
pytestmark = pytest.mark.browser

STAGE = "#stage"


@pytest.fixture
def page(face):
    """The page with a face that nothing was done to."""
    return face


@pytest.fixture
def side_effects(monkeypatch):
    """Whether the next edit is said to have changed something else, or too much: whatever the models do."""
    said = {"hold": ("hat", "bald"), "worse": True}

    def verdict(*_):
        return Verdict("fair" if said["hold"] else "good", "So it is.", **said)

    monkeypatch.setattr(views, "verdict", verdict)
    return said


def shown(page) -> dict:
    """What the page tells of the picture: the step, by all that tell one."""
    return {
        "strip": page.get_attribute(f"{STAGE} .strip [aria-current]", "data-step"),
        "hud": page.inner_text(f"{STAGE} .stage-step").split(" ")[1],
        "hint": page.inner_text(f"{STAGE} .strip-hint span").split(" ")[1],
    }


def test_counters_follow_the_step_that_is_shown(page):
    move_slider(page, "smile", 100)
    finish_edit(page, "attributes")
    assert len(set(shown(page).values())) == 1
    assert page.locator(f"{STAGE} .said.good, {STAGE} .said.fair").count() == 1
    settle(page, lambda: page.click(f"{STAGE} .strip li:nth-child(2) button"))
    page.mouse.move(0, 0)
    assert set(shown(page).values()) == {"1"}
    assert page.inner_text(f"{STAGE} .further") == "Further: step 2"
    settle(page, lambda: page.click(f"{STAGE} .further"))
    assert set(shown(page).values()) == {"2"}
    page.hover(f"{STAGE} .strip li:first-child button")  # a look at another step: what is told is told of that one
    assert page.inner_text(f"{STAGE} .stage-step").startswith("Step 0 of ")
    page.mouse.move(0, 0)
    assert page.inner_text(f"{STAGE} .stage-step").startswith("Step 2 of ")
    settle(page, lambda: page.click("#shuffle"))
    for part in (".said", ".stage-hud", ".strip", ".strip-hint"):
        assert page.is_hidden(f"{STAGE} {part}"), part


def test_a_worse_result_is_beside_its_start_and_can_be_kept_given_back_or_tried_again(page, side_effects):
    start = page.get_attribute(f"{STAGE} .stage-picture", "src")
    move_slider(page, "smile", 100)
    finish_edit(page, "attributes")
    page.wait_for_function(f"document.querySelector('{STAGE} .stage-wipe input').value === '50'", timeout=10_000)
    assert page.get_attribute(f"{STAGE} .stage-other", "src") == start, "half of the picture is the start"
    page.click(f"{STAGE} .said-keep")
    assert page.input_value(f"{STAGE} .stage-wipe input") == "0" and page.is_visible(f"{STAGE} .said-words")
    side_effects.update(worse=False)
    assert page.inner_text(f"{STAGE} .said-hold") == "Hold them and try again"
    settle(page, lambda: page.click(f"{STAGE} .said-hold"))
    assert page.locator("#timeline li").count() == 2, "it began where the edit had begun"
    side_effects.update(worse=True)
    settle(page, lambda: page.click(f"{STAGE} .strip li:nth-child(2) button"))
    page.click(f"{STAGE} .said-back")
    page.wait_for_function("src => document.querySelector('.stage-picture').src === src", arg=start, timeout=20_000)
    assert page.is_hidden(f"{STAGE} .said") and page.is_disabled("#undo")
