"""Adversarial training: non-saturating loss, lazy R1, equalised learning rates, an averaged generator.

The recipe is StyleGAN2's (Karras et al., 2020). What differs between architectures (the networks, how they are fed,
the pictures of the day) is in `stylegan2.py` and `progan.py` beside this file.

Networks hold effective weights, so the equalised learning rate of a layer is its parameter group's: Adam's step is
scaled by the gain 1 / sqrt(fan-in) (and 0.01 in a mapping network), which is what multiplying the weight by the gain at
run time amounts to.
"""

import copy
import dataclasses
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.data.pictures import sheet
from sgf_hub.errors import BadValueError
from sgf_hub.training.checkpoint import save_checkpoint


@dataclass(frozen=True, kw_only=True)
class GANConfig:
    """Settings of one training.

    Args:
        resolution: side of the images, R.
        latent_dim: D.
        channels: generator widths at 4, 8, ..., R pixels.
        critic_channels: discriminator widths at the same sides.
        batch: images a step.
        images: real images shown in all; when it stops.
        learning_rate: of both networks' Adam, before equalisation.
        r1: weight gamma of the gradient penalty, once it has come down.
        r1_first: the same at the first image, halved every 60,000 images until it is `r1`: a discriminator that learns
            faster than its generator leaves it no gradient.
        r1_every: steps between two penalties (lazy regularisation).
        ema_images: half-life of the averaged generator, in images.
        pictures: drawn pictures in the training set.
        seed: of weights, data and latents.
        sheet_every: images between two sample sheets.
    """

    resolution: int = 64
    latent_dim: int = 128
    channels: tuple[int, ...] = (128, 128, 64, 32, 16)
    critic_channels: tuple[int, ...] = (128, 128, 64, 32, 16)
    batch: int = 16
    images: int = 500_000
    learning_rate: float = 2.5e-3
    r1: float = 0.1
    r1_first: float = 0.0
    r1_every: int = 16
    ema_images: int = 10_000
    pictures: int = 100_000
    seed: int = 0
    sheet_every: int = 20_000

    def r1_at(self, shown: int) -> float:
        """Gamma after so many images."""
        return max(self.r1, self.r1_first * 0.5 ** (shown / 60_000))


# what the "gpu" presets of all architectures share: 128 px, wider, larger batches
LARGE: dict[str, Any] = {
    "resolution": 128,
    "latent_dim": 256,
    "channels": (256, 256, 256, 128, 64, 32),
    "critic_channels": (256, 256, 256, 128, 64, 32),
    "batch": 64,
    "ema_images": 20_000,
    "pictures": 200_000,
    "sheet_every": 100_000,
}

C = TypeVar("C", bound=GANConfig)
G = TypeVar("G", bound=nn.Module)
D = TypeVar("D", bound=nn.Module)


