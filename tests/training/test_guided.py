"""Training guided by an encoder: its steps, its files, what comes out of it, and the script for a GPU."""

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sgf_hub.cli.main import app
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.generators import load_generator
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.training.checkpoint import save_checkpoint
from sgf_hub.training.guided.checkpoints import resume, save
from sgf_hub.training.guided.config import PRESETS, GuidedConfig
from sgf_hub.training.guided.critic import ProjectedCritic, hinge, unconvinced
from sgf_hub.training.guided.run import claimed, feed, join_parts, train
from sgf_hub.training.guided.training import GuidedTraining

ROOT = Path(__file__).parents[2]
TOY = GuidedConfig(world="avatars", **PRESETS["toy"])


def pictures(count: int = 64, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def real(count: int = 8) -> torch.Tensor:
    return torch.from_numpy(pictures(count)).float() / 127.5 - 1


@pytest.fixture
def state() -> GuidedTraining:
    return GuidedTraining(TOY)


class TestCritic:
    def critic(self) -> ProjectedCritic:
        torch.manual_seed(0)
        return ProjectedCritic([(3, 16), (8, 8), (16, 4)], (8, 8, 16))

    def maps(self, count: int) -> list[torch.Tensor]:
        return [torch.randn(count, channels, side, side) for channels, side in ((3, 16), (8, 8), (16, 4))]

    def test_only_the_heads_learn(self) -> None:
        critic = self.critic()
        learning = {name.split(".")[0] for name, one in critic.named_parameters() if one.requires_grad}
        assert learning == {"heads"}

    def test_a_coarse_map_reaches_every_finer_head(self) -> None:
        critic, maps = self.critic(), self.maps(2)
        changed = [*maps[:2], maps[2] + 1]
        for before, after in zip(critic(critic.project(maps)), critic(critic.project(changed)), strict=True):
            assert not torch.allclose(before, after)

    def test_it_learns_to_tell_two_kinds_apart(self) -> None:
        critic = self.critic()
        optimizer = torch.optim.Adam(critic.heads.parameters(), 2e-3, betas=(0.0, 0.99))
        kinds = [critic.project([one + shift for one in self.maps(4)]) for shift in (0.5, -0.5)]
        first = hinge(critic(kinds[0]), critic(kinds[1])).item()
        for _ in range(30):
            optimizer.zero_grad()
            loss = hinge(critic(kinds[0]), critic(kinds[1]))
            loss.backward()
            optimizer.step()
        assert loss.item() < first / 2 and unconvinced(critic(kinds[1])) > unconvinced(critic(kinds[0]))


class TestSteps:
    @pytest.mark.parametrize("architecture", ["stylegan2", "progan"])
    def test_phases(self, architecture) -> None:
        state = GuidedTraining(dataclasses.replace(TOY, architecture=architecture))
        told = [state.step(real()) for _ in range(7)]
        assert ["critic" in parts for parts in told] == [False] * 4 + [True] * 3
        assert state.critic_weight == TOY.critic_weight and state.shown == 56
        assert all(torch.isfinite(one) for parts in told for one in parts.values())

    def test_the_generator_hears_of_the_critic_after_it_has_learned_alone(self, state) -> None:
        state.shown = state.encoded = TOY.critic_from
        state.step(real())
        assert state.critic_weight == 0
        state.step(real())
        state.step(real())
        assert state.critic_weight == TOY.critic_weight

    def test_reconstruction_gets_better(self, state) -> None:
        images = real()
        losses = [float(state.step(images)["pixels"]) for _ in range(4)]
        for _ in range(30):
            state.shown = 0  # no critic
            losses.append(float(state.step(images)["pixels"]))
        assert losses[-1] < 0.9 * losses[0]

    def test_the_mixture_remembers_the_last_pictures(self, state) -> None:
        for _ in range(5):  # 40 pictures for 32 components: the first 8 are written over
            state.step(real())
        assert state.encoded == 40 and torch.isfinite(state.mixture.means).all()
        state._remember(torch.full((8, TOY.latent_dim), 7.0), 8)
        assert (state.mixture.means == 7).all(dim=1).nonzero().flatten().tolist() == list(range(8, 16))

    def test_rates_fall_at_the_end(self, state) -> None:
        peak = state.optimizers["critic"].param_groups[0]["peak"]
        for progress, share in ((0.0, 1.0), (TOY.decay_from, 1.0), (0.85, 0.5), (1.0, 0.05)):
            state.step(real(), progress=progress)
            assert state.optimizers["critic"].param_groups[0]["lr"] == pytest.approx(share * peak)

    def test_rates_may_stay(self) -> None:
        assert dataclasses.replace(TOY, decay_from=1.0).rate_at(1.01) == 1.0

    def test_an_early_exit_learns_to_draw_the_same(self, state) -> None:
        images = real()
        early = [float(state.step(images)["early"]) for _ in range(30) if not setattr(state, "shown", 0)]
        assert early[-1] < early[0]


class TestFiles:
    def test_it_goes_on_where_it_was(self, state, tmp_path) -> None:
        for _ in range(6):
            state.step(real())
        save(state, tmp_path / "checkpoint.pt")
        again = GuidedTraining(TOY)
        resume(again, tmp_path / "checkpoint.pt")
        assert (again.shown, again.encoded) == (state.shown, state.encoded)
        one, other = state.step(real()), again.step(real())
        assert torch.allclose(one["pixels"], other["pixels"], atol=1e-3)

    def test_a_small_checkpoint_in_parts(self, state, tmp_path) -> None:
        for _ in range(6):
            state.step(real())
        save(state, tmp_path / "whole.pt")
        save(state, tmp_path / "small.pt", small=True)
        data = (tmp_path / "small.pt").read_bytes()
        assert len(data) < (tmp_path / "whole.pt").stat().st_size / 3
        for i, name in enumerate(("aa", "ab", "ac")):
            size = -(-len(data) // 3)
            (tmp_path / f"checkpoint.pt.{name}").write_bytes(data[i * size : (i + 1) * size])
        join_parts(tmp_path / "checkpoint.pt")
        again = GuidedTraining(TOY)
        resume(again, tmp_path / "checkpoint.pt")
        assert again.shown == state.shown and not list(tmp_path.glob("checkpoint.pt.??"))
        assert torch.isfinite(again.step(real())["pixels"])

    @pytest.mark.parametrize(
        "change, told",
        [
            ({"resolution": 64, "channels": (16,) * 5}, "with resolution 32, not 64"),
            ({"world": "flowers"}, "with world avatars, not flowers"),
            ({"latent_dim": 8}, "with latent_dim 16, not 8"),
            ({"architecture": "progan"}, "with architecture stylegan2, not progan"),
        ],
    )
    def test_a_checkpoint_of_another_training(self, state, tmp_path, change, told) -> None:
        save(state, tmp_path / "checkpoint.pt")
        with pytest.raises(BadValueError, match=told):
            resume(
                GuidedTraining(dataclasses.replace(TOY, guide="sgf-hub/avatars-guide-backbone", **change)),
                tmp_path / "checkpoint.pt",
            )

    def test_a_checkpoint_of_another_recipe(self, state, tmp_path) -> None:
        torch.save({"config": {"resolution": 32}, "generator": {}}, tmp_path / "checkpoint.pt")
        with pytest.raises(BadValueError, match="of another recipe, not 'guided': choose another --runs folder"):
            resume(state, tmp_path / "checkpoint.pt")

    def test_a_damaged_checkpoint(self, state, tmp_path) -> None:
        (tmp_path / "checkpoint.pt").write_bytes(b"PK" + b"\0" * 100)
        with pytest.raises(CorruptFileError, match="cannot be read .*delete it to start over"):
            resume(state, tmp_path / "checkpoint.pt")

    def test_a_folder_in_use(self, tmp_path) -> None:
        with (
            (tmp_path / ".lock").open("w") as lock,
            pytest.raises(BadValueError, match="another process trains in"),
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            with claimed(tmp_path):
                pass

    def test_a_full_disk_costs_nothing_that_was_saved(self, tmp_path, monkeypatch) -> None:
        save_checkpoint(tmp_path / "checkpoint.pt", {"shown": 1})

        def full(state, path) -> None:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", full)
        with pytest.raises(SGFError, match="is the disk full"):
            save_checkpoint(tmp_path / "checkpoint.pt", {"shown": 2})
        assert torch.load(tmp_path / "checkpoint.pt") == {"shown": 1}
        assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]


class TestRun:
    def test_pictures_of_another_side(self, state, tmp_path) -> None:
        with pytest.raises(BadValueError, match="this preset learns 32 px RGB"):
            next(train(state, tmp_path, pictures=pictures(side=16), held_out=pictures()))

    def test_time_is_an_end(self, state, tmp_path) -> None:
        records = list(train(state, tmp_path, pictures=pictures(), held_out=pictures(), minutes=1e-9))
        assert state.shown == TOY.batch and (tmp_path / "checkpoint.pt").exists()
        assert {"samples", "reconstructions"} <= records[-1].keys()

    def test_a_loss_that_is_no_number_leaves_the_checkpoint(self, state, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(
            state, "step", lambda *_, **__: setattr(state, "shown", 64) or {"pixels": torch.tensor(1e999)}
        )
        with pytest.raises(BadValueError, match="the loss is no number after 64 images"):
            list(train(state, tmp_path, pictures=pictures(), held_out=pictures()))
        assert not (tmp_path / "checkpoint.pt").exists()

    def test_the_encoder_guesses_what_the_generator_draws(self, state) -> None:
        state.step(real())
        state.fit_mixture(feed(state, pictures()))
        encoder = state.latent_encoder("sgf-hub/avatars-stylegan2", "sgf-hub/avatars-judge-backbone")
        assert isinstance(encoder, LatentEncoder)
        encoder.check_generator(state.average_generator)
        latent = encoder.encode(real())
        assert torch.allclose(latent.data, state.encode(real())[:, None].expand_as(latent.data), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture, kind", [("stylegan2", StyleGAN2), ("progan", ProGAN)])
def test_the_script_for_a_gpu_and_the_entry_after_it(tmp_path, architecture, kind, monkeypatch) -> None:
    given = ["avatars", "--preset", "toy", "--device", "cpu", "--runs", str(tmp_path / "there")]
    given += ["--architecture", architecture]
    if architecture == "progan":  # the one that the script has to be told of
        command = ["bash", str(ROOT / "zoo" / "gpu.sh"), *given]
        environment = {**os.environ, "OUT": str(tmp_path / "back"), "PYTHON": sys.executable}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        back = tmp_path / "back" / f"avatars-{architecture}"
        assert {one.name for one in back.iterdir()} == {"checkpoint.pt.aa", "log.jsonl", "samples.png"}
        part = back / "checkpoint.pt.aa"
    else:  # what it runs
        result = CliRunner().invoke(app, ["train", "gan", "--recipe", "guided", "--portable", *given])
        assert result.exit_code == 0, result.output
        back = tmp_path / "there" / f"avatars-{architecture}-guided"
        part = back / "checkpoint.pt"
    assert json.loads((back / "log.jsonl").read_text().splitlines()[-1])["images"] == 64
    here = tmp_path / "here" / f"avatars-{architecture}-guided"
    here.mkdir(parents=True)
    part.rename(here / "checkpoint.pt.aa")
    if architecture == "stylegan2":  # the calibration of a toy's encoder takes minutes and tells nothing
        monkeypatch.setattr(
            "sgf_hub.training.guided.run.calibrate",
            lambda *_: pytest.importorskip("types").SimpleNamespace(apart=1.0, expressible_from=0.5, report={}),
        )
    out = tmp_path / "zoo"
    arguments = ["train", "gan", "avatars", "--preset", "toy", "--architecture", architecture]
    result = CliRunner().invoke(app, [*arguments, "--runs", str(tmp_path / "here"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    generator = load_generator(out / f"avatars-{architecture}")
    assert isinstance(generator, kind) and generator.resolution == 32
    report = json.loads((out / f"avatars-{architecture}" / "training.json").read_text())
    assert report["images_shown"] == 64 and "adversarially alone" in report["note"]
    assert (out / f"avatars-{architecture}-encoder").exists() == (architecture == "stylegan2")
