"""Where a search moves: W in units of its spread, then a w for each layer; or Z, on the shell that z lie on."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.types import Generator, Latent

SAMPLES = 8192  # of w, whose principal directions the search moves along
FLOOR = 1e-3  # least variance of a direction, of the greatest one's: W is flat in some


class SearchSpace(Protocol):
    """Coordinates u of latents, [B, 1, D], or [B, L, D] where each layer has its own.

    Attributes:
        size: D.
        layers: L; 0 where there is one latent for the whole picture only.
    """

    size: int
    layers: int

    def latent(self, u: Tensor) -> Latent:
        """u => what the generator draws."""
        ...

    def coordinates(self, latent: Latent) -> Tensor:
        """Latents of the generator's own space, or of W+ => u."""
        ...

    def strangeness(self, u: Tensor) -> Tensor:
        """How rare each latent is among the generator's, [B]: the mean square of its units of spread."""
        ...


class WSpace:
    """W, in units of its spread in each of its principal directions."""

    def __init__(self, generator: Generator) -> None:
        self.size = generator.latent_dim
        self.layers: int = getattr(generator, "num_layers", 0) if hasattr(generator, "to_w_plus") else 0
        w = generator.sample(SAMPLES, seed=0, truncation=1.0).data.float()
        self.mean = w.mean(dim=0)
        values, vectors = torch.linalg.eigh(torch.cov(w.T))
        spread = values.clamp_min(FLOOR * values[-1].item()).sqrt()
        # u @ colours + mean = w, (w - mean) @ whites = u
        self.colours, self.whites = spread[:, None] * vectors.T, vectors / spread

    def latent(self, u: Tensor) -> Latent:
        """[B, 1 or L, D] => in W+, or in W where there are no layers."""
        w = u @ self.colours + self.mean
        return Latent(w.expand(-1, self.layers, -1), "w+") if self.layers else Latent(w[:, 0], "w")

    def coordinates(self, latent: Latent) -> Tensor:
        """W or W+ => [B, 1 or L, D]."""
        w = latent.data if latent.space == "w+" else latent.data[:, None]
        return (w - self.mean) @ self.whites

    def strangeness(self, u: Tensor) -> Tensor:
        """Of the mean over layers: W holds few pictures far out."""
        return u.mean(dim=1).square().mean(dim=1)


class ZSpace:
    """Z, of which u is the direction alone: nearly all of N(0, I) lies at a norm of about the root of D."""

    layers = 0

    def __init__(self, generator: Generator) -> None:
        self.size = generator.latent_dim

    def latent(self, u: Tensor) -> Latent:
        """[B, 1, D] => z of norm sqrt(D)."""
        return Latent(F.normalize(u[:, 0], dim=1) * math.sqrt(self.size), "z")

    def coordinates(self, latent: Latent) -> Tensor:
        """z => [B, 1, D]."""
        return latent.data.float()[:, None]

    def strangeness(self, u: Tensor) -> Tensor:
        """None is rarer than another."""
        return u.new_zeros(len(u))


def space_of(generator: Generator) -> SearchSpace:
    """The space that a generator's latents are searched in."""
    return ZSpace(generator) if generator.latent_space == "z" else WSpace(generator)
