"""DCGAN (Radford et al., ICLR 2016): transposed convolutions, batch normalisation and ReLU, from a vector to a picture.

The normalisation is folded into the weights: in evaluation it is a factor and an offset for every channel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sgf_hub.errors import SpaceError
from sgf_hub.generators.layers import check_shape, check_side, check_sizes, draw_z
from sgf_hub.hub.module import HubModule
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded


class DCGAN(HubModule):
    """z => 4 x 4 features, doubled by a transposed convolution of 4 x 4 taps until they are a picture.

    Args:
        resolution: R, side of the picture, a power of two.
        latent_dim: D, of z.
        channels: widths at 4, 8, ..., R / 2 pixels.

    Raises:
        BadValueError: if the widths do not match the resolution, or a number is out of range.
    """

    saved_as = torch.float32  # as its author published it
    latent_space: Space = "z"

    def __init__(
        self, *, resolution: int = 64, latent_dim: int = 100, channels: Sequence[int] = (512, 256, 128, 64)
    ) -> None:
        super().__init__()
        check_sizes(bounded("resolution", resolution, 8, 1024) // 2, latent_dim, channels)
        self.resolution, self.latent_dim = resolution, latent_dim
        widths = (latent_dim, *channels, 3)
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(before, width, 4, 2 if i else 1, 1 if i else 0)
            for i, (before, width) in enumerate(zip(widths, widths[1:], strict=False))
        )

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        """n latents in Z from N(0, 1), the i-th depending on the seed and i alone.

        Args:
            n: how many.
            seed: a whole number.
            truncation: of no effect: almost all of N(0, I) lies at a norm of about the root of D, and shorter latents
                are none that the generator was trained on.
        """
        bounded("truncation", truncation, 0.0, 1.0)
        like = next(self.parameters())
        return Latent(draw_z(n, self.latent_dim, seed=seed).to(like), "z")

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1]; a lower `resolution` is the mean over squares.

        Raises:
            SpaceError: if the latent is not in Z.
            BadValueError: if it has another dimension, or the resolution is none that can be drawn.
        """
        if latent.space != "z":
            raise SpaceError(f"latent is in space {latent.space!r}, a DCGAN draws from 'z' alone: give a sample of it.")
        check_shape(latent, self.latent_dim)
        check_side(resolution, len(self.layers))
        images = self(latent.data)
        return images if resolution is None else nn.functional.avg_pool2d(images, self.resolution // resolution)

    def first_activations(self, z: Tensor) -> Tensor:
        """What GANSpace takes the components of where there is no W: [B, D] => the first layer's output, [B, A]."""
        return self.layers[0](z[:, :, None, None]).flatten(1)

    def forward(self, z: Tensor) -> Tensor:
        """[B, D] => images [B, 3, R, R] in [-1, 1]."""
        x = z[:, :, None, None]
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x).tanh()


__all__ = ["DCGAN"]
