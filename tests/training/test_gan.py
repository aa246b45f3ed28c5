"""Adversarial training, at toy size: it moves, goes on after a kill, and its parts are the published ones."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.training.adversarial.discriminators import Discriminator, minibatch_std
from sgf_hub.training.adversarial.progan import ProGANConfig, ProGANTraining
from sgf_hub.training.adversarial.stylegan2 import StyleGAN2Config, StyleGAN2Training
from sgf_hub.training.adversarial.training import GANTraining, train

SIZES = {
    "resolution": 16, "latent_dim": 8, "channels": (8, 8, 6), "critic_channels": (8, 8, 6), "batch": 4, "images": 24,
    "r1_every": 2, "sheet_every": 12, "ema_images": 40,
}  # fmt: skip
STYLEGAN2 = StyleGAN2Config(mapping_layers=2, **SIZES)
PROGAN = ProGANConfig(batches=(4, 4), grow_at=(4, 12), fade=4, **SIZES)  # one step at 4 px, two at 8 px, three at 16 px
Make = Callable[..., GANTraining]


def pictures(count: int = 12, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def stylegan2(**changes: object) -> StyleGAN2Training:
    return StyleGAN2Training(replace(STYLEGAN2, **changes))


def progan(**changes: object) -> ProGANTraining:
    return ProGANTraining(replace(PROGAN, **changes))


def grown_stylegan2(**changes: object) -> StyleGAN2Training:
    growth = {"batches": (4, 4), "grow_at": (4, 12), "fade": 4, "augment": ("translation", "cutout", "color")}
    return StyleGAN2Training(replace(STYLEGAN2, **{**growth, **changes}))


state = stylegan2  # where the architecture does not matter


@pytest.fixture(scope="module", params=[stylegan2, grown_stylegan2, progan])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def real(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def flat(module: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in module.state_dict().values()])


def go_on(training: GANTraining, folder: Path) -> list[dict]:
    """What the command does."""
    training.resume(folder / "checkpoint.pt")
    return list(train(training, folder, pictures=pictures()))


@pytest.fixture(scope="module")
def trained(make: Make, tmp_path_factory) -> tuple[Path, list[dict]]:
    """An unbroken training of six steps."""
    folder = tmp_path_factory.mktemp("gan")
    return folder, go_on(make(), folder)


class TestTraining:
    def test_all_weights_move(self, make: Make, trained) -> None:
        held = torch.load(trained[0] / "checkpoint.pt", weights_only=True)
        fresh = make()
        for name in ("generator", "critic", "average"):
            before = getattr(fresh, name).state_dict()
            still = [key for key, value in held[name].items() if torch.equal(value, before[key])]
            if name == "generator" and "w_avg" in before:
                still.remove("w_avg")  # the average's is the one that is kept
            assert still == [], name

    def test_the_critic_learns_to_tell_apart(self) -> None:
        training = state(learning_rate=0.01)
        training.generator_optimizer.step = lambda *a, **k: None  # holds still meanwhile
        losses = [training.step(torch.full((4, 3, 16, 16), 0.9))["loss_d"] for _ in range(25)]
        assert sum(losses[-3:]) < 0.7 * sum(losses[:3])

    def test_checkpoint_counts(self, trained) -> None:
        held = torch.load(trained[0] / "checkpoint.pt", weights_only=True)
        assert (held["shown"], held["steps"], held["config"]["images"]) == (24, 6, 24)

    def test_log_has_what_is_yielded(self, trained) -> None:
        folder, records = trained
        assert [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] == records
        assert records[-1]["images"] == 24
        assert {"loss_d", "loss_g", "images_per_second"} <= records[-1].keys()

    def test_sheets(self, trained) -> None:
        from PIL import Image

        sheets = sorted(path.name for path in trained[0].glob("samples-*.png"))
        assert sheets == ["samples-00000k.png"]  # at 12 and at 24 images
        assert Image.open(trained[0] / sheets[0]).size == (8 * 16, 8 * 16)

    def test_a_killed_training_goes_on_as_if_it_had_not_been(self, make: Make, trained, tmp_path: Path) -> None:
        for images in (8, 20, 24):
            go_on(make(images=images), tmp_path)
        ends = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (trained[0], tmp_path)]
        for name in ("generator", "critic", "average"):
            assert all(torch.equal(ends[0][name][key], ends[1][name][key]) for key in ends[0][name]), name
        assert torch.equal(ends[0]["rng"], ends[1]["rng"])

    def test_a_finished_training_does_nothing_more(self, make: Make, trained) -> None:
        before = (trained[0] / "checkpoint.pt").read_bytes()
        assert go_on(make(), trained[0]) == []
        assert (trained[0] / "checkpoint.pt").read_bytes() == before

    def test_no_half_checkpoint_is_left(self, trained) -> None:
        assert not list(trained[0].glob("*.part"))

    def test_seeds_differ_and_repeat(self, make: Make) -> None:
        assert torch.equal(flat(make().generator), flat(make().generator))
        assert not torch.equal(flat(make().generator), flat(make(seed=1).generator))

    def test_the_global_random_stream_is_left_alone(self, make: Make) -> None:
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        training = make()
        training.step(training.reals(pictures()))
        assert torch.equal(torch.rand(2), expected)

    def test_pictures_of_another_size(self, tmp_path: Path) -> None:
        with pytest.raises(BadValueError, match=r"pictures are \(3, 8, 8\); this preset learns 16 px RGB"):
            next(train(state(), tmp_path, pictures=pictures(side=8)))

    def test_networks_of_another_size(self, make: Make, trained) -> None:
        with pytest.raises(BadValueError, match=r"is of networks with latent_dim 8, not 9: choose another folder\."):
            make(latent_dim=9).resume(trained[0] / "checkpoint.pt")

    def test_networks_of_another_kind(self, make: Make, trained) -> None:
        other = stylegan2 if make is progan else progan
        with pytest.raises(BadValueError, match=r"checkpoint\.pt is of another architecture: choose another folder\."):
            other().resume(trained[0] / "checkpoint.pt")


class TestCommand:
    @pytest.mark.parametrize(("architecture", "kind"), [("stylegan2", StyleGAN2Training), ("progan", ProGANTraining)])
    def test_from_drawn_faces_to_a_zoo_entry(
        self, architecture: str, kind: type[GANTraining], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
    ) -> None:
        from sgf_hub.cli.train import gan
        from sgf_hub.generators import load_generator

        sizes = {"resolution": 32, "channels": (8, 8, 6, 4), "critic_channels": (8, 8, 6, 4), "pictures": 8}
        if kind is StyleGAN2Training:
            toy = replace(STYLEGAN2, **sizes)
        else:
            toy = replace(PROGAN, **sizes, batches=(4, 4, 4), grow_at=(4, 8, 16))
        monkeypatch.setattr(kind, "presets", {"cpu": toy})
        for images in (16, 24):  # the second goes on
            gan("avatars", architecture, "adversarial", images=images, out=tmp_path / "zoo", runs=tmp_path)
        entry = tmp_path / "zoo" / f"avatars-{architecture}"
        names = ["config.json", "model.safetensors", "samples.png", "training.json"]
        assert sorted(path.name for path in entry.iterdir()) == names
        made = json.loads((entry / "training.json").read_text())
        assert (made["images_shown"], made["config"]["images"], made["config"]["seed"]) == (24, 24, 0)
        generator = load_generator(entry)
        assert type(generator).__name__ == {"stylegan2": "StyleGAN2", "progan": "ProGAN"}[architecture]
        held = torch.load(next(tmp_path.glob("avatars-*-cpu/checkpoint.pt")), weights_only=True)["average"]
        assert all(torch.equal(value, held[key].half().float()) for key, value in generator.state_dict().items())


class TestEqualisedLearningRates:
    def rates(self, optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, float]:
        by_id = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        return {name: by_id[id(p)] for name, p in module.named_parameters()}

    @pytest.mark.parametrize(
        ("name", "gain"),
        [
            ("mapping.0.weight", 0.01 / math.sqrt(8)),
            ("mapping.1.bias", 0.01),
            ("blocks.0.const", 1.0),
            ("blocks.1.conv0.weight", 1 / math.sqrt(9 * 8)),
            ("blocks.1.conv0.bias", 1.0),
            ("blocks.1.conv0.affine.weight", 1 / math.sqrt(8)),
            ("blocks.2.rgb.weight", 1 / math.sqrt(6)),
        ],
    )
    def test_of_the_generator(self, name: str, gain: float) -> None:
        training = state()
        rates = self.rates(training.generator_optimizer, training.generator)
        assert rates[name] == pytest.approx(2.5e-3 * gain)

    @pytest.mark.parametrize(
        ("name", "gain"),
        [
            ("from_rgb.weight", 1 / math.sqrt(3)),
            ("blocks.0.conv1.weight", 1 / math.sqrt(9 * 6)),
            ("conv.weight", 1 / math.sqrt(9 * 9)),
            ("dense.weight", 1 / math.sqrt(16 * 8)),
            ("out.bias", 1.0),
        ],
    )
    def test_of_the_critic_with_the_correction_for_lazy_penalties(self, name: str, gain: float) -> None:
        training = state()
        rates = self.rates(training.critic_optimizer, training.critic)
        assert rates[name] == pytest.approx(2.5e-3 * gain * 2 / 3)  # r1_every / (r1_every + 1)
        assert training.critic_optimizer.defaults["betas"] == pytest.approx((0.0, 0.99 ** (2 / 3)))

    def test_every_parameter_is_in_one_group(self) -> None:
        training = state()
        for optimizer, module in (
            (training.generator_optimizer, training.generator),
            (training.critic_optimizer, training.critic),
        ):
            held = [id(p) for group in optimizer.param_groups for p in group["params"]]
            assert sorted(held) == sorted(id(p) for p in module.parameters())

    def test_initial_weights_are_effective_ones(self) -> None:
        """Variance 1 / fan-in: equalised layers draw N(0, 1) and multiply by the gain."""
        weight = Discriminator((64, 64)).blocks[0].conv0.weight
        assert weight.std().item() == pytest.approx(1 / math.sqrt(9 * 64), rel=0.05)


class TestAverage:
    def test_moves_towards_the_generator_by_its_half_life(self) -> None:
        training = state()
        before = [p.clone() for p in training.average.parameters()]
        training.step(training.reals(pictures()))
        keep = 0.5 ** (4 / (0.05 * 4 + 1))  # four images shown
        for old, new, current in zip(
            before, training.average.parameters(), training.generator.parameters(), strict=True
        ):
            torch.testing.assert_close(new, keep * old + (1 - keep) * current)

    def test_half_life_is_bounded_by_the_setting(self) -> None:
        training = state()
        training.shown = 10_000
        before = [p.clone() for p in training.average.parameters()]
        with torch.no_grad():
            for p in training.generator.parameters():
                p.add_(1.0)
        training._average(4)
        for old, new in zip(before, training.average.parameters(), strict=True):
            torch.testing.assert_close(new - old, torch.full_like(old, 1 - 0.5 ** (4 / 40)), atol=1e-4, rtol=0)

    def test_mean_w_is_tracked(self) -> None:
        training = state(mixing=0.0)
        with torch.no_grad():
            z = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(STYLEGAN2.seed + 1))
            expected = 0.005 * training.generator.map(z[0]).mean(dim=0)
            training._layers(4)
        torch.testing.assert_close(training.average.w_avg, expected, atol=1e-6, rtol=1e-4)


class TestParts:
    def test_penalty_is_that_of_a_quadratic_critic(self) -> None:
        """D(x) = b |x|^2 / 2 has gradient b x: R1 is gamma / 2 b^2 mean |x|^2, times the steps it stands for."""

        class Quadratic(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.b = nn.Parameter(torch.tensor(0.3))

            def forward(self, x: Tensor) -> Tensor:
                return self.b * x.square().sum(dim=(1, 2, 3)) / 2

        training = state(r1=2.0)
        training.critic = Quadratic()
        size = real().square().sum(dim=(1, 2, 3)).mean().item()
        assert training._penalize(real()) == pytest.approx(0.09 * size, rel=1e-5)
        assert training.critic.b.grad.item() == pytest.approx(2.0 / 2 * 2 * 0.3 * size * STYLEGAN2.r1_every, rel=1e-5)

    def test_penalty_comes_down_to_its_weight(self) -> None:
        config = replace(STYLEGAN2, r1=0.1, r1_first=1.0)
        assert [config.r1_at(shown) for shown in (0, 60_000, 120_000)] == [1, 0.5, 0.25]
        assert config.r1_at(10**6) == 0.1
        assert replace(STYLEGAN2, r1=0.2, r1_first=0.0).r1_at(0) == 0.2

    def test_penalty_is_lazy(self) -> None:
        training = state()
        assert ["r1" in training.step(real()) for _ in range(4)] == [True, False, True, False]

    @pytest.mark.parametrize(("mixing", "layers"), [(0.0, False), (1.0, True)])
    def test_styles_mix(self, mixing: float, layers: bool) -> None:
        ws = state(mixing=mixing)._layers(4)
        assert ws.shape == (4, 6, 8)
        assert (not torch.equal(ws[:, 0], ws[:, -1])) == layers

    def test_losses_train_one_network_at_a_time(self) -> None:
        training = state()
        training.critic_optimizer.step = training.generator_optimizer.step = lambda *a, **k: None
        before = flat(training.generator), flat(training.critic)
        training.step(real())
        assert torch.equal(flat(training.generator), before[0]) and torch.equal(flat(training.critic), before[1])
        assert all(p.grad is None for p in (*training.generator.parameters(), *training.critic.parameters()))

    def test_minibatch_deviation(self) -> None:
        x = torch.randn(8, 3, 4, 4, dtype=torch.float64)
        expected = [x[i : i + 4].var(dim=0, correction=0).add(1e-8).sqrt().mean() for i in (0, 4)]
        result = minibatch_std(x)
        assert result.shape == (8, 1, 4, 4)
        for i in range(2):
            torch.testing.assert_close(
                result[4 * i : 4 * i + 4], torch.full((4, 1, 4, 4), expected[i].item()).double(), atol=1e-6, rtol=1e-6
            )

    def test_fakes_and_reals_do_not_see_each_other(self) -> None:
        critic = Discriminator((8, 8, 6))
        with torch.no_grad():
            together = critic(torch.cat([real(4), -real(4)]))
            torch.testing.assert_close(together[:4], critic(real(4)), atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("name", ["cpu", "gpu"])
    @pytest.mark.parametrize("kind", [StyleGAN2Training, ProGANTraining])
    def test_presets_fit_together(self, kind: type[GANTraining], name: str) -> None:
        config = kind.presets[name]
        assert config.resolution == 4 << (len(config.channels) - 1)
        assert len(config.channels) == len(config.critic_channels)
        assert config.images >= 300_000
        assert config.batch % 4 == 0  # groups of the minibatch deviation
