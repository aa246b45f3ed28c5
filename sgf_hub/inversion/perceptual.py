"""How alike two pictures look: their distance in the features of a predictor's backbone, stage by stage.

The learned-perceptual distance of Zhang et al. (CVPR 2018) without its last fit to people's judgements: at every place
of every stage's map the feature vector is brought to length 1, and squared differences are averaged over places and
stages. A pair whose features share nothing anywhere is at 2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.predictors.backbone import Backbone, resize


class Perceptual(nn.Module):
    """Pictures to vectors whose squared distance says how alike they look.

    Args:
        backbone: whose features; all its stages are used, and the stem before them.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1], any R => [B, N]; see `distance`."""
        return vector(self.maps(resize(images, self.backbone.image_size)))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """[B, 3, R, R], read as they are => the stem's map and every stage's, [B, F, S, S] each."""
        images = images.contiguous(memory_format=torch.channels_last)
        return self.backbone.network(images, output_hidden_states=True).hidden_states


def vector(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, F, S, S] of any sizes => [B, N]."""
    weight = len(maps) ** -0.5
    # [B, F, S, S] of length 1 at each of S^2 places: the squared distance of two maps is a mean over places
    return torch.cat([(F.normalize(one.float(), dim=1) * (weight / one.shape[-1])).flatten(1) for one in maps], 1)


def distance(first: Tensor, second: Tensor) -> Tensor:
    """How far apart pictures look, by their vectors: [B, N], [B, N] => [B], in [0, 2]."""
    return (first - second).square().sum(dim=1)
