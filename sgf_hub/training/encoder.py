"""Train a `LatentEncoder`: the latents of generated pictures, and drawn pictures that the generator should draw again.

Half of every batch are pictures of the generator, whose w is known: the guess is held to it. The other half are drawn
ones, which no latent gives exactly; for them, as for the others, the generator draws the guess again and the result is
compared, in pixels and in the features of the backbone. Without them an encoder meets real pictures badly: they lie
outside what it has seen. Of a generator of no drawn world, all pictures are its own.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.data.drawn import Labelled
from sgf_hub.errors import BadValueError
from sgf_hub.generators import load_generator
from sgf_hub.generators.layers import draw_z
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.inversion.calibration import calibrate
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.perceptual import Perceptual, distance
from sgf_hub.inversion.projector import Projector
from sgf_hub.predictors.backbone import load_backbone, resize
from sgf_hub.training.readers.supervised import (
    HELD_OUT_SEED,
    REPORT,
    check_sizes,
    descend,
    drawn_sets,
    logged,
    report_of,
    rows_of,
)
from sgf_hub.types import Latent

_SAMPLES = 20_000  # latents whose mean and spread standardise w
_SIDE = 128  # of the pictures that it reads, at most
_PROBE = 256  # held-out pictures looked at while training


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Everything that decides what a training run gives.

    Args:
        generator: zoo entry or Hub id of the generator whose latents are guessed, or the name of a folder beside the
            encoder's, which is called `{generator}-encoder`.
        world: whose drawn pictures it should meet well; None for a generator of none.
        backbone: zoo entry in whose features pictures are compared.
        judge: zoo entry of the backbone that judges results, and is not used here.
        pictures: how many are drawn to train on, where there is a world.
        held_out: how many more are drawn, or generated, to measure on.
        images: how many are seen in all, drawn and generated, repeats counted.
        batch: drawn pictures a step, and as many generated ones.
        learning_rate: at its peak.
        weight_decay: of AdamW, on matrices and kernels.
        latent: weight of the squared error of w, in units of its spread, of generated pictures.
        pixels: weight of the mean squared error of pixels in [-1, 1].
        leaving: weight of the mean square of the offsets from W.
        seed: of weights, order and latents.
        data_seed: of the drawn pictures.
        bf16: whether networks run in bfloat16.
    """

    generator: str
    world: str | None
    backbone: str
    judge: str
    pictures: int = 30_000
    held_out: int = 1_000
    images: int = 72_000
    batch: int = 24
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    latent: float = 0.3
    pixels: float = 4.0
    leaving: float = 0.05
    seed: int = 0
    data_seed: int = 250_000
    bf16: bool = True

    def __post_init__(self) -> None:
        check_sizes(self)

    @property
    def repo(self) -> str:
        """Name of the folder that is written."""
        return f"{self.generator.rpartition('/')[2]}-encoder"

    @property
    def steps(self) -> int:
        """Of the optimiser."""
        return math.ceil(self.images / (2 * self.batch))


PRESETS: dict[str, EncoderConfig] = {
    config.generator: config
    for config in (
        EncoderConfig(
            generator="avatars-stylegan2", world="avatars", backbone="avatars-backbone", judge="avatars-judge-backbone"
        ),
    )
}


def train_encoder(config: EncoderConfig, *, out: Path, run: Path, command: str = "") -> Iterator[dict[str, Any]]:
    """Train, calibrate and save one encoder; called again after a kill, it goes on where the last checkpoint is.

    Args:
        config: a preset, or one of your own.
        out: the zoo folder that receives the repo.
        run: folder of the drawn pictures, the checkpoint and `log.jsonl`; it may be deleted afterwards.
        command: what the user typed, for the report.

    Yields:
        Log records: `event` is "drawn", "progress" (every 10 s), "checkpoint" (every minute, with held-out numbers)
        or "done" (with the report that is written beside the weights).

    Raises:
        BadValueError: if `run` holds a checkpoint of another config.
        CorruptFileError: if the checkpoint cannot be read.
    """
    yield from logged(_train(config, out, run, command), run)


