"""How alike two pictures are away from the edit: a distance in a predictor's features, as LPIPS is one in VGG's.

LPIPS: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, its form without
learned weights. What an edit must change is left out, and is found without looking at any method: where the start
pictures' score of the attribute depends on the pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import Self

from sgf_hub.predictors import Backbone, ImagePredictor
from sgf_hub.predictors.backbone import resize
from sgf_hub.types import Predictor

EDITED = 0.25  # share of the positions that the edit may change
_BATCH = 50


@dataclass(frozen=True)
class Likeness:
    """Distances from start pictures, away from where one attribute shows.

    Args:
        backbone: whose features are compared, at every stage.
        before: the start pictures, [N, 3, R, R].
        saliency: where the attribute shows, not negative, [R, R].
    """

    backbone: Backbone
    before: Tensor
    saliency: Tensor

    @classmethod
    def of(cls, lens: Predictor, before: Tensor, attribute: str) -> Self | None:
        """For an attribute as `lens` sees it; None if it is no network with a backbone."""
        backbone = backbone_of(lens)
        if backbone is None:
            return None
        return cls(backbone, before, saliency(lens, before, lens.spec.attributes.index(attribute)))

    def distance(self, after: Tensor) -> float:
        """The mean distance of `after` [N, 3, R, R] from the start pictures."""
        return self.distances(after).mean().item()

    @torch.no_grad()
    def distances(self, after: Tensor) -> Tensor:
        """The distance of each of `after` [N, 3, R, R] from its start picture, or from the only one there is, [N].

        At each position of each stage, features are scaled to length 1 and their squared differences summed; the mean
        is over the positions outside the edit (in each stage's own grid, the three quarters of least saliency), then
        over stages. From 0 (alike) to 4.
        """
        parts = after.split(_BATCH)
        starts = self.before.split(_BATCH) if len(self.before) > 1 else [self.before] * len(parts)
        found = []
        for start, result in zip(starts, parts, strict=True):
            pairs = zip(stages(self.backbone, start), stages(self.backbone, result), strict=True)
            far = [(unit(one) - unit(other)).square().sum(dim=1) for one, other in pairs]  # B, H, W each
            found.append(torch.stack([d[:, outside(self.saliency, d.shape[-1])].mean(dim=1) for d in far]).mean(dim=0))
        return torch.cat(found)


def backbone_of(lens: Predictor) -> Backbone | None:
    """The first network of a predictor whose features tell how alike pictures are."""
    found = lens.backbones if isinstance(lens, ImagePredictor) else ()
    return next((one for one in found if isinstance(one, Backbone)), None)


def embed(lens: Predictor, images: Tensor) -> Tensor:
    """Features of pictures, the mean over the last map of the lens's backbone: [B, F]; [B, 0] if it has none."""
    backbone = backbone_of(lens)
    return images.new_zeros(len(images), 0) if backbone is None else backbone(images).mean(dim=(2, 3))


def identity(before: Tensor, after: Tensor) -> float:
    """Is it still the same one? The mean cosine of a network's features of pictures before and after.

    After the identity similarity by ArcFace (Deng et al., 2019), by which edits of photographed faces are judged; these
    features were not trained to tell persons apart.

    Args:
        before: features less their mean over samples, so that two different samples are about 0 alike, [N, F].
        after: of the same samples, edited.

    Returns:
        -1 to 1, the same.
    """
    return functional.cosine_similarity(before, after, dim=1).mean().item()


def saliency(predictor: Predictor, images: Tensor, index: int) -> Tensor:
    """Where c[index] depends on the pixels: the mean over samples of |d c / d image|, summed over the colours, [R, R].

    Each sample's map is scaled to the sum 1 first: a saturated score has small gradients, and says as much about where.
    """
    total = images.new_zeros(images.shape[-2:])
    for part in images.split(_BATCH):
        with torch.enable_grad():
            pixels = part.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(predictor(pixels)[:, index].sum(), pixels)
        each = gradient.abs().sum(dim=1)  # B, R, R
        total += (each / each.sum(dim=(1, 2), keepdim=True).clamp_min(1e-30)).sum(dim=0)
    return total / len(images)


def outside(salient: Tensor, side: int) -> Tensor:
    """The positions of a side x side grid outside the edit: all but the quarter of most saliency, [side, side] bool."""
    grid = functional.adaptive_avg_pool2d(salient[None, None], side).flatten()
    kept = torch.ones_like(grid, dtype=torch.bool)
    kept[grid.topk(max(1, round(EDITED * len(grid)))).indices] = len(grid) == 1
    return kept.unflatten(0, (side, side))


def stages(backbone: Backbone, images: Tensor) -> tuple[Tensor, ...]:
    """The feature maps of a backbone: what its stem gives, then every stage."""
    images = resize(images, backbone.image_size).contiguous(memory_format=torch.channels_last)
    return backbone.network(images, output_hidden_states=True).hidden_states


def unit(features: Tensor) -> Tensor:
    """Features scaled to length 1 at every position, [B, F, H, W]."""
    return features / features.norm(dim=1, keepdim=True).clamp_min(1e-10)
