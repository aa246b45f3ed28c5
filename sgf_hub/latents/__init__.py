"""Latents and directions that other tools wrote: read without their code, and held against the generator."""

from sgf_hub.latents.directions import read_direction
from sgf_hub.latents.latents import SeveralError, read_latent

__all__ = ["SeveralError", "read_direction", "read_latent"]
