"""H against closed forms: a linear F has H = (I - A)^-1 B delta_c. Everything in float64."""

import math

import pytest
import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.field import ForwardMode, SurrogateGradientField, contraction, linearize
from sgf_hub.mapping import Linearization
from tests.toys import KEYPOINTS, LinearMapping, toy_mapping


def point(size: int = 5, conditions: int = 3, batch: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """z, c and delta_c."""
    rng = torch.Generator().manual_seed(7)
    return tuple(torch.randn(batch, n, generator=rng, dtype=torch.float64) for n in (size, conditions, conditions))


class TestLinearMapping:
    def test_exact_solve_is_the_inverse(self) -> None:
        mapping, (z, c, delta_c) = LinearMapping(), point()
        field = SurrogateGradientField(mapping, order=None)
        torch.testing.assert_close(field(z, c, delta_c), mapping.field(delta_c), rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("batch", [1, 5])  # 5 = D: a batch of vectors must not be taken for one matrix
    def test_exact_solve_of_any_batch(self, batch: int) -> None:
        mapping, (z, c, delta_c) = LinearMapping(), point(batch=batch)
        field = SurrogateGradientField(mapping, order=None)
        torch.testing.assert_close(field(z, c, delta_c), mapping.field(delta_c), rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("order", [0, 1, 2, 7])
    def test_series_is_the_partial_sum(self, order: int) -> None:
        mapping, (z, c, delta_c) = LinearMapping(), point()
        field = SurrogateGradientField(mapping, order=order)
        torch.testing.assert_close(field(z, c, delta_c), mapping.field(delta_c, order=order), rtol=1e-12, atol=1e-12)

    def test_the_default_order_is_the_papers(self) -> None:
        mapping, (z, c, delta_c) = LinearMapping(), point()
        torch.testing.assert_close(
            SurrogateGradientField(mapping)(z, c, delta_c), mapping.field(delta_c, order=1), rtol=1e-12, atol=1e-12
        )

    @pytest.mark.parametrize("radius", [0.3, 0.5, 0.8])
    def test_error_of_order_m_falls_as_the_radius_to_the_m_plus_1(self, radius: float) -> None:
        mapping, (z, c, delta_c) = LinearMapping(radius=radius), point()
        exact, orders = mapping.field(delta_c), (10, 16)
        low, high = (
            (SurrogateGradientField(mapping, order=m)(z, c, delta_c) - exact).norm().log().item() for m in orders
        )
        assert (high - low) / (orders[1] - orders[0]) == pytest.approx(math.log(radius), rel=1e-2)

    def test_damping_is_added_to_the_identity(self) -> None:
        mapping, (z, c, delta_c) = LinearMapping(radius=0.99), point()
        field = SurrogateGradientField(mapping, order=None, damping=0.3)
        torch.testing.assert_close(field(z, c, delta_c), mapping.field(delta_c, damping=0.3), rtol=1e-12, atol=1e-12)

    def test_where_f_copies_z_the_exact_solve_is_not_finite(self) -> None:
        mapping, (z, c, delta_c) = LinearMapping(), point()
        mapping.A = torch.eye(5, dtype=torch.float64)
        assert SurrogateGradientField(mapping, order=None)(z, c, delta_c).isnan().all()

    def test_field_is_linear_in_delta_c(self) -> None:
        field, (z, c, delta_c) = SurrogateGradientField(LinearMapping(), order=3), point()
        torch.testing.assert_close(field(z, c, 2.5 * delta_c), 2.5 * field(z, c, delta_c), rtol=1e-12, atol=1e-12)


class TestGuard:
    def test_terms_that_do_not_shrink_are_left_out_sample_by_sample(self) -> None:
        # A doubles the first coordinate and halves the second: only the second sample's series shrinks
        mapping, (z, c, _) = LinearMapping(2, 2), point(2, 2, batch=2)
        mapping.A, mapping.B = torch.diag(torch.tensor([2.0, 0.5])).double(), torch.eye(2).double()
        field = SurrogateGradientField(mapping, order=2, guard=True)
        torch.testing.assert_close(field(z, c, torch.eye(2).double()), torch.diag(torch.tensor([1.0, 1.75])).double())

    def test_without_guard_they_are_summed(self) -> None:
        mapping, (z, c, _) = LinearMapping(2, 2), point(2, 2, batch=2)
        mapping.A, mapping.B = torch.diag(torch.tensor([2.0, 0.5])).double(), torch.eye(2).double()
        field = SurrogateGradientField(mapping, order=2)
        torch.testing.assert_close(field(z, c, torch.eye(2).double()), torch.diag(torch.tensor([7.0, 1.75])).double())

    def test_a_shrinking_series_is_left_alone(self) -> None:
        mapping, (z, c, delta_c) = LinearMapping(radius=0.9), point()
        plain, guarded = (SurrogateGradientField(mapping, order=5, guard=g)(z, c, delta_c) for g in (False, True))
        torch.testing.assert_close(guarded, plain)


@pytest.mark.parametrize("keypoints", [(), KEYPOINTS])
class TestDerivatives:
    """The two ways to take F's derivatives: SGFMapping's own, and forward mode."""

    def both(self, keypoints) -> tuple[Tensor, Linearization, ForwardMode]:
        mapping = toy_mapping(keypoints=keypoints).double()
        z, c, delta_c = point(16, mapping.spec.dimension)
        return z, mapping.linearize(z, c, delta_c), ForwardMode(mapping, z, c, delta_c)

    def test_own_derivative_by_c_equals_forward_mode(self, keypoints) -> None:
        z, own, forward = self.both(keypoints)
        assert own.along.shape == z.shape
        torch.testing.assert_close(own.along, forward.along, rtol=1e-10, atol=1e-10)

    @pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
    def test_own_derivatives_by_z_equal_forward_mode(self, keypoints, lead: tuple[int, ...]) -> None:
        z, own, forward = self.both(keypoints)
        tangent = torch.randn(*lead, *z.shape, dtype=torch.float64)
        assert own.dz(tangent).shape == tangent.shape
        torch.testing.assert_close(own.dz(tangent), forward.dz(tangent), rtol=1e-10, atol=1e-10)

    def test_what_was_given_stays(self, keypoints) -> None:
        mapping = toy_mapping(keypoints=keypoints)
        given = tuple(one.float() for one in point(16, mapping.spec.dimension))
        before = [one.clone() for one in (*given, *mapping.state_dict().values())]
        mapping.linearize(*given).dz(given[0])
        assert all(map(torch.equal, before, (*given, *mapping.state_dict().values())))

    @pytest.mark.parametrize("order", [1, 4, None])
    def test_field_is_the_same_either_way(self, keypoints, order: int | None) -> None:
        mapping = toy_mapping(keypoints=keypoints).double()
        z, c, delta_c = point(16, mapping.spec.dimension)
        own = SurrogateGradientField(mapping, order=order)(z, c, delta_c)
        forward = SurrogateGradientField(lambda z, c: mapping(z, c), order=order)(z, c, delta_c)
        torch.testing.assert_close(own, forward, rtol=1e-9, atol=1e-9)


def test_a_mappings_own_derivatives_are_used() -> None:
    mapping, given = toy_mapping().double(), point(16, 3)
    assert isinstance(linearize(mapping, *given), Linearization)
    assert isinstance(linearize(lambda z, c: mapping(z, c), *given), ForwardMode)


@pytest.mark.parametrize("radius", [0.4, 1.7])
def test_contraction_of_a_known_matrix(radius: float) -> None:
    mapping, (z, c, _) = LinearMapping(radius=radius), point()
    growth = contraction(mapping, z, c, iterations=60)
    torch.testing.assert_close(growth, torch.full((4,), radius, dtype=torch.float64), rtol=1e-6, atol=0)


def test_contraction_of_a_constant_is_zero() -> None:
    mapping, (z, c, _) = LinearMapping(), point()
    mapping.A = torch.zeros_like(mapping.A)
    assert contraction(mapping, z, c).tolist() == [0.0] * 4


@pytest.mark.parametrize("order", [-1, 101, 1.0, "1", True, float("nan")])
def test_order_is_checked(order: object) -> None:
    with pytest.raises(BadValueError, match=r"a whole number from 0 to 100, not"):
        SurrogateGradientField(LinearMapping(), order=order)  # type: ignore[arg-type]
