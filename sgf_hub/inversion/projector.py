"""A picture to a latent: `Projector`. An encoder guesses, W is searched, and then W+ near it.

The search in W is the projector of StyleGAN2 (Karras et al., CVPR 2020, appendix D), which the paper uses for real
pictures: Adam on w, with noise on w that fades, and a learned-perceptual distance. Ours begins at the guess of a
`LatentEncoder`, so it needs a tenth of the steps. W+ then gives every layer a w of its own; what leaves W is penalised,
because edits are learned in W and far from it they fail (Tov et al., SIGGRAPH 2021).

How alike the result looks is told in the features of another network, the judge, which the search never sees.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.errors import BadValueError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.generators.layers import draw_z
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.names import entries, locate, sibling
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.perceptual import Perceptual, distance
from sgf_hub.inversion.projection import Projection, ProjectionConfig, ProjectionStep
from sgf_hub.predictors.backbone import load_backbone, resize
from sgf_hub.types import Generator, Latent

LIMIT = 64  # pictures at once
SAMPLES = 8192  # of w, whose principal directions the search moves along
FLOOR = 1e-3  # least variance of a direction, of the greatest one's: W is flat in some


class Projector:
    """Finds latents of one generator for pictures.

    Args:
        encoder: whose guess the search begins at.
        generator: G, that the encoder was trained for.
        perceptual: in whose features pictures are compared in the search.
        judge: in whose features the result is judged.

    Raises:
        SpaceError: if the encoder is of another generator.
    """

    def __init__(self, encoder: LatentEncoder, generator: StyleGAN2, perceptual: Perceptual, judge: Perceptual) -> None:
        encoder.check_generator(generator)
        self.encoder, self.generator, self.perceptual, self.judge = encoder, generator, perceptual, judge
        with torch.no_grad():
            w = generator.map(draw_z(SAMPLES, generator.z_dim, seed=0))
            self.mean = w.mean(dim=0)
            values, vectors = torch.linalg.eigh(torch.cov(w.T))
            spread = values.clamp_min(FLOOR * values[-1].item()).sqrt()
            # u @ colours + mean = w, (w - mean) @ whites = u
            self.colours, self.whites = spread[:, None] * vectors.T, vectors / spread

    @classmethod
    def from_pretrained(cls, name: str, *, generator: Generator | None = None, **hub: Any) -> Self:
        """Compose an encoder with the generator and the two backbones that its config names.

        Args:
            name: of the encoder, or of a generator that has one: a folder, an entry of the embedded zoo, or a Hub id.
            generator: the generator, if it is loaded already.
            **hub: how it is fetched, as `HubOptions` has it; a revision and a subfolder are the encoder's.

        Raises:
            UnknownNameError: if nothing answers to the name, or the generator has no encoder.
        """
        options = HubOptions.of(hub)
        folder, parts = find_encoder(name, options), vars(options.of_parts)
        encoder = LatentEncoder.from_pretrained(folder)

        def near(part: str) -> str:
            return str(sibling(folder, part) or part)

        made = load_generator(near(encoder.generator_name), **parts) if generator is None else generator
        named = (encoder.backbone_name, encoder.judge_name)
        backbones = (Perceptual(load_backbone(near(one), **parts)) for one in named)
        return cls(encoder, made, *backbones)  # type: ignore[arg-type]

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
            The encoder's guess, then the best so far after every step. Closing the iterator ends the search.

        Raises:
            BadValueError: if these are not square pictures, or more than 64.
        """
        check_pictures(images)
        config = config or ProjectionConfig()
        search = _Search(self, images, config)
        with torch.no_grad():
            guess = (self.encoder.encode(images).data - self.mean) @ self.whites
            search.loss_at(guess.mean(dim=1, keepdim=True))
            search.loss_at(guess)
        yield search.step(0, "guess")
        index = 0
        for _ in search.descend(search.plain.best, config.steps, config.learning_rate, noise=config.noise):
            index += 1
            yield search.step(index, "w")
        if config.plus_steps and not any(self.outcome(images, search.step(index, "w")).expressible):
            return  # the judge steers nothing, but where it sees no likeness in W, W+ would only draw over it
        for _ in search.descend(search.found.best, config.plus_steps, config.plus_learning_rate):
            index += 1
            yield search.step(index, "w+")

    @torch.no_grad()
    def outcome(self, images: Tensor, step: ProjectionStep) -> Projection:
        """Judge a step, the last or one where the search was ended, against the pictures."""
        threshold = self.encoder.expressible_from
        plain = self.similarity(images, step.plain_images)
        stays = torch.tensor([one < threshold for one in plain])
        data, drawn = step.latent.data.clone(), step.images.clone()
        data[stays], drawn[stays] = step.plain.data[stays], step.plain_images[stays]
        return Projection(Latent(data, "w+"), drawn, self.similarity(images, drawn), plain, threshold)

    @torch.no_grad()
    def similarity(self, first: Tensor, second: Tensor) -> tuple[float, ...]:
        """How alike pictures look to the judge: [B, 3, S, S], [B, 3, R, R] => B numbers in [0, 1]."""
        side = self.generator.resolution  # at the side of the generator: detail that it has no pixels for is not its
        apart = distance(*(self.judge(resize(one, side)) for one in (first, second)))
        return tuple((1 - apart / self.encoder.apart).clamp(0, 1).tolist())


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
        layers, size = projector.encoder.layers, projector.encoder.latent_dim
        self.layers = layers
        self.found, self.plain = _Best(self.pictures, layers, size), _Best(self.pictures, 1, size)
        self.noise = torch.Generator().manual_seed(config.seed)

    def loss_at(self, u: Tensor) -> Tensor:
        """The objective at u, [B]; what is better than the best so far is kept."""
        config = self.config
        images = self.projector.generator(self.latent(u))
        pixels = (images - self.pictures).square().mean(dim=(1, 2, 3))
        apart = distance(self.projector.perceptual(images), self.looks) + config.pixels * pixels
        middle = u.mean(dim=1, keepdim=True)
        left, out = (u - middle).square().mean(dim=(1, 2)), middle.square().mean(dim=(1, 2))
        objective = apart + config.leaving * left + config.rare * out
        with torch.no_grad():
            self.found.note(u, images, objective, apart)
            if u.shape[1] == 1:
                self.plain.note(u, images, objective, apart)
        return objective

    def latent(self, u: Tensor) -> Tensor:
        """In the generator's coordinates, [B, L, D]."""
        return (u @ self.projector.colours + self.projector.mean).expand(-1, self.layers, -1)

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
        latent, plain = (Latent(self.latent(one.best).clone(), "w+") for one in (self.found, self.plain))
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


def find_encoder(name: str | Path, hub: HubOptions = HUB_DEFAULTS) -> Path:
    """The folder of an encoder, by its own name or its generator's.

    Raises:
        UnknownNameError: if nothing answers to the name, or the generator has no encoder.
    """
    name = str(name)
    known = [entry.name for entry in entries() if entry.kind == "LatentEncoder"]
    if not name.rstrip("/").endswith("-encoder"):
        try:
            return locate(encoder_name(name), hub)
        except UnknownNameError:
            locate(name, hub)  # a mistyped name is told as such
            raise UnknownNameError(
                f"{name!r} has no encoder, so pictures cannot be projected into it: the zoo has "
                f"{', '.join(known) or 'none'}; `sgf-hub train encoder` makes one."
            ) from None
    return locate(name, hub)


__all__ = [
    "LatentEncoder",
    "Projection",
    "ProjectionConfig",
    "ProjectionStep",
    "Projector",
    "check_pictures",
    "encoder_name",
    "find_encoder",
]