class GANTraining(ABC, Generic[C, G, D]):
    """Both networks, their optimisers, the averaged generator, the random stream and the count of images.

    Args:
        config: the settings.
        device: "cpu" or "cuda"; convolutions run in bfloat16 on both.
    """

    presets: ClassVar[dict[str, Any]]  # "cpu", "gpu", and "cpu-flowers" where a world needs another than the rest
    sizes: ClassVar[tuple[str, ...]] = ("resolution", "latent_dim", "channels", "critic_channels")

    def __init__(self, config: C, device: str = "cpu") -> None:
        self.config, self.device = config, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)  # initial weights, restored afterwards
            generator, critic = self.networks()
        self.generator, self.critic = generator.to(device), critic.to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        lazy = config.r1_every / (config.r1_every + 1)
        self.generator_optimizer = equalized_adam(self.generator, config.learning_rate)
        self.critic_optimizer = equalized_adam(self.critic, config.learning_rate, lazy)
        self.rng = torch.Generator().manual_seed(config.seed + 1)
        self.shown, self.steps, self.seconds = 0, 0, 0.0

    # -- what an architecture says ------------------------------------------------------------------------------

    @abstractmethod
    def networks(self) -> tuple[G, D]:
        """A new generator and a new discriminator."""

    @abstractmethod
    def fakes(self, count: int) -> Tensor:
        """Pictures of `count` new latents, as the discriminator takes them."""

    @abstractmethod
    def average_images(self, z: Tensor) -> Tensor:
        """Pictures of the averaged generator, for people to look at: z [B, D] => [B, 3, S, S] in [-1, 1]."""

    def reals(self, pictures: np.ndarray) -> Tensor:
        """A batch of the training set, [N, 3, R, R] uint8, as the discriminator takes it."""
        return self._drawn(pictures, self.config.batch)

    def judge(self, images: Tensor) -> Tensor:
        """Logits of the discriminator, [B]."""
        return self.critic(images)

    def progress(self) -> dict:
        """What log.jsonl should tell of the present phase."""
        return {}

    # -- steps --------------------------------------------------------------------------------------------------

    def step(self, real: Tensor) -> dict:
        """One update of each network on `real`, [B, 3, S, S] in [-1, 1]; returns the losses."""
        with torch.autocast(self.device, dtype=torch.bfloat16):
            self.generator.requires_grad_(False)
            self.critic.requires_grad_(True)
            fake = self.fakes(len(real))
            logits = self.judge(torch.cat([fake, real]))  # minibatch statistics are taken in halves
            loss = F.softplus(logits[: len(real)]).mean() + F.softplus(-logits[len(real) :]).mean()
            loss.backward()
            record = {"loss_d": loss.item()}
            if self.steps % self.config.r1_every == 0:
                record["r1"] = self._penalize(real)
        self._update(self.critic_optimizer)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            self.generator.requires_grad_(True)
            self.critic.requires_grad_(False)
            loss = F.softplus(-self.judge(self.fakes(len(real)))).mean()
            loss.backward()
        self._update(self.generator_optimizer)
        record["loss_g"] = loss.item()
        self.steps += 1
        self.shown += len(real)
        self._average(len(real))
        return record

    def _drawn(self, pictures: np.ndarray, count: int) -> Tensor:
        """[count, 3, R, R] in [-1, 1], drawn with replacement."""
        index = torch.randint(len(pictures), (count,), generator=self.rng)
        return torch.from_numpy(pictures[index.numpy()]).to(self.device).float() / 127.5 - 1

    def _penalize(self, real: Tensor) -> float:
        """R1: gamma / 2 times the squared gradient of the logits at real images, for all the steps it stands for."""
        real = real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.judge(real).sum(), real, create_graph=True)
        penalty = gradient.square().sum(dim=(1, 2, 3)).mean()
        (penalty * (self.config.r1_at(self.shown) / 2 * self.config.r1_every)).backward()
        return penalty.item()

    @staticmethod
    def _update(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    torch.nan_to_num_(parameter.grad, nan=0.0, posinf=1e5, neginf=-1e5)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _average(self, count: int) -> None:
        # a short memory at first, so that the average is not held back by the initial weights
        half_life = min(self.config.ema_images, 0.05 * self.shown + 1)
        keep = 0.5 ** (count / half_life)
        averaged: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averaged, current, 1 - keep)

    # -- files --------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write everything that continuing needs; a kill in the middle leaves the older file."""
        save_checkpoint(
            path,
            {
                "config": dataclasses.asdict(self.config),
                "generator": self.generator.state_dict(),
                "critic": self.critic.state_dict(),
                "average": self.average.state_dict(),
                "generator_optimizer": self.generator_optimizer.state_dict(),
                "critic_optimizer": self.critic_optimizer.state_dict(),
                "rng": self.rng.get_state(),
                "shown": self.shown,
                "steps": self.steps,
                "seconds": self.seconds,
            },
        )

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint, if there is one."""
        if not path.exists():
            return
        held = torch.load(path, map_location=self.device, weights_only=True)
        ours = dataclasses.asdict(self.config)
        for key in self.sizes:
            if key in held["config"] and held["config"][key] != ours[key]:
                raise BadValueError(
                    f"{path} is of networks with {key} {held['config'][key]}, not {ours[key]}: choose another folder."
                )
        if held["generator"].keys() != self.generator.state_dict().keys():
            raise BadValueError(f"{path} is of another architecture: choose another folder.")
        for name in ("generator", "critic", "average", "generator_optimizer", "critic_optimizer"):
            getattr(self, name).load_state_dict(held[name])
        self.rng.set_state(held["rng"].cpu())
        self.shown, self.steps, self.seconds = held["shown"], held["steps"], held.get("seconds", 0.0)


def train(state: GANTraining, folder: Path, *, pictures: np.ndarray) -> Iterator[dict]:
    """Train until `config.images` real images were shown.

    Args:
        state: where to start from; `state.resume` makes it what `folder` holds.
        folder: where checkpoint.pt, log.jsonl and the sample sheets are kept.
        pictures: [N, 3, R, R], uint8, what the generator should learn to draw.

    Yields:
        A record every 50 steps: images shown, losses, images a second; the same that log.jsonl gets.
    """
    config = state.config
    if pictures.shape[1:] != (3, config.resolution, config.resolution):
        raise BadValueError(f"pictures are {pictures.shape[1:]}; this preset learns {config.resolution} px RGB.")
    folder.mkdir(parents=True, exist_ok=True)
    fixed = torch.randn(64, config.latent_dim, generator=torch.Generator().manual_seed(config.seed)).to(state.device)
    saved, started, shown_then, step = time.monotonic(), time.monotonic(), state.shown, 0
    while state.shown < config.images:
        real = state.reals(pictures)
        record = state.step(real)
        step += 1
        if step % 50 == 0 or state.shown >= config.images:
            now = time.monotonic()
            record |= {"images": state.shown, "images_per_second": (state.shown - shown_then) / (now - started)}
            record |= state.progress()
            state.seconds += now - started
            started, shown_then = now, state.shown
            with open(folder / "log.jsonl", "a") as log:
                log.write(json.dumps(record) + "\n")
            yield record
        if state.shown % config.sheet_every < len(real):
            page = sheet(state.average_images(fixed), columns=8)
            page.save(folder / f"samples-{state.shown // 1000:05d}k.png")
        if time.monotonic() - saved > 60 or state.shown >= config.images:
            state.save(folder / "checkpoint.pt")
            saved = time.monotonic()


def equalized_adam(
    module: nn.Module, learning_rate: float, lazy: float = 1.0, *, capturable: bool = False
) -> torch.optim.Adam:
    """Adam with one group for each equalised learning rate (Karras et al., 2018).

    Args:
        module: whose parameters it steps.
        learning_rate: before equalisation.
        lazy: corrects for penalties on some steps only (Karras et al., 2020).
        capturable: whether a CUDA graph may record its steps.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        gain = 0.01 if name.startswith("mapping.") else 1.0
        if name.endswith("weight"):
            gain /= math.sqrt(parameter[0].numel())  # fan-in
        groups.setdefault(gain, []).append(parameter)
    return torch.optim.Adam(
        [{"params": parameters, "lr": learning_rate * gain * lazy} for gain, parameters in groups.items()],
        betas=(0.0, 0.99**lazy),
        eps=1e-8,
        foreach=not capturable,
        fused=capturable,
        capturable=capturable,
    )
