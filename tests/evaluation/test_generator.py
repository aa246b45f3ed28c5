"""The Frechet distance against its closed form for Gaussians."""

import pytest
import torch
from torch import Tensor

from sgf_hub.predictors import load_backbone
from sgf_hub.predictors.frechet import attribute_shares, features, frechet_distance
from sgf_hub.types import ConditionSpec


def normal(mean: list[float], covariance: Tensor, *, count: int = 200, seed: int = 0) -> Tensor:
    """Points whose mean and covariance are exactly these."""
    x = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x - x.mean(dim=0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    return x @ torch.linalg.cholesky(covariance).T + torch.tensor(mean, dtype=torch.float64)


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


class TestDistance:
    def test_of_a_set_to_itself_is_zero(self) -> None:
        x = normal([1.0, 2.0], diagonal(1, 4))
        assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)

    def test_of_shifted_sets_is_the_squared_shift(self) -> None:
        first, second = normal([0.0, 0.0], diagonal(1, 2)), normal([3.0, 4.0], diagonal(1, 2), seed=1)
        assert frechet_distance(first, second) == pytest.approx(25)

    def test_of_diagonal_covariances(self) -> None:
        """Sum of (s1 - s2)^2 over standard deviations."""
        first, second = normal([0.0, 0.0], diagonal(1, 16)), normal([0.0, 0.0], diagonal(9, 4), seed=1)
        assert frechet_distance(first, second) == pytest.approx((1 - 3) ** 2 + (4 - 2) ** 2)

    def test_of_covariances_that_do_not_commute(self) -> None:
        rng = torch.Generator().manual_seed(2)
        one, two = (torch.randn(4, 4, generator=rng, dtype=torch.float64) for _ in range(2))
        one, two = one @ one.T + 0.1 * torch.eye(4), two @ two.T + 0.1 * torch.eye(4)
        cross = torch.linalg.eigvals(one @ two).sqrt().sum().real
        expected = (one.trace() + two.trace() - 2 * cross).item()
        assert frechet_distance(normal([0.0] * 4, one), normal([0.0] * 4, two, seed=1)) == pytest.approx(expected)

    def test_is_symmetric(self) -> None:
        first, second = normal([0.0, 1.0], diagonal(1, 16)), normal([2.0, 0.0], diagonal(9, 4), seed=1)
        assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))

    def test_of_fewer_samples_than_features(self) -> None:
        x, y = (torch.randn(3, 8, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (0, 1))
        assert frechet_distance(x, y) > 0


def test_features_are_means_of_the_last_map(toy_zoo) -> None:
    backbone = load_backbone(toy_zoo / "toy-backbone")
    images = torch.rand(5, 3, 32, 32) * 2 - 1
    found = features(backbone, images.split(2))
    assert (found.shape, found.dtype) == ((5, backbone.channels), torch.float64)
    torch.testing.assert_close(found, backbone(images).mean(dim=(2, 3)).double(), atol=1e-5, rtol=1e-4)


class Reader:
    """Sees attribute `a` in light pictures and `b` in red ones, from a threshold on."""

    def __init__(self, threshold: float) -> None:
        self.spec, self.threshold = ConditionSpec(attributes=("a", "b")), threshold

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([images.mean(dim=(1, 2, 3)), images[:, 0].mean(dim=(1, 2))], dim=1) - self.threshold


def test_shares_of_attributes() -> None:
    images = torch.tensor([0.1, 0.3, 0.5, -0.5]).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    shares = attribute_shares(Reader(0.0), Reader(0.2), labels, images.split(3))  # type: ignore[arg-type]
    assert shares["sampled"] == {"a": 0.75, "b": 0.75} and shares["drawn"] == {"a": 0.5, "b": 0.0}
    assert shares["agree"] == {"a": 0.75, "b": 0.75}  # they disagree on the picture at 0.1
    assert "agree" not in attribute_shares(Reader(0.0), None, labels, images.split(3))  # type: ignore[arg-type]
