"""The edit that the page offers of its first picture does what it promises, on the models that ship."""

import numpy as np
import pytest
from PIL import Image

from app.core.model_sets import Faces
from app.models.services import Models
from app.offers import offered
from app.panels.links import OFFERS
from app.widgets import render

pytestmark = pytest.mark.slow


def test_it_arrives_changes_nothing_else_and_is_seen() -> None:
    found = offered(Models(), Faces(), Faces.first)
    assert found and found.changed > 0.14, "choose another face: python -m app.offers"
    kept = Image.open(OFFERS / f"{Faces.kind}.jpg")
    now = render.picture(found.after, render.SIDE)
    apart = np.abs(np.asarray(kept, float) - np.asarray(now, float)).mean()
    assert apart < 3, "the picture is of other models: python -m app.offers"
