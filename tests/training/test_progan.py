"""Growth in training: what is shown, how it fades in, and that both networks agree on it."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.training.adversarial.discriminators import ProgressiveDiscriminator
from sgf_hub.training.adversarial.progan import ProGANConfig, ProGANTraining
from tests.training.test_gan import PROGAN, go_on, pictures, progan


def at(shown: int, **changes: object) -> ProGANTraining:
    training = progan(**changes)
    training.shown = shown
    return training


class TestPhases:
    @pytest.mark.parametrize(
        ("shown", "level", "alpha"),
        [(0, 0, 1), (3, 0, 1), (4, 1, 0), (5, 1, 0.25), (8, 1, 1), (11, 1, 1), (12, 2, 0), (14, 2, 0.5), (99, 2, 1)],
    )
    def test_follow_from_the_images_shown(self, shown: int, level: int, alpha: float) -> None:
        training = at(shown)
        assert (training.level, training.alpha) == (level, alpha)
        assert training.progress() == {"side": 4 << level, "alpha": alpha}

    def test_without_fading(self) -> None:
        assert at(4, fade=0).alpha == 1

    def test_batches(self) -> None:
        sizes = [at(shown, batches=(12, 8)).reals(pictures()).shape for shown in (0, 8, 16)]
        assert [tuple(size) for size in sizes] == [(12, 3, 4, 4), (8, 3, 8, 8), (4, 3, 16, 16)]

    @pytest.mark.parametrize(
        "changes", [{"batches": (4,)}, {"grow_at": (4, 12, 20)}, {"grow_at": (12, 4)}, {"channels": (8, 8, 6, 4)}]
    )
    def test_a_schedule_that_does_not_fit(self, changes: dict) -> None:
        with pytest.raises(BadValueError, match=r"px takes . batches and . rising counts in grow_at, not"):
            replace(PROGAN, **changes)

    def test_presets_end_well_after_the_last_side_has_faded_in(self) -> None:
        for config in ProGANTraining.presets.values():
            assert config.images > config.grow_at[-1] + 2 * config.fade
            assert all(b - a > config.fade for a, b in itertools.pairwise(config.grow_at))

    def test_a_training_grows(self, tmp_path: Path) -> None:
        records = go_on(progan(), tmp_path)
        assert (records[-1]["side"], records[-1]["images"]) == (16, 24)
        assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["side"] == 16

    @pytest.mark.parametrize("shown", [0, 5, 8, 14, 20])  # at each phase
    def test_only_what_is_in_use_learns(self, shown: int) -> None:
        training = at(shown)
        before = {name: value.clone() for name, value in training.generator.named_parameters()}
        level, fading = training.level, training.alpha < 1
        training.step(training.reals(pictures()))
        moved = {name for name, value in training.generator.named_parameters() if not torch.equal(value, before[name])}
        blocks = {name.split(".")[1] for name in moved if name.startswith("blocks")}
        layers = {name.split(".")[1] for name in moved if name.startswith("rgb")}
        assert blocks == {str(i) for i in range(level + 1)}
        assert layers == {str(i) for i in ((level - 1, level) if fading else (level,))}

    def test_sheets_are_enlarged(self) -> None:
        assert all(at(shown).average_images(torch.randn(2, 8)).shape == (2, 3, 16, 16) for shown in (0, 5, 20))


class TestPictures:
    def test_are_means_of_squares(self) -> None:
        images = at(8).reals(pictures(count=1))
        expected = torch.from_numpy(pictures(count=1)).float().unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
        torch.testing.assert_close((images[:1] + 1) * 127.5, expected, atol=1e-3, rtol=0)

    def test_fade_in_with_the_networks(self) -> None:
        whole, coarse, half = (at(shown).reals(pictures(count=1)) for shown in (16, 12, 14))
        torch.testing.assert_close(coarse, F.interpolate(F.avg_pool2d(whole, 2), scale_factor=2), atol=1e-6, rtol=0)
        torch.testing.assert_close(half, (whole + coarse) / 2, atol=1e-6, rtol=0)

    def test_are_as_large_as_the_fakes(self) -> None:
        for shown in (0, 5, 8, 14, 20):
            assert at(shown).reals(pictures()).shape == at(shown).fakes(4).shape


class TestDiscriminator:
    def critic(self) -> ProgressiveDiscriminator:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return ProgressiveDiscriminator((8, 8, 6)).requires_grad_(False)

    def test_a_new_side_begins_as_the_one_below(self) -> None:
        critic = self.critic()
        for side in (8, 16):
            images = torch.randn(4, 3, side, side)
            below = critic(F.avg_pool2d(images, 2))
            torch.testing.assert_close(critic(images, alpha=0.0), below, atol=1e-5, rtol=0)
            assert not torch.allclose(critic(images, alpha=0.5), below)

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_a_level_is_a_smaller_one(self, level: int) -> None:
        critic, images = self.critic(), torch.randn(4, 3, 4 << level, 4 << level)
        before = critic(images)
        for i in range(2 - level):  # what only larger sides pass
            for parameter in (*critic.from_rgb[i].parameters(), *critic.blocks[i].parameters()):
                parameter.fill_(torch.nan)
        assert torch.equal(critic(images), before)

    def test_the_smallest_side_does_not_fade(self) -> None:
        critic, images = self.critic(), torch.randn(4, 3, 4, 4)
        assert torch.equal(critic(images, alpha=0.3), critic(images))


def test_the_mapping_of_a_generator_in_z_has_six_layers(tmp_path: Path) -> None:
    """Section 4.3: N = 6 in Z; and z, drawn from N(0, 1), is standardised by about nothing."""
    from sgf_hub.data.pairs import Pairs, PairsInfo
    from sgf_hub.mapping import SGFMapping
    from sgf_hub.training.mapping import MappingConfig, train
    from sgf_hub.types import ConditionSpec
    from tests.toys import toy_progan

    z = toy_progan().sample(3000, seed=0).data
    c = z[:, :2] / z.norm(dim=1, keepdim=True)  # of the direction alone, as a ProGAN's pictures are
    info = PairsInfo("sgf-hub/toy-progan", ("sgf-hub/p",), "z", ConditionSpec(("a", "b")), 0.8, 0)
    config = MappingConfig(iterations=200, batch=64, learning_rate=5e-3, decay=True, noise=1.0)
    assert config.layers is None
    list(train(config, Pairs(info, z, c), tmp_path / "work", tmp_path / "out"))
    mapping = SGFMapping.from_pretrained(tmp_path / "out")
    assert (mapping.latent_space, mapping.config()["layers"]) == ("z", 6)
    assert mapping.z_mean.abs().max() < 0.1 and (mapping.z_std - 1).abs().max() < 0.1


def test_default_schedule_is_that_of_the_cpu_preset() -> None:
    assert ProGANTraining.presets["cpu"].grow_at == ProGANConfig().grow_at
    assert np.all(np.diff(ProGANConfig().grow_at) > 0)
