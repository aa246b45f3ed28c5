"""One contract for every method, SGF's and the baselines'."""

from dataclasses import replace

import pytest
import torch

from sgf_hub.baselines import METHODS, Choice, DirectionEditor, StyleSpaceEditor, baseline
from sgf_hub.editing import EditConfig, Editor, EditStep, Fixed, SGFEditor, StopReason, edit
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor
from sgf_hub.types import Latent, Target
from tests.baselines.toys import boundaries_of, channels_of, classifiers_of, components_of


@pytest.fixture
def fitted(in_toy_zoo, tmp_path):
    """A folder of directions that were drawn by lot."""
    rng = torch.Generator().manual_seed(5)
    predictor = load_predictor("toy-attributes")
    names = list(predictor.spec.attributes)
    boundaries_of(torch.randn(3, 16, generator=rng), names).save_pretrained(tmp_path / "toy-stylegan2-interfacegan")
    choices = {name: Choice(i, (2 * i, 8), 1 - 2 * (i % 2)) for i, name in enumerate(names)}
    directions = torch.linalg.qr(torch.randn(16, 16, generator=rng)).Q[:4]
    components_of(directions, [1.0, 0.5, 0.2, 0.1], choices).save_pretrained(tmp_path / "toy-stylegan2-ganspace")
    classifiers_of(16, names).save_pretrained(tmp_path / "toy-stylegan2-lace")
    styles = load_generator("toy-stylegan2").style_dim  # type: ignore[union-attr]
    few = torch.randn(3, styles, generator=rng) * (torch.rand(3, styles, generator=rng) < 0.2)
    channels_of(few, names).save_pretrained(tmp_path / "toy-stylegan2-stylespace")
    return tmp_path


@pytest.fixture(params=["sgf", "direction", "direction by layer", *METHODS])
def editor(request, fitted) -> Editor:
    if request.param == "sgf":
        return SGFEditor.from_pretrained("sgf-toy-attributes", stepping=Fixed())
    generator, predictor = load_generator("toy-stylegan2"), load_predictor("toy-attributes")
    if request.param.startswith("direction"):
        rows = torch.linspace(1, 2, 8)[:, None] if request.param == "direction by layer" else 1
        return DirectionEditor(generator, predictor, rows * torch.eye(16)[2])

    def no_pairs():
        raise AssertionError("what is fitted is there")

    return baseline(
        request.param, generator, predictor, generator_name="sgf-hub/toy-stylegan2", pairs=no_pairs, fitted=fitted
    )


def flip(editor: Editor, latent: Latent) -> Target:
    c0 = editor.predictor(editor.generator.synthesize(latent))
    asked = torch.tensor([True, False, False])
    return Target(torch.where(asked, -torch.sign(c0), c0), asked, torch.zeros_like(asked))


def test_steps(editor: Editor) -> None:
    """Steps count from the unchanged picture, all samples end with a reason, and a run repeats exactly."""
    latent = editor.generator.sample(2, seed=3)
    wish = {editor.predictor.spec.names[0]: 1}
    first, second = (edit(editor, latent, wish, EditConfig.paper(max_steps=4)) for _ in range(2))
    assert [step.index for step in first.steps] == list(range(len(first.steps)))
    assert all(isinstance(step, EditStep) and len(step.reasons) == len(step.latent) == 2 for step in first.steps)
    torch.testing.assert_close(first.steps[0].images, editor.generator.synthesize(latent))
    assert None not in first.reasons
    assert all(None in step.reasons for step in first.steps[:-1])
    assert torch.equal(first.result.images, second.result.images)


def test_every_step_is_consistent(editor: Editor) -> None:
    for step in editor.steps(editor.generator.sample(3, seed=3), {"smile": 1}, EditConfig.paper(max_steps=3)):
        torch.testing.assert_close(step.images, editor.generator.synthesize(step.latent), atol=1e-4, rtol=0)
        torch.testing.assert_close(step.distance, editor.predictor.distance(step.c, step.target))
        assert not (step.images.requires_grad or step.c.requires_grad or step.latent.data.requires_grad)


