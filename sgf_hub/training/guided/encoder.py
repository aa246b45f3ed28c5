"""The encoder of a guided training: where in W a picture lies, and how sure that is."""

import torch
from torch import Tensor, nn

from sgf_hub.hub.names import NAMESPACE
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.training.guided.config import GuidedConfig


class VariationalEncoder(nn.Module):
    """A `LatentEncoder` that also says how sure it is: pictures => mean and log variance of w, [B, D] each."""

    def __init__(self, config: GuidedConfig) -> None:
        super().__init__()
        self.encoder = LatentEncoder(
            generator=f"{NAMESPACE}/{config.world}-{config.architecture}",
            backbone=config.guide or f"{NAMESPACE}/{config.world}-guide-backbone",
            judge=f"{NAMESPACE}/{config.world}-judge-backbone",
            latent_dim=config.latent_dim,
            layers=1,
            image_size=config.resolution,
            channels=list(config.encoder_channels),
            hidden=config.encoder_hidden,
            norm="group",
        )
        self.encoder.offsets.requires_grad_(False)
        self.spread = nn.Linear(config.encoder_hidden, config.latent_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.encoder
        hidden = encoder.neck(encoder.stages(encoder.stem(images.contiguous(memory_format=torch.channels_last))))
        return encoder.base(hidden).float(), self.spread(hidden).float().clamp(-8, 4)
