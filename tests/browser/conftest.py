"""The demo, served on the embedded zoo, and a browser to look at it with."""

import time

import pytest

from app.core.model_sets import DRAWN, Faces, Flowers
from app.models import edit_run
from app.screenshots import SEED, choose, chromium, open_page, open_tab, served, settle
from sgf_hub.hub.names import root

FACES, FLOWERS = Faces(), Flowers()
NEEDED = (
    FACES.generator, *FACES.heads, FACES.attributes, FACES.keypoints,
    FLOWERS.generator, *FLOWERS.heads, FLOWERS.captions,
)  # fmt: skip


def go(page, address: str):
    """Open the demo there, and wait until it shows its first face."""
    page.goto(address)
    page.wait_for_selector(".canvas.ready", timeout=60_000)
    return page


@pytest.fixture(scope="session")
def votes(tmp_path_factory):
    """The folder that votes go to."""
    folder = tmp_path_factory.mktemp("votes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SGF_HUB_VOTES", str(folder))
        patch.delenv("SGF_HUB_VOTES_REPO", raising=False)
        yield folder


@pytest.fixture(scope="session")
def embedded(votes):
    """The zoo is there, and votes go elsewhere: the demo can be served."""
    missing = [name for name in NEEDED if not (root() / name / "model.safetensors").is_file()]
    if missing:
        pytest.skip(f"the zoo lacks {', '.join(missing)}")


@pytest.fixture(scope="session")
def url(embedded):
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def desktop(browser, url):
    opened = open_page(browser, url, "desktop")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def one_phone(browser, url):
    opened = open_page(browser, url, "phone")
    yield opened
    opened.close()


@pytest.fixture
def phone(one_phone):
    """A phone's page, of another visitor than the desktop's, to go to an address with; one serves all tests too."""
    yield one_phone
    one_phone.emulate_media(color_scheme="light")


@pytest.fixture
def page(desktop, url):
    """The demo, just opened: one page of the browser serves all tests, which is twice as quick as one each."""
    return go(desktop, url)


@pytest.fixture(scope="module")
def opened(desktop, url):
    """The demo, opened for a module."""
    return go(desktop, url)


@pytest.fixture
def face(opened):
    """It, with a face that nothing was done to: a fourth of the time that opening takes."""
    choose(opened, DRAWN)
    open_tab(opened, "Attributes")
    opened.fill("#seed input", str(SEED))
    settle(opened, lambda: opened.press("#seed input", "Enter"))
    opened.wait_for_function(f"document.querySelector('#stage .stage-status').textContent === 'Face {SEED}.'")
    opened.wait_for_selector("#undo:disabled", timeout=15_000)
    return opened


@pytest.fixture
def taken(monkeypatch):
    """Slow edits, and the steps that the server took."""
    steps_taken: list[int] = []

    def slowly(models, plan, latent, *, arriving=edit_run._arriving, **how):
        for some in arriving(models, plan, latent, **how):
            for step in some:
                steps_taken.append(step.index)
                time.sleep(0.25)
                yield [step]

    monkeypatch.setattr(edit_run, "_arriving", slowly)
    return steps_taken
