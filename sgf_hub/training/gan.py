"""Adversarial training of a StyleGAN2: non-saturating loss, lazy R1, equalised learning rates, EMA, style mixing.

The recipe is StyleGAN2's (Karras et al., 2020) without path-length regularisation. Networks hold effective weights, so
the equalised learning rate of a layer is its parameter group's: Adam's step is scaled by the gain 1 / sqrt(fan-in) (and
0.01 in the mapping network), which is what multiplying the weight by the gain at run time amounts to.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.generators.stylegan2 import GAIN, StyleGAN2, blur
from sgf_hub.pictures import sheet
from sgf_hub.training.checkpoint import save_checkpoint

EPS = 1e-8


@dataclass(frozen=True, kw_only=True)
class GANConfig:
    """Settings of one training.

    Args:
        resolution: side of the images, R.
        latent_dim: D.
        mapping_layers: depth of the mapping network.
        channels: generator widths at 4, 8, ..., R pixels.
        critic_channels: discriminator widths at the same sides.
        batch: images a step.
        images: real images shown in all; when it stops.
        learning_rate: of both networks' Adam, before equalisation.
        r1: weight gamma of the gradient penalty.
        r1_every: steps between two penalties (lazy regularisation).
        mixing: share of the steps whose batches mix two styles.
        ema_images: half-life of the averaged generator, in images.
        pictures: drawn faces in the training set.
        seed: of weights, data and latents.
        sheet_every: images between two sample sheets.
    """

    resolution: int = 64
    latent_dim: int = 128
    mapping_layers: int = 4
    channels: tuple[int, ...] = (128, 128, 64, 32, 16)
    critic_channels: tuple[int, ...] = (128, 128, 64, 32, 16)
    batch: int = 16
    images: int = 500_000
    learning_rate: float = 2.5e-3
    r1: float = 0.1
    r1_every: int = 16
    mixing: float = 0.5
    ema_images: int = 10_000
    pictures: int = 100_000
    seed: int = 0
    sheet_every: int = 20_000


PRESETS = {
    "cpu": GANConfig(),
    "gpu": GANConfig(
        resolution=128,
        latent_dim=256,
        channels=(256, 256, 256, 128, 64, 32),
        critic_channels=(256, 256, 256, 128, 64, 32),
        batch=64,
        images=2_000_000,
        ema_images=20_000,
        pictures=200_000,
        sheet_every=100_000,
    ),
}


class Discriminator(nn.Module):
    """Residual discriminator with minibatch standard deviation: [B, 3, R, R] => logits [B]."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = tuple(reversed(channels))  # R, R/2, ..., 4
        self.from_rgb = _conv(3, widths[0], 1)
        self.blocks = nn.ModuleList(
            DownBlock(width, wider) for width, wider in zip(widths[:-1], widths[1:], strict=True)
        )
        self.conv = _conv(widths[-1] + 1, widths[-1], 3)
        self.dense = _dense(widths[-1] * 16, widths[-1])
        self.out = _dense(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] => logits [B]."""
        x = _rectified(self.from_rgb, images.contiguous(memory_format=torch.channels_last), padding=0)
        for block in self.blocks:
            x = block(x)
        x = _rectified(self.conv, torch.cat([x, _minibatch_std(x)], dim=1))
        x = F.leaky_relu(self.dense(x.flatten(1)), 0.2) * GAIN
        return self.out(x).squeeze(1).float()


class DownBlock(nn.Module):
    """Two convolutions, the second halving the side, beside a filtered 1 x 1 skip."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.conv0 = _conv(width, width, 3)
        self.conv1 = _conv(width, wider, 3)
        self.skip = _conv(width, wider, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, R, R] => [B, wider, R / 2, R / 2]."""
        # the skip is low-passed by a box: the backward of a strided depthwise filter is slow on a CPU
        skip = self.skip(F.avg_pool2d(x, 2))
        x = blur(_rectified(self.conv0, x), padding=2)
        return _rectified(self.conv1, x, stride=2, padding=0, gain=1.0) + skip * math.sqrt(0.5)


def train(config: GANConfig, folder: Path, *, pictures: np.ndarray, device: str = "cpu") -> Iterator[dict]:
    """Train until `config.images` real images were shown, continuing what `folder` holds.

    Args:
        config: the settings.
        folder: where checkpoint.pt, log.jsonl and the sample sheets are kept.
        pictures: [N, 3, R, R], uint8, what the generator should learn to draw.
        device: "cpu" or "cuda"; convolutions run in bfloat16 on both.

    Yields:
        A record every 50 steps: images shown, losses, images a second; the same that log.jsonl gets.
    """
    if pictures.shape[1:] != (3, config.resolution, config.resolution):
        raise BadValueError(f"pictures are {pictures.shape[1:]}; this preset learns {config.resolution} px RGB.")
    folder.mkdir(parents=True, exist_ok=True)
    state = TrainingState(config, device)
    state.resume(folder / "checkpoint.pt")
    fixed = torch.randn(64, config.latent_dim, generator=torch.Generator().manual_seed(config.seed)).to(device)
    saved, started, shown_then, step = time.monotonic(), time.monotonic(), state.shown, 0
    while state.shown < config.images:
        record = state.step(_batch(pictures, config, state.rng).to(device))
        step += 1
        if step % 50 == 0 or state.shown >= config.images:
            now = time.monotonic()
            record |= {"images": state.shown, "images_per_second": (state.shown - shown_then) / (now - started)}
            state.seconds += now - started
            started, shown_then = now, state.shown
            with open(folder / "log.jsonl", "a") as log:
                log.write(json.dumps(record) + "\n")
            yield record
        if state.shown % config.sheet_every < config.batch:
            page = sheet(state.average_images(fixed), columns=8)
            page.save(folder / f"samples-{state.shown // 1000:05d}k.png")
        if time.monotonic() - saved > 60 or state.shown >= config.images:
            state.save(folder / "checkpoint.pt")
            saved = time.monotonic()


class TrainingState:
    """Both networks, their optimisers, the averaged generator, the random stream and the count of images."""

    def __init__(self, config: GANConfig, device: str) -> None:
        self.config, self.device = config, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)  # initial weights, restored afterwards
            self.generator = StyleGAN2(
                resolution=config.resolution,
                latent_dim=config.latent_dim,
                mapping_layers=config.mapping_layers,
                channels=list(config.channels),
            ).to(device)
            self.critic = Discriminator(config.critic_channels).to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        lazy = config.r1_every / (config.r1_every + 1)
        self.generator_optimizer = _adam(self.generator, config.learning_rate, 1.0)
        self.critic_optimizer = _adam(self.critic, config.learning_rate, lazy)
        self.rng = torch.Generator().manual_seed(config.seed + 1)
        self.shown, self.steps, self.seconds = 0, 0, 0.0

    def step(self, real: Tensor) -> dict:
        """One update of each network on `real`, [B, 3, R, R] in [-1, 1]; returns the losses."""
        with torch.autocast(self.device, dtype=torch.bfloat16):
            self.generator.requires_grad_(False)
            self.critic.requires_grad_(True)
            fake = self.generator(self._layers(len(real)))
            logits = self.critic(torch.cat([fake, real]))  # minibatch statistics are taken in halves
            loss = F.softplus(logits[: len(real)]).mean() + F.softplus(-logits[len(real) :]).mean()
            loss.backward()
            record = {"loss_d": loss.item()}
            if self.steps % self.config.r1_every == 0:
                record["r1"] = self._penalize(real)
        self._update(self.critic_optimizer)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            self.generator.requires_grad_(True)
            self.critic.requires_grad_(False)
            loss = F.softplus(-self.critic(self.generator(self._layers(len(real))))).mean()
            loss.backward()
        self._update(self.generator_optimizer)
        record["loss_g"] = loss.item()
        self.steps += 1
        self.shown += len(real)
        self._average()
        return record

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

    def _penalize(self, real: Tensor) -> float:
        """R1: gamma / 2 times the squared gradient of the logits at real images, for all the steps it stands for."""
        real = real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(real).sum(), real, create_graph=True)
        penalty = gradient.square().sum(dim=(1, 2, 3)).mean()
        (penalty * (self.config.r1 / 2 * self.config.r1_every)).backward()
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
    def _average(self) -> None:
        # a short memory at first, so that the average is not held back by the initial weights
        half_life = min(self.config.ema_images, 0.05 * self.shown + 1)
        keep = 0.5 ** (self.config.batch / half_life)
        averaged: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averaged, current, 1 - keep)

    @torch.no_grad()
    def average_images(self, z: Tensor, truncation: float = 0.8) -> Tensor:
        """Images of the averaged generator."""
        w = torch.lerp(self.average.w_avg, self.average.map(z), truncation)
        return self.average(w.unsqueeze(1).expand(-1, self.average.num_layers, -1)).clamp(-1, 1)

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
        for key in ("resolution", "latent_dim", "mapping_layers", "channels", "critic_channels"):
            if held["config"][key] != ours[key]:
                raise BadValueError(
                    f"{path} is of networks with {key} {held['config'][key]}, not {ours[key]}: choose another folder."
                )
        for name in ("generator", "critic", "average", "generator_optimizer", "critic_optimizer"):
            getattr(self, name).load_state_dict(held[name])
        self.rng.set_state(held["rng"].cpu())
        self.shown, self.steps, self.seconds = held["shown"], held["steps"], held.get("seconds", 0.0)


def _batch(pictures: np.ndarray, config: GANConfig, rng: torch.Generator) -> Tensor:
    index = torch.randint(len(pictures), (config.batch,), generator=rng)
    return torch.from_numpy(pictures[index.numpy()]).float() / 127.5 - 1


def _adam(module: nn.Module, learning_rate: float, lazy: float) -> torch.optim.Adam:
    """Adam with one group for each equalised learning rate; `lazy` corrects for penalties on some steps only."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        gain = 0.01 if name.startswith("mapping.") else 1.0
        if name.endswith("weight"):
            gain /= math.sqrt(parameter[0].numel())  # fan-in
        groups.setdefault(gain, []).append(parameter)
    return torch.optim.Adam(
        [{"params": parameters, "lr": learning_rate * gain * lazy} for gain, parameters in groups.items()],
        betas=(0.0, 0.99**lazy),
        eps=EPS,
        foreach=True,
    )


def _rectified(layer: nn.Conv2d, x: Tensor, *, stride: int = 1, padding: int = 1, gain: float = GAIN) -> Tensor:
    """Convolution and leaky ReLU, times `gain`, which rides on the small weight and not on the large activation."""
    assert layer.bias is not None
    return F.leaky_relu(F.conv2d(x, layer.weight * gain, layer.bias * gain, stride=stride, padding=padding), 0.2)


def _conv(width_in: int, width: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    layer = nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=bias)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(width_in * kernel**2))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _dense(width_in: int, width: int) -> nn.Linear:
    layer = nn.Linear(width_in, width)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(width_in))
    nn.init.zeros_(layer.bias)
    return layer


def _minibatch_std(x: Tensor, group: int = 4) -> Tensor:
    """Mean standard deviation over groups of samples, as one more channel: [B, C, 4, 4] => [B, 1, 4, 4].

    Groups are runs of neighbours, so that a batch of fakes followed by reals never mixes the two.
    """
    size = group if len(x) % group == 0 else 1
    grouped = x.float().unflatten(0, (-1, size))  # B/G, G, C, H, W
    deviation = (grouped.var(dim=1, correction=0) + EPS).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat_interleave(size).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)
