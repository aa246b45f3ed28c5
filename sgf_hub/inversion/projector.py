"""A picture to a latent: `Projector`. An encoder guesses, W is searched, and then W+ near it.

The search in W is the projector of StyleGAN2 (Karras et al., CVPR 2020, appendix D), which the paper uses for real
pictures: Adam on w, with noise on w that fades, and a learned-perceptual distance. Where there is a `LatentEncoder`, it
begins at its guess, and needs a tenth of the steps; without one it begins at the nearest of a few hundred samples. W+
then gives every layer a w of its own; what leaves W is penalised, because edits are learned in W and far from it they
fail (Tov et al., SIGGRAPH 2021). A generator that draws from Z is searched there, on the shell that z lie on.

How alike the result looks is told in the features of another network, the judge, which the search never sees.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.errors import BadValueError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.hub.names import embedded, is_hub_id, locate, sibling
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.perceptual import Perceptual, distance
from sgf_hub.inversion.projection import Projection, ProjectionConfig, ProjectionStep
from sgf_hub.inversion.spaces import space_of
from sgf_hub.inversion.starts import OwnPictures
from sgf_hub.predictors.backbone import load_backbone, resize
from sgf_hub.types import Generator, Latent

LIMIT = 64  # pictures at once
_NO_GRADIENTS = (
    "this generator gives no gradients of its pictures, so that no search can be made in it: let its network draw "
    "without torch.no_grad, and without rounding."
)
FEATURES, JUDGE = "sgf-hub/faces-backbone", "sgf-hub/flowers-judge-backbone"  # for generators of no world of the zoo


class Projector:
    """Finds latents of one generator for pictures.

    Args:
        encoder: whose guess the search begins at; None begins at the nearest of the generator's own pictures.
        generator: G, that the encoder was trained for; any that gives gradients.
        perceptual: in whose features pictures are compared in the search.
        judge: in whose features the result is judged.
        name: of the generator; by default as the encoder calls it.

    Raises:
        SpaceError: if the encoder is of another generator.
    """

    def __init__(
        self,
        encoder: LatentEncoder | None,
        generator: Generator,
        perceptual: Perceptual,
        judge: Perceptual,
        *,
        name: str = "",
    ) -> None:
        if encoder is not None:
            encoder.check_generator(generator)
            name = name or encoder.generator_name
        self.encoder, self.generator, self.perceptual, self.judge = encoder, generator, perceptual, judge
        self.name, self.space = name, space_of(generator)

    @classmethod
    def from_pretrained(cls, name: str, *, generator: Generator | None = None, **hub: Any) -> Self:
        """Compose a generator with its encoder, if it has one, and with the two backbones that pictures are seen by.

        Args:
            name: of a generator, as for `load_generator`, or of an encoder.
            generator: the generator, if it is loaded already.
            **hub: how it is fetched, as `HubOptions` has it; a revision and a subfolder are the encoder's.

        Raises:
            UnknownNameError: if nothing answers to the name.
        """
        options = HubOptions.of(hub)
        folder, parts = find_encoder(name, options), vars(options.of_parts)
        if folder is None:
            made = load_generator(name, **hub) if generator is None else generator
            seen, judged = backbones_for(name)
            return cls(None, made, Perceptual(load_backbone(seen)), Perceptual(load_backbone(judged)), name=name)
        encoder = LatentEncoder.from_pretrained(folder)

        def near(part: str) -> str:
            return str(sibling(folder, part) or part)

        made = load_generator(near(encoder.generator_name), **parts) if generator is None else generator
        named = (encoder.backbone_name, encoder.judge_name)
        backbones = (Perceptual(load_backbone(near(one), **parts)) for one in named)
        return cls(encoder, made, *backbones)

    @property
    def config(self) -> ProjectionConfig:
        """How it searches if it is not told: longer without an encoder."""
        return ProjectionConfig() if self.encoder is not None else ProjectionConfig(steps=300, learning_rate=0.1)

    def total(self, config: ProjectionConfig) -> int:
        """Steps of a search at most."""
        return config.steps + (config.plus_steps if self.space.layers else 0)

    @cached_property
    def own(self) -> OwnPictures:
        """Some hundred of the generator's pictures, where there is no encoder."""
        return OwnPictures.of(self.generator)

    @cached_property
    def _measured(self) -> tuple[float, float]:
        return self.own.scale(self.judge)

    @property
    def apart(self) -> float:
        """Mean distance of two random pictures of the generator in the judge's features: a similarity of 0."""
        return self._measured[0] if self.encoder is None else self.encoder.apart

    @property
    def expressible_from(self) -> float:
        """The similarity in W, or Z, from which on the generator can express a picture."""
        return self._measured[1] if self.encoder is None else self.encoder.expressible_from

    def project(self, images: Tensor, config: ProjectionConfig | None = None) -> Projection:
        """Drain `steps`, and judge the last."""
        *_, last = self.steps(images, config)
        return self.outcome(images, last)

    def steps(self, images: Tensor, config: ProjectionConfig | None = None) -> Iterator[ProjectionStep]:
        """Search for latents whose pictures look like these.

        Args:
            images: [B, 3, S, S] in [-1, 1], any S of at least 8 pixels; they are compared at the generator's side.
            config: how to search.

        Yields:
            The encoder's guess, or the nearest of some samples; then the best so far after every step. Closing the
            iterator ends the search.

        Raises:
            BadValueError: if these are not square pictures, or more than 64; if the generator gives no gradients.
        """
        check_pictures(images)
        config = config or self.config
        search = _Search(self, images, config)
        with torch.no_grad():
            guess = self.space.coordinates(search.begin(images))
            search.loss_at(guess.mean(dim=1, keepdim=True))
            if guess.shape[1] > 1:
                search.loss_at(guess)
        yield search.step(0, "guess")
        index = 0
        for _ in search.descend(search.plain.best, config.steps, config.learning_rate, noise=config.noise):
            index += 1
            yield search.step(index, "w")
        if not self.space.layers or not config.plus_steps:
            return
        if not any(self.outcome(images, search.step(index, "w")).expressible):
            return  # the judge steers nothing, but where it sees no likeness in W, W+ would only draw over it
        for _ in search.descend(search.found.best, config.plus_steps, config.plus_learning_rate):
            index += 1
            yield search.step(index, "w+")

    @torch.no_grad()
    def outcome(self, images: Tensor, step: ProjectionStep) -> Projection:
        """Judge a step, the last or one where the search was ended, against the pictures."""
        threshold = self.expressible_from
        plain = self.similarity(images, step.plain_images)
        stays = torch.tensor([one < threshold for one in plain])
        data, drawn = step.latent.data.clone(), step.images.clone()
        data[stays], drawn[stays] = step.plain.data[stays], step.plain_images[stays]
        return Projection(Latent(data, step.latent.space), drawn, self.similarity(images, drawn), plain, threshold)

    @torch.no_grad()
    def similarity(self, first: Tensor, second: Tensor) -> tuple[float, ...]:
        """How alike pictures look to the judge: [B, 3, S, S], [B, 3, R, R] => B numbers in [0, 1]."""
        side = self.generator.resolution  # at the side of the generator: detail that it has no pixels for is not its
        apart = distance(*(self.judge(resize(one, side)) for one in (first, second)))
        return tuple((1 - apart / self.apart).clamp(0, 1).tolist())


