"""The demo, served on the embedded zoo, and a browser to look at it with."""

import time

import pytest

from app.screenshots import chromium, open_page, served
from app.services import Models
from app.worlds import Faces
from sgf_hub.zoo import root

WORLD = Faces()
NEEDED = (WORLD.generator, *WORLD.heads, WORLD.attributes, WORLD.keypoints)


@pytest.fixture(scope="session")
def url():
    missing = [name for name in NEEDED if not (root() / name / "model.safetensors").is_file()]
    if missing:
        pytest.skip(f"the zoo lacks {', '.join(missing)}")
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser, url):
    opened = open_page(browser, url, "desktop")
    yield opened
    opened.close()


@pytest.fixture
def taken(request, monkeypatch):
    """Slow edits (its parameter: seconds a step), and the steps that the server took."""
    seconds = getattr(request, "param", 0.25)
    steps_taken: list[int] = []

    def slowly(models, plan, latent, steps=Models.steps):
        for step in steps(models, plan, latent):
            steps_taken.append(step.index)
            time.sleep(seconds)
            yield step

    monkeypatch.setattr(Models, "steps", slowly)
    return steps_taken
