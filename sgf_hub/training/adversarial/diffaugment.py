"""DiffAugment (Zhao et al., NeurIPS 2020): what a discriminator sees of real and drawn pictures alike, differentiably.

With few pictures a discriminator learns them by heart; shifted, covered and recoloured they are many.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError

_SHIFT = 1 / 8  # of the side, at most
_COVERED = 1 / 2  # side of the square, as a share of the picture's


def augment(images: Tensor, policy: Iterable[str], rng: torch.Generator) -> Tensor:
    """Apply the augmentations of a policy, each drawn anew for every picture.

    Args:
        images: [B, 3, R, R] in [-1, 1]; gradients pass through.
        policy: names out of `POLICY`.
        rng: the randomness.

    Raises:
        BadValueError: for an unknown name.
    """
    for name in policy:
        if name not in POLICY:
            raise BadValueError(f"augmentation {name!r} is unknown: choose {', '.join(POLICY)}.")
        images = POLICY[name](images, rng)
    return images


def color(images: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness by up to a half, saturation from none to double, contrast from half to one and a half."""
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, generator=rng).to(images)
    images = images + brightness - 0.5
    gray = images.mean(dim=1, keepdim=True)
    images = torch.lerp(gray, images, 2 * saturation)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(level, images, contrast + 0.5)


def translation(images: Tensor, rng: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side; what comes in from outside is gray."""
    size, _, side, _ = images.shape
    most = round(side * _SHIFT)
    shift = torch.randint(-most, most + 1, (2, size, 1), generator=rng).to(images.device)
    along = torch.arange(side, device=images.device) + shift  # 2, B, R: where each row and column is taken from
    inside = (along >= 0) & (along < side)
    rows, columns = along.clamp(0, side - 1)
    images = images.gather(2, rows[:, None, :, None].expand_as(images))
    images = images.gather(3, columns[:, None, None, :].expand_as(images))
    return images * (inside[0][:, None, :, None] & inside[1][:, None, None, :])


def cutout(images: Tensor, rng: torch.Generator) -> Tensor:
    """Cover a square of half the side, which may lie partly outside, with gray."""
    size, _, side, _ = images.shape
    corner = torch.rand(2, size, 1, generator=rng).to(images.device) * side - side * _COVERED / 2
    place = torch.arange(side, device=images.device)
    covered = (place >= corner) & (place < corner + side * _COVERED)  # 2, B, R
    return images * ~(covered[0][:, None, :, None] & covered[1][:, None, None, :])


POLICY: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
