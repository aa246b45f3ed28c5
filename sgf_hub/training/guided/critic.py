"""The projected critic of Sauer et al. (NeurIPS 2021): it reads frozen features of a picture, mixed at random.

A network that already knows what to look for tells real from drawn after a few thousand pictures, where one that
starts from pixels needs hundreds of thousands. The features of every stage go through random 1 x 1 convolutions that
are never trained, across channels and down over scales, so that no head can look at a few of them alone; a small head
of spectrally normalised convolutions judges each scale. New here: the picture itself is a scale too, since features
that were learned for attributes see little of colours and edges.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2


class ProjectedCritic(nn.Module):
    """Feature maps of pictures to logits: high for real ones.

    Args:
        shapes: (channels, side) of each map, the finest first.
        widths: channels that each is mixed into.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], widths: Sequence[int]) -> None:
        super().__init__()
        self.across = nn.ModuleList(_frozen(channels, w) for (channels, _), w in zip(shapes, widths, strict=True))
        self.down = nn.ModuleList(_frozen(widths[i + 1], widths[i]) for i in range(len(widths) - 1))
        self.heads = nn.ModuleList(_head(width, side) for width, (_, side) in zip(widths, shapes, strict=True))

    def project(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The frozen part: maps [B, F, S, S] => as many, mixed."""
        mixed = [layer(one) for layer, one in zip(self.across, maps, strict=True)]
        for i in reversed(range(len(mixed) - 1)):
            above = F.interpolate(mixed[i + 1], size=mixed[i].shape[-2:], mode="bilinear")
            mixed[i] = (mixed[i] + self.down[i](above)) * math.sqrt(0.5)
        return mixed

    def forward(self, mixed: Sequence[Tensor]) -> list[Tensor]:
        """What `project` gave => the heads' logits, [B, places] each."""
        return [head(one).flatten(1).float() for head, one in zip(self.heads, mixed, strict=True)]


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The critic's loss: mean over heads of max(0, 1 - real) + max(0, 1 + fake)."""
    terms = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def unconvinced(fake: Sequence[Tensor]) -> Tensor:
    """The generator's loss: minus the mean logit of its pictures, mean over heads."""
    return -torch.stack([f.mean() for f in fake]).mean()


def _frozen(width_in: int, width: int) -> nn.Conv2d:
    layer = nn.Conv2d(width_in, width, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer.requires_grad_(False)


def _head(width: int, side: int) -> nn.Sequential:
    """Strided convolutions down to 4 x 4 pixels, and one over those."""
    layers: list[nn.Module] = []
    wide = max(width, 64)
    if side <= 4:
        layers += [spectral_norm(nn.Conv2d(width, wide, 3, padding=1)), nn.LeakyReLU(_SLOPE)]
        width = wide
    while side > 4:
        layers += [spectral_norm(nn.Conv2d(width, wide, 4, 2, 1)), nn.LeakyReLU(_SLOPE)]
        width, wide, side = wide, min(256, 2 * wide), side // 2
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, min(4, side))))
