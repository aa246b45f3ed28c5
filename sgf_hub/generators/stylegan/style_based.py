"""What StyleGAN2 and StyleGAN3 have in common: the mapping network from z to w, truncation, and the spaces W and W+."""

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import SpaceError
from sgf_hub.generators.layers import check_shape, dense, draw_z, normalized
from sgf_hub.generators.pictures import check_background, check_image_channels, pictures
from sgf_hub.generators.stylegan.modulated import GAIN
from sgf_hub.hub.module import HubModule
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded


class StyleBasedGenerator(HubModule):
    """z -> w by fully connected layers, then a synthesis that takes one w a layer.

    Args:
        resolution: R, side of the image.
        latent_dim: D, of w.
        z_dim: of z; None for D.
        mapping_layers: fully connected layers from z to w; 0 where a subclass brings a mapping of its own.
        mapping_width: of the layers between them; None for D.
        num_layers: L, rows of a w+ latent.
        image_channels: 3, or 4 with an alpha channel.
        background: what the colours of four channels lie over, "white", "grey" or "black".
        class_label: the class that a conditional network was fixed to when it was read; its embedding is part of the
            first layer's bias. None for a network without classes.

    Raises:
        BadValueError: if a number is out of range.
    """

    latent_space: Space = "w"
    w_avg: Tensor

    def __init__(
        self,
        *,
        resolution: int,
        latent_dim: int,
        z_dim: int | None,
        mapping_layers: int,
        mapping_width: int | None,
        num_layers: int,
        image_channels: int,
        background: str,
        class_label: int | None,
    ) -> None:
        super().__init__()
        self.resolution, self.latent_dim, self.num_layers = resolution, latent_dim, num_layers
        self.z_dim = latent_dim if z_dim is None else bounded("z_dim", z_dim, 1, 4096)
        self.image_channels, self.background = check_image_channels(image_channels), check_background(background)
        self.class_label = None if class_label is None else bounded("class_label", class_label, 0, 1 << 20)
        between = latent_dim if mapping_width is None else bounded("mapping_width", mapping_width, 1, 4096)
        widths = [self.z_dim, *[between] * (mapping_layers - 1), latent_dim] if mapping_layers else []
        self.mapping: nn.Module = nn.ModuleList(dense(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
        self.register_buffer("w_avg", torch.zeros(latent_dim))

    # -- latents ------------------------------------------------------------------------------------------------

    def map(self, z: Tensor) -> Tensor:
        """f: z [B, z_dim] => w [B, D], before truncation."""
        x = normalized(z)
        for layer in self.mapping:  # type: ignore[attr-defined]
            x = F.leaky_relu(layer(x), 0.2) * GAIN
        return x

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        """n latents in W, the i-th depending on the seed and i alone.

        Args:
            n: how many.
            seed: a whole number.
            truncation: psi; 1 leaves w as it is, 0 gives the mean image.
        """
        z = draw_z(n, self.z_dim, seed=seed).to(self.w_avg)
        return self.to_w(Latent(z, "z"), truncation=truncation)

    @torch.no_grad()
    def to_w(self, latent: Latent, *, truncation: float = 1.0) -> Latent:
        """A latent of Z (or W, unchanged) as one of W, drawn towards the mean by `truncation` in [0, 1]."""
        bounded("truncation", truncation, 0.0, 1.0)
        data = self._checked(latent)
        if latent.space == "w+":
            raise SpaceError("a 'w+' latent has no 'w': its layers differ; edit it as it is.")
        w = self.map(data) if latent.space == "z" else data
        if truncation == 1:
            return Latent(w, "w")
        return Latent(torch.lerp(self._centre(latent.space, data), w, truncation), "w")

    @torch.no_grad()
    def to_w_plus(self, latent: Latent) -> Latent:
        """A latent of Z, W or W+ as one of W+, one w a layer."""
        return Latent(self._layers(latent), "w+")

    def _centre(self, space: Space, data: Tensor) -> Tensor:
        """What truncation draws a latent of Z or W to."""
        return self.w_avg

    def _checked(self, latent: Latent) -> Tensor:
        if latent.space == "s":
            raise SpaceError(
                "a latent in 's' holds a StyleGAN2's styles, which no w makes: give one in 'z', 'w' or 'w+'."
            )
        rows = (self.num_layers,) if latent.space == "w+" else ()
        check_shape(latent, *rows, self.z_dim if latent.space == "z" else self.latent_dim)
        return latent.data.to(self.w_avg)

    def _layers(self, latent: Latent) -> Tensor:
        """[B, L, D] of a latent in Z, W or W+."""
        data = self._checked(latent)
        if latent.space == "w+":
            return data
        w = self.map(data) if latent.space == "z" else data
        return w.unsqueeze(1).expand(-1, self.num_layers, -1)

    # -- images -------------------------------------------------------------------------------------------------

    def synthesize(self, latent: Latent, *, resolution: int | None = None, alpha: bool = False) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1].

        Args:
            latent: of any space that the generator has.
            resolution: a lower side to draw at.
            alpha: keep the alpha channel of a network that has one, [B, 4, R, R], over no background.
        """
        return pictures(self._drawn(latent, resolution), self.background, alpha=alpha)

    @abstractmethod
    def _drawn(self, latent: Latent, resolution: int | None) -> Tensor:
        """B latents => images [B, 3 or 4, R, R], or of a lower side, not clamped."""
