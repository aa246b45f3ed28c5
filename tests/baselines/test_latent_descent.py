"""Adam on the latent: it reaches what it can, holds the rest, and keeps samples apart."""

import pytest
import torch

from sgf_hub.baselines import LatentDescentEditor
from sgf_hub.editing import EditConfig, StopReason, edit
from sgf_hub.types import ConditionSpec, Latent
from tests.toys import PlainGenerator, PlainPredictor

START = Latent(torch.tensor([[-0.8, 0.1, 0.2], [0.4, -0.3, 0.2], [0.0, 0.3, -0.6]]), "w")


def editor_of(matrix=None, spec: ConditionSpec | None = None, **weights: float) -> LatentDescentEditor:
    matrix = torch.eye(3) if matrix is None else matrix
    return LatentDescentEditor(PlainGenerator(3), PlainPredictor(matrix, spec), **weights)


def test_it_reaches_and_holds() -> None:
    entangled = torch.tensor([[1.0, 0.0, 0.0], [0.8, 1.0, 0.0], [0.0, 0.5, 1.0]])
    editor = editor_of(entangled, held=1.0, prior=0.0, step_size=0.05)
    trajectory = edit(editor, START, {"a0": 0.9}, EditConfig.paper(max_steps=200))
    assert set(trajectory.reasons) == {StopReason.TARGET_REACHED}
    held = trajectory.result.c[:, 1:] - trajectory.steps[0].c[:, 1:]
    assert held.abs().max() < 0.25


def test_what_is_released_may_go() -> None:
    entangled = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    editor = editor_of(entangled, held=10.0, prior=0.0, step_size=0.05)
    drift = {}
    for release in ((), ("a1",)):
        target = editor.predictor.target(START.data @ entangled.T, release=release, a0=1)
        result = edit(editor, START, target, EditConfig.paper(max_steps=30, tolerance=0.0)).result
        drift[release] = (result.c - START.data @ entangled.T)[:, 1].abs().mean()
    assert drift[("a1",)] > 3 * drift[()]


def test_keypoints_are_pulled_in_the_units_of_their_tolerance() -> None:
    editor = editor_of(torch.eye(3), ConditionSpec(("smile",), ("nose",)), prior=0.0, step_size=0.02)
    config = EditConfig.paper(max_steps=100)
    trajectory = edit(editor, Latent(torch.tensor([[0.3, 0.2, 0.4]]), "w"), {"nose": (0.6, 0.7)}, config)
    assert trajectory.reasons == (StopReason.TARGET_REACHED,)
    assert trajectory.result.c[0, 0] == pytest.approx(0.3, abs=0.1)


def test_the_prior_pulls_back() -> None:
    config = EditConfig.paper(max_steps=80, tolerance=0.0)
    far, near = (
        edit(editor_of(prior=prior, step_size=0.05), START, {"a0": 1}, config).result.latent.data
        for prior in (0.0, 30.0)
    )
    assert ((near - START.data).norm(dim=1) < 0.5 * (far - START.data).norm(dim=1)).all()


def test_the_first_step_is_adams() -> None:
    """Its first step is the learning rate in every coordinate that has a gradient."""
    editor = editor_of(held=0.0, prior=0.0, step_size=0.05)
    config = EditConfig.paper(max_steps=1, tolerance=0.0)
    moved = edit(editor, START, {"a0": 1}, config).result.latent.data - START.data
    torch.testing.assert_close(moved, torch.tensor([0.05, 0, 0]).expand(3, 3), atol=1e-6, rtol=1e-4)


def test_a_sure_classifier_still_has_a_slope() -> None:
    class Sure(PlainPredictor):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tanh(4 * super().forward(images))

    predictor = Sure(torch.eye(3))
    editor = LatentDescentEditor(PlainGenerator(3), predictor, prior=0.0, step_size=0.1)
    start = Latent(torch.tensor([[-1.2, 0.0, 0.0]]), "w")  # a probability of 7e-5
    assert edit(editor, start, {"a0": 1}, EditConfig.paper()).reasons == (StopReason.TARGET_REACHED,)


def test_the_sweep_follows_the_spread_of_the_latents() -> None:
    editor = editor_of()
    assert editor.sweep.tolerance == 0 and editor.step_size == pytest.approx(0.2 * 0.8, rel=0.05)
    assert editor.spread.mean().item() == pytest.approx(0.8, rel=0.05)
