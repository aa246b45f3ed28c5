"""Which step of an edit is its result: the one that best balances wish and rest, or the one that arrived.

The last step is the surest of what was asked, and has often changed more beside it than it needed: "smile" was there at
90 of 100 with all else as it was, three steps before glasses and a mustache came with it. So each step is worth

    reached - WEIGHT * changed,

reached being how near what was asked has come and changed how far the probabilities of the other attributes have moved
in sum, both as the predictor reads them; the best step of those that are close (within the tolerance, as the paper has
it) is taken, or of all where none is. Both numbers were chosen on held-out latents, see docs/experiments.md.
"""

from functools import cache

import torch
from torch import Tensor

from sgf_hub.editing.config import EditConfig
from sgf_hub.types import ConditionSpec, Target

WEIGHT = 0.1  # of the sum of the others' moves of probability, against that of what was asked
_CLOSE = 1e3  # what being close is worth: more than all else


def worth(
    spec: ConditionSpec, config: EditConfig, c0: Tensor, c: Tensor, target: Target, distance: Tensor, index: int
) -> Tensor:
    """What a step is worth as the result, [B]; the later one of equals is taken.

    Args:
        spec: the meaning of c.
        config: of the edit.
        c0: C of the pictures before, [B, C].
        c: C of the step's pictures, [B, C].
        target: where the edit is going.
        distance: to the target, [B].
        index: of the step.
    """
    if config.choose == "balanced" and not spec.caption:
        value = reached(spec, c0, c, target) - WEIGHT * changed(spec, c0, c, target)
        value = value + _CLOSE * (distance <= config.tolerance)
    else:
        value = -distance if config.return_best else torch.full_like(distance, index)
    return value.nan_to_num(nan=-torch.inf)


def reached(spec: ConditionSpec, c0: Tensor, c: Tensor, target: Target) -> Tensor:
    """How near what was asked has come, at most 1, [B].

    The mean over the attributes asked of 1 - |p - p1|, and over the points asked together of the share of their way
    that is gone; what is asked to stay as it was does not count.
    """
    parts, counts = [], []
    asked = _moving(c0, target)
    if spec.attributes:
        mask = spec.scores(asked)
        parts.append(((1 - spec.scores(c - target.c).abs() / 2) * mask).sum(dim=1))  # a score is 2 p - 1
        counts.append(mask.sum(dim=1))
    if spec.keypoints:
        mask = spec.points(asked).any(dim=-1)  # B, K
        before, now = ((spec.points(one - target.c).norm(dim=-1) * mask).sum(dim=1) for one in (c0, c))
        some = mask.any(dim=1)
        parts.append(torch.where(some, 1 - now / before.clamp_min(1e-6), 0.0))
        counts.append(some)
    return torch.stack(parts).sum(dim=0) / torch.stack(counts).sum(dim=0).clamp_min(1)


def changed(spec: ConditionSpec, c0: Tensor, c: Tensor, target: Target) -> Tensor:
    """How far the other attributes' probabilities have moved in sum, [B].

    Others are those that are neither asked for, nor exclude one that is, nor are released.
    """
    asked = spec.scores(_moving(c0, target))
    free = asked | (asked.float() @ _rivals(spec).to(c.device) > 0) | target.released[: len(spec.attributes)]
    return (spec.scores(c - c0).abs() / 2 * ~free).sum(dim=1)


@cache
def _rivals(spec: ConditionSpec) -> Tensor:
    """1 where one attribute excludes the other, [A, A]; asked for at every step."""
    found = torch.zeros(len(spec.attributes), len(spec.attributes))
    for at, name in enumerate(spec.attributes):
        found[at, [spec.index(other).start for other in spec.siblings(name)]] = 1
    return found


def _moving(c0: Tensor, target: Target) -> Tensor:
    """Where something else is asked for than what is there, a mask [B, C]."""
    return target.asked & (target.c != c0)
