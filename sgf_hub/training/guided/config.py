"""The settings of training guided by an encoder (`guided.py`), and the presets of them."""

from dataclasses import dataclass, field
from typing import Any

from sgf_hub.errors import BadValueError
from sgf_hub.validation import bounded


@dataclass(frozen=True, kw_only=True)
class GuidedConfig:
    """Settings of one training.

    Args:
        world: what it learns to draw.
        architecture: "stylegan2" or "progan".
        resolution: side of the images, R.
        latent_dim: D.
        channels: generator widths at 4, 8, ..., R pixels.
        encoder_channels: widths of the encoder's stages.
        encoder_hidden: width of its last hidden layer.
        guide: repo of the backbone in whose features pictures are compared and judged by the critic.
        components: pictures whose encoding is a component of the mixture, M.
        width: standard deviation of a component, as a share of all latents'.
        batch: images a step.
        images: real images shown in all; when it stops.
        learning_rate: of the generator's Adam, before equalisation.
        encoder_rate: of the encoder's.
        critic_rate: of the critic's.
        decay_from: share of the training after which all three fall, in a line to a twentieth.
        kl: weight of the divergence of the encoder's w from N(0, 1), in nats.
        critic_weight: of the critic in the generator's loss.
        critic_from: images shown when the critic begins to learn.
        critic_alone: images that it learns from before the generator hears of it.
        critic_pixels: whether the picture itself is one of the critic's scales.
        critic_widths: channels that the guide's maps are mixed into.
        mixing: share of the samples that take their late layers from a second w.
        ema_images: half-life of the averaged networks, in images.
        pictures: drawn pictures in the training set.
        held_out: others, which are only measured with.
        seed: of weights, data and latents.
        sheet_every: images between two sample sheets.
    """

    world: str
    architecture: str = "stylegan2"
    resolution: int = 128
    latent_dim: int = 128
    channels: tuple[int, ...] = (160, 160, 128, 80, 48, 24)
    encoder_channels: tuple[int, ...] = (32, 64, 96, 128, 192)
    encoder_hidden: int = 512
    guide: str = ""
    components: int = 8192
    width: float = 0.25
    batch: int = 16
    images: int = 1_000_000
    learning_rate: float = 2.5e-3
    encoder_rate: float = 4e-4
    critic_rate: float = 2e-4
    decay_from: float = 0.7
    kl: float = 1.6e-4
    critic_weight: float = 0.1
    critic_from: int = 25_000
    critic_alone: int = 5_000
    critic_pixels: bool = True
    critic_widths: tuple[int, ...] = field(default=(32, 64, 64, 128))
    mixing: float = 0.25
    ema_images: int = 10_000
    pictures: int = 128_000
    held_out: int = 4_000
    seed: int = 0
    sheet_every: int = 20_000

    def __post_init__(self) -> None:
        if self.architecture not in ("stylegan2", "progan"):
            raise BadValueError(f"architecture is {self.architecture!r}; choose 'stylegan2' or 'progan'.")
        bounded("batch", self.batch, 2, 4096)
        bounded("components", self.components, self.batch, self.pictures)
        for name in ("width", "decay_from", "mixing"):
            bounded(name, getattr(self, name), 0.0, 1.0)

    def rate_at(self, progress: float) -> float:
        """Share of the learning rates after a share of the training."""
        return 1.0 if min(progress, 1.0) <= self.decay_from else max(0.05, (1 - progress) / (1 - self.decay_from))


# what a machine is better served by
PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {"batch": 16, "pictures": 40_000},
    # the last of a training: rates fall from the beginning on
    "finish": {"batch": 16, "pictures": 40_000, "learning_rate": 1.5e-3, "critic_alone": 1_500, "ema_images": 2_000,
               "decay_from": 0.0, "sheet_every": 5_000},
    "gpu": {"batch": 64, "images": 3_000_000, "pictures": 64_000, "learning_rate": 4e-3, "encoder_rate": 8e-4,
            "critic_from": 100_000, "critic_alone": 20_000, "ema_images": 20_000, "sheet_every": 250_000},
    "toy": {"resolution": 32, "latent_dim": 16, "channels": (16,) * 4, "encoder_channels": (16,) * 3,
            "encoder_hidden": 32, "components": 32, "batch": 8, "images": 64, "critic_from": 32, "critic_alone": 16,
            "pictures": 64, "held_out": 64, "sheet_every": 32},
}  # fmt: skip
