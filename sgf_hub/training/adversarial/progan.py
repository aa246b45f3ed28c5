"""Adversarial training of a ProgressiveGAN (Karras et al., ICLR 2018).

The growth is the published one. The loss is not: the original's is WGAN-GP, this one keeps the non-saturating loss and
lazy R1 of the zoo's first generator. Its weight is the same at all sides: a weight that falls with the number of
pixels, as the rule of thumb for large pictures has it, lost most backgrounds at 4 and 8 px.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sgf_hub.generators.progan import ProGAN
from sgf_hub.training.adversarial.discriminators import ProgressiveDiscriminator
from sgf_hub.training.adversarial.growth import GrowingConfig, GrowingTraining
from sgf_hub.training.adversarial.training import LARGE


@dataclass(frozen=True, kw_only=True)
class ProGANConfig(GrowingConfig):
    """Settings of a ProgressiveGAN's training: those of every training that grows."""

    r1: float = 0.2
    batches: tuple[int, ...] = (32, 32, 16, 16)
    grow_at: tuple[int, ...] = (20_000, 60_000, 110_000, 170_000)


class ProGANTraining(GrowingTraining[ProGANConfig, ProGAN, ProgressiveDiscriminator]):
    """The state of a ProgressiveGAN's training; see `GANTraining`."""

    presets: ClassVar = {
        "cpu": ProGANConfig(images=300_000, sheet_every=10_000),
        "gpu": ProGANConfig(
            **LARGE,
            batches=(64, 64, 64, 64, 64),
            grow_at=(100_000, 300_000, 500_000, 800_000, 1_200_000),
            fade=100_000,
            images=3_000_000,
        ),
    }

    def networks(self) -> tuple[ProGAN, ProgressiveDiscriminator]:
        config = self.config
        generator = ProGAN(resolution=config.resolution, latent_dim=config.latent_dim, channels=list(config.channels))
        return generator, ProgressiveDiscriminator(config.critic_channels)

    def fakes(self, count: int) -> Tensor:
        z = torch.randn(count, self.config.latent_dim, generator=self.rng).to(self.device)
        return self.generator.grown(z, level=self.level, alpha=self.alpha)

    def judge(self, images: Tensor) -> Tensor:
        return self.critic(images, self.alpha)

    def shown_images(self, z: Tensor) -> Tensor:
        return self.average.grown(z, level=self.level, alpha=self.alpha)
