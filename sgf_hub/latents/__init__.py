"""Latents that other tools wrote: read without their code, and held against the generator that draws them."""

from sgf_hub.latents.latents import SeveralError, read_latent

__all__ = ["SeveralError", "read_latent"]
