"""Training guided by an encoder: a generator learns to draw what it is shown, then to convince a projected critic.

The paper uses GANs that learned adversarially alone (`gan.py`), which takes days of a GPU. Here the synthesis network
is the decoder of a variational autoencoder (Kingma and Welling, 2014): an encoder gives each picture a w, the synthesis
draws it again, and the two are compared in pixels and in the features of a frozen network, the guide. What that leaves
soft, a projected critic (`critic.py`) sharpens, on reconstructions and on new samples; those are drawn from a mixture
of Gaussians around the encoder's means (`generators/mixture.py`). VAE-GAN of Larsen et al. (2016) is the nearest
relative. Every picture of the training set must be drawn, so rare attributes are drawn as well.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import cached

from sgf_hub.generators.mixture import GaussianMixture, kernel_factor
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.perceptual import Perceptual, distance, vector
from sgf_hub.predictors.backbone import load_backbone
from sgf_hub.training.adversarial.training import equalized_adam
from sgf_hub.training.guided.config import GuidedConfig
from sgf_hub.training.guided.critic import ProjectedCritic, hinge, unconvinced
from sgf_hub.training.guided.encoder import VariationalEncoder
from sgf_hub.training.guided.views import Views

_FOLD = 2  # the picture as the critic's finest scale: squares of 2 x 2 pixels are one place
_VIEW = 3 / 4  # side of what the guide and the critic see, as a share of what the guide has learned to read
_REFIT = 6_400  # images between two fits of the mixture's covariance
_WARM = 3  # iterations that run as they are before one is recorded as a CUDA graph


class GuidedTraining:
    """All networks, their optimisers, the averages, the random stream and the count of images.

    Args:
        config: the settings.
        device: "cpu" or "cuda"; convolutions run in bfloat16 on both, and on a GPU an iteration is a CUDA graph.
    """

    def __init__(self, config: GuidedConfig, device: str = "cpu") -> None:
        self.config, self.device = config, device
        guide = load_backbone(config.guide or f"{NAMESPACE}/{config.world}-guide-backbone")
        self.guide = Perceptual(guide).to(device)
        self.view = round(guide.image_size * _VIEW)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(config.seed)  # initial weights, restored afterwards
            self.generator = on_device(self._new_generator(), device)
            self.encoder = on_device(VariationalEncoder(config), device)
            blank = torch.zeros(1, 3, self.view, self.view, device=device)
            shapes = [(one.shape[1], one.shape[2]) for one in self._scales(blank, self.guide.maps(blank))]
            widths = (32, *config.critic_widths) if config.critic_pixels else config.critic_widths
            self.critic = on_device(ProjectedCritic(shapes, widths), device)
        self.averages = copy.deepcopy(nn.ModuleList([self.generator, self.encoder])).requires_grad_(False)
        on_gpu = device == "cuda"
        self.optimizers = {
            "generator": equalized_adam(self.generator, config.learning_rate, capturable=on_gpu),
            "encoder": _adam(self.encoder, config.encoder_rate, (0.9, 0.99), on_gpu),
            "critic": _adam(self.critic.heads, config.critic_rate, (0.0, 0.99), on_gpu),
        }
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["peak"] = group["lr"]
                if on_gpu:  # a tensor, so that a recorded step sees it fall
                    group["lr"] = torch.tensor(group["lr"], device=device)
        self.rng = torch.Generator(device).manual_seed(config.seed + 1)
        self.critic_weight = torch.zeros((), device=device)
        self.shown, self.encoded, self.fitted, self.judged, self.seconds = 0, 0, 0, 0, 0.0
        self._recorded: dict[bool, tuple[Callable[[], None], dict[str, Tensor]]] = {}
        self._real: Tensor | None = None
        self.warm = 0

    def _new_generator(self) -> StyleGAN2 | ProGAN:
        config = self.config
        sizes: dict[str, Any] = {"resolution": config.resolution, "latent_dim": config.latent_dim}
        sizes |= {"channels": list(config.channels), "components": config.components}
        return StyleGAN2(**sizes) if config.architecture == "stylegan2" else ProGAN(**sizes)

    # -- pictures -----------------------------------------------------------------------------------------------

    def draw(self, w: Tensor) -> Tensor:
        """Pictures of the averaged generator, [B, 3, R, R], not clamped, of w [B, D]."""
        generator = self.average_generator
        return generator(w if isinstance(generator, ProGAN) else w.unsqueeze(1).expand(-1, generator.num_layers, -1))

    def _pictures(self, w: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Pictures of the learning generator at R and at R / 2 pixels, of w [B, D] and of new latents after them.

        In a share `mixing` of the new ones, a second latent takes over at a random layer.
        """
        if samples:
            first, second = self.sampled(samples, self.rng), self.sampled(samples, self.rng)
            w = torch.cat([w, first])
        if isinstance(self.generator, ProGAN):
            images = self.generator(w)
            return images, F.avg_pool2d(images, 2)
        layers = self.generator.num_layers
        rows = w.unsqueeze(1).expand(-1, layers, -1)
        if samples:
            cut = torch.randint(1, layers, (samples, 1), generator=self.rng, device=self.device)
            mixed = torch.rand(samples, 1, generator=self.rng, device=self.device) < self.config.mixing
            after = (torch.arange(layers, device=self.device) >= cut) & mixed  # [samples, L]
            new = torch.where(after.unsqueeze(2), second.unsqueeze(1), first.unsqueeze(1))
            rows = torch.cat([rows[:-samples], new])
        *_, half, whole = self.generator.pyramid(rows)
        return whole, half

    def sampled(self, count: int, rng: torch.Generator) -> Tensor:
        """w [count, D], drawn from the mixture."""
        z = torch.randn(count, self.config.latent_dim + 1, generator=rng, device=self.device)
        return self.mixture(z)

    @property
    def mixture(self) -> GaussianMixture:
        """Of the learning generator: the encoder's last means."""
        return mixture_of(self.generator)

    def _scales(self, images: Tensor, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the critic sees of pictures."""
        return (F.pixel_unshuffle(images, _FOLD), *maps) if self.config.critic_pixels else maps

    # -- steps --------------------------------------------------------------------------------------------------

    def step(self, real: Tensor, *, progress: float = 0.0) -> dict[str, Tensor]:
        """One update of the networks on `real`, [B, 3, R, R] in [-1, 1]; returns the parts of the loss.

        Args:
            real: pictures of the world.
            progress: share of the training that is over, for the learning rates.
        """
        config = self.config
        adversarial = self.shown >= config.critic_from and self.encoded >= config.components
        self.critic_weight.fill_(config.critic_weight if self.judged >= config.critic_alone else 0.0)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                rate = group["peak"] * config.rate_at(progress)
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
        parts = self._graphed(real, adversarial) if self.device == "cuda" else self._update(real, adversarial)
        self._remember(parts.pop("mean"), len(real))
        self.shown += len(real)
        self.judged += len(real) if adversarial else 0
        self._average(len(real))
        return parts

    def _update(self, real: Tensor, adversarial: bool) -> dict[str, Tensor]:
        config, count = self.config, len(real)
        half = count // 2
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            mean, log_var = self.encoder(real)
            noise = torch.randn(mean.shape, generator=self.rng, device=self.device)
            pictures, early = self._pictures(mean + noise * (log_var / 2).exp(), half if adversarial else 0)
            views = Views(len(pictures), self.view, self.rng, self.device)
            seen, truth = views(pictures), views(real)
            maps = self.guide.maps(seen)
            with torch.no_grad():
                real_maps = self.guide.maps(truth)
            parts = {
                "pixels": (pictures[:count] - real).abs().mean(),
                "perceptual": distance(vector([one[:count] for one in maps]), vector(real_maps)).mean(),
                # what an early exit draws is what the whole network draws, at half the side
                "early": (early - F.avg_pool2d(pictures.detach(), 2)).abs().mean(),
                "kl": 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(dim=1).mean(),
            }
            loss = parts["pixels"] + parts["perceptual"] + parts["early"] + config.kl * parts["kl"]
        weights = [*self.generator.parameters(), *self.encoder.parameters()]
        if adversarial:
            with torch.autocast(self.device, dtype=torch.bfloat16), cached():  # heads normalise their weights once
                # as many reconstructions as samples
                fake = self.critic.project(self._scales(seen[half:], tuple(one[half:] for one in maps)))
                with torch.no_grad():
                    genuine = self.critic.project(self._scales(truth, real_maps))
                parts["critic"] = hinge(self.critic(genuine), self.critic([one.detach() for one in fake]))
                parts["convincing"] = unconvinced(self.critic(fake))
            parts["critic"].backward(inputs=list(self.critic.heads.parameters()))
            loss = loss + self.critic_weight * parts["convincing"]
        loss.backward(inputs=[one for one in weights if one.requires_grad])
        for optimizer in self.optimizers.values():
            optimizer.step()
        return {name: one.detach() for name, one in parts.items()} | {"mean": mean.detach()}

    def _graphed(self, real: Tensor, adversarial: bool) -> dict[str, Tensor]:
        """The first iterations of a phase run as they are, on a stream of their own; then one is recorded."""
        if adversarial not in self._recorded:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                parts = self._update(real, adversarial)
            torch.cuda.current_stream().wait_stream(stream)
            self.warm += 1
            if self.warm == _WARM:
                self.warm, self._real = 0, real.clone() if self._real is None else self._real
                graph = torch.cuda.CUDAGraph()
                graph.register_generator_state(self.rng)
                with torch.cuda.graph(graph):
                    held = self._update(self._real, adversarial)
                self._recorded[adversarial] = (graph.replay, held)
            return parts
        replay, held = self._recorded[adversarial]
        assert self._real is not None
        self._real.copy_(real)
        replay()
        return dict(held)

    @torch.no_grad()
    def _remember(self, mean: Tensor, count: int) -> None:
        """Keep the encoder's last means as the mixture's components, and its covariance after them."""
        mixture = self.mixture
        at = self.encoded % len(mixture.means)
        fits = min(count, len(mixture.means) - at)
        mixture.means[at : at + fits] = mean[:fits]
        mixture.means[: count - fits] = mean[fits:]
        self.encoded += count
        if self.encoded - self.fitted >= _REFIT and self.encoded >= len(mixture.means):
            mixture.factor.copy_(kernel_factor(mixture.means, self.config.width))
            self.fitted = self.encoded

    @torch.no_grad()
    def _average(self, count: int) -> None:
        # a short memory at first, so that the averages are not held back by the initial weights
        keep = 0.5 ** (count / min(self.config.ema_images, 0.05 * self.shown + 1))
        current: list[Tensor] = [*self.generator.parameters(), *self.encoder.parameters()]
        torch._foreach_lerp_(list(self.averages.parameters()), current, 1 - keep)

    # -- what comes out -----------------------------------------------------------------------------------------

    @property
    def average_generator(self) -> StyleGAN2 | ProGAN:
        """The averaged generator."""
        return self.averages[0]  # type: ignore[return-value]

    @torch.no_grad()
    def fit_mixture(self, pictures: Callable[[int], Tensor]) -> None:
        """Give the averaged generator its mixture: the averaged encoder's means of some training pictures.

        Args:
            pictures: how many => as many pictures of the training set, [N, 3, R, R] in [-1, 1].
        """
        total = self.config.components
        means = torch.cat([self.encode(pictures(min(256, total - start))) for start in range(0, total, 256)])
        generator = self.average_generator
        mixture_of(generator).fit(means, self.config.width)
        if isinstance(generator, StyleGAN2):
            generator.w_avg.copy_(means.mean(dim=0))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """The averaged encoder's w of pictures: [B, 3, R, R] => [B, D]."""
        return self.averages[1](images)[0]

    def latent_encoder(self, generator: str, judge: str) -> LatentEncoder:
        """The averaged encoder as an entry for photos.

        Args:
            generator: repo of the generator.
            judge: repo of the backbone that judges projections.
        """
        encoder = copy.deepcopy(self.averages[1]).cpu().encoder
        assert isinstance(encoder, LatentEncoder)
        wanted = {**encoder.config(), "generator": generator, "judge": judge, "layers": 2 * len(self.config.channels)}
        whole = LatentEncoder(**{key: value for key, value in wanted.items() if key not in ("class", "format")})
        held = {key: value for key, value in encoder.state_dict().items() if not key.startswith("offsets.")}
        whole.load_state_dict(held, strict=False)
        return whole.eval().requires_grad_(False)


def mixture_of(generator: StyleGAN2 | ProGAN) -> GaussianMixture:
    """The mixture that a generator of this recipe has."""
    mixture = generator.mixture
    assert mixture is not None
    return mixture


M = TypeVar("M", bound=nn.Module)


def on_device(module: M, device: str) -> M:
    """`module` there, its convolutions laid out channels last."""
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _adam(module: nn.Module, rate: float, betas: tuple[float, float], capturable: bool) -> torch.optim.Adam:
    parameters = [one for one in module.parameters() if one.requires_grad]
    return torch.optim.Adam(parameters, lr=rate, betas=betas, fused=True, capturable=capturable)