def test_it_moves(editor: Editor) -> None:
    latent = editor.generator.sample(3, seed=3)
    steps = list(editor.steps(latent, flip(editor, latent), EditConfig.paper(max_steps=2, tolerance=0.0)))
    assert (steps[2].latent.data - steps[0].latent.data).flatten(1).norm(dim=1).min() > 0


def test_a_batch_equals_single_runs(editor: Editor) -> None:
    latent = editor.generator.sample(3, seed=8)
    target = flip(editor, latent)
    config = EditConfig.paper(max_steps=5)
    together = edit(editor, latent, target, config)
    for i in range(3):
        alone = edit(editor, latent[i], Target(target.c[i : i + 1], target.asked, target.released), config)
        assert (alone.reasons[0], alone.taken[0]) == (together.reasons[i], together.taken[i])
        torch.testing.assert_close(alone.result.latent.data[0], together.result.latent.data[i], atol=2e-3, rtol=1e-3)


def test_a_sweep_takes_every_step(editor: Editor) -> None:
    latent = editor.generator.sample(2, seed=3)
    sweep = getattr(editor, "sweep", EditConfig.paper(tolerance=0.0))
    assert sweep.tolerance == 0 and sweep.patience is None and sweep.max_steps >= 20
    trajectory = edit(editor, latent, flip(editor, latent), replace(sweep, max_steps=6))
    assert trajectory.taken == [6, 6] and set(trajectory.reasons) == {StopReason.STEP_LIMIT}


@pytest.mark.parametrize("space", ["w", "w+"])
def test_layers(editor: Editor, space: str) -> None:
    latent = editor.generator.sample(1, seed=3)
    start = editor.generator.to_w_plus(latent)  # type: ignore[attr-defined]
    config = EditConfig.paper(layers=(2, 5), max_steps=2, tolerance=0.0)
    target = flip(editor, latent)
    result = edit(editor, latent if space == "w" else start, target, config).result.latent
    if isinstance(editor, StyleSpaceEditor):
        styles, rows = result.data - editor.generator.to_s(latent).data, editor.generator.style_rows  # type: ignore
        assert set(rows[styles[0] != 0].tolist()) == {2, 3, 4} and result.space == "s"
        return
    moved = (result.data - start.data).abs().sum(dim=(0, 2)) > 0
    assert (result.space, moved.tolist()) == ("w+", [2 <= i < 5 for i in range(8)])


def test_w_plus(editor: Editor) -> None:
    start = editor.generator.to_w_plus(editor.generator.sample(2, seed=3))  # type: ignore[attr-defined]
    noise = 0.1 * torch.randn(start.data.shape, generator=torch.Generator().manual_seed(0))
    latent = Latent(start.data + noise, "w+")
    steps = list(editor.steps(latent, flip(editor, latent), EditConfig.paper(max_steps=2, tolerance=0.0)))
    if isinstance(editor, StyleSpaceEditor):
        assert torch.equal(steps[0].latent.data, editor.generator.to_s(latent).data)  # type: ignore[attr-defined]
        return
    assert torch.equal(steps[0].latent.data, latent.data) and steps[-1].latent.space == "w+"
    moved = steps[-1].latent.data - latent.data
    shared = moved[:, -1:] * (torch.linspace(0.5, 1, 8)[:, None] if _by_layer(editor) else 1)
    torch.testing.assert_close(moved, shared.expand_as(moved))  # all layers alike (here, GANSpace's choice too)


def _by_layer(editor: Editor) -> bool:
    return isinstance(editor, DirectionEditor) and editor.direction.ndim == 2


def test_mistakes(editor: Editor) -> None:
    with pytest.raises(SpaceError, match="latent is in space 'z', this editor moves 'w': call generator.to_w"):
        edit(editor, Latent(torch.zeros(1, 16), "z"), {"smile": 1})
    with pytest.raises(BadValueError, match="latent has 3 dimensions, this editor moves 16: use a latent of its"):
        edit(editor, Latent(torch.zeros(1, 3), "w"), {"smile": 1})
    with pytest.raises(BadValueError, match="no wish was given"):
        edit(editor, editor.generator.sample(1, seed=0), {})
