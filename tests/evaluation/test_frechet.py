"""The distance of edited pictures to unedited ones, on toys."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.frechet import edited_frechet
from sgf_hub.types import ConditionSpec
from tests.toys import coupled_editor


def backbone(images: Tensor) -> Any:
    """The latent, which a `PlainGenerator` writes into its first pixels, as a feature map."""
    return images.flatten(1)[:, :3, None, None]


class Shift:
    """A rule whose step is the same for all latents."""

    def __init__(self, by: float) -> None:
        self.by = by

    def begin(self, edit: Any) -> Any:
        return lambda state: torch.full_like(state.z, self.by)


@pytest.fixture
def editor() -> SGFEditor:
    return coupled_editor(torch.eye(3), ConditionSpec(attributes=("a", "b", "c")))


STILL = replace(EditConfig.paper(max_steps=1), within=None)


class TestEditedFrechet:
    def test_pictures_left_as_they_are_and_wild_ones(self, editor: SGFEditor) -> None:
        left = edited_frechet(editor.with_stepping(Shift(0.0)), backbone, STILL, samples=300, seed=0)
        assert left.edited < 0.1 and left.unedited < 0.1 and left.alike < 0.1
        wild = edited_frechet(editor.with_stepping(Shift(5.0)), backbone, STILL, samples=300, seed=0)
        assert wild.edited == pytest.approx(3 * 25, rel=0.1) and wild.edited_to_alike > 50
        assert (wild.unedited, wild.alike) == (left.unedited, left.alike)

    def test_a_seed_gives_the_same(self, editor: SGFEditor) -> None:
        first, again, other = (edited_frechet(editor, backbone, STILL, samples=40, seed=seed) for seed in (1, 1, 2))
        assert first == again and first != other

    def test_samples_that_never_have_it(self, editor: SGFEditor) -> None:
        editor.predictor.matrix = torch.eye(3) * 0 - 1e-3  # c has the sign of -sum z in all three
        editor.generator.sample = lambda n, *, seed, truncation=0.8: _positive(n)
        with pytest.raises(BadValueError, match="only 0 of 20 edits ask for what samples have"):
            edited_frechet(editor, backbone, STILL, samples=20, seed=0)


def _positive(count: int) -> Any:
    from sgf_hub.types import Latent

    return Latent(torch.rand(count, 3) + 0.1, "w")
