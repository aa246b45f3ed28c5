"""StyleGAN2 (Karras et al., CVPR 2020) in plain PyTorch, laid out for a CPU.

The published network, written anew, with three liberties that change its cost and not its function:

* modulation and demodulation scale activations where those are small, so that a batch shares one weight, and weights
  where those are small, a sample at a time (`modulated.py`; public code convolves in groups, one a sample);
* the gain sqrt(2) of the leaky ReLU rides on the demodulation and the bias;
* equalised learning rates live in the optimiser (`training/adversarial/`): weights here are the effective ones.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.generators.layers import check_shape, check_side, check_sizes
from sgf_hub.generators.mixture import GaussianMixture
from sgf_hub.generators.stylegan.modulated import LARGE, ModulatedConv, ToRGB, normal, upsample
from sgf_hub.generators.stylegan.style_based import StyleBasedGenerator
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded, short


class StyleGAN2(StyleBasedGenerator):
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
        image_channels: 3, or 4 with an alpha channel.
        background: what the colours of four channels lie over, "white", "grey" or "black".
        class_label: see `StyleBasedGenerator`.

    Raises:
        BadValueError: if the widths do not match the resolution, or a number is out of range.
    """

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
        image_channels: int = 3,
        background: str = "white",
        class_label: int | None = None,
    ) -> None:
        check_sizes(resolution, latent_dim, channels)
        bounded("mapping_layers", mapping_layers, 1, 32)
        if not isinstance(noise, bool):
            raise BadValueError(f"noise is {short(noise)}; it must be true or false.")
        if clamp is not None:
            bounded("clamp", clamp, 1e-3, 1e6)
        if components is not None and (z_dim not in (None, latent_dim + 1) or mapping_width is not None):
            raise BadValueError(f"a mixture's z has {latent_dim + 1} dimensions and no layers: name no other.")
        super().__init__(
            resolution=resolution,
            latent_dim=latent_dim,
            z_dim=z_dim if components is None else latent_dim + 1,
            mapping_layers=mapping_layers if components is None else 0,
            mapping_width=mapping_width,
            num_layers=2 * len(channels),
            image_channels=image_channels,
            background=background,
            class_label=class_label,
        )
        self.clamp = clamp
        if components is not None:
            self.format, self.mapping = 2, GaussianMixture(components, latent_dim)
        self.blocks = nn.ModuleList(
            SynthesisBlock(
                channels[max(i - 1, 0)], width, latent_dim, 4 << i, noise=noise, clamp=clamp, colours=image_channels
            )
            for i, width in enumerate(channels)
        )

        self.style_dim = sum(block.style_dim for block in self.blocks)  # type: ignore[misc]
        self._parts = list(accumulate((block.style_dim for block in self.blocks), initial=0))  # type: ignore[misc]

    # -- latents ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def to_s(self, latent: Latent) -> Latent:
        """A latent of any space as one of StyleSpace (Wu et al., CVPR 2021): the styles of all channels, [B, S]."""
        return Latent(self._styles(latent), "s")

    @property
    def style_rows(self) -> Tensor:
        """The row of W+ that makes each style of S, [S]."""
        rows, layers = zip(*self._modulated(len(self.blocks)), strict=True)
        return torch.tensor(rows).repeat_interleave(torch.tensor([layer.affine.out_features for layer in layers]))

    def _styles(self, latent: Latent) -> Tensor:
        """[B, S] of a latent in any space."""
        if latent.space != "s":
            return self.styles(self._layers(latent))
        check_shape(latent, self.style_dim)
        return latent.data.to(self.w_avg)

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> Tensor:
        """What the layers scale their channels by: one w a layer, [B, L, D] => [B, S]; of those up to a side alone."""
        count = len(self.blocks) if resolution is None else resolution.bit_length() - 2
        return torch.cat([layer.affine(ws[:, row]) for row, layer in self._modulated(count)], dim=1)

    def _modulated(self, count: int) -> Iterator[tuple[int, ModulatedConv | ToRGB]]:
        """The layers of the first blocks that take a style, as drawn, each with its row of W+."""
        for i, block in enumerate(self.blocks[:count]):
            layers: list[ModulatedConv | ToRGB] = block.modulated  # type: ignore[assignment]
            yield from zip(range(2 * i + 2 - len(layers), 2 * i + 2), layers, strict=True)

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
        return self.mapping(z) if isinstance(self.mapping, GaussianMixture) else super().map(z)

    def _centre(self, space: Space, data: Tensor) -> Tensor:
        """The mean w, or in a mixture the mean of its component."""
        if not isinstance(self.mapping, GaussianMixture):
            return super()._centre(space, data)
        return self.mapping.split(data)[0] if space == "z" else self.mapping.nearest(data)

    # -- images -------------------------------------------------------------------------------------------------

    def _drawn(self, latent: Latent, resolution: int | None) -> Tensor:
        """A lower `resolution` (8, 16, ...) stops early at that RGB skip."""
        check_side(resolution, len(self.blocks))
        return self._draw(0, None, None, self._styles(latent), resolution).float().contiguous()

    def forward(self, ws: Tensor, *, resolution: int | None = None) -> Tensor:
        """One w a layer, [B, L, D] => images [B, 3 or 4, R, R], not clamped."""
        styles = self.styles(ws, resolution=resolution)
        return self._draw(0, None, None, styles, resolution).float().contiguous()

    def pyramid(self, ws: Tensor) -> list[Tensor]:
        """What `forward` gives at every side: [B, L, D] => images of 4, 8, ... R px, [B, 3, S, S] each, not clamped."""
        x, image, images, styles = None, None, [], self.styles(ws)
        for block, start, stop in zip(self.blocks, self._parts, self._parts[1:], strict=False):
            x, image = block(x, image, styles[:, start:stop])
            images.append(image.float().contiguous())
        return images

    def _draw(
        self, first: int, x: Tensor | None, image: Tensor | None, styles: Tensor, resolution: int | None
    ) -> Tensor:
        """The blocks from `first` on; those with large maps a sample at a time on a CPU."""
        for i, block in enumerate(self.blocks[first:], first):  # type: ignore[arg-type]
            if x is not None and image is not None and len(styles) > 1 and block.large and x.device.type == "cpu":
                parts = zip(x.split(1), image.split(1), styles.split(1), strict=True)
                return torch.cat([self._draw(i, *part, resolution) for part in parts])
            x, image = block(x, image, styles[:, self._parts[i] : self._parts[i + 1]])
            if resolution == 4 << i:
                break
        assert image is not None
        return image