def _train(config: EncoderConfig, out: Path, run: Path, command: str) -> Iterator[dict[str, Any]]:
    beside = out / config.generator
    generator: Any = load_generator(beside if beside.is_dir() else config.generator)
    if not hasattr(generator, "to_w_plus"):
        raise BadValueError(
            f"{config.generator!r} has no W+, which an encoder guesses: `sgf-hub project` searches it without one."
        )
    pictures: Labelled | None = None
    if config.world is None:
        held_out = generator.synthesize(generator.sample(min(_PROBE, config.held_out), seed=HELD_OUT_SEED))
    else:
        pictures, others = drawn_sets(config, config.world, run, resolution=generator.resolution)
        held_out = others.batch(np.arange(min(_PROBE, len(others))))[0]
        yield {"event": "drawn", "pictures": len(pictures), "held_out": len(others)}

    encoder = new_encoder(config, generator)
    learner = Learner(encoder, generator, Perceptual(load_backbone(config.backbone)), config)

    def losses(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        drawn = held_out[:0] if pictures is None else pictures.batch(rows_of(config, step))[0]
        return learner.losses(drawn, step)

    def probe() -> dict[str, float]:
        return learner.probe(held_out)

    seconds = yield from descend(config, run, encoder, losses, probe, steps=config.steps)
    measured = {"pictures": len(held_out), **probe()}
    images = config.steps * 2 * config.batch
    report = report_of(config, command, images=images, seconds=seconds, held_out=measured)
    encoder.eval().requires_grad_(False)
    judge = Perceptual(load_backbone(config.judge))
    found = calibrate(Projector(encoder, generator, learner.perceptual, judge), config.world)
    folder = out / config.repo
    known = {"apart": found.apart, "expressible_from": found.expressible_from}
    encoder.save_pretrained(folder, config={**encoder.config(), **known})
    report["calibration"] = found.report
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


def _of_zoo(name: str) -> str:
    """As a config.json names it: with its owner."""
    return name if "/" in name else f"{NAMESPACE}/{name}"


def new_encoder(config: EncoderConfig, generator: StyleGAN2) -> LatentEncoder:
    """An encoder with random weights for a generator, its units those of W."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(config.seed)
        encoder = LatentEncoder(
            generator=_of_zoo(config.generator),
            backbone=_of_zoo(config.backbone),
            judge=_of_zoo(config.judge),
            latent_dim=generator.latent_dim,
            layers=generator.num_layers,
            image_size=min(generator.resolution, _SIDE),
        )
        w = generator.map(draw_z(_SAMPLES, generator.z_dim, seed=config.seed))
        encoder.w_mean.copy_(w.mean(dim=0))
        encoder.w_std.copy_(w.std(dim=0))
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Learner:
    """What one batch teaches.

    Args:
        encoder: that learns.
        generator: G, which does not.
        perceptual: nor do the features in which pictures are compared.
        config: weights and seeds.
    """

    def __init__(
        self, encoder: LatentEncoder, generator: StyleGAN2, perceptual: Perceptual, config: EncoderConfig
    ) -> None:
        self.encoder, self.generator, self.perceptual, self.config = encoder, generator, perceptual, config

    def losses(self, pictures: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum to descend for a batch of drawn pictures [B or 0, 3, R, R] and generated ones, 2 B in all."""
        config, encoder = self.config, self.encoder
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            w, generated = self._generated(2 * config.batch - len(pictures), step)
            images = torch.cat([generated, pictures])
            guess, offsets = encoder(self._roughened(images, step))
            guess, offsets = guess.float(), offsets.float()
            again = self.generator.synthesize(Latent(encoder.layered(guess, offsets), "w+"))
            with torch.no_grad():
                seen = self.perceptual(images)
            perceptual = distance(self.perceptual(again), seen).mean()
        latent = (guess[: len(w)] - (w - encoder.w_mean) / encoder.w_std).square().mean()
        pixels = (again - images).square().mean()
        leaving = offsets.square().mean()
        total = perceptual + config.pixels * pixels + config.latent * latent + config.leaving * leaving
        parts = {"perceptual": perceptual, "pixels": pixels, "latent": latent, "leaving": leaving}
        return total, {key: value.detach() for key, value in parts.items()}

    @torch.no_grad()
    def _generated(self, count: int, step: int) -> tuple[Tensor, Tensor]:
        """Latents w [B, D] of all truncations from 0.5 to 1, and their pictures."""
        z = draw_z(count, self.generator.z_dim, seed=self.config.seed * 1_000_003 + step)
        psi = torch.linspace(0.5, 1.0, count)[:, None]
        w = torch.lerp(self.generator.w_avg, self.generator.map(z).float(), psi)
        return w, self.generator.synthesize(Latent(w, "w"))

    def _roughened(self, images: Tensor, step: int) -> Tensor:
        """Half the pictures with a little noise or softness, as a visitor's may have: what they show is the same."""
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        rough = torch.rand(len(images), 1, 1, 1, generator=generator) * 0.1
        noisy = images + rough * torch.randn(images.shape, generator=generator)
        soft = resize(resize(images, images.shape[-1] * 3 // 4), images.shape[-1])
        pick = torch.randint(0, 4, (len(images), 1, 1, 1), generator=generator)
        return torch.where(pick == 0, noisy, torch.where(pick == 1, soft, images))

    @torch.inference_mode()
    def probe(self, held_out: Tensor) -> dict[str, float]:
        """How held-out pictures look when the guess is drawn again: root mean square of pixels, and looks."""
        encoder = self.encoder.eval()
        pixels, perceptual = [], []
        for images in held_out.split(32):
            again = self.generator.synthesize(encoder.encode(images))
            pixels.append((again - images).square().mean(dim=(1, 2, 3)))
            perceptual.append(distance(self.perceptual(again), self.perceptual(images)))
        return {
            "pixel_error": round(float(torch.cat(pixels).mean().sqrt()), 5),
            "perceptual_error": round(float(torch.cat(perceptual).mean()), 5),
        }
