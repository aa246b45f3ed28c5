"""Adversarial training of a ProgressiveGAN (Karras et al., ICLR 2018): 4 px first, then doubled until R.

The growth is the published one: each new side fades in, in both networks and in the real pictures, and is then trained
alone. The loss is not: the original's is WGAN-GP, this one keeps the non-saturating loss and lazy R1 of the zoo's first
generator. Its weight is the same at all sides: a weight that falls with the number of pixels, as the rule of thumb for
large pictures has it, lost most backgrounds at 4 and 8 px.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.generators.progan import ProGAN, double
from sgf_hub.training.discriminators import ProgressiveDiscriminator
from sgf_hub.training.gan import LARGE, GANConfig, GANTraining


@dataclass(frozen=True, kw_only=True)
class ProGANConfig(GANConfig):
    """Settings of a ProgressiveGAN's training; `batch` is that of the last side.

    Args:
        grow_at: images shown when 8, 16, ..., R pixels begin to fade in.
        fade: images during which a side fades in.
        batches: images a step at 4, 8, ..., R / 2 pixels.
    """

    r1: float = 0.2
    batches: tuple[int, ...] = (32, 32, 16, 16)
    grow_at: tuple[int, ...] = (20_000, 60_000, 110_000, 170_000)
    fade: int = 20_000

    def __post_init__(self) -> None:
        steps = len(self.channels) - 1
        if len(self.batches) != steps or len(self.grow_at) != steps or sorted(self.grow_at) != list(self.grow_at):
            raise BadValueError(
                f"{self.resolution} px takes {steps} batches and {steps} rising counts in grow_at, "
                f"not {self.batches} and {self.grow_at}."
            )


class ProGANTraining(GANTraining[ProGANConfig, ProGAN, ProgressiveDiscriminator]):
    """The state of a ProgressiveGAN's training; see `GANTraining`. The phase follows from the images shown."""

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

    @property
    def level(self) -> int:
        """The last block in use: pictures have 4 << level pixels a side."""
        return sum(self.shown >= start for start in self.config.grow_at)

    @property
    def alpha(self) -> float:
        """How far the last block has faded in, in [0, 1]."""
        if self.level == 0 or self.config.fade == 0:
            return 1.0
        return min(1.0, (self.shown - self.config.grow_at[self.level - 1]) / self.config.fade)

    def fakes(self, count: int) -> Tensor:
        z = torch.randn(count, self.config.latent_dim, generator=self.rng).to(self.device)
        return self.generator.grown(z, level=self.level, alpha=self.alpha)

    def reals(self, pictures: np.ndarray) -> Tensor:
        batch = (*self.config.batches, self.config.batch)[self.level]
        images = F.avg_pool2d(self._drawn(pictures, batch), self.config.resolution >> (self.level + 2))
        if self.alpha < 1:
            images = torch.lerp(double(F.avg_pool2d(images, 2)), images, self.alpha)
        return images

    def judge(self, images: Tensor) -> Tensor:
        return self.critic(images, self.alpha)

    def progress(self) -> dict:
        return {"side": 4 << self.level, "alpha": round(self.alpha, 3)}

    @torch.no_grad()
    def average_images(self, z: Tensor) -> Tensor:
        images = self.average.grown(z, level=self.level, alpha=self.alpha).clamp(-1, 1)
        return F.interpolate(images, scale_factor=self.config.resolution >> (self.level + 2))
