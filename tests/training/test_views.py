"""Random views: inside the picture, the same for pictures that are compared, and differentiable."""

import torch

from sgf_hub.training.guided.views import Views


def views(count: int = 4, side: int = 24, seed: int = 0) -> Views:
    return Views(count, side, torch.Generator().manual_seed(seed), "cpu")


def test_the_same_view_for_what_is_compared() -> None:
    images = torch.rand(4, 3, 32, 32)
    seen = views()
    assert torch.equal(seen(images), seen(images.clone())) and seen(images).shape == (4, 3, 24, 24)
    assert torch.equal(seen(images[:2]), seen(images)[:2])


def test_views_differ_between_pictures_and_repeat_with_the_seed() -> None:
    images = torch.rand(1, 3, 32, 32).expand(4, -1, -1, -1)
    first, again, other = views()(images), views()(images), views(seed=1)(images)
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert all(not torch.allclose(first[i], first[j], atol=0.05) for i in range(4) for j in range(i))


def test_nothing_from_outside_comes_into_view() -> None:
    made = views(count=200)
    assert made.grid.abs().max() <= 1
    span = made.grid[:, 0, -1, 0] - made.grid[:, 0, 0, 0]  # between the centres of the first and the last pixel
    share = span * 24 / 23 / 2
    assert 0.68 <= share.min() and share.max() <= 1.0 + 1e-6 and share.max() - share.min() > 0.25


def test_noise_and_tint_stay_small() -> None:
    made = views(count=100)
    changed = made(torch.zeros(100, 3, 32, 32))
    assert 0.02 < changed.std() < 0.2 and (made.gain - 1).abs().max() <= 0.15


def test_gradients_pass_through() -> None:
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    views(count=2)(images).square().sum().backward()
    assert images.grad is not None and (images.grad != 0).float().mean() > 0.3
