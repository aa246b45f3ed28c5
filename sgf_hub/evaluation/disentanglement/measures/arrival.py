"""Where each sample's edit has done what was asked: the point at which methods are compared.

A method that goes farther changes more of everything, so the measures look at each sample where the observer first
reads the asked attribute as there (or gone) with probability 0.9: the start is the same for all methods, so is the end,
and the target's change with them. Shapes: S strengths, N samples, M attributes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.evaluation.disentanglement.mds import settle
from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE

CLAMP = 1e-4  # probabilities are told apart down to here, log-odds up to 9.2
ARRIVED = math.log((1 - ATTRIBUTE_TOLERANCE) / ATTRIBUTE_TOLERANCE)  # in log-odds


def log_odds(scores: Tensor) -> Tensor:
    """ln p / (1 - p) of probabilities, clamped to [1e-4, 1 - 1e-4] first: within 9.2 of 0."""
    return scores.double().clamp(CLAMP, 1 - CLAMP).logit()


def towards(values: Tensor, rising: Tensor) -> Tensor:
    """Log-odds of the asked state: those of the attribute, [..., N], or their negative where it should go, [N]."""
    return torch.where(rising, values, -values)


@dataclass(frozen=True)
class Arrival:
    """Each sample's result.

    Args:
        steps: the first step at which the asked state has the log-odds ARRIVED; the closest where none has, [N].
        arrived: which samples began on the other side and have arrived, [N].
    """

    steps: Tensor
    arrived: Tensor


def arrival(asked: Tensor) -> Arrival:
    """Where samples arrive.

    Args:
        asked: log-odds of the asked state, step by step, [S, N].
    """
    missing = ARRIVED - asked
    steps = settle(missing, 0.0, closest=True)[-1]
    return Arrival(steps, (missing.amin(dim=0) <= 0) & (asked[0] < 0))
