"""Adversarial training of a StyleGAN2 (Karras et al., CVPR 2020): style mixing, no path-length regularisation."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.training.adversarial.diffaugment import augment
from sgf_hub.training.adversarial.discriminators import Discriminator, ProgressiveDiscriminator, Trunk
from sgf_hub.training.adversarial.growth import GrowingConfig, GrowingTraining
from sgf_hub.training.adversarial.training import LARGE


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Config(GrowingConfig):
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


# Flowers of all sizes, shapes and places are harder to begin with than faces: at 64 px from the start the discriminator
# tells them apart at once, and the generator draws one blur; grown, it does not fall behind. Colour, which captions
# speak of, is left alone by the augmentation, and nothing is covered: there are plenty of drawn flowers.
_FLOWERS: dict[str, Any] = {"augment": ("translation",)}


class StyleGAN2Training(GrowingTraining[StyleGAN2Config, StyleGAN2, Trunk]):
    """The state of a StyleGAN2's training; see `GANTraining`."""

    presets: ClassVar = {
        "cpu": StyleGAN2Config(),
        "gpu": StyleGAN2Config(**LARGE, images=2_000_000),
        "cpu-flowers": StyleGAN2Config(
            **_FLOWERS, batches=(32, 32, 32, 16), grow_at=(15_000, 40_000, 90_000, 160_000), fade=15_000
        ),
        "gpu-flowers": StyleGAN2Config(
            **LARGE,
            **_FLOWERS,
            images=2_000_000,
            batches=(64, 64, 64, 64, 64),
            grow_at=(50_000, 100_000, 200_000, 350_000, 600_000),
            fade=50_000,
        ),
    }
    sizes = (*GrowingTraining.sizes, "mapping_layers")

    def networks(self) -> tuple[StyleGAN2, Trunk]:
        config = self.config
        generator = StyleGAN2(
            resolution=config.resolution,
            latent_dim=config.latent_dim,
            mapping_layers=config.mapping_layers,
            channels=list(config.channels),
        )
        critic = ProgressiveDiscriminator if config.grow_at else Discriminator
        return generator, critic(config.critic_channels)

    def fakes(self, count: int) -> Tensor:
        return self._pictures(self.generator, self._layers(count))

    def judge(self, images: Tensor) -> Tensor:
        images = augment(images, self.config.augment, self.rng)
        return self.critic(images, self.alpha) if self.config.grow_at else self.critic(images)

    def _pictures(self, generator: StyleGAN2, ws: Tensor) -> Tensor:
        """Pictures at the side of this phase: what the RGB skips give up to there, [B, 3, S, S]."""
        images = generator(ws, resolution=self.side)
        if self.alpha == 1:
            return images
        below = generator(ws, resolution=self.side // 2)
        return torch.lerp(F.interpolate(below, scale_factor=2), images, self.alpha)

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

    def shown_images(self, z: Tensor) -> Tensor:
        w = torch.lerp(self.average.w_avg, self.average.map(z), 0.8)
        return self._pictures(self.average, w.unsqueeze(1).expand(-1, self.average.num_layers, -1))
