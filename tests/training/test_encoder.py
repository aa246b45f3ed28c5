"""Training an encoder, at toy size: it learns, it goes on after a kill, and it is calibrated on what it never saw."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sgf_hub.cli import main as cli
from sgf_hub.data.out_of_domain import KINDS, sample_strangers
from sgf_hub.errors import BadValueError
from sgf_hub.inversion import calibration
from sgf_hub.inversion.calibration import calibrate, of_world, out_of_domain, pairs_apart
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.projection import ProjectionConfig
from sgf_hub.inversion.projector import Projector
from sgf_hub.training import encoder as training
from sgf_hub.training.encoder import PRESETS, EncoderConfig, train_encoder
from sgf_hub.training.readers import supervised
from sgf_hub.types import Latent
from tests.inversion.toys import write_encoder

GOLDEN = Path(__file__).parents[1] / "golden/rosinality_stylegan2_32px.pt"
TOY = EncoderConfig(
    generator="toy-stylegan2",
    world="avatars",
    backbone="toy-backbone",
    judge="toy-judge-backbone",
    pictures=64,
    held_out=16,
    images=2 * 8 * 30,
    batch=8,
    bf16=False,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(training, "_PROBE", 16)
    for name in ("REPORT_EVERY", "SAVE_EVERY"):
        monkeypatch.setattr(supervised, name, 1e9)
    for name, value in (("PAIRS", 16), ("OWN", 4), ("EACH", 2)):
        monkeypatch.setattr(calibration, name, value)
    monkeypatch.setattr(calibration, "ProjectionConfig", lambda: ProjectionConfig(steps=2, plus_steps=0))
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def toys(in_zoo: Path) -> Path:
    return write_encoder(in_zoo)


def test_it_trains_saves_calibrates_and_reports(toys: Path, tmp_path: Path) -> None:
    records = list(train_encoder(TOY, out=tmp_path / "zoo", run=tmp_path / "run", command="typed"))
    assert [record["event"] for record in records] == ["drawn", "checkpoint", "done"]
    folder = tmp_path / "zoo/toy-stylegan2-encoder"
    report = json.loads((folder / "training.json").read_text())
    assert report["command"] == "typed" and report["images_seen"] == 480
    errors = {key: records[1][key] for key in ("pixel_error", "perceptual_error")}
    assert report["held_out"] == {"pictures": 16, **errors}
    encoder = LatentEncoder.from_pretrained(folder)
    found = report["calibration"]
    assert (encoder.apart, encoder.expressible_from) == (found["apart"], found["expressible_from"])
    assert set(found) == {"apart", "expressible_from", "own", "other", *KINDS}
    # the guess of what the generator drew, drawn again, is nearer to it than the mean picture
    projector = Projector.from_pretrained(folder)
    images = projector.generator.synthesize(projector.generator.sample(32, seed=1))
    again, mean = (
        projector.generator.synthesize(latent)
        for latent in (encoder.encode(images), Latent(encoder.w_mean.expand(32, -1), "w"))
    )
    assert (again - images).square().mean() < 0.8 * (mean - images).square().mean()


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(TOY, images=2 * 8 * 6)
    whole = list(train_encoder(config, out=tmp_path / "whole", run=tmp_path / "a"))[-1]
    monkeypatch.setattr(supervised, "SAVE_EVERY", 0.0)  # a checkpoint after each step
    first = train_encoder(config, out=tmp_path / "parts", run=tmp_path / "b")
    for record in first:
        if record.get("step") == 3:
            first.close()
    rest = list(train_encoder(config, out=tmp_path / "parts", run=tmp_path / "b"))
    assert [record["step"] for record in rest if record["event"] == "checkpoint"] == [4, 5, 6]
    assert rest[-1]["held_out"] == whole["held_out"] and rest[-1]["calibration"] == whole["calibration"]
    with pytest.raises(BadValueError, match="of a run with other settings"):
        list(train_encoder(dataclasses.replace(config, seed=1), out=tmp_path, run=tmp_path / "b"))


def test_an_encoder_is_for_a_generator_with_w(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BadValueError, match="'toy-progan' has no W\\+, which an encoder guesses: `sgf-hub project` searches"
    ):
        next(train_encoder(dataclasses.replace(TOY, generator="toy-progan"), out=tmp_path, run=tmp_path))
    with pytest.raises(BadValueError, match="batch is at most pictures"):
        EncoderConfig(generator="a", world="avatars", backbone="b", judge="c", pictures=4, batch=8)


def test_of_a_generator_of_no_world(toys: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TOY, world=None)
    records = list(train_encoder(config, out=tmp_path / "zoo", run=tmp_path / "run"))
    assert [record["event"] for record in records] == ["checkpoint", "done"]
    assert records[1]["held_out"]["pictures"] == 16 and set(records[1]["calibration"]) == {"apart", "expressible_from"}
    projector = Projector.from_pretrained(tmp_path / "zoo/toy-stylegan2-encoder")
    images = projector.generator.synthesize(projector.generator.sample(16, seed=1))
    again = projector.generator.synthesize(projector.encoder.encode(images))
    mean = projector.generator.synthesize(Latent(projector.encoder.w_mean.expand(16, -1), "w"))
    assert (again - images).square().mean() < 0.8 * (mean - images).square().mean()
    assert (projector.apart, projector.expressible_from) == tuple(records[1]["calibration"].values())


def test_the_command_takes_a_checkpoint_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["sgf-hub", "train", "encoder", str(GOLDEN), "--images", "96", "--out",
                                     str(tmp_path / "made"), "--runs", str(tmp_path / "runs")])  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    made = tmp_path / "made/rosinality_stylegan2_32px"
    for name in (made, tmp_path / "made/rosinality_stylegan2_32px-encoder"):
        projector = Projector.from_pretrained(str(name))
        assert projector.encoder is not None and projector.generator.resolution == 32
    assert projector.encoder.generator_name == "sgf-hub/rosinality_stylegan2_32px"


def test_the_threshold_lies_between_own_pictures_and_others(toys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projector = Projector.from_pretrained("toy-stylegan2")
    seen = iter([torch.tensor([0.8, 0.9]), *[torch.tensor([0.1, 0.3])] * 4])
    monkeypatch.setattr(calibration, "_similarities", lambda *_: next(seen))
    found = calibrate(projector, "avatars")
    assert found.expressible_from == pytest.approx((0.8 + 0.1 * calibration.RARE + 0.3) / 2, abs=1e-3)
    assert found.apart == pytest.approx(pairs_apart(projector), abs=1e-4)
    seen = iter([torch.tensor([0.2, 0.9]), *[torch.tensor([0.5])] * 4])
    assert calibrate(projector, "avatars").expressible_from == pytest.approx(0.2 + 0.7 * calibration.RARE, abs=1e-3)


def test_presets_name_the_parts_of_the_zoo() -> None:
    for name, config in PRESETS.items():
        assert config.repo == f"{name}-encoder" and name.startswith(config.world)
        assert config.backbone != config.judge


def test_strangers_are_of_no_world_and_depend_on_their_seed() -> None:
    for kind in KINDS:
        pictures = sample_strangers(kind, 3, seed=1, resolution=32)
        assert pictures.shape == (3, 3, 32, 32) and pictures.dtype == np.uint8
        assert np.array_equal(pictures[:2], sample_strangers(kind, 2, seed=1, resolution=32))
        assert not np.array_equal(pictures, sample_strangers(kind, 3, seed=2, resolution=32))
        assert len({one.tobytes() for one in pictures}) == 3
    with pytest.raises(BadValueError, match="choose 'digit' or 'gradient' or 'noise'"):
        sample_strangers("cat", 1, seed=0, resolution=32)
    other = out_of_domain("other", "avatars", 2, 5, 32)
    assert torch.equal(other, of_world("flowers", 2, 5, 32))
