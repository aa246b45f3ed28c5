"""One method's edits of one attribute: sweeps and their figures, on linear toys and on the toy zoo."""

from dataclasses import replace

import pytest
import torch

from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.errors import UnknownNameError
from sgf_hub.evaluation.disentanglement.evaluate import FIRST_SEED, evaluate_editor
from sgf_hub.evaluation.disentanglement.sweep import flip, sweep
from sgf_hub.evaluation.likeness import Likeness, outside, saliency, stages
from sgf_hub.predictors import load_predictor
from sgf_hub.types import ConditionSpec
from tests.toys import PlainPredictor, coupled_editor

NAMES = ("a", "b", "c")
CONFIG = EditConfig.paper(max_steps=40)


class Counting(PlainPredictor):
    """A judge that notes how many pictures it saw."""

    def __init__(self, matrix: torch.Tensor, spec: ConditionSpec) -> None:
        super().__init__(matrix, spec)
        self.seen: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(images))
        return super().forward(images)


def test_flip_inverts_one_and_holds_the_rest(editor: SGFEditor) -> None:
    c0 = torch.tensor([[0.9, -0.2, 0.0], [-0.9, 0.2, 0.0]])
    target = flip(editor.predictor, c0, "a")
    assert torch.equal(target.c, torch.tensor([[-1, -0.2, 0], [1, 0.2, 0]]))
    assert target.asked.tolist() == [True, False, False] and not target.released.any()
    assert flip(editor.predictor, c0, "c").c[:, 2].tolist() == [1, 1]  # 0 counts as absent


class TestSweep:
    def test_the_judge_looks_at_new_pictures_only(self, editor: SGFEditor) -> None:
        judge = Counting(torch.eye(3), editor.predictor.spec)
        run = sweep(editor, judge, CONFIG, "a", samples=6, seed=3)
        trajectory = editor.edit(
            editor.generator.sample(6, seed=3), flip(editor.predictor, run.conditions["predictor"][0], "a"), CONFIG
        )
        assert sum(judge.seen) == 6 + sum(trajectory.taken)
        torch.testing.assert_close(run.conditions["judge"], run.conditions["predictor"])

    def test_tells_scores_and_points(self) -> None:
        editor = coupled_editor(torch.eye(5), ConditionSpec(("a",), ("nose", "chin")))
        run = sweep(editor, None, CONFIG, "a", samples=4, seed=0)
        steps = len(run.latents)
        assert run.scores("predictor").shape == (steps, 4, 1)
        assert run.points("predictor").shape == (steps, 4, 2, 2)
        assert len(run.seconds) == steps and run.seconds == sorted(run.seconds)
        assert run.conditions.keys() == {"predictor"}


