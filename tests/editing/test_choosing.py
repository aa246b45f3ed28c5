"""The step that is the result: the one that best balances wish and rest, sample by sample, or the one that arrived."""

import pytest
import torch

from sgf_hub.editing import EditConfig, EditRequest, EditStep, GainControlled, StopReason, Trajectory
from sgf_hub.editing.choosing import WEIGHT, changed, reached
from sgf_hub.editing.loop import StepState
from sgf_hub.editing.stepping import EditContext
from sgf_hub.errors import BadValueError
from sgf_hub.types import ConditionSpec, Latent, Target
from tests.toys import PlainPredictor, coupled_editor

SPEC = ConditionSpec(("smile", "bald", "hair", "hat"), groups=(("bald", "hair"),))
POINTS = ConditionSpec(("smile", "hat"), ("nose",))


def target_of(spec: ConditionSpec, c0: torch.Tensor, wishes: dict, **request) -> Target:
    return EditRequest(wishes, **request).target(PlainPredictor(torch.eye(spec.dimension), spec), c0)


def chosen(paths: list[list[list[float]]], wishes: dict, *, config: EditConfig | None = None, **request) -> Trajectory:
    """The outcome of edits whose pictures are read so: [sample][step][attribute], probabilities."""
    c = 2 * torch.tensor(paths).transpose(0, 1) - 1  # S, B, A
    predictor = PlainPredictor(torch.eye(4), SPEC)
    target = target_of(SPEC, c[0], wishes, **request)
    outcome = Trajectory(SPEC, config or EditConfig())
    for index, now in enumerate(c):
        reason = StopReason.TARGET_REACHED if index == len(c) - 1 else None
        distance = predictor.distance(now, target)
        outcome.add(EditStep(index, Latent(now.clone(), "w"), now, now, target, distance, (reason,) * len(now)))
    return outcome


SMILE = [[0.0, 0, 1, 0], [0.6, 0, 1, 0], [0.92, 0, 1, 0.1], [0.99, 0, 1, 0.9]]  # the last brings a hat with it
CLEAN = [[0.0, 0, 1, 0], [0.6, 0, 1, 0], [0.92, 0, 1, 0.1], [0.99, 0, 1, 0.1]]


def test_a_step_before_the_side_effect_is_taken_sample_by_sample() -> None:
    outcome = chosen([SMILE, CLEAN], {"smile": 1})
    assert outcome.chosen == [2, 3] and outcome.taken == [3, 3]
    assert outcome.result.c[:, 0].tolist() == pytest.approx([0.84, 0.98])
    assert outcome.reasons == (StopReason.TARGET_REACHED,) * 2


def test_it_is_the_same_alone_and_without_the_steps() -> None:
    assert chosen([SMILE], {"smile": 1}).chosen == [2] and chosen([CLEAN], {"smile": 1}).chosen == [3]


def test_a_sample_that_stopped_stays_at_its_own_step_while_others_move() -> None:
    outcome, c = Trajectory(SPEC, EditConfig(choose="arrived")), torch.zeros(2, 4)
    target = target_of(SPEC, c, {"smile": 1})
    for index, distance in enumerate((3.0, 0.5, 0.5)):
        reasons = (StopReason.TARGET_REACHED if index else None, StopReason.TARGET_REACHED if index == 2 else None)
        outcome.add(EditStep(index, Latent(c, "w"), c, c, target, torch.full((2,), distance), reasons))
    assert outcome.chosen == outcome.taken == [1, 2]


def test_arrived_is_the_last_step_and_the_papers() -> None:
    assert chosen([SMILE], {"smile": 1}, config=EditConfig(choose="arrived")).chosen == [3]
    assert chosen([SMILE], {"smile": 1}, config=EditConfig.paper()).chosen == [3]


def test_of_close_steps_only_but_where_none_is() -> None:
    # the clean step is at 80 of 100, which is not close; without the last one it is the best there is
    path = [[0.0, 0, 1, 0], [0.8, 0, 1, 0], [0.95, 0, 1, 0.9]]
    assert chosen([path], {"smile": 1}).chosen == [2]
    assert chosen([[*path[:2], [0.85, 0, 1, 0.9]]], {"smile": 1}).chosen == [1]


def test_what_excludes_a_wish_or_is_free_costs_nothing() -> None:
    bald = [[0, 0.0, 1.0, 0], [0, 0.92, 0.6, 0], [0, 0.99, 0.0, 0]]
    assert chosen([bald], {"bald": 1}).chosen == [2]
    assert chosen([SMILE], {"smile": 1}, release=("hat",)).chosen == [3]


def test_what_is_held_firmly_is_no_wish_but_must_be_close() -> None:
    outcome = chosen([SMILE], {"smile": 1}, hold=("hat",))
    assert outcome.chosen == [2]
    start = 2 * torch.tensor(SMILE)[:1] - 1
    target = target_of(SPEC, start, {"smile": 1}, hold=("hat",))
    assert target.asked.tolist() == [True, False, False, True] and target.c[0, 3] == -1
    assert reached(SPEC, start, start, target).tolist() == [0.0]


@pytest.mark.parametrize(
    ("request_", "also"), [({"hold": ("smile",)}, "asked for"), ({"hold": ("hat",), "release": ("hat",)}, "released")]
)
def test_a_name_is_held_or_something_else(request_: dict, also: str) -> None:
    with pytest.raises(BadValueError, match=f"is to be held, and is {also} too"):
        target_of(SPEC, torch.zeros(1, 4), {"smile": 1}, **request_)


def test_points_count_together_by_their_way() -> None:
    c0 = torch.tensor([[-1.0, -1.0, 0.5, 0.5]])
    c = torch.tensor([[0.0, 0.0, 0.5, 0.6]])
    assert reached(POINTS, c0, c, target_of(POINTS, c0, {"nose": (0.5, 0.7)})).item() == pytest.approx(0.5)
    both = target_of(POINTS, c0, {"nose": (0.5, 0.7), "smile": 1})
    assert reached(POINTS, c0, c, both).item() == pytest.approx(0.5)  # half of either
    assert changed(POINTS, c0, c, both).item() == pytest.approx(0.5) and 0 < WEIGHT < 1  # the hat


def test_a_caption_is_the_step_that_came_closest() -> None:
    spec, c = ConditionSpec(caption=1), torch.zeros(1, 1)
    outcome = Trajectory(spec, EditConfig())
    for index, distance in enumerate((3.0, 0.4, 0.6)):
        asked = Target(c + 1, torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.bool))
        outcome.add(EditStep(index, Latent(c, "w"), c, c, asked, torch.tensor([distance]), (None,)))
    assert outcome.chosen == [1]


def test_there_is_no_other_choice() -> None:
    with pytest.raises(BadValueError, match="choose is 'best'; choose 'balanced' or 'arrived'"):
        EditConfig(choose="best")  # type: ignore[arg-type]


def test_what_is_held_firmly_is_drawn_back_however_far_it_drifted() -> None:
    spec, c0 = ConditionSpec(("a", "b")), torch.tensor([[-0.9, -0.9]])
    editor = coupled_editor(torch.eye(2), spec)
    target = EditRequest({"a": 1}, hold=("b",)).target(editor.predictor, c0)
    delta_c = GainControlled().delta_c(EditContext(editor.mapping, spec, c0, target, EditConfig()))
    everyone = torch.tensor([True])
    for b in (-0.8, 0.9):
        now = torch.tensor([[-0.9, b]])
        moved = delta_c(StepState(1, everyone, now, now, lambda z: z))
        assert moved[0, 1].item() == pytest.approx(0.8 * (-0.9 - b)) and moved[0, 0] > 0
