"""Adversarial training of a StyleGAN2 (Karras et al., CVPR 2020): style mixing, no path-length regularisation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sgf_hub.generators.stylegan2 import StyleGAN2
from sgf_hub.training.diffaugment import augment
from sgf_hub.training.discriminators import Discriminator
from sgf_hub.training.gan import LARGE, GANConfig, GANTraining


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Config(GANConfig):
    """Settings of a StyleGAN2's training.

    Args:
        mapping_layers: depth of the mapping network.
        mixing: share of the steps whose batches mix two styles.
        augment: policy of DiffAugment, names out of `diffaugment.POLICY`.
    """

    r1_first: float = 1.0
    mapping_layers: int = 4
    mixing: float = 0.5
    augment: tuple[str, ...] = ()


class StyleGAN2Training(GANTraining[StyleGAN2Config, StyleGAN2, Discriminator]):
    """The state of a StyleGAN2's training; see `GANTraining`."""

    presets: ClassVar = {
        "cpu": StyleGAN2Config(),
        "gpu": StyleGAN2Config(
            **LARGE,
            images=2_000_000,
        ),
    }
    sizes = (*GANTraining.sizes, "mapping_layers")
    # drawn flowers are plenty: colour, which captions speak of, is left alone, and covering half of a picture only made
    # the beginning harder (docs/experiments.md)
    of_world: ClassVar = {"flowers": {"augment": ("translation",)}}

    def networks(self) -> tuple[StyleGAN2, Discriminator]:
        config = self.config
        generator = StyleGAN2(
            resolution=config.resolution,
            latent_dim=config.latent_dim,
            mapping_layers=config.mapping_layers,
            channels=list(config.channels),
        )
        return generator, Discriminator(config.critic_channels)

    def fakes(self, count: int) -> Tensor:
        return self.generator(self._layers(count))

    def judge(self, images: Tensor) -> Tensor:
        return self.critic(augment(images, self.config.augment, self.rng))

    def _layers(self, count: int) -> Tensor:
        """Rows of w for `count` images, [B, L, D]; on some steps two styles meet at a random layer."""
        z = torch.randn(2, count, self.config.latent_dim, generator=self.rng).to(self.device)
        layers = self.generator.num_layers
        mix = torch.rand((), generator=self.rng).item() < self.config.mixing
        first = self.generator.map(z[0]).float()
        with torch.no_grad():
            self.average.w_avg.lerp_(first.mean(dim=0), 0.005)
        ws = first.unsqueeze(1).expand(-1, layers, -1)
        if mix:
            cut = int(torch.randint(1, layers, (), generator=self.rng))
            second = self.generator.map(z[1]).float().unsqueeze(1).expand(-1, layers - cut, -1)
            ws = torch.cat([ws[:, :cut], second], dim=1)
        return ws

    @torch.no_grad()
    def average_images(self, z: Tensor) -> Tensor:
        w = torch.lerp(self.average.w_avg, self.average.map(z), 0.8)
        return self.average(w.unsqueeze(1).expand(-1, self.average.num_layers, -1)).clamp(-1, 1)
