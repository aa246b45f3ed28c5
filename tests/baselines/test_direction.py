"""A direction of somebody else's: as far along it as was said, layer by layer where it says so."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sgf_hub.baselines import DirectionEditor
from sgf_hub.editing import EditConfig, EditRequest, edit
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.types import Latent
from tests.toys import PlainGenerator, PlainPredictor, toy_generator, toy_progan

WAY = torch.tensor([3.0, 0.0, 4.0]) / 5
START = Latent(torch.tensor([[0.1, 0.2, 0.3], [0.0, -0.1, 0.4]]), "w")
STEPS = EditConfig.paper(max_steps=4, tolerance=0.0)


def editor(direction: Tensor = WAY, **options: float) -> DirectionEditor:
    return DirectionEditor(PlainGenerator(3), PlainPredictor(torch.eye(3)), direction, **options)


def test_the_path_is_the_formula() -> None:
    found = list(editor(step_size=0.5).steps(START, EditRequest({}), STEPS))
    assert [step.index for step in found] == [0, 1, 2, 3, 4]
    for k, step in enumerate(found):
        torch.testing.assert_close(step.latent.data, START.data + k * 0.5 * WAY)
        assert step.latent.space == "w" and step.distance.tolist() == [0, 0]


def test_back() -> None:
    found = edit(editor(step_size=-0.5), START, EditRequest({}), STEPS).result
    torch.testing.assert_close(found.latent.data, START.data - 2 * WAY)


def test_a_wish_ends_it() -> None:
    config = EditConfig.paper(max_steps=40, tolerance=1.0)
    trajectory = edit(editor(step_size=0.1), START[0], {"a2": 0.9}, config)
    assert 0 < trajectory.taken[0] < 40 and trajectory.result.c[0, 2] == pytest.approx(0.8, abs=0.2)


def test_each_layer_its_own_row() -> None:
    generator = toy_generator()
    direction = torch.zeros(8, 16)
    direction[2:4, 5] = 2.0
    matrix = torch.eye(3, 3 * 32 * 32)
    moved = DirectionEditor(generator, PlainPredictor(matrix), direction, step_size=0.25)
    start = generator.sample(2, seed=1)
    found = edit(moved, start, EditRequest({}), STEPS).result.latent
    assert found.space == "w+"
    torch.testing.assert_close(found.data, generator.to_w_plus(start).data + direction)


def test_of_z() -> None:
    generator = toy_progan()
    moved = DirectionEditor(generator, PlainPredictor(torch.eye(3, 3 * 32 * 32)), torch.eye(16)[1], step_size=1.0)
    found = edit(moved, generator.sample(1, seed=1), EditRequest({}), STEPS).result.latent
    assert found.space == "z" and (found.data - generator.sample(1, seed=1).data)[0, 1] == pytest.approx(4)


def test_steps_follow_the_spread_of_the_latents() -> None:
    assert editor().spread == pytest.approx(0.8, rel=0.1)  # the toy's standard deviation, in every direction
    assert editor().step_size == pytest.approx(0.7 * editor().spread)


def test_out_of_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "smile.npy", np.array([[6.0, 0, 8]], np.float32))
    generator, predictor = PlainGenerator(3), PlainPredictor(torch.eye(3))
    torch.testing.assert_close(DirectionEditor.read(tmp_path / "smile.npy", generator, predictor).direction, WAY)
    with pytest.raises(SpaceError, match="latents of this generator are 'w' of 4 dimensions"):
        DirectionEditor.read(tmp_path / "smile.npy", PlainGenerator(4), predictor)


def test_other_shapes() -> None:
    with pytest.raises(BadValueError, match=r"the direction has shape \[4\]; one of this generator has \[3\]\."):
        editor(torch.ones(4))
    with pytest.raises(BadValueError, match=r"has shape \[2, 16\]; one of this generator has \[16\] or \[8, 16\]"):
        DirectionEditor(toy_generator(), PlainPredictor(torch.eye(3)), torch.ones(2, 16))
    with pytest.raises(BadValueError, match="step_size is nan"):
        editor(step_size=float("nan"))
