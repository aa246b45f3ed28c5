"""Attribute dependency: Wu, Lischinski, Shechtman, "StyleSpace Analysis", 2021.

How far the other attributes' logits move while the target's moves by a given amount, each in units of its standard
deviation over the generator's samples. Shapes: S strengths, N samples, M attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.evaluation.disentanglement.measures.arrival import ARRIVED, arrival, towards

_LEAST = 0.1  # log-odds: the standard deviation of an attribute that samples hardly vary in


@dataclass(frozen=True)
class Dependency:
    """Means over the samples that arrive.

    Args:
        mean: of |change| / sigma over the other attributes (mean-AD).
        most: the largest of them (max-AD).
        shift: the target's change / sigma, at which both are read.
    """

    mean: float
    most: float
    shift: float


def attribute_dependency(
    logits: Tensor, sigma: Tensor, asked: int, others: Sequence[int], rising: Tensor
) -> Dependency | None:
    """AD where the target arrives.

    Between the two steps around its arrival a sample's log-odds are taken to run straight, as the curve of the MDS does
    between strengths: so all methods are read at the same change of the same sample, however long their steps are.

    Args:
        logits: log-odds, [S, N, M].
        sigma: standard deviations of the log-odds over the generator's samples, [M].
        asked: index of the target.
        others: indices of the attributes that should stay.
        rising: [N], true where the target should appear.

    Returns:
        None if no sample arrives, or nothing should stay.
    """
    target = towards(logits[..., asked], rising)
    end = arrival(target)
    samples = end.arrived.nonzero().flatten()
    if not len(samples) or not others:
        return None
    after = end.steps[samples]  # at least 1: the start is on the other side
    low, high = target[after - 1, samples], target[after, samples]
    share = ((ARRIVED - low) / (high - low)).unsqueeze(1)
    sigma = sigma.clamp_min(_LEAST)
    ways = logits[..., list(others)]  # S, N, O
    there = torch.lerp(ways[after - 1, samples], ways[after, samples], share)
    moves = (there - ways[0, samples]).abs() / sigma[list(others)]
    return Dependency(
        mean=moves.mean().item(),
        most=moves.amax(dim=1).mean().item(),
        shift=((ARRIVED - target[0, samples]) / sigma[asked]).mean().item(),
    )