class TestFigures:
    def test_free_attributes_have_a_full_score(self, editor: SGFEditor) -> None:
        evaluations = list(evaluate_editor(editor, None, CONFIG, samples=8, seeds=(0, 1)))
        assert [(one.result.attribute, one.result.seed) for one in evaluations] == [
            (n, s) for n in NAMES for s in (0, 1)
        ]
        for one in evaluations:
            seen = one.result.readings["predictor"]
            reached = max(seen.curve.accuracy)
            assert set(seen.curve.disentanglement) == {1.0}
            assert (seen.mds, seen.score_drift, seen.point_drift) == (pytest.approx(reached), 0, None)
            assert one.result.measures.distance is None  # these toys have no backbone

    def test_entangled_ones_less(self, entangled: SGFEditor) -> None:
        (one,) = evaluate_editor(entangled, None, CONFIG, attributes=("a",), samples=8)
        seen = one.result.readings["predictor"]
        assert 0 < seen.mds < max(seen.curve.accuracy)
        assert seen.score_drift > 0.1

    def test_latents_are_the_seeds_own_and_the_same_for_all(self, editor: SGFEditor, entangled: SGFEditor) -> None:
        (one,) = evaluate_editor(editor, None, CONFIG, attributes=("a",), samples=4, seeds=(2,))
        (two,) = evaluate_editor(entangled, None, CONFIG, attributes=("b",), samples=4, seeds=(2,))
        assert torch.equal(one.before.data, two.before.data)
        assert torch.equal(one.before.data, editor.generator.sample(4, seed=FIRST_SEED + 2).data)

    def test_the_judge_has_its_own_view(self, editor: SGFEditor) -> None:
        judge = PlainPredictor(-torch.eye(3), ConditionSpec(NAMES))  # sees the opposite
        (one,) = evaluate_editor(editor, judge, CONFIG, attributes=("a",), samples=8)
        assert one.result.readings["predictor"].mds > 0.5
        assert one.result.readings["judge"].mds == 0

    def test_a_sweep_that_runs_on_is_also_told_as_if_samples_stopped(self, entangled: SGFEditor) -> None:
        """Run on, b changes at last in all samples; stopping at the target, in few."""
        far = replace(CONFIG, tolerance=0.0, max_steps=60)
        (one,) = evaluate_editor(entangled, None, far, attributes=("a",), samples=16)
        (stopping,) = evaluate_editor(entangled, None, replace(CONFIG, return_best=True), attributes=("a",), samples=16)
        found, expected = one.result.readings["predictor"], stopping.result.readings["predictor"]
        assert found.mds_stopping == pytest.approx(expected.mds)
        assert expected.mds_stopping == expected.mds

    def test_after_is_the_best_settings_result(self, entangled: SGFEditor) -> None:
        (one,) = evaluate_editor(entangled, None, CONFIG, attributes=("a",), samples=8)
        seen, see = one.result.readings["predictor"], entangled.predictor
        before, after = (see(entangled.generator.synthesize(x)).clamp(-1, 1) for x in (one.before, one.after))
        changed = ((after - before).abs() / 2 > 0.5).double()
        assert changed[:, 0].mean().item() == pytest.approx(seen.curve.accuracy[seen.best])
        assert 1 - changed[:, 1:].mean().item() == pytest.approx(seen.curve.disentanglement[seen.best])
        assert one.result.steps <= seen.best

    def test_of_an_unknown_attribute(self, editor: SGFEditor) -> None:
        with pytest.raises(UnknownNameError, match="'smlie' is unknown here"):
            list(evaluate_editor(editor, None, CONFIG, attributes=("smlie",)))

    def test_of_one_that_the_judge_lacks(self, editor: SGFEditor) -> None:
        judge = PlainPredictor(torch.eye(3)[:2], ConditionSpec(("a", "b")))
        with pytest.raises(UnknownNameError, match="'c' is unknown here"):
            list(evaluate_editor(editor, judge, CONFIG))


class TestLikeness:
    @pytest.fixture
    def lens(self, toy_zoo):
        return load_predictor(str(toy_zoo / "toy-attributes"))

    @pytest.fixture
    def images(self) -> torch.Tensor:
        return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def test_of_the_same_pictures_is_zero(self, lens, images) -> None:
        likeness = Likeness.of(lens, images, "smile")
        assert likeness.distance(images) == 0
        assert 0 < likeness.distance(images.flip(0)) <= 4

    def test_grows_with_the_change(self, lens, images) -> None:
        likeness = Likeness.of(lens, images, "smile")
        other = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
        distances = [likeness.distance(images + share * (other - images)) for share in (0.1, 0.3, 1.0)]
        assert distances == sorted(distances)

    def test_what_is_inside_the_edit_does_not_count(self, lens, images, monkeypatch) -> None:
        """Features of one pixel each: a change where the attribute shows is free, one elsewhere is not."""
        monkeypatch.setattr("sgf_hub.evaluation.likeness.stages", lambda backbone, images: (images + 2,))
        where = saliency(lens, images, 0)
        likeness = Likeness(lens.backbones[0], images, where)
        inside, beyond = images.clone(), images.clone()
        kept = outside(where, 32)
        inside[:, 0, ~kept] *= -1
        beyond[:, 0, kept] *= -1
        assert likeness.distance(inside) == 0 and likeness.distance(beyond) > 0

    @pytest.mark.parametrize("side", [1, 2, 3, 16])
    def test_a_quarter_is_inside(self, side: int) -> None:
        salient = torch.rand(32, 32, generator=torch.Generator().manual_seed(2))
        kept = outside(salient, side)
        assert kept.shape == (side, side)
        assert kept.sum() == (side**2 - max(1, round(side**2 / 4)) if side > 1 else 1)

    def test_saliency_is_a_mean_of_maps_of_sum_1(self, lens, images) -> None:
        each = [saliency(lens, image[None], 0) for image in images]
        assert all(one.sum().item() == pytest.approx(1, abs=1e-5) for one in each)
        torch.testing.assert_close(saliency(lens, images, 0), torch.stack(each).mean(dim=0), atol=1e-7, rtol=1e-4)

    def test_every_stage_counts(self, lens, images) -> None:
        assert len(stages(lens.backbones[0], images)) == 3
