"""Points that are dragged: the preview on the way, and what the page shows of how near they came."""

import pytest
import torch

from app.core.errors import UserError
from app.core.session import TAKEN, Edit, Plan, Session
from app.models.services import Reading
from app.panels import edits
from app.widgets.report import came
from sgf_hub.types import ConditionSpec
from tests.app.visits import begin, handle, run

CHIN = {"moved": {"chin": [0.5, 0.95]}, "drag": 1}


@pytest.fixture
def session(panel) -> Session:
    return begin(panel)[panel.session]


def previewed(panel, session: Session, last: object, value: object) -> tuple:
    """The preview's state, and the stage's message."""
    offer = next(one for one in panel.offers if one.by_points)
    values = [value, None, *(getattr(control, "value", None) for control in offer.inputs[2:])]
    updates = handle(panel, edits.previewed(offer), session, last, value, *values)
    assert set(updates) == {panel.dragged, panel.stage}, "nothing is edited yet"
    return updates[panel.dragged], updates[panel.stage]


def test_a_drag_goes_a_step_at_a_time_from_where_its_preview_is(panel, session):
    first, shown = previewed(panel, session, None, CHIN)
    assert shown["preview"] == 1 and shown["image"].startswith("data:image/jpeg") and len(shown["points"]) == 27
    assert not torch.equal(first.latent.data, session.latent.data)
    second, _ = previewed(panel, session, first, CHIN)
    assert not torch.equal(second.latent.data, first.latent.data)
    other, _ = previewed(panel, session, second, {**CHIN, "drag": 2})
    assert torch.equal(other.latent.data, first.latent.data), "another drag begins at the picture"


@pytest.mark.parametrize("value", [None, {"moved": {}, "drag": 1}, {**CHIN, "drag": "x"}, {**CHIN, "drag": None}])
def test_a_drag_that_cannot_be_read_is_told(panel, session, value):
    with pytest.raises(UserError):
        previewed(panel, session, None, value)


def test_points_are_asked_for_once(panel, session):
    *_, last = run(panel, session, Plan("sgf-avatars-keypoints", {"chin": (0.5, 0.95), "smile": 1.0}, max_steps=2))
    assert last[panel.session].last.reason != "TARGET_REACHED"
    assert last[panel.stage]["done"] == ["chin"], "a wish of a slider stays, to go on from here"
    (x, y, rest) = last[panel.stage]["came"]["chin"]
    assert (x, y) == (0.5, 0.95) and rest > 0.01


SPEC = ConditionSpec(keypoints=("chin", "nose_tip"))


@pytest.mark.parametrize(
    ("now", "reason", "rests"),
    [
        ([0.5, 0.9, 0.5, 0.5], "STALLED", [0, 0]),
        ([0.5, 0.94, 0.5, 0.5], "STALLED", [0.04, 0]),
        ([0.5, 0.915, 0.5, 0.5], "STALLED", [0, 0]),  # together, as an edit has it
        ([0.5, 0.94, 0.5, 0.5], "TARGET_REACHED", [0, 0]),
        ([0.5, 0.94, 0.5, 0.53], TAKEN, [0.04, 0.03]),
    ],
)
def test_how_near_points_came(now, reason, rests):
    plan = Plan("some", {"chin": (0.5, 0.9), "nose_tip": (0.5, 0.5)})
    found = came(Edit(plan, None, 3, reason, 1.0), Reading(torch.zeros(3, 4, 4), torch.tensor(now), SPEC))
    assert [place for place, _ in found.values()] == [(0.5, 0.9), (0.5, 0.5)]
    assert [rest for _, rest in found.values()] == pytest.approx(rests, abs=1e-6)
