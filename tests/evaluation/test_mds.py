"""The score of Section 4.4.1, against curves whose area is known by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.disentanglement.mds import Curve, at_steps, manipulation_curve, settle

YES, NO = torch.tensor([True]), torch.tensor([False])


def one(*steps: tuple[float, ...]) -> torch.Tensor:
    """Scores of one sample, a row a strength: [S, 1, M]."""
    return torch.tensor(steps).unsqueeze(1)


class TestFigure4:
    """A blue circle is to become green: attributes green (asked) and square."""

    def test_to_a_green_circle(self) -> None:
        curve = manipulation_curve(one((0.0, 0), (0.4, 0), (1, 0)), 0, YES)
        assert curve == Curve((0, 0, 1), (1, 1, 1))
        assert (curve.mds, curve.best) == (1, 2)

    def test_to_a_green_square(self) -> None:
        """Accurate and entangled: the straight line from (0, 1) to (1, 0)."""
        curve = manipulation_curve(one((0.0, 0), (0.4, 0.4), (1, 1)), 0, YES)
        assert curve == Curve((0, 0, 1), (1, 1, 0))
        assert curve.mds == 0.5

    def test_by_way_of_a_blue_square(self) -> None:
        curve = manipulation_curve(one((0.0, 0), (0.0, 1), (1, 1)), 0, YES)
        assert curve == Curve((0, 0, 1), (1, 0, 0))
        assert curve.mds == 0

    def test_to_a_blue_square(self) -> None:
        assert manipulation_curve(one((0.0, 0), (0, 1)), 0, YES).mds == 0

    def test_half_of_the_circles_turn_square(self) -> None:
        """Two circles: the first is green at strength 1, the second, square as well, at strength 2."""
        scores = torch.tensor([[[0.0, 0], [0, 0]], [[1, 0], [0, 0]], [[1, 0], [1, 1]]])
        curve = manipulation_curve(scores, 0, torch.tensor([True, True]))
        assert curve == Curve((0, 0.5, 1), (1, 1, 0.5))
        assert curve.mds == pytest.approx(0.5 * 1 + 0.5 * 0.75)
        assert curve.best == 1 or 2 * 0.5 / 1.5 == pytest.approx(2 / 3)


class TestScores:
    def test_changed_is_more_than_half(self) -> None:
        curve = manipulation_curve(one((0.25, 0.25), (0.75, 0.75), (0.8, 0.8)), 0, YES)
        assert curve == Curve((0, 0, 1), (1, 1, 0))

    def test_inverted_targets_go_down(self) -> None:
        assert manipulation_curve(one((0.9, 0), (0.1, 0)), 0, NO).accuracy == (0, 1)
        assert manipulation_curve(one((0.9, 0), (0.1, 0)), 0, YES).accuracy == (0, 0)

    def test_each_sample_has_its_own_side(self) -> None:
        scores = torch.tensor([[[0.9, 0], [0.1, 0]], [[0.1, 0], [0.9, 0]]])
        assert manipulation_curve(scores, 0, torch.tensor([False, True])).accuracy == (0, 1)

    def test_every_other_attribute_counts(self) -> None:
        """n_i of M - 1, whichever is asked: 2 of 4 others changed."""
        before, after = (0.0, 1, 0, 1, 0), (1.0, 0, 0.5, 0.4, 0)
        assert manipulation_curve(one(before, after), 0, YES).disentanglement == (1, 0.5)
        assert manipulation_curve(one(before, after), 2, YES).disentanglement == (1, 0.25)

    def test_the_asked_one_is_no_other_even_when_it_goes_the_wrong_way(self) -> None:
        assert manipulation_curve(one((0.9, 0), (0.1, 0)), 0, YES).disentanglement == (1, 1)

    @pytest.mark.parametrize("shape", [(0, 1, 2), (2, 0, 2), (2, 3, 1), (2, 3)])
    def test_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match=r"\[strengths, samples, 2 or more attributes\], not"):
            manipulation_curve(torch.zeros(shape), 0, YES)

    @pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
    def test_values(self, value: float) -> None:
        with pytest.raises(BadValueError, match="probabilities from 0 to 1"):
            manipulation_curve(one((0, 0), (value, 0)), 0, YES)


class TestArea:
    def test_by_trapezoids(self) -> None:
        curve = Curve((0, 0.4, 0.8, 1), (1, 0.9, 0.8, 0.5))
        assert curve.mds == pytest.approx(0.4 * 0.95 + 0.4 * 0.85 + 0.2 * 0.65)

    def test_no_credit_beyond_the_best_accuracy(self) -> None:
        assert Curve((0, 0.6), (1, 1)).mds == 0.6
        assert Curve((0, 0.6, 0.6, 0.3), (1, 1, 0.2, 0.1)).mds == 0.6

    def test_losing_accuracy_adds_nothing(self) -> None:
        """Back at 0.2 and up again: only the part from 0.5 to 1 counts, from where disentanglement has come."""
        curve = Curve((0, 0.5, 0.2, 1), (1, 1, 0.8, 0.6))
        assert curve.mds == pytest.approx(0.5 + 0.5 * 0.7)

    def test_nothing_reached(self) -> None:
        assert Curve((0, 0, 0), (1, 0.5, 0.2)).mds == 0
        assert Curve((0, 0, 0), (1, 0.5, 0.2)).points == [(0, 1)]
        assert Curve((0,), (1,)).mds == 0

    def test_best_is_the_peak_of_the_harmonic_mean(self) -> None:
        assert Curve((0, 0.5, 0.9, 1), (1, 0.95, 0.9, 0.5)).best == 2
        assert Curve((0, 0.5, 0.5), (1, 0.8, 0.8)).best == 1  # the weaker of equals

    @pytest.mark.parametrize(
        "accuracy, disentanglement",
        [((0.1, 1), (1, 1)), ((0, 1), (0.9, 1)), ((0,), (1, 1)), ((), ()), ((0, 2), (1, 1))],
    )
    def test_what_is_no_curve(self, accuracy, disentanglement) -> None:
        with pytest.raises(BadValueError):
            Curve(accuracy, disentanglement)


unit = st.floats(0, 1, width=32)
shapes = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(2, 5))
tables = shapes.flatmap(lambda shape: arrays.arrays("float32", shape, elements=unit)).map(torch.from_numpy)


class TestProperties:
    @given(tables, st.data())
    @settings(max_examples=100, deadline=None)
    def test_of_any_scores(self, scores: torch.Tensor, data: st.DataObject) -> None:
        strengths, samples, attributes = scores.shape
        asked = data.draw(st.integers(0, attributes - 1))
        rising = torch.tensor(data.draw(st.lists(st.booleans(), min_size=samples, max_size=samples)))
        curve = manipulation_curve(scores, asked, rising)
        assert 0 <= curve.mds <= max(curve.accuracy) + 1e-12
        assert curve.best in range(strengths)

        order = torch.tensor(data.draw(st.permutations(range(samples))))
        assert manipulation_curve(scores[:, order], asked, rising[order]).mds == pytest.approx(curve.mds)
        names = torch.tensor(data.draw(st.permutations(range(attributes))))
        moved = names.tolist().index(asked)
        assert manipulation_curve(scores[..., names], moved, rising).mds == pytest.approx(curve.mds)
        twice = scores.repeat_interleave(2, dim=0)
        assert manipulation_curve(twice, asked, rising).mds == pytest.approx(curve.mds)
        again = manipulation_curve(torch.cat([scores, scores[-1:]]), asked, rising)
        assert again.mds == pytest.approx(curve.mds)

    @given(st.lists(st.tuples(unit, unit), max_size=8), st.floats(0, 1))
    @settings(max_examples=100, deadline=None)
    def test_more_disentangled_is_better(self, points: list[tuple[float, float]], better: float) -> None:
        accuracy = (0.0, *(point[0] for point in points))
        low = Curve(accuracy, (1.0, *(point[1] for point in points)))
        high = Curve(accuracy, (1.0, *(max(point[1], better) for point in points)))
        assert low.mds <= high.mds + 1e-12


class TestStopping:
    distance = torch.tensor([[9.0, 9, 9], [5, 0.5, 7], [1, 4, 8], [3, 4, 7.5]])

    def test_a_sample_stays_where_it_arrived(self) -> None:
        steps = settle(self.distance, 1.0)
        assert steps.T.tolist() == [[0, 1, 2, 2], [0, 1, 1, 1], [0, 1, 2, 3]]

    def test_or_gives_its_closest_step(self) -> None:
        assert settle(self.distance, 1.0, closest=True).T.tolist() == [[0, 1, 2, 2], [0, 1, 1, 1], [0, 1, 1, 1]]

    def test_without_a_tolerance_none_stops(self) -> None:
        assert settle(self.distance, 0.0).T.tolist() == [[0, 1, 2, 3]] * 3

    def test_what_is_not_finite_is_never_close(self) -> None:
        assert settle(torch.tensor([[3.0], [float("nan")]]), 1.0, closest=True).tolist() == [[0], [0]]

    @given(arrays.arrays("float32", (5, 3), elements=st.floats(0, 4, width=32)).map(torch.from_numpy))
    @settings(max_examples=50, deadline=None)
    def test_runs_that_stop_early_are_the_same_as_longer_ones_cut(self, distance: torch.Tensor) -> None:
        for closest in (False, True):
            whole = settle(distance, 1.0, closest=closest)
            for count in range(1, 6):
                assert torch.equal(settle(distance[:count], 1.0, closest=closest), whole[:count])

    def test_at_steps(self) -> None:
        values = torch.arange(12).reshape(4, 3)
        assert at_steps(values, torch.tensor([[3, 0, 1]])).tolist() == [[9, 1, 5]]
