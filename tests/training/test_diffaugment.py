"""DiffAugment: each operation does what it says, differently for every picture, and lets gradients through."""

import pytest
import torch

from sgf_hub.errors import BadValueError
from sgf_hub.training.adversarial.diffaugment import POLICY, augment


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", POLICY)
def test_pictures_of_a_batch_are_augmented_differently_and_repeatably(name: str):
    images = torch.rand(1, 3, 16, 16, generator=rng()).expand(8, -1, -1, -1) * 2 - 1
    first = augment(images, [name], rng(1))
    assert first.shape == images.shape
    assert torch.equal(first, augment(images, [name], rng(1)))
    assert (first[0] - first[1:]).abs().amax(dim=(1, 2, 3)).min() > 0.01


@pytest.mark.parametrize("name", POLICY)
def test_gradients_reach_the_pictures(name: str):
    images = torch.rand(4, 3, 16, 16, generator=rng()).requires_grad_()
    augment(images, [name], rng()).sum().backward()
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_a_translation_moves_by_at_most_an_eighth():
    images = torch.zeros(200, 1, 16, 16)
    images[:, 0, 8, 8] = 1
    moved = augment(images, ["translation"], rng())
    place = moved.flatten(1).argmax(1)
    rows, columns = place // 16 - 8, place % 16 - 8
    assert torch.equal(moved.sum(dim=(1, 2, 3)), torch.ones(200))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (-2, 2, -2, 2)


def test_a_cutout_covers_a_square_of_half_the_side_and_nothing_else():
    left = augment(torch.ones(500, 1, 16, 16), ["cutout"], rng())
    covered = (left == 0).sum(dim=(1, 2, 3))
    assert set(left.unique().tolist()) == {0.0, 1.0}
    assert 60 <= covered.max() <= 64 and covered.float().mean() > 30


def test_colour_keeps_the_shape_of_a_picture():
    image = torch.full((1, 3, 8, 8), -0.5)
    image[:, :, 2:4] = 0.5
    for seed in range(5):
        changed = augment(image, ["color"], rng(seed))
        assert changed[0, :, 2:4].std() < 1e-6 and changed[0, :, 4:].std() < 1e-6
        assert changed[0, 0, 2, 0] > changed[0, 0, 5, 0]


def test_no_policy_changes_nothing():
    images = torch.rand(2, 3, 8, 8)
    assert augment(images, (), rng()) is images


def test_an_unknown_name_is_refused():
    with pytest.raises(BadValueError, match="augmentation 'mirror' is unknown: choose color, translation, cutout"):
        augment(torch.zeros(1, 3, 8, 8), ["mirror"], rng())
