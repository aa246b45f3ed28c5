"""A picture to a latent: encoder, projection, and what a generator can express."""

from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.projection import Projection, ProjectionConfig, ProjectionStep
from sgf_hub.inversion.projector import Projector

__all__ = ["LatentEncoder", "Projection", "ProjectionConfig", "ProjectionStep", "Projector"]
