"""What is measured of edits, on toys where the numbers are known."""

import json
import math
from pathlib import Path

import pytest
import torch

from sgf_hub.cli.measure import keep
from sgf_hub.editing import EditConfig, Fixed, GainControlled, SGFEditor
from sgf_hub.evaluation.edits import flips, keypoint_moves, mean_and_spread, measure_edits, measured_with
from sgf_hub.types import ConditionSpec
from tests.toys import PlainPredictor, coupled_editor

NAMES = ("a", "b", "c")


CONFIG = EditConfig.paper(max_steps=60)


class TestFlips:
    def test_free_attributes_all_arrive_alone(self, editor: SGFEditor) -> None:
        results = list(flips(editor, editor.predictor, CONFIG, samples=8, seed=0))
        assert [result.attribute for result in results] == list(NAMES)
        for result in results:
            assert (result.reached, result.reached_by_judge, result.others_changed) == (1, 1, 0)
            assert 0 < result.steps <= 20

    def test_entangled_ones_change_others(self, entangled: SGFEditor) -> None:
        result = next(flips(entangled, entangled.predictor, CONFIG, samples=8, seed=0))
        z = entangled.generator.sample(8, seed=0).data
        # the score moves to within 0.2 of its negated sign, and b with it: by half of that in probability
        end = next(iter([entangled.edit(entangled.generator.sample(8, seed=0), _target(z), CONFIG).result.c]))
        expected = ((end[:, 1] - z[:, 1]).abs() / 2 > 0.5).float().mean().item()
        assert result.others_changed == result.others_changed_by_predictor == pytest.approx(expected)
        assert expected > 0

    def test_siblings_are_not_counted(self, entangled: SGFEditor) -> None:
        entangled.predictor.spec = ConditionSpec(NAMES, groups=(("a", "b"),))
        assert next(flips(entangled, entangled.predictor, CONFIG, samples=8, seed=0)).others_changed == 0

    def test_a_judge_with_its_own_order_of_names(self, entangled: SGFEditor) -> None:
        entangled.predictor.spec = ConditionSpec(NAMES, groups=(("a", "b"),))
        judge = PlainPredictor(torch.eye(3)[[2, 1, 0]], ConditionSpec(("c", "b", "a")))
        result = next(flips(entangled, judge, CONFIG, samples=8, seed=0))
        assert (result.others_changed, result.reached_by_judge) == (0, 1)

    def test_the_judge_is_another(self, editor: SGFEditor) -> None:
        judge = PlainPredictor(-torch.eye(3), ConditionSpec(NAMES))  # sees the opposite
        result = next(flips(editor, judge, CONFIG, samples=8, seed=0, attributes=("b",)))
        assert (result.attribute, result.reached, result.reached_by_judge) == ("b", 1, 0)

    def test_what_does_not_arrive(self, editor: SGFEditor) -> None:
        config = EditConfig.paper(max_steps=2)
        editor = editor.with_stepping(Fixed(order=0, step_size=0.001))
        result = next(flips(editor, editor.predictor, config, samples=8, seed=0))
        assert (result.reached, result.steps) == (0, 2)


def _target(z: torch.Tensor):
    from sgf_hub.types import Target

    c1 = z.clone()
    c1[:, 0] = -z[:, 0].sign()
    asked = torch.tensor([True, False, False])
    return Target(c1, asked, torch.zeros_like(asked))