class SynthesisBlock(nn.Module):
    """Two modulated convolutions (one in the first block) and the RGB skip at one resolution."""

    def __init__(
        self,
        width_in: int,
        width: int,
        latent_dim: int,
        side: int,
        *,
        noise: bool,
        clamp: float | None,
        colours: int = 3,
    ) -> None:
        super().__init__()
        self.large = width * side**2 >= LARGE
        first = side == 4
        if first:
            self.const = nn.Parameter(normal(width, 4, 4))
        else:
            self.conv0 = ModulatedConv(width_in, width, latent_dim, up=True, side=side if noise else None, clamp=clamp)
        self.conv1 = ModulatedConv(width, width, latent_dim, side=side if noise else None, clamp=clamp)
        self.rgb = ToRGB(width, latent_dim, clamp=clamp, colours=colours)
        self._sizes = [layer.affine.out_features for layer in self.modulated]
        self.style_dim = sum(self._sizes)

    @property
    def modulated(self) -> list[ModulatedConv | ToRGB]:
        """The layers that take a style, as drawn."""
        return [*([self.conv0] if hasattr(self, "conv0") else []), self.conv1, self.rgb]

    def forward(self, x: Tensor | None, image: Tensor | None, styles: Tensor) -> tuple[Tensor, Tensor]:
        """styles: [B, S], of this block's channels."""
        *before, style, colours = styles.split(self._sizes, dim=1)
        if x is None:
            x = self.const.expand(len(styles), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x, before[0])
        x = self.conv1(x, style)
        y = self.rgb(x, colours)
        return x, y if image is None else upsample(image) + y
