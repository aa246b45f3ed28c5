"""Random views of pictures: windows of several scales and places, with other colours and a little noise.

What one frozen network sees can be counterfeited: a generator that is trained against it for long draws patterns that
nobody sees and that this network takes for the details that are missing. Random transformations of what is compared
leave no pattern that serves all of them (Kettunen et al., "E-LPIPS", 2019); for a critic they are DiffAugment (Zhao et
al., NeurIPS 2020).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_SPAN = (0.68, 1.0)  # side of what is in view, as a share of the picture's
_NOISE = 0.1  # standard deviation, at most
_TINT = 0.15  # of contrast and brightness, at most


class Views:
    """One random view for each of B pictures: the same for whichever pictures it is asked to show.

    Args:
        count: B.
        side: of the views, S.
        rng: the randomness.
        device: where the pictures are.
    """

    def __init__(self, count: int, side: int, rng: torch.Generator, device: str) -> None:
        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=rng, device=device)

        # positions run from -1 to 1: a view spans `span` of that, around a centre that keeps it inside
        span = _SPAN[0] + (_SPAN[1] - _SPAN[0]) * uniform(1, 1)
        centre = (2 * uniform(2, 1) - 1) * (1 - span)
        scale = torch.eye(2, device=device) * span
        self.grid = F.affine_grid(torch.cat([scale, centre], dim=2), [count, 1, side, side], False)
        self.noise = torch.randn(count, 3, side, side, generator=rng, device=device)
        self.noise *= _NOISE * uniform(1, 1, 1)
        self.gain = 1 + _TINT * (2 * uniform(3, 1, 1) - 1)
        self.offset = self.noise + _TINT * (2 * uniform(3, 1, 1) - 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Pictures [b, 3, R, R] in [-1, 1], b <= B, in the first b views => [b, 3, S, S]; gradients pass through."""
        count = len(images)
        seen = F.grid_sample(images.float(), self.grid[:count], padding_mode="border", align_corners=False)
        return seen * self.gain[:count] + self.offset[:count]
