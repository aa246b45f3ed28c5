"""The mixture of Gaussians that takes the place of a mapping network."""

import json
from pathlib import Path

import pytest
import torch

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators import load_generator
from sgf_hub.generators.mixture import GaussianMixture, kernel_factor
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.types import Latent


@pytest.fixture
def mixture() -> GaussianMixture:
    made = GaussianMixture(5, 3)
    made.fit(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 4, 0.1)
    return made


def mixed(kind: type, components: int = 6) -> StyleGAN2 | ProGAN:
    generator = kind(resolution=16, latent_dim=8, channels=[8, 8, 8], components=components).requires_grad_(False)
    generator.mixture.fit(torch.randn(components, 8, generator=torch.Generator().manual_seed(1)), 0.2)
    return generator.eval()


def test_all_components_are_equally_likely(mixture) -> None:
    z = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(2))
    means, offsets = mixture.split(z)
    counts = (torch.cdist(means, mixture.means) == 0).sum(dim=0)
    assert (counts - 4_000).abs().max() < 300  # six standard deviations are 340
    assert torch.allclose(torch.cov(offsets.T), mixture.factor @ mixture.factor.T, atol=2e-2)


@pytest.mark.parametrize("extreme", [-40.0, 40.0])
def test_the_outermost_z_are_of_the_outermost_components(mixture, extreme) -> None:
    z = torch.tensor([[extreme, 0, 0, 0]])
    assert torch.equal(mixture(z), mixture.means[[0 if extreme < 0 else 4]])


def test_log_density_is_that_of_torch(mixture) -> None:
    from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

    parts = MultivariateNormal(mixture.means, scale_tril=mixture.factor.expand(5, 3, 3))
    theirs = MixtureSameFamily(Categorical(torch.ones(5)), parts)
    w = torch.randn(7, 3, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(mixture.log_density(w), theirs.log_prob(w), rtol=1e-3)


def test_width_scales_the_covariance() -> None:
    means = torch.randn(500, 3, generator=torch.Generator().manual_seed(4))
    factor = kernel_factor(means, 0.5)
    assert torch.allclose(factor @ factor.T, torch.cov(means.T) / 4, atol=1e-4)


@pytest.mark.parametrize("kind", [StyleGAN2, ProGAN])
class TestGenerators:
    def test_truncation_draws_to_the_components_mean(self, kind) -> None:
        generator = mixed(kind)
        near, far = (generator.sample(9, seed=3, truncation=psi).data for psi in (0.0, 1.0))
        half = generator.sample(9, seed=3, truncation=0.5).data
        assert torch.cdist(near, generator.mixture.means).min(dim=1).values.max() == 0
        assert torch.allclose(half, (near + far) / 2, atol=1e-6)

    def test_a_seed_gives_the_same_latents_whatever_the_count(self, kind) -> None:
        generator = mixed(kind)
        assert torch.equal(generator.sample(5, seed=1).data[:2], generator.sample(2, seed=1).data)

    def test_saved_and_loaded(self, kind, tmp_path: Path) -> None:
        generator = mixed(kind)
        generator.save_pretrained(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["format"] == 2
        again = load_generator(tmp_path)
        assert isinstance(again, kind)
        assert torch.allclose(again.sample(3, seed=0).data, generator.sample(3, seed=0).data, atol=5e-3)

    def test_without_a_mixture_the_format_is_the_old_one(self, kind, tmp_path: Path) -> None:
        kind(resolution=16, latent_dim=8, channels=[8, 8, 8]).save_pretrained(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["format"] == 1

    def test_a_newer_format_is_told(self, kind, tmp_path: Path) -> None:
        mixed(kind).save_pretrained(tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps({**config, "format": 5}))
        with pytest.raises(CorruptFileError, match="written in format 5, this sgf-hub reads up to 4: upgrade"):
            load_generator(tmp_path)

    @pytest.mark.parametrize("components", [0, -1, 1 << 17, "8", 2.5])
    def test_bad_counts(self, kind, components) -> None:
        with pytest.raises(BadValueError, match="components is"):
            kind(resolution=16, latent_dim=8, channels=[8, 8, 8], components=components)


def test_a_w_is_drawn_to_the_nearest_mean() -> None:
    generator = mixed(StyleGAN2)
    assert isinstance(generator, StyleGAN2)
    w = generator.mixture.means + 0.01
    assert torch.allclose(generator.to_w(Latent(w, "w"), truncation=0.0).data, generator.mixture.means)


def test_a_mixture_has_no_layers_of_its_own() -> None:
    with pytest.raises(BadValueError, match="a mixture's z has 9 dimensions and no layers"):
        StyleGAN2(resolution=16, latent_dim=8, channels=[8, 8, 8], components=4, z_dim=8)


def test_a_network_is_no_mixture() -> None:
    with pytest.raises(BadValueError, match="come from a mapping network"):
        _ = StyleGAN2(resolution=16, latent_dim=8, channels=[8, 8, 8]).mixture
