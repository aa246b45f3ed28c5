"""Is the way of an edit monotone and even? On pictures at equal distances along it, as many for every method.

Rank correlation of strength and score (Spearman, 1904), and the range and smoothness of a slider ("FreeSliders", arXiv
2511.00103, by the code that its authors published), with the judge's probability in place of CLIP's score.
Shapes: S strengths, N samples, P positions.
"""

import torch
from torch import Tensor

POSITIONS = 9  # of a way, its start and end among them


def along(latents: Tensor, steps: Tensor) -> Tensor:
    """Latents at equal distances along each sample's way to its result, straight between steps.

    Args:
        latents: step by step, [S, N, ...].
        steps: each sample's result, [N].

    Returns:
        [P, N, ...]; the first is the start, the last the result.
    """
    reached = torch.arange(len(latents), device=latents.device).unsqueeze(1) <= steps  # S, N
    moves = (latents[1:] - latents[:-1]).flatten(2).norm(dim=2) * reached[1:]
    length = torch.cat([moves.new_zeros(1, moves.shape[1]), moves.cumsum(dim=0)])  # S, N
    found = []
    samples = torch.arange(latents.shape[1], device=latents.device)
    for share in torch.linspace(0, 1, POSITIONS).tolist():
        wanted = share * length[-1]
        after = (length < wanted).sum(dim=0).clamp_max(len(latents) - 1)
        after = torch.minimum(after, steps)
        before = (after - 1).clamp_min(0)
        low, high = length[before, samples], length[after, samples]
        part = ((wanted - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        part = part.reshape(-1, *[1] * (latents.ndim - 2))
        found.append(torch.lerp(latents[before, samples], latents[after, samples], part))
    return torch.stack(found)


def monotonicity(scores: Tensor) -> float:
    """Spearman's rank correlation of position and score, the mean over samples: [P, N] => -1 to 1.

    Equal scores share their mean rank. Scores that are all equal have none: 0.
    """
    ranks = _ranks(scores) - (len(scores) - 1) / 2
    positions = torch.arange(len(scores), dtype=torch.float64).unsqueeze(1) - (len(scores) - 1) / 2
    spread = (ranks.square().sum(dim=0) * positions.square().sum()).sqrt()
    return ((ranks * positions).sum(dim=0) / spread.clamp_min(1e-12)).mean().item()


def _ranks(scores: Tensor) -> Tensor:
    one, other = scores.unsqueeze(1), scores.unsqueeze(0)  # P, P, N
    return (one > other).double().sum(dim=1) + ((one == other).double().sum(dim=1) - 1) / 2


def smoothness(scores: Tensor) -> float:
    """Conceptual smoothness (CSM): how unequal the steps of the asked state's probability are, [P, N].

    The standard deviation of the steps from one position to the next, 0 before the first and 1 after the last among
    them, falls left out; the mean over samples. From 0 to 1 in even steps it is 0.05, in one jump 0.3.
    """
    ends = scores.new_zeros(1, scores.shape[1])
    gaps = torch.cat([ends, scores, ends + 1]).double().diff(dim=0)
    return torch.stack([one[one >= 0].std(correction=0) for one in gaps.unbind(dim=1)]).mean().item()


def conceptual_range(scores: Tensor) -> float:
    """Conceptual range (CR): how far the asked state's probability can be moved, [S, N] => 0 to 1.

    From the start to the best strength, since strengths of methods have no common end; the mean over samples. The
    published mean of two prompts' ranges is one range here: the probabilities of an attribute and of its absence have
    the sum 1.
    """
    return (scores.amax(dim=0) - scores[0]).double().mean().item()
