"""How far a generator's pictures are from drawn ones: the Frechet distance of Heusel et al. (2017).

The features are the judge's (the mean of its last feature map over the picture), not Inception's: a network that knows
faces of this world sees what is wrong with them. The distance is not comparable to published FIDs; the same distance
between two sets of drawn pictures stands beside it.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from sgf_hub.predictors import Backbone
from sgf_hub.types import Predictor


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


@torch.inference_mode()
def attribute_shares(
    judge: Predictor, predictor: Predictor | None, drawn: Tensor, batches: Iterable[Tensor]
) -> dict[str, dict[str, float]]:
    """How often each attribute is sampled and drawn, and on how many samples predictor and judge agree.

    Args:
        judge: reads the attributes, first in its c.
        predictor: reads the same attributes, first in its c; None leaves agreement out.
        drawn: labels of drawn pictures, [M, A] in {0, 1}.
        batches: sampled pictures, [B, 3, R, R] in [-1, 1] each.

    Returns:
        `sampled`, `drawn` and `agree` by attribute, in [0, 1].
    """
    names: Sequence[str] = judge.spec.attributes
    count, has, agree = 0, torch.zeros(len(names)), torch.zeros(len(names))
    for images in batches:
        seen = judge(images)[:, : len(names)] > 0
        has += seen.sum(dim=0)
        if predictor is not None:
            agree += (seen == (predictor(images)[:, : len(names)] > 0)).sum(dim=0)
        count += len(images)
    shares = {"sampled": has / count, "drawn": drawn.mean(dim=0)}
    if predictor is not None:
        shares["agree"] = agree / count
    return {kind: dict(zip(names, (round(v, 4) for v in one.tolist()), strict=True)) for kind, one in shares.items()}
