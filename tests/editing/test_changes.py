"""What an edit changed beside what was asked: the one count that Edit, Compare, the command and the measures share."""

import pytest
import torch

from sgf_hub.editing.changes import changes, moved_points
from sgf_hub.types import ConditionSpec

SPEC = ConditionSpec(("smile", "bald", "hair", "hat"), ("nose", "chin"), groups=(("bald", "hair"),))


def c(*probabilities: float, nose: float = 0.5, chin: float = 0.9) -> torch.Tensor:
    return torch.tensor([*(2 * p - 1 for p in probabilities), 0.5, nose, 0.5, chin])


def told(after: torch.Tensor, asked: tuple[str, ...], released: tuple[str, ...] = ()) -> dict[str, list[str]]:
    found = changes(SPEC, c(0.0, 0.0, 1.0, 0.0), after, asked, released)
    return {kind: list(names) for kind, names in vars(found).items()}


def test_what_excludes_a_wish_is_no_side_effect() -> None:
    after = c(0.1, 1.0, 0.0, 0.6)
    assert told(after, ("bald",)) == {"asked": ["bald"], "others": ["hat"], "excluded": ["hair"], "freed": []}
    assert told(after, ("smile",))["others"] == ["bald", "hair", "hat"]


def test_what_was_free_to_change_is_no_side_effect() -> None:
    after = c(1.0, 0.0, 1.0, 0.9)
    assert told(after, ("smile",), ("hat",)) == {"asked": ["smile"], "others": [], "excluded": [], "freed": ["hat"]}


def test_the_most_changed_comes_first_and_little_is_none() -> None:
    found = changes(SPEC, c(0.0, 0.0, 1.0, 0.0), c(0.0, 0.6, 0.05, 0.49), ["smile"])
    assert list(found.others) == ["hair", "bald"]
    assert found.others["hair"] == pytest.approx((1.0, 0.05), abs=1e-6)


def test_points_that_moved_visibly() -> None:
    assert moved_points(SPEC, c(0, 0, 0, 0), c(0, 0, 0, 0, nose=0.52, chin=0.94)) == ("chin",)
