"""How far a generator's pictures are from drawn ones: the Frechet distance of Heusel et al. (2017).

The features are the judge's (the mean of its last feature map over the picture), not Inception's: a network that knows
faces of this world sees what is wrong with them. The distance is not comparable to published FIDs; the same distance
between two sets of drawn pictures stands beside it.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from sgf_hub.predictors import Backbone


@torch.inference_mode()
def features(backbone: Backbone, batches: Iterable[Tensor]) -> Tensor:
    """Features of pictures: batches of [B, 3, R, R] in [-1, 1] => [N, F], float64."""
    return torch.cat([backbone(images).mean(dim=(2, 3)).double() for images in batches])


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) of two sets of features, [N, F] and [M, F]."""
    mean = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    one, two = torch.cov(first.T), torch.cov(second.T)
    # tr (S1 S2)^1/2 is the sum of the roots of the eigenvalues of S1^1/2 S2 S1^1/2, which is symmetric
    values, vectors = torch.linalg.eigh(one)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ two @ root).clamp_min(0).sqrt().sum()
    return (mean + one.trace() + two.trace() - 2 * cross).item()