class TestKeypoints:
    spec = ConditionSpec(("a",), ("nose", "chin"))

    def test_they_move_to_another_samples(self) -> None:
        editor = coupled_editor(torch.eye(5), self.spec)
        moves = keypoint_moves(
            editor.with_stepping(GainControlled()), editor.predictor, EditConfig(), samples=6, seed=1
        )
        result, alone, left, right = moves  # of a nose and a chin there is no feature
        z = editor.generator.sample(12, seed=1).data
        points = (z[:6, 1:] - z[6:, 1:]).unflatten(1, (2, 2)).norm(dim=-1)
        assert result.before == pytest.approx(points.mean().item(), rel=1e-5)
        assert result.after == pytest.approx(result.after_by_judge)
        assert (result.reached, result.close, result.attributes_changed) == (1, 1, 0)
        assert result.after <= 0.01
        assert (alone.moved, alone.samples, alone.reached) == ("a point alone", 2, 1)
        assert alone.before == pytest.approx(0.02, rel=1e-4) and alone.held_moved < 0.001
        assert (left.before, right.before) == (pytest.approx(0.03, rel=1e-4),) * 2 and left.held_moved == 0

    def test_a_feature_beside_an_attribute(self) -> None:
        spec = ConditionSpec(("glasses", "smile"), ("mouth_left", "mouth_right", "chin"))
        editor = coupled_editor(torch.eye(8), spec).with_stepping(GainControlled())
        found = {one.moved: one for one in keypoint_moves(editor, editor.predictor, EditConfig(), samples=4, seed=1)}
        assert found["mouth corners up"].reached == found["mouth corners up, glasses flipped"].reached == 1
        assert found["mouth corners up, glasses flipped"].attributes_changed == pytest.approx(1 / 2)

    def test_that_do_not(self) -> None:
        editor = coupled_editor(torch.zeros(5, 5), self.spec)
        result = next(keypoint_moves(editor, editor.predictor, EditConfig.paper(max_steps=2), samples=6, seed=1))
        assert (result.reached, result.close, result.after) == (0, 0, pytest.approx(result.before))


class TestSummaries:
    def test_mean_and_spread(self) -> None:
        rows = [{"name": "x", "value": 1.0, "count": 3}, {"name": "x", "value": 3.0, "count": 3}]
        assert mean_and_spread(rows) == {
            "name": "x",
            "value": 2.0,
            "value_std": pytest.approx(math.sqrt(2)),
            "count": 3.0,
            "count_std": 0.0,
        }

    def test_one_run_has_no_spread(self) -> None:
        assert mean_and_spread([{"value": 2.0}]) == {"value": 2.0}

    def test_a_row_a_stepping_and_attribute(self, editor: SGFEditor) -> None:
        rows = list(measure_edits({"x": (editor, CONFIG), "y": (editor, CONFIG)}, editor.predictor, samples=2, seeds=2))
        assert [(row["stepping"], row["attribute"]) for row in rows] == [(s, a) for s in "xy" for a in NAMES]
        assert all("reached_std" in row for row in rows)

    def test_a_row_a_stepping_of_keypoints(self) -> None:
        editor = coupled_editor(torch.eye(5), TestKeypoints.spec)
        rows = list(measure_edits({"x": (editor, EditConfig())}, editor.predictor, samples=2, seeds=1))
        assert [row["moved"] for row in rows][:2] == ["all, to another's", "a point alone"]
        assert {row["stepping"] for row in rows} == {"x"} and "after_by_judge" in rows[0]

    @pytest.mark.parametrize("keypoints", [False, True])
    def test_steppings_are_the_papers_and_ours(self, editor: SGFEditor, keypoints: bool) -> None:
        paper, published = measured_with(editor, "paper", keypoints=keypoints)
        best, settings = measured_with(editor, "tuned", keypoints=keypoints)
        assert (paper.stepping, published) == (Fixed(), EditConfig.paper())
        assert (best.stepping, settings) == (GainControlled(), EditConfig(tolerance=0.5 if keypoints else 1.0))


class TestKept:
    """What `sgf-hub measure` leaves in measured.json of an earlier run."""

    def kept(self, folder: Path, steppings: str, *, samples: int = 5) -> dict:
        rows = [{"stepping": one, "reached": float(samples)} for one in steppings.split(",")]
        figures = {"samples": samples, "seeds": 1, "steppings": steppings, "rows": rows}
        keep(str(folder), "edits", figures, tell=False)
        return json.loads((folder / "measured.json").read_text())["edits"]

    def test_other_steppings_stay(self, tmp_path: Path) -> None:
        self.kept(tmp_path, "tuned")
        figures = self.kept(tmp_path, "paper,unconstrained")
        assert [row["stepping"] for row in figures["rows"]] == ["tuned", "paper", "unconstrained"]
        assert figures["command"].endswith("--samples 5 --seeds 1 --steppings tuned,paper,unconstrained")
        assert len(self.kept(tmp_path, "tuned")["rows"]) == 3  # renewed, and not there twice

    def test_other_samples_do_not(self, tmp_path: Path) -> None:
        self.kept(tmp_path, "tuned")
        assert len(self.kept(tmp_path, "paper", samples=6)["rows"]) == 1