class _Best:
    """Of B pictures, the coordinates with the least objective so far, [B, L or 1, D], and what they look like."""

    def __init__(self, pictures: Tensor, rows: int, size: int) -> None:
        self.best = torch.zeros(len(pictures), rows, size)
        self.images = torch.zeros_like(pictures)
        self.objective = torch.full((len(pictures),), torch.inf)
        self.distance = self.objective.clone()

    def note(self, u: Tensor, images: Tensor, objective: Tensor, distance: Tensor) -> None:
        """Keep what is better."""
        better = objective < self.objective
        self.best[better], self.images[better] = u.expand_as(self.best)[better], images[better].clamp(-1, 1)
        self.objective[better], self.distance[better] = objective[better], distance[better]


class _Search:
    """One batch of pictures. Coordinates u, [B, L or 1, D], are in units of W's spread in its principal directions."""

    def __init__(self, projector: Projector, images: Tensor, config: ProjectionConfig) -> None:
        self.projector, self.config = projector, config
        with torch.no_grad():
            self.pictures = resize(images, projector.generator.resolution)
            self.looks = projector.perceptual(self.pictures)
        self.space = projector.space
        rows, size = max(1, self.space.layers), self.space.size
        self.found, self.plain = _Best(self.pictures, rows, size), _Best(self.pictures, 1, size)
        self.noise = torch.Generator().manual_seed(config.seed)

    def begin(self, images: Tensor) -> Latent:
        """Where the search begins."""
        projector = self.projector
        if projector.encoder is not None:
            return projector.encoder.encode(images)
        return projector.own.nearest(self.looks, self.pictures, projector.perceptual, self.config.pixels)

    def loss_at(self, u: Tensor) -> Tensor:
        """The objective at u, [B]; what is better than the best so far is kept."""
        config = self.config
        images = self.projector.generator.synthesize(self.space.latent(u))
        if torch.is_grad_enabled() and not images.requires_grad:
            raise BadValueError(_NO_GRADIENTS)
        pixels = (images - self.pictures).square().mean(dim=(1, 2, 3))
        apart = distance(self.projector.perceptual(images), self.looks) + config.pixels * pixels
        middle = u.mean(dim=1, keepdim=True)
        left, rare = (u - middle).square().mean(dim=(1, 2)), self.space.strangeness(u)
        objective = apart + config.leaving * left + config.rare * rare
        with torch.no_grad():
            self.found.note(u, images, objective, apart)
            if u.shape[1] == 1:
                self.plain.note(u, images, objective, apart)
        return objective

    def descend(self, start: Tensor, count: int, rate: float, *, noise: float = 0.0) -> Iterator[None]:
        """`count` steps of Adam from u = `start`; StyleGAN2's schedules of noise and learning rate."""
        u = start.detach().clone().requires_grad_(True)
        optimizer = torch.optim.Adam([u], lr=rate, betas=(0.9, 0.99))
        for index in range(count):
            t = index / count
            ramp = min(1.0, (1 - t) / 0.25, (t + 0.5 / count) / 0.05)  # up within 5%, down within the last 25%
            optimizer.param_groups[0]["lr"] = rate * (0.5 - 0.5 * math.cos(math.pi * ramp))
            strength = noise * max(0.0, 1 - t / 0.75) ** 2
            with torch.enable_grad():
                noisy = u + strength * torch.randn(u.shape, generator=self.noise) if strength else u
                (u.grad,) = torch.autograd.grad(self.loss_at(noisy).sum(), [u])
            optimizer.step()
            if index == count - 1:
                with torch.no_grad():
                    self.loss_at(u)  # where the last step led
            yield

    def step(self, index: int, phase: str) -> ProjectionStep:
        """The best so far."""
        latent, plain = (self.space.latent(one.best.clone()) for one in (self.found, self.plain))
        found, drawn = self.found, self.plain.images.clone()
        return ProjectionStep(index, phase, latent, found.images.clone(), found.distance.clone(), plain, drawn)


