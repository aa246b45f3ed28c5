"""The measures of other papers, against numbers worked out by hand (docs/metrics.md has the formulas)."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, tensor

from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.evaluation.disentanglement.measures import dci as of_dci
from sgf_hub.evaluation.disentanglement.measures.arrival import ARRIVED, arrival, log_odds, towards
from sgf_hub.evaluation.disentanglement.measures.dependency import attribute_dependency
from sgf_hub.evaluation.disentanglement.measures.flip import Edited, measure
from sgf_hub.evaluation.disentanglement.measures.path import (
    POSITIONS,
    along,
    conceptual_range,
    monotonicity,
    smoothness,
)
from sgf_hub.evaluation.disentanglement.measures.reference import COUNT, Reference
from sgf_hub.evaluation.disentanglement.measures.rescoring import rescoring
from sgf_hub.evaluation.disentanglement.measures.together import together
from sgf_hub.evaluation.disentanglement.sweep import Sweep, held, sweep
from sgf_hub.evaluation.likeness import identity
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.predictors import load_predictor
from sgf_hub.types import ConditionSpec

NINE = math.log(9)


def columns(*samples: tuple[float, ...]) -> Tensor:
    """A sample a tuple, its values along the way: [S, N]."""
    return tensor(samples, dtype=torch.float64).T


class TestArrival:
    def test_log_odds(self) -> None:
        """ln .9/.1 = ln 9, ln .5/.5 = 0; 0 and 1 count as 1e-4 and 1 - 1e-4: ln 9999 = 9.2102."""
        found = log_odds(tensor([0.9, 0.5, 0.1, 1.0, 0.0]))
        assert found.tolist() == pytest.approx([NINE, 0, -NINE, 9.2102, -9.2102], abs=1e-4)
        assert pytest.approx(NINE) == ARRIVED

    def test_towards_turns_round_what_should_go(self) -> None:
        assert towards(tensor([[1.0, 2.0]]), tensor([True, False])).tolist() == [[1, -2]]

    def test_first_step_at_ninety_percent_or_the_closest(self) -> None:
        """ln 9 = 2.197. The first sample passes it at step 2; the second comes closest at step 2, and has not arrived;
        the third was there before the edit, and so has not either."""
        end = arrival(columns((-3, 1, 2.5, 3), (-3, -1, 0, -2), (3, 2, 1, 0)))
        assert end.steps.tolist() == [2, 2, 0]
        assert end.arrived.tolist() == [True, False, False]


class TestDependency:
    SIGMA = tensor([2.0, 1.0, 4.0])
    RISING = tensor([True, False, True])
    # Target, sample 1: from -ln 9 to 3 ln 9, so it arrives half way. The others are then at 0 + 2/2 = 1 and
    # 1 - 4/2 = -1: |1 - 0| / 1 = 1 and |-1 - 1| / 4 = 0.5; mean 0.75, max 1; shift 2 ln 9 / 2 = ln 9.
    # Sample 2 should lose the target: ln 9 to -ln 9, arrives at step 1: 3 / 1 and 0 / 4; mean 1.5, max 3; shift ln 9.
    # Sample 3 never arrives, and does not count, whatever else it changes.
    LOGITS = torch.stack(
        [
            tensor([[-NINE, 0.0, 1.0], [NINE, 0.0, 0.0], [-NINE, 0.0, 0.0]]),
            tensor([[3 * NINE, 2.0, -3.0], [-NINE, -3.0, 0.0], [0.0, 9.0, 9.0]]),
        ]
    ).double()

    def test_by_hand(self) -> None:
        found = attribute_dependency(self.LOGITS, self.SIGMA, 0, [1, 2], self.RISING)
        assert found.mean == pytest.approx((0.75 + 1.5) / 2)
        assert found.most == pytest.approx((1 + 3) / 2)
        assert found.shift == pytest.approx(NINE)

    def test_going_on_after_arrival_costs_nothing(self) -> None:
        """Methods are compared at one change of the target: what a longer sweep does later is not read."""
        longer = torch.cat([self.LOGITS, self.LOGITS[1:] * 3])
        some = slice(0, 2)
        first = attribute_dependency(self.LOGITS[:, some], self.SIGMA, 0, [1, 2], self.RISING[some])
        assert attribute_dependency(longer[:, some], self.SIGMA, 0, [1, 2], self.RISING[some]) == first

    def test_smaller_steps_of_the_same_way_measure_the_same(self) -> None:
        halves = torch.stack([self.LOGITS[0], self.LOGITS.mean(dim=0), self.LOGITS[1]])
        fine = attribute_dependency(halves, self.SIGMA, 0, [1, 2], self.RISING)
        coarse = attribute_dependency(self.LOGITS, self.SIGMA, 0, [1, 2], self.RISING)
        assert vars(fine) == pytest.approx(vars(coarse))

    def test_where_nothing_arrives_or_nothing_should_stay(self) -> None:
        assert attribute_dependency(self.LOGITS[:, 2:], self.SIGMA, 0, [1, 2], self.RISING[2:]) is None
        assert attribute_dependency(self.LOGITS, self.SIGMA, 0, [], self.RISING) is None

    def test_what_samples_never_vary_in_is_not_divided_by_zero(self) -> None:
        """Its sigma counts as 0.1: |1| / 0.1 = 10 of sample 1, |3| / 0.1 = 30 of sample 2."""
        found = attribute_dependency(self.LOGITS, tensor([2.0, 0.0, 4.0]), 0, [1], self.RISING)
        assert found.mean == pytest.approx(20)


def test_rescoring() -> None:
    """Rising: +0.7, +0.1; falling, with the other sign: 0.9 - 0.1 = 0.8, 0.5 - 0.2 = 0.3. Means 0.75 and 0.2."""
    before, after = tensor([[0.2, 0.5], [0.9, 0.5]]), tensor([[0.9, 0.6], [0.1, 0.2]])
    assert rescoring(before, after, tensor([True, False])).tolist() == pytest.approx([0.75, 0.2])


class TestDCI:
    @pytest.mark.parametrize(
        ("importance", "disentanglement", "completeness"),
        [
            ([[1, 0], [0, 1]], 1, 1),
            ([[1, 1], [1, 1]], 0, 0),
            # Rows (3/4, 1/4): H = 0.8113 bits, and (0, 1): 0; each has half of the weight: (0.1887 + 1) / 2 = 0.5944.
            # Columns (1, 0): 0, and (1/5, 4/5): 0.7219: (1 + 0.2781) / 2 = 0.6390.
            ([[3, 1], [0, 4]], 0.5944, 0.6390),
            # Three codes: column (1/2, 1/2, 0) has ln 2 / ln 3 = 0.6309, (0, 0, 1) has 0: (0.3691 + 1) / 2 = 0.6845.
            ([[1, 0], [1, 0], [0, 2]], 1, 0.6845),
            # A code that matters for nothing weighs nothing.
            ([[1, 0], [0, 1], [0, 0]], 1, 1),
        ],
    )
    def test_by_hand(self, importance: list, disentanglement: float, completeness: float) -> None:
        matrix = tensor(importance, dtype=torch.float64)
        assert of_dci.disentanglement(matrix) == pytest.approx(disentanglement, abs=1e-4)
        assert of_dci.completeness(matrix) == pytest.approx(completeness, abs=1e-4)

    SAMPLES = torch.arange(40).repeat(2)
    FACTORS = torch.block_diag(*torch.rand(2, 40, 1, generator=torch.Generator().manual_seed(0)).sub(0.5).sign())

    def test_edits_that_move_their_own_score_alone(self) -> None:
        found = of_dci.dci(0.8 * self.FACTORS, self.FACTORS, self.SAMPLES)
        assert vars(found) == pytest.approx({"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=0.01)

    def test_edits_that_move_both_scores_alike_cannot_be_told_apart(self) -> None:
        both = self.FACTORS.sum(dim=1, keepdim=True).repeat(1, 2)
        found = of_dci.dci(both, self.FACTORS, self.SAMPLES)
        assert found.disentanglement < 0.1 and found.informativeness < 0.7

    def test_edits_that_change_nothing(self) -> None:
        found = of_dci.dci(torch.zeros(80, 2), self.FACTORS, self.SAMPLES)
        assert vars(found) == {"disentanglement": 0, "completeness": 0, "informativeness": 0}

    def test_is_not_defined_for_one_attribute_or_too_few_samples(self) -> None:
        assert of_dci.dci(self.FACTORS, self.FACTORS[:, :1], self.SAMPLES) is None
        assert of_dci.dci(self.FACTORS, self.FACTORS, self.SAMPLES.clamp_max(2)) is None


class TestPath:
    def test_positions_at_equal_distances_until_the_result(self) -> None:
        """Steps at 0, 1, 4, 9, the result at 4: positions every 4 / 8. The other sample has not moved."""
        latents = columns((0, 1, 4, 9), (5, 6, 7, 8)).unsqueeze(2)
        found = along(latents, tensor([2, 0])).squeeze(2)
        assert found[:, 0].tolist() == pytest.approx([i / 2 for i in range(9)])
        assert found[:, 1].tolist() == [5] * POSITIONS

    def test_round_a_corner(self) -> None:
        """3 to the right, 4 up: 7 long; half of it is 3.5, 0.5 beyond the corner."""
        latents = tensor([[[0.0, 0.0]], [[3.0, 0.0]], [[3.0, 4.0]]])
        assert along(latents, tensor([2]))[4].tolist() == [[3, 0.5]]

    def test_of_w_plus(self) -> None:
        latents = torch.stack([torch.zeros(1, 2, 3), torch.ones(1, 2, 3)])
        assert along(latents, tensor([1])).shape == (POSITIONS, 1, 2, 3)

    @pytest.mark.parametrize(
        ("scores", "expected"),
        [
            ((0.1, 0.2, 0.9), 1),
            ((0.9, 0.2, 0.1), -1),
            ((0.1, 0.3, 0.2), 0.5),  # ranks 0, 2, 1: 1 - 6 (0 + 1 + 1) / (3 (9 - 1))
            ((0.1, 0.1, 0.2), 0.8660),  # ranks .5, .5, 2: (.5 + 1) / sqrt((.25 + .25 + 1) 2)
            ((0.4, 0.4, 0.4), 0),
        ],
    )
    def test_monotonicity(self, scores: tuple, expected: float) -> None:
        assert monotonicity(columns(scores)) == pytest.approx(expected, abs=1e-4)
        assert monotonicity(columns(scores, (0, 1, 2))) == pytest.approx((expected + 1) / 2, abs=1e-4)

    @pytest.mark.parametrize(
        ("scores", "expected"),
        [
            ((0, 0.5, 1), 0.25),  # steps 0, .5, .5, 0, mean .25
            ((0, 1, 1), 0.4330),  # 0, 1, 0, 0, mean .25: sqrt((3/16 + 9/16) / 4)
            ((0.2, 0.6, 0.4), 0.1633),  # .2, .4, .6 (the fall of .2 is left out), mean .4: sqrt(.08 / 3)
            (tuple(i / 8 for i in range(9)), 0.05),  # 0, eight of .125, 0, mean .1: sqrt((2 .01 + 8 .000625) / 10)
            ((0,) * 5 + (1,) * 4, 0.3),  # nine of 0, one of 1, mean .1: sqrt((9 .01 + .81) / 10)
        ],
    )
    def test_smoothness(self, scores: tuple, expected: float) -> None:
        assert smoothness(columns(scores)) == pytest.approx(expected, abs=1e-4)

    def test_range(self) -> None:
        """0.8 - 0.1 = 0.7 at the best of three strengths, and nothing: mean 0.35."""
        assert conceptual_range(columns((0.1, 0.8, 0.5), (0.4, 0.2, 0.3))) == pytest.approx(0.35)


def test_identity() -> None:
    """Cosines 0 (at right angles), 1 (twice as long), 0.6 (3 of 5): mean 1.6 / 3."""
    before, after = tensor([[1.0, 0], [1, 1], [1, 0]]), tensor([[0.0, 1], [2, 2], [3, 4]])
    assert identity(before, after) == pytest.approx(1.6 / 3)


class TestTogether:
    def edited(self, moves: Tensor, before: list[float], after: list[float], arrived: list[bool]) -> Edited:
        features = (torch.stack([tensor(side), torch.zeros(len(side))], dim=1) for side in (before, after))
        return Edited(moves, torch.ones(len(arrived), dtype=torch.bool), tensor(arrived), *features)

    def test_frechet_of_what_arrived(self) -> None:
        """Unedited: -1, 1 (mean 0, variance 2). Results that arrived: 1 and 3 (2, 2): (2 - 0)^2 + 2 + 2 - 2 sqrt 4 = 4.
        Their starts: 0 and 4 (2, 8): 4 + 8 + 2 - 2 sqrt 16 = 6. The wild one has not arrived."""
        edits = [
            self.edited(torch.eye(2)[:1], [0.0], [1.0], [True]),
            self.edited(torch.eye(2), [4.0, 4.0], [3.0, 99.0], [True, False]),
        ]
        found = together(edits, Reference(torch.ones(2), tensor([[-1.0, 0], [1, 0]])))
        assert found == pytest.approx({"frechet": 4, "frechet_unedited": 6})  # too few samples for DCI

    def test_dci_of_all_edits(self) -> None:
        """Each edit moves its own score to the asked side alone."""
        sides = tensor([1.0, -1, -1, 1, 1, -1, 1, -1])
        edits = [
            replace(self.edited(sides[:, None] * torch.eye(2)[i], [0.0] * 8, [0.0] * 8, [False] * 8), rising=sides > 0)
            for i in range(2)
        ]
        found = together(edits, Reference(torch.ones(2), torch.zeros(3, 2)))
        assert found == pytest.approx({"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=0.02)

    def test_a_file_of_it(self, tmp_path: Path) -> None:
        edit = self.edited(torch.rand(3, 2), [1.0, 2, 3], [2.0, 3, 4], [True, False, True])
        edit.save(tmp_path / "x.safetensors")
        again = Edited.load(tmp_path / "x.safetensors")
        assert all(torch.equal(getattr(again, name), value) for name, value in vars(edit).items())


class TestReference:
    def test_units_are_of_the_generators_samples(self, editor: SGFEditor) -> None:
        reference = Reference.of(editor, editor.predictor)
        scores = ((editor.generator.sample(COUNT, seed=500).data + 1) / 2).clamp(0, 1)  # c is the latent
        torch.testing.assert_close(reference.sigma, log_odds(scores).std(dim=0))
        assert reference.features.shape == (COUNT, 0)  # no network to ask

    def test_a_file_of_other_models_is_not_read(self, tmp_path: Path) -> None:
        path, reference = tmp_path / "reference.safetensors", Reference(torch.ones(3), torch.rand(4, 2))
        assert Reference.load(path, "a") is None
        reference.save(path, "a")
        assert torch.equal(Reference.load(path, "a").features, reference.features)
        assert Reference.load(path, "b") is None


class TestMeasure:
    CONFIG = replace(EditConfig.paper(max_steps=60), tolerance=0.0)

    def measured(self, editor: SGFEditor):
        run = sweep(editor, None, self.CONFIG, "a", samples=12, seed=3)
        return measure(
            run, editor.predictor, "predictor", editor.generator, Reference(torch.ones(3), torch.zeros(0, 0))
        )

    def test_of_free_attributes(self, editor: SGFEditor) -> None:
        found, edited = self.measured(editor)
        assert found.arrived > 0.7 and found.range > 0.7
        assert (found.dependency, found.dependency_most, found.rescored_others) == (0, 0, 0)
        assert found.rescoring["a"] > 0.4 and found.rescoring["b"] == found.rescoring["c"] == 0
        assert found.monotonicity == pytest.approx(1, abs=0.05) and found.target_shift > 0
        assert found.identity is found.distance is found.preservation is None  # no network to ask
        assert edited.moves.shape == (12, 3) and edited.after.shape == (12, 0)

    def test_of_entangled_ones(self, entangled: SGFEditor) -> None:
        """b moves with a, c stays: the largest of the two is twice their mean."""
        found, _ = self.measured(entangled)
        assert found.dependency_most == pytest.approx(2 * found.dependency) and found.dependency > 0
        assert found.rescoring["b"] > 0.3 and found.rescoring["c"] == 0
        assert found.rescored_others == pytest.approx(found.rescoring["b"] / 2)

    def test_an_edit_that_does_nothing(self, editor: SGFEditor) -> None:
        run = sweep(editor, None, replace(self.CONFIG, max_steps=1), "a", samples=4, seed=3)
        still = replace(run, conditions={"predictor": torch.full((len(run.latents), 4, 3), -0.5)})
        units = Reference(torch.ones(3), torch.zeros(0, 0))
        found, _ = measure(still, editor.predictor, "predictor", editor.generator, units)
        assert (found.arrived, found.range) == (0, 0)
        assert {name for name, value in vars(found).items() if value is not None} == {"arrived", "range"}

    def test_of_pictures(self, toy_zoo: Path) -> None:
        """A judge with a network tells how alike pictures are; it says here that the first of two samples arrives."""
        generator = StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2")
        judge = load_predictor(str(toy_zoo / "toy-attributes"))
        latents = [generator.sample(2, seed=seed) for seed in (0, 1)]
        seen = torch.full((2, 2, 3), -0.9)
        seen[1, 0, 0] = 0.9
        run = Sweep(
            "smile", tensor([True, True]), latents, torch.zeros(2, 2), {"judge": seen}, {"judge": judge.spec}, [0, 1]
        )
        features = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
        found, edited = measure(run, judge, "judge", generator, Reference(torch.ones(3), features))
        assert found.arrived == 0.5 and edited.arrived.tolist() == [True, False]
        assert found.rescoring == pytest.approx({"smile": 0.9, "black_hair": 0, "blond_hair": 0}, abs=1e-6)
        one, other = (
            judge.backbones[0](generator.synthesize(latent[:1])).mean(dim=(2, 3)) - features.mean(dim=0)
            for latent in latents
        )
        assert found.identity == pytest.approx(torch.cosine_similarity(one, other).item(), abs=1e-5)
        assert found.distance > 0 and 0 < found.preservation

    def test_what_excludes_the_asked_one_need_not_stay(self) -> None:
        spec = ConditionSpec(("smile", "black", "blond", "hat"), groups=(("black", "blond"),))
        assert held(spec, "black") == [0, 3] and held(spec, "hat") == [0, 1, 2]
