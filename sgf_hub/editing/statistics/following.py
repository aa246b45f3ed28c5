"""Keypoints that nobody asked to move follow those that were (ours).

A face has fewer ways to move than it has points: a mouth corner that goes up alone, with every other point held to the
pixel, is no face that a generator draws, and the field, followed along such a change, moves the head instead. So the
target of an edit that moves points is made one that pictures have: c1 - c0 = L u, with L the principal directions in
which c varies from sample to sample, and u ~ N(0, I) the most probable one given that the asked coordinates change as
asked and the others stay. How strictly a point stays grows with its distance from those that move.
"""

import torch
from torch import Tensor

from sgf_hub.types import ConditionSpec, Target

FACTORS = 32
"""Columns of L that a mapping keeps: points of faces vary in some twenty ways."""

# standard deviations of what is observed
_ASKED_POINT = 0.001  # of the image's side
_HELD_NEAR, _HELD_FAR, _REACH = 0.2, 0.025, 0.13  # at no distance, far away, and where the one passes into the other
_ATTRIBUTE = 0.3  # of a score


def fit_factors(c: Tensor, count: int) -> Tensor:
    """L: the principal directions of conditions, each as long as c varies along it.

    Args:
        c: of samples, [N, C].
        count: R, how many; the widest ones.

    Returns:
        [C, R].
    """
    values, vectors = torch.linalg.eigh(torch.cov(c.double().T))
    return (vectors * values.clamp_min(0).sqrt())[:, -count:].flip(1).float()


def followed(factors: Tensor, spec: ConditionSpec, c0: Tensor, target: Target) -> Target:
    """A target with the coordinates that were not asked for where they are most probable, given those that were.

    Where no keypoint is asked for, or all of them are, it is the target itself.

    Args:
        factors: L, [C, R].
        spec: the meaning of c.
        c0: of the pictures before, [B, C].
        target: what was asked for.
    """
    count = len(spec.attributes)
    points = spec.points(target.asked[None])[0].any(-1)  # K
    if not points.any() or points.all():
        return target
    place = spec.points(c0)
    near = (place[:, :, None] - place[:, None, points]).norm(dim=-1).amin(-1)  # B, K: to the nearest asked point
    held = _HELD_FAR + (_HELD_NEAR - _HELD_FAR) * torch.exp(-((near / _REACH) ** 2))
    noise = torch.cat([torch.full_like(c0[:, :count], _ATTRIBUTE), held.repeat_interleave(2, dim=1)], dim=1)
    noise[:, count:][:, target.asked[count:]] = _ASKED_POINT
    weight = noise.double() ** -2 * ~target.released  # what is released says nothing
    change = ((target.c - c0) * target.asked).double()
    factors = factors.double()
    precision = torch.einsum("cr,bc,cs->brs", factors, weight, factors) + torch.eye(factors.shape[1]).to(factors)
    likely = torch.linalg.solve(precision, (weight * change) @ factors) @ factors.T
    c1 = c0 + likely.to(c0)
    c1[:, :count] = c1[:, :count].clamp(-1, 1)
    return Target(torch.where(target.asked, target.c, c1), target.asked, target.released)


__all__ = ["FACTORS", "fit_factors", "followed"]
