"""ProgressiveGAN (Karras et al., ICLR 2018) in plain PyTorch, laid out for a CPU: the paper's generator in Z.

The published network, written anew, with three liberties that change its cost and not its function:

* doubling by nearest neighbours and the 3 x 3 convolution after it are one strided transposed convolution of 4 x 4
  taps, which takes 4 products a pixel instead of 9 and never writes the doubled activations;
* the mean over channels in pixel norm is a 1 x 1 convolution, several times faster than a sum over so few channels;
* equalised learning rates live in the optimiser (`training/adversarial/`): weights here are the effective ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import SpaceError
from sgf_hub.generators.layers import check_shape, check_side, check_sizes, conv, dense, draw_z, normalized
from sgf_hub.generators.mixture import GaussianMixture
from sgf_hub.hub.module import Derived, HubModule
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded


class ProGAN(HubModule):
    """Two convolutions and a pixel norm after each at every side from 4 pixels up, then one 1 x 1 layer to RGB.

    z is drawn from N(0, 1), or a mixture, and pixel-normed first: the generator sees the direction of z alone, so
    `G(a z) = G(z)` for every a > 0, and an edit that lets z grow does no harm.

    Args:
        resolution: R, side of the image, a power of two.
        latent_dim: D, of z.
        channels: widths of the blocks at 4, 8, ..., R pixels.
        fade: how far the last block has faded in, in [0, 1]; below 1 in checkpoints of an unfinished growth.
        components: of a mixture of Gaussians that z is drawn from, M; None for N(0, 1).

    Raises:
        BadValueError: if the widths do not match the resolution, or a number is out of range.
    """

    latent_space: Space = "z"

    def __init__(
        self,
        *,
        resolution: int = 64,
        latent_dim: int = 128,
        channels: Sequence[int] = (128, 128, 64, 32, 16),
        fade: float = 1.0,
        components: int | None = None,
    ) -> None:
        super().__init__()
        check_sizes(resolution, latent_dim, channels)
        self.resolution, self.latent_dim, self.fade = resolution, latent_dim, bounded("fade", fade, 0.0, 1.0)
        self.mixture: GaussianMixture | None = None
        if components is not None:
            self.format, self.mixture = 2, GaussianMixture(components, latent_dim)
        self.first = dense(latent_dim, channels[0] * 16)
        self.blocks = nn.ModuleList(
            GrowthBlock(channels[max(i - 1, 0)], width, first=i == 0) for i, width in enumerate(channels)
        )
        # one for each side: while a side fades in, the one below it is shown as well
        self.rgb = nn.ModuleList(conv(width, 3, 1) for width in channels)

    # -- latents ------------------------------------------------------------------------------------------------

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        """n latents in Z, the i-th depending on the seed and i alone.

        Args:
            n: how many.
            seed: a whole number.
            truncation: psi; 1 leaves z as it is, 0 gives the mean of its component in the mixture. Without a mixture it
                is of no effect: there is no W to truncate in, and scaling z would be undone by the pixel norm.
        """
        bounded("truncation", truncation, 0.0, 1.0)
        if self.mixture is not None:
            noise = draw_z(n, self.latent_dim + 1, seed=seed).to(self.first.weight)
            mean, offset = self.mixture.split(noise)
            return Latent(mean + truncation * offset, "z")
        return Latent(draw_z(n, self.latent_dim, seed=seed).to(self.first.weight), "z")

    def first_activations(self, z: Tensor) -> Tensor:
        """What the first 4 x 4 layer gives, rectified and normed, flattened: z [B, D] => [B, F], F = 16 width.

        GANSpace (Haerkoenen et al., 2020) takes its principal components here in a generator without a W.
        """
        return self._first(z).flatten(1)

    def _first(self, z: Tensor) -> Tensor:
        """z [B, D] => [B, width, 4, 4]."""
        x = self.first(normalized(z)).unflatten(1, (-1, 4, 4))
        return pixel_norm(F.leaky_relu(x.contiguous(memory_format=torch.channels_last), 0.2))

    # -- images -------------------------------------------------------------------------------------------------

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1]; a lower `resolution` (8, 16, ...) is the mean over squares of pixels.

        The layers to RGB of lower sides belong to earlier days of training, so nothing is saved by a lower one.
        """
        check_side(resolution, len(self.blocks))
        if latent.space != "z":
            raise SpaceError(
                f"latent is in space {latent.space!r}, this generator draws from 'z' alone: give one of its `sample`."
            )
        check_shape(latent, self.latent_dim)
        images = self(latent.data.to(self.first.weight)).clamp(-1, 1)
        return images if resolution is None else F.avg_pool2d(images, self.resolution // resolution)

    def forward(self, z: Tensor) -> Tensor:
        """z [B, D] => images [B, 3, R, R], not clamped."""
        return self.grown(z, level=len(self.blocks) - 1, alpha=self.fade)

    def grown(self, z: Tensor, *, level: int, alpha: float = 1.0) -> Tensor:
        """Images of the network grown so far: z [B, D] => [B, 3, S, S], S = 4 << level, not clamped.

        Args:
            z: [B, D].
            level: the last block in use.
            alpha: how far it has faded in; 0 shows the picture of the level below, doubled.
        """
        x = self._first(z)
        below = x
        for block in self.blocks[: level + 1]:
            below, x = x, block(x)
        image = self.rgb[level](x)
        if alpha < 1 and level > 0:
            image = torch.lerp(double(self.rgb[level - 1](below)), image, alpha)
        return image.float().contiguous()


class GrowthBlock(nn.Module):
    """Two 3 x 3 convolutions, the first one after doubling the side; at 4 pixels the second alone."""

    def __init__(self, width_in: int, width: int, *, first: bool) -> None:
        super().__init__()
        self.conv0 = None if first else conv(width_in, width, 3)
        self.conv1 = conv(width, width, 3)
        self._kernel = Derived(doubling_kernel)

    def kernel(self, weight: Tensor) -> Tensor:
        """The first convolution's weight as `conv_doubled` takes it; kept while it is frozen."""
        return doubling_kernel(weight) if weight.requires_grad else self._kernel(weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, S, S] => [B, width, 2 S, 2 S], or [B, width, S, S] at 4 pixels."""
        if self.conv0 is not None:
            x = conv_doubled(x, self.kernel(self.conv0.weight), self.conv0.bias)
            x = pixel_norm(F.leaky_relu(x, 0.2))
        return pixel_norm(F.leaky_relu(self.conv1(x), 0.2))


def pixel_norm(x: Tensor) -> Tensor:
    """Every pixel's features divided by their root mean square: [B, C, S, S] => the same."""
    mean = x.new_full((1, x.shape[1], 1, 1), 1 / x.shape[1])
    return x * (F.conv2d(x.square(), mean) + 1e-8).rsqrt()


def conv_doubled(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The 3 x 3 convolution of x doubled by nearest neighbours: [B, in, S, S] => [B, out, 2 S, 2 S].

    `kernel` is `doubling_kernel` of its weight.
    """
    return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)


def doubling_kernel(weight: Tensor) -> Tensor:
    """[out, in, 3, 3] => [in, out, 4, 4].

    Of the 9 taps at an output pixel several meet the same input pixel; their weights are added.
    """
    taps = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))  # in, out, 5, 5
    return taps[..., 1:, 1:] + taps[..., :-1, 1:] + taps[..., 1:, :-1] + taps[..., :-1, :-1]


def double(image: Tensor) -> Tensor:
    """[B, C, S, S] => [B, C, 2 S, 2 S], every pixel four times."""
    return F.interpolate(image, scale_factor=2)