def check_pictures(images: Tensor) -> None:
    """Raise a BadValueError unless these are 1 to 64 square pictures [B, 3, S, S] of finite numbers."""
    if (
        images.ndim != 4
        or images.shape[1] != 3
        or images.shape[2] != images.shape[3]
        or images.shape[2] < 8
        or not 1 <= len(images) <= LIMIT
        or not images.is_floating_point()
        or not torch.isfinite(images).all()
    ):
        raise BadValueError(
            f"a projection takes 1 to {LIMIT} square pictures [batch, 3, side, side] of at least 8 pixels, finite "
            f"floating-point numbers in [-1, 1], not {images.dtype} {list(images.shape)}."
        )


def encoder_name(generator: str) -> str:
    """The zoo entry of a generator's encoder: "avatars-stylegan2-encoder"."""
    return f"{generator.rstrip('/')}-encoder"


def find_encoder(name: str | Path, hub: HubOptions = HUB_DEFAULTS) -> Path | None:
    """The folder of an encoder, by its own name or its generator's; None where the generator has none.

    Raises:
        UnknownNameError: if nothing answers to the name of an encoder.
    """
    name = str(name).rstrip("/")
    if name.endswith("-encoder"):
        return locate(name, hub)
    beside = encoder_name(name)
    try:
        known = Path(name).exists()
    except (OSError, ValueError):  # too long for a path, or with a zero byte
        known = False
    if known:
        return Path(beside) if Path(beside).is_dir() else None
    if embedded(name):
        return locate(beside) if embedded(beside) else None
    try:
        return locate(beside, hub) if is_hub_id(name) else None
    except UnknownNameError:
        return None  # who loads the generator says what is wrong with its name


def backbones_for(generator: str) -> tuple[str, str]:
    """The zoo's backbones to search and to judge with, where no encoder names them: those of the generator's world."""
    world = Path(generator).name.partition("-")[0] if embedded(generator) else ""
    seen = (f"{world}-guide-backbone", f"{world}-backbone", FEATURES)
    judged = (f"{world}-judge-backbone", JUDGE)
    return next(filter(embedded, seen), FEATURES), next(filter(embedded, judged), JUDGE)


__all__ = [
    "LatentEncoder",
    "Projection",
    "ProjectionConfig",
    "ProjectionStep",
    "Projector",
    "backbones_for",
    "check_pictures",
    "encoder_name",
    "find_encoder",
]
