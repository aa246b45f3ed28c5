"""Training a predictor, at toy size: it learns, it goes on after a kill, its files load, in any world."""

import dataclasses
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from sgf_hub.data.drawn import WORLDS, augment, drawn, evaluate, load_world, meaning_of
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.predictors import load_predictor
from sgf_hub.training.readers import supervised
from sgf_hub.training.readers.predictors import PRESETS, PredictorConfig, train_predictor

TOY = PredictorConfig(
    name="toy",
    world="avatars",
    image_size=32,
    embedding_size=8,
    hidden_sizes=(8, 8),
    depths=(1, 1),
    squeeze=4,
    hidden=16,
    resolution=32,
    pictures=96,
    held_out=32,
    images=32 * 60,
    batch=32,
    bf16=False,
)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(supervised, "REPORT_EVERY", 1e9)  # however slow the machine is
    monkeypatch.setattr(supervised, "SAVE_EVERY", 1e9)
    yield
    torch.set_num_threads(threads)


def test_it_trains_saves_and_reports(tmp_path: Path) -> None:
    records = list(train_predictor(TOY, out=tmp_path / "zoo", run=tmp_path / "run", command="typed"))
    assert [record["event"] for record in records] == ["drawn", "checkpoint", "done"]
    logged = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [record["event"] for record in logged] == ["drawn", "checkpoint", "done"]
    predictor = load_predictor([str(tmp_path / "zoo/toy-attributes"), str(tmp_path / "zoo/toy-keypoints")])
    held_out = drawn("avatars", tmp_path / "run", 32, seed=supervised.HELD_OUT_SEED, resolution=32)
    report = json.loads((tmp_path / "zoo/toy-backbone/training.json").read_text())
    assert report["command"] == "typed" and report["images_seen"] == 1920
    assert report["held_out"] == evaluate(predictor, held_out, meaning_of("avatars"))
    # a toy is no judge, but it has left chance and the average face is in the right place
    assert report["held_out"]["accuracy"] > 0.7 and report["held_out"]["keypoint_error"] < 0.05


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(TOY, images=32 * 12)
    whole = list(train_predictor(config, out=tmp_path / "whole", run=tmp_path / "a"))[-1]
    monkeypatch.setattr(supervised, "SAVE_EVERY", 0.0)  # a checkpoint after each step
    first = train_predictor(config, out=tmp_path / "parts", run=tmp_path / "b")
    for record in first:
        if record.get("step") == 5:
            first.close()
    rest = list(train_predictor(config, out=tmp_path / "parts", run=tmp_path / "b"))
    assert [record["step"] for record in rest if record["event"] == "checkpoint"] == list(range(6, 13))
    assert rest[-1]["held_out"] == whole["held_out"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    short = dataclasses.replace(TOY, images=32)
    list(train_predictor(short, out=tmp_path, run=tmp_path / "run"))
    with pytest.raises(BadValueError, match="of a run with other settings: delete it"):
        list(train_predictor(dataclasses.replace(short, seed=1), out=tmp_path, run=tmp_path / "run"))
    (tmp_path / "run/checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CorruptFileError, match="delete it to start over"):
        list(train_predictor(short, out=tmp_path, run=tmp_path / "run"))


def test_pictures_are_drawn_once(tmp_path: Path) -> None:
    first = drawn("avatars", tmp_path, 12, seed=3, resolution=32)
    times = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again = drawn("avatars", tmp_path, 12, seed=3, resolution=32)
    assert times == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert np.array_equal(first.images, again.images) and np.array_equal(first.keypoints, again.keypoints)
    images, attributes, causes, keypoints = again.batch(np.array([1, 5]))
    assert images.shape == (2, 3, 32, 32) and -1 <= images.min() and images.max() <= 1
    assert len(attributes) == len(causes) == len(keypoints) == 2 and again.captions is None
    assert not np.array_equal(drawn("avatars", tmp_path, 12, seed=4, resolution=32).images, first.images)


@dataclasses.dataclass
class _Batch:
    images: np.ndarray
    attributes: np.ndarray
    captions: list[tuple[str, ...]]


@pytest.fixture
def flowers(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A world without causes and keypoints: pictures all of one colour, and a caption that names it."""
    world = types.ModuleType("sgf_hub.data.flowers")

    def sample_batch(count: int, *, seed: int, resolution: int, workers: int = 1) -> _Batch:
        colors = np.random.default_rng(seed).integers(3, size=count)
        attributes = np.eye(3, dtype=np.float32)[colors]  # red, green or blue
        images = np.broadcast_to(255 * attributes[:, :, None, None], (count, 3, resolution, resolution))
        return _Batch(images.astype(np.uint8), attributes, [(f"a {world.ATTRIBUTES[i]} one", "one") for i in colors])

    world.__dict__.update(ATTRIBUTES=("red", "green", "blue"), EXCLUSIVE=(("red", "green", "blue"),))
    world.__dict__.update(sample_batch=sample_batch)
    monkeypatch.setitem(sys.modules, world.__name__, world)
    return world


def test_captions_are_kept_with_the_pictures(flowers: types.ModuleType, tmp_path: Path) -> None:
    first = drawn("flowers", tmp_path, 5, seed=3, resolution=32)
    again = drawn("flowers", tmp_path, 5, seed=3, resolution=32)
    assert first.captions == again.captions == flowers.sample_batch(5, seed=3, resolution=32).captions
    assert first.causes is first.keypoints is None and first.batch(np.arange(2))[2:] == (None, None)
    flowers.ATTRIBUTES = ("scarlet", "green", "blue")  # other words, the same pictures: drawn again
    assert {several[0] for several in drawn("flowers", tmp_path, 5, seed=3, resolution=32).captions} <= {
        "a scarlet one", "a green one", "a blue one"
    }  # fmt: skip


def test_a_world_without_keypoints_trains_the_attributes_alone(flowers: types.ModuleType, tmp_path: Path) -> None:
    config = dataclasses.replace(TOY, world="flowers", learning_rate=1e-2)
    report = list(train_predictor(config, out=tmp_path, run=tmp_path / "run"))[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "toy-attributes", "toy-backbone"]
    predictor = load_predictor(str(tmp_path / "toy-attributes"))
    assert predictor.spec.attributes == flowers.ATTRIBUTES and predictor.spec.groups == flowers.EXCLUSIVE
    assert "keypoint_error" not in report["held_out"]
    assert report["held_out"]["accuracy"] > 0.95  # three flat colours
    assert report["held_out"]["group_accuracies"] == {"red, green, blue": 1.0}


def test_an_exclusive_group_is_right_where_the_highest_score_is(flowers: types.ModuleType, tmp_path: Path) -> None:
    pictures = drawn("flowers", tmp_path, 40, seed=0, resolution=32)
    shares = pictures.attributes.mean(0)
    report = evaluate(torch.nn.Sequential(torch.nn.Flatten(), _Says(0.9, -0.5, -0.9)), pictures, meaning_of("flowers"))
    assert report["pictures"] == 40
    assert report["group_accuracies"] == {"red, green, blue": pytest.approx(shares[0], abs=1e-4)}
    assert report["accuracies"]["green"] == pytest.approx(1 - shares[1], abs=1e-4)
    assert report["balanced_accuracies"] == {"red": 0.5, "green": 0.5, "blue": 0.5}


class _Says(torch.nn.Module):
    """The same scores for every picture."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.scores = torch.tensor(scores)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scores.expand(len(images), -1)


def test_an_unknown_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match="world is 'os'; choose 'avatars' or 'flowers'"):
        drawn("os", tmp_path, 5, seed=3, resolution=32)


@pytest.mark.parametrize("world", WORLDS)
def test_each_world_says_which_labels_it_has(world: str, tmp_path: Path) -> None:
    package, pictures = load_world(world), drawn(world, tmp_path, 3, seed=0, resolution=32)
    assert pictures.images.shape == (3, 3, 32, 32) and pictures.attributes.shape == (3, len(package.ATTRIBUTES))
    assert {name for group in package.EXCLUSIVE for name in group} <= set(package.ATTRIBUTES)
    rich = world == "avatars"
    assert hasattr(package, "KEYPOINTS") is hasattr(package, "CAUSES") is rich
    assert (pictures.keypoints is not None) is (pictures.causes is not None) is (pictures.captions is None) is rich


def test_augmentation_moves_the_keypoints_with_the_picture() -> None:
    """A white dot on black is found where its keypoint says."""
    side, count = 64, 40
    generator = torch.Generator().manual_seed(0)
    spots = torch.randint(16, 48, (count, 2), generator=generator)
    images = torch.full((count, 3, side, side), -1.0)
    for image, (x, y) in zip(images, spots.tolist(), strict=True):
        image[:, y - 2 : y + 3, x - 2 : x + 3] = 1
    truth = ((spots + 0.5) / side)[:, None]
    moved, keypoints = augment(images, truth, generator=generator)
    mass = ((moved.mean(1) + 1) / 2 - 0.35).clamp(min=0)  # over blotches and noise
    axis = (torch.arange(side) + 0.5) / side
    found = torch.stack([(mass.sum(1) * axis).sum(1), (mass.sum(2) * axis).sum(1)], 1) / mass.sum((1, 2))[:, None]
    assert keypoints is not None
    errors = (found - keypoints[:, 0]).norm(dim=1)
    assert errors.max() < 0.012  # the wobble, and the noise of the measurement
    assert (keypoints - truth).norm(dim=-1).max() > 0.03
    assert moved.shape == images.shape and moved.abs().max() <= 1


def test_augmentation_depends_on_its_generator_alone() -> None:
    images, keypoints = torch.rand(4, 3, 32, 32), torch.rand(4, 5, 2)
    one, two = (augment(images, keypoints, generator=torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert torch.equal(augment(images, None, generator=torch.Generator().manual_seed(9))[0], one[0])


def test_a_weak_tint_keeps_the_shades() -> None:
    images = torch.full((64, 3, 32, 32), 0.5)
    images[:, 1:] = -0.5

    def changes(tint: float) -> torch.Tensor:
        moved, _ = augment(images, None, generator=torch.Generator().manual_seed(0), tint=tint)
        return (moved - images).mean((2, 3)).abs().max()

    assert changes(0.25) < 0.05 < 0.12 < changes(1.0)


def test_the_judge_is_another_network_with_other_data() -> None:
    predictor, judge = PRESETS["avatars"], PRESETS["avatars-judge"]
    assert predictor.backbone != judge.backbone
    assert predictor.seed != judge.seed and predictor.data_seed != judge.data_seed
    chunks = predictor.pictures // 4000 + 1
    assert abs(predictor.data_seed - judge.data_seed) > chunks < supervised.HELD_OUT_SEED - judge.data_seed


def test_nonsense_configs_are_refused() -> None:
    with pytest.raises(BadValueError, match="batch is at most pictures"):
        dataclasses.replace(TOY, batch=1000)
