"""StyleGAN2 (Karras et al., CVPR 2020) in plain PyTorch, laid out for a CPU.

The published network, written anew, with three liberties that change its cost and not its function:

* modulation and demodulation scale activations where those are small, so that a batch shares one weight, and weights
  where those are small, a sample at a time (`modulated.py`; public code convolves in groups, one a sample);
* the gain sqrt(2) of the leaky ReLU rides on the demodulation and the bias;
* equalised learning rates live in the optimiser (`training/adversarial/`): weights here are the effective ones.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators.layers import check_shape, check_side, check_sizes, dense, draw_z, normalized
from sgf_hub.generators.mixture import GaussianMixture
from sgf_hub.generators.modulated import GAIN, LARGE, ModulatedConv, ToRGB, normal, upsample
from sgf_hub.hub.module import HubModule
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded, short


class StyleGAN2(HubModule):
    """Mapping network, modulated synthesis with RGB skips, optional noise: z -> w -> image.

    Args:
        resolution: R, side of the image, a power of two.
        latent_dim: D, of w.
        z_dim: of z; None for D.
        mapping_layers: fully connected layers from z to w.
        mapping_width: of the layers between them; None for D.
        components: of a mixture of Gaussians that takes the place of the mapping network, M; None for a network. Then
            z has D + 1 dimensions, and truncation draws w to the mean of its component.
        channels: widths of the blocks at 4, 8, ..., R pixels.
        noise: whether layers add a stored noise image (constant: synthesis stays deterministic).
        clamp: bound on activations, part of the function of networks trained in half precision; None for no bound.

    Raises:
        BadValueError: if the widths do not match the resolution, or a number is out of range.
    """

    latent_space: Space = "w"
    w_avg: Tensor

    def __init__(
        self,
        *,
        resolution: int = 64,
        latent_dim: int = 128,
        mapping_layers: int = 4,
        channels: Sequence[int] = (128, 128, 64, 32, 16),
        noise: bool = False,
        clamp: float | None = None,
        z_dim: int | None = None,
        mapping_width: int | None = None,
        components: int | None = None,
    ) -> None:
        super().__init__()
        check_sizes(resolution, latent_dim, channels)
        bounded("mapping_layers", mapping_layers, 1, 32)
        if not isinstance(noise, bool):
            raise BadValueError(f"noise is {short(noise)}; it must be true or false.")
        if clamp is not None:
            bounded("clamp", clamp, 1e-3, 1e6)
        self.resolution, self.latent_dim, self.clamp = resolution, latent_dim, clamp
        self.mapping: nn.ModuleList | GaussianMixture
        if components is not None:
            self.format = 2
            self.mapping, self.z_dim = GaussianMixture(components, latent_dim), latent_dim + 1
            if z_dim not in (None, self.z_dim) or mapping_width is not None:
                raise BadValueError(f"a mixture's z has {self.z_dim} dimensions and no layers: name no other.")
        else:
            self.z_dim = latent_dim if z_dim is None else bounded("z_dim", z_dim, 1, 4096)
            between = latent_dim if mapping_width is None else bounded("mapping_width", mapping_width, 1, 4096)
            widths = [self.z_dim, *[between] * (mapping_layers - 1), latent_dim]
            self.mapping = nn.ModuleList(dense(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
        self.register_buffer("w_avg", torch.zeros(latent_dim))
        self.blocks = nn.ModuleList(
            SynthesisBlock(channels[max(i - 1, 0)], width, latent_dim, 4 << i, noise=noise, clamp=clamp)
            for i, width in enumerate(channels)
        )
        self.num_layers = 2 * len(channels)  # L, rows of a w+ latent

    # -- latents ------------------------------------------------------------------------------------------------

    @property
    def mixture(self) -> GaussianMixture:
        """The mixture that stands in place of the mapping network.

        Raises:
            BadValueError: if there is a network.
        """
        if not isinstance(self.mapping, GaussianMixture):
            raise BadValueError("this generator's w come from a mapping network, not from a mixture.")
        return self.mapping

    def map(self, z: Tensor) -> Tensor:
        """f: z [B, z_dim] => w [B, D], before truncation."""
        if isinstance(self.mapping, GaussianMixture):
            return self.mapping(z)
        x = normalized(z)
        for layer in self.mapping:
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
        if latent.space == "w+":
            raise SpaceError("a 'w+' latent has no 'w': its layers differ; edit it as it is.")
        data = self._checked(latent)
        w = self.map(data) if latent.space == "z" else data
        if truncation == 1:
            return Latent(w, "w")
        return Latent(torch.lerp(self._centre(latent.space, data), w, truncation), "w")

    @torch.no_grad()
    def to_w_plus(self, latent: Latent) -> Latent:
        """A latent of any space as one of W+, one w a layer."""
        return Latent(self._layers(latent), "w+")

    def _centre(self, space: Space, data: Tensor) -> Tensor:
        """What truncation draws a latent of Z or W to: the mean w, or in a mixture the mean of its component."""
        if not isinstance(self.mapping, GaussianMixture):
            return self.w_avg
        return self.mapping.split(data)[0] if space == "z" else self.mapping.nearest(data)

    def _checked(self, latent: Latent) -> Tensor:
        rows = (self.num_layers,) if latent.space == "w+" else ()
        check_shape(latent, *rows, self.z_dim if latent.space == "z" else self.latent_dim)
        return latent.data.to(self.w_avg)

    def _layers(self, latent: Latent) -> Tensor:
        """[B, L, D] of a latent in any space."""
        data = self._checked(latent)
        if latent.space == "w+":
            return data
        w = self.map(data) if latent.space == "z" else data
        return w.unsqueeze(1).expand(-1, self.num_layers, -1)

    # -- images -------------------------------------------------------------------------------------------------

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1]; a lower `resolution` (8, 16, ...) stops early at that RGB skip."""
        check_side(resolution, len(self.blocks))
        return self(self._layers(latent), resolution=resolution).clamp(-1, 1)

    def forward(self, ws: Tensor, *, resolution: int | None = None) -> Tensor:
        """One w a layer, [B, L, D] => images [B, 3, R, R], not clamped."""
        return self._draw(0, None, None, ws, resolution).float().contiguous()

    def pyramid(self, ws: Tensor) -> list[Tensor]:
        """What `forward` gives at every side: [B, L, D] => images of 4, 8, ... R px, [B, 3, S, S] each, not clamped."""
        x, image, images = None, None, []
        for i, block in enumerate(self.blocks):
            x, image = block(x, image, ws[:, max(2 * i - 1, 0) : 2 * i + 2])
            images.append(image.float().contiguous())
        return images

    def _draw(self, first: int, x: Tensor | None, image: Tensor | None, ws: Tensor, resolution: int | None) -> Tensor:
        """The blocks from `first` on; those with large maps a sample at a time on a CPU."""
        for i, block in enumerate(self.blocks[first:], first):  # type: ignore[arg-type]
            if x is not None and image is not None and len(ws) > 1 and block.large and x.device.type == "cpu":
                parts = zip(x.split(1), image.split(1), ws.split(1), strict=True)
                return torch.cat([self._draw(i, *part, resolution) for part in parts])
            x, image = block(x, image, ws[:, max(2 * i - 1, 0) : 2 * i + 2])
            if resolution == 4 << i:
                break
        assert image is not None
        return image


class SynthesisBlock(nn.Module):
    """Two modulated convolutions (one in the first block) and the RGB skip at one resolution."""

    def __init__(
        self, width_in: int, width: int, latent_dim: int, side: int, *, noise: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.large = width * side**2 >= LARGE
        first = side == 4
        if first:
            self.const = nn.Parameter(normal(width, 4, 4))
        else:
            self.conv0 = ModulatedConv(width_in, width, latent_dim, up=True, side=side if noise else None, clamp=clamp)
        self.conv1 = ModulatedConv(width, width, latent_dim, side=side if noise else None, clamp=clamp)
        self.rgb = ToRGB(width, latent_dim, clamp=clamp)

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor) -> tuple[Tensor, Tensor]:
        """ws: [B, 2 or 3, D], the rows of this block's layers; its last row is the next block's first."""
        if x is None:
            x = self.const.expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x, ws[:, 0])
        x = self.conv1(x, ws[:, -2])
        y = self.rgb(x, ws[:, -1])
        return x, y if image is None else upsample(image) + y
