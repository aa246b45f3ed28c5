"""The Manipulation Disentanglement Curve and its area, the Score (MDC and MDS, Section 4.4.1), from scores alone.

Scores are probabilities in [0, 1]. An edit runs over manipulation strength k = 0, 1, ..., S - 1 (steps of a field, or
distance along a direction); strength 0 is the unchanged picture. Shapes: S strengths, N samples, M attributes.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.editing.changes import CHANGED
from sgf_hub.errors import BadValueError


@dataclass(frozen=True)
class Curve:
    """An MDC: one point a strength.

    Args:
        accuracy: share of the samples whose attribute changed to the target; 0 at strength 0.
        disentanglement: mean share of the other attributes that did not change; 1 at strength 0.

    Raises:
        BadValueError: if the curve does not begin at (0, 1), or leaves [0, 1].
    """

    accuracy: tuple[float, ...]
    disentanglement: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.accuracy) != len(self.disentanglement) or (self.accuracy[:1], self.disentanglement[:1]) != (
            (0.0,),
            (1.0,),
        ):
            raise BadValueError("a curve has two lists of one length, and begins at accuracy 0, disentanglement 1.")
        if not all(0 <= value <= 1 for value in self.accuracy + self.disentanglement):
            raise BadValueError("accuracy and disentanglement are shares, from 0 to 1.")

    @property
    def points(self) -> list[tuple[float, float]]:
        """(accuracy, disentanglement) along the curve, accuracy being the best so far, until it is the best of all.

        An edit that loses accuracy again adds no area: a stronger edit that succeeds less is no reason to move back
        along the axis. For a curve whose accuracy never falls these are its own points.
        """
        reached = list(itertools.accumulate(self.accuracy, max))
        return list(zip(reached, self.disentanglement, strict=True))[: reached.index(reached[-1]) + 1]

    @property
    def mds(self) -> float:
        """The area under the curve over accuracy, by trapezoids; nothing beyond the best accuracy reached."""
        return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in itertools.pairwise(self.points))

    @property
    def best(self) -> int:
        """The strength with the largest harmonic mean of accuracy and disentanglement (Figure 5's green circle)."""
        means = [2 * a * d / max(a + d, 1e-12) for a, d in zip(self.accuracy, self.disentanglement, strict=True)]
        return means.index(max(means))


def manipulation_curve(scores: Tensor, asked: int, rising: Tensor) -> Curve:
    """The MDC of edits that each change one attribute.

    Args:
        scores: probabilities, [S, N, M], from the unchanged picture on.
        asked: the index of the target attribute among the M.
        rising: [N], true where the attribute should appear, false where it should go: the paper inverts the target of
            samples that already match, "so that we can calculate manipulation accuracy for every sample".

    Returns:
        Accuracy N_s / N: the asked score moved by more than 0.5, to the asked side. Disentanglement
        1/N sum_i (1 - n_i / (M - 1)): n_i of all other attributes moved by more than 0.5, those that exclude the asked
        one included.

    Raises:
        BadValueError: if there is no other attribute, no sample, or a score that is not in [0, 1].
    """
    if scores.ndim != 3 or min(scores.shape) < 1 or scores.shape[2] < 2:
        raise BadValueError(f"scores are [strengths, samples, 2 or more attributes], not {list(scores.shape)}.")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise BadValueError("scores are probabilities from 0 to 1; these are not.")
    moves = scores - scores[:1]  # S, N, M
    towards = torch.where(rising, moves[..., asked], -moves[..., asked])
    accuracy = (towards > CHANGED).double().mean(dim=1)
    changed = (moves.abs() > CHANGED).sum(dim=2) - (moves[..., asked].abs() > CHANGED).long()  # n_i: S, N
    disentanglement = 1 - changed.double().mean(dim=1) / (scores.shape[2] - 1)
    return Curve(tuple(accuracy.tolist()), tuple(disentanglement.tolist()))


def settle(distance: Tensor, tolerance: float, *, closest: bool = False) -> Tensor:
    """Which step is each sample's result at each strength, if a sample stops by itself once it has arrived.

    Args:
        distance: to the target, [S, N].
        tolerance: a sample arrives at the first step whose distance is at most this, and stays there.
        closest: a sample that has not arrived gives its closest step so far, not its last one.

    Returns:
        Step numbers, [S, N]; row k holds numbers up to k.
    """
    distance = distance.nan_to_num(nan=float("inf"))
    steps = torch.arange(len(distance)).unsqueeze(1).expand_as(distance)
    arrived = (distance <= tolerance).long().cummax(dim=0).values.bool()
    first = (~arrived).sum(dim=0)  # the step at which a sample arrives; S if it never does
    return torch.where(arrived, first, distance.cummin(dim=0).indices if closest else steps)


def at_steps(values: Tensor, steps: Tensor) -> Tensor:
    """The values of each sample at the given steps: [S, N, ...] and [K, N] => [K, N, ...]."""
    return values[steps, torch.arange(steps.shape[1])]
