"""What an edit changed: what was asked, and beside it. Everybody who counts side effects counts them here."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from sgf_hub.types import ConditionSpec

CHANGED = 0.5  # an attribute has changed if its probability moved by more (Section 4.4.1)
MOVED = 0.03  # of the image's side: a keypoint has moved if it did by more

Ends = dict[str, tuple[float, float]]
"""Attribute => its probability before and after."""


@dataclass(frozen=True)
class Changes:
    """What became of the attributes of one picture, each once; those that did not change are left out.

    Args:
        asked: what was asked for, changed or not.
        others: side effects: what should have stayed as it was, most changed first.
        excluded: what excludes something that was asked for and so had to change with it (hair and bald), likewise.
        freed: what was free to change, likewise.
    """

    asked: Ends
    others: Ends
    excluded: Ends
    freed: Ends


def changes(
    spec: ConditionSpec, before: Tensor, after: Tensor, asked: Iterable[str], released: Iterable[str] = ()
) -> Changes:
    """What an edit of one picture changed.

    Args:
        spec: the meaning of c.
        before: C of the picture before, [C].
        after: C of the picture after, [C].
        asked: names that were asked for; those of keypoints are passed over.
        released: names that were free to change.
    """
    asked, free = tuple(asked), set(released)
    ends = dict(zip(spec.attributes, _ends(spec, before, after), strict=True))
    moved = {name: pair for name, pair in ends.items() if abs(pair[1] - pair[0]) > CHANGED and name not in asked}
    moved = dict(sorted(moved.items(), key=lambda item: -abs(item[1][1] - item[1][0])))
    others = set(spec.others(asked))
    return Changes(
        asked={name: ends[name] for name in asked if name in ends},
        others={name: pair for name, pair in moved.items() if name in others and name not in free},
        excluded={name: pair for name, pair in moved.items() if name not in others},
        freed={name: pair for name, pair in moved.items() if name in others and name in free},
    )


def moved_points(spec: ConditionSpec, before: Tensor, after: Tensor) -> tuple[str, ...]:
    """The keypoints that moved visibly between two pictures' c, [C] each."""
    way = (spec.points(before[None]) - spec.points(after[None]))[0].norm(dim=-1)
    return tuple(name for name, far in zip(spec.keypoints, way.tolist(), strict=True) if far > MOVED)


def _ends(spec: ConditionSpec, before: Tensor, after: Tensor) -> list[tuple[float, float]]:
    pairs = zip(*(((spec.scores(c[None])[0] + 1) / 2).tolist() for c in (before, after)), strict=True)
    return [(p0, p1) for p0, p1 in pairs]
