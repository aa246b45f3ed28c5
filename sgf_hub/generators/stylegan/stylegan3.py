"""StyleGAN3 (Karras et al., NeurIPS 2021), configurations T and R, in plain PyTorch.

The published network, written anew from the paper: signals are band-limited everywhere, so that the picture follows its
coordinates. Fourier features of w's own rotation and shift enter; every layer convolves, doubles the sampling rate,
rectifies there, and comes down again through low-pass filters (Section 3). The filters are designed from the layers'
cutoffs (Appendix C.2) and are no weights; sizes are those of the paper's schedule (Section 3.2, `Schedule`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.generators.layers import check_side, dense
from sgf_hub.generators.stylegan.modulated import GAIN, normal
from sgf_hub.generators.stylegan.style_based import StyleBasedGenerator
from sgf_hub.types import Latent
from sgf_hub.validation import bounded, short

_MARGIN = 10  # pixels beyond each edge of the picture on which layers work


@dataclass(frozen=True)
class Schedule:
    """How finely each layer samples and what it lets pass (Section 3.2 and Appendix C).

    Args:
        resolution: R.
        layers: N, without the one to RGB.
        critical: how many of the last layers sample critically, with a cutoff at half the rate.
        first_cutoff: of the input, in cycles a picture.
        first_stopband: where its filter has fallen off.
        last_stopband: that of the last layer, in units of its cutoff R / 2.
    """

    resolution: int
    layers: int
    critical: int
    first_cutoff: float
    first_stopband: float
    last_stopband: float

    @property
    def cutoffs(self) -> list[float]:
        """f_c after each layer, N + 1 with the input's, in cycles a picture."""
        return self._geometric(self.first_cutoff, self.resolution / 2)

    @property
    def rates(self) -> list[int]:
        """s, samples a side: twice the stopband, up to a power of two, and no more than R."""
        return [
            2
            ** math.ceil(math.log2(min(2 * stop, self.resolution)) - 1e-9)  # a power of two is its own, rounding apart
            for stop in self._stopbands
        ]

    @property
    def half_widths(self) -> list[float]:
        """f_h, of the transition band on either side of the cutoff."""
        parts = zip(self._stopbands, self.rates, self.cutoffs, strict=True)
        return [max(stop, rate / 2) - cutoff for stop, rate, cutoff in parts]

    @property
    def sizes(self) -> list[int]:
        """Sides of the maps, with the margin; the last two layers work on the picture itself."""
        return [rate + 2 * _MARGIN for rate in self.rates][:-2] + [self.resolution] * 2

    @property
    def _stopbands(self) -> list[float]:
        return self._geometric(self.first_stopband, self.resolution / 2 * self.last_stopband)

    def _geometric(self, first: float, last: float) -> list[float]:
        growing = max(self.layers - self.critical, 1)
        return [first * (last / first) ** min(i / growing, 1.0) for i in range(self.layers + 1)]


class StyleGAN3(StyleBasedGenerator):
    """Mapping network and alias-free synthesis: z -> w -> image; no noise.

    Args:
        resolution: R, side of the image, a power of two.
        latent_dim: D, of w.
        channels: widths of the N layers; the first is that of the Fourier features, too.
        kernel: side of the convolutions: 3 in T, 1 in R.
        radial: whether filters that come down are radially symmetric, but where sampling is critical (R).
        critical: layers that sample critically.
        first_cutoff: see `Schedule`.
        first_stopband: see `Schedule`.
        last_stopband: see `Schedule`.
        filter_size: taps of a filter, in samples of the lower rate.
        output_scale: what the last layer's output is multiplied by.
        clamp: bound on activations; None for no bound.
        mapping_layers: fully connected layers from z to w.
        z_dim: of z; None for D.
        mapping_width: of the mapping's layers; None for D.
        image_channels: 3, or 4 with an alpha channel.
        background: what the colours of four channels lie over, "white", "grey" or "black".
        class_label: see `StyleBasedGenerator`.

    Raises:
        BadValueError: if a number is out of range.
    """

    def __init__(
        self,
        *,
        resolution: int,
        latent_dim: int,
        channels: Sequence[int],
        kernel: int = 3,
        radial: bool = False,
        critical: int = 2,
        first_cutoff: float = 2.0,
        first_stopband: float = 2**2.1,
        last_stopband: float = 2**0.3,
        filter_size: int = 6,
        output_scale: float = 0.25,
        clamp: float | None = 256.0,
        mapping_layers: int = 2,
        z_dim: int | None = None,
        mapping_width: int | None = None,
        image_channels: int = 3,
        background: str = "white",
        class_label: int | None = None,
    ) -> None:
        if not isinstance(channels, (list, tuple)) or not 3 <= len(channels) <= 64:
            raise BadValueError(f"channels is {short(channels)}; it must be the widths of 3 to 64 layers.")
        for width in channels:
            bounded("a width in channels", width, 1, 4096)
        bounded("resolution", resolution, 16, 2048)
        if resolution & (resolution - 1) or kernel not in (1, 3) or not isinstance(radial, bool):
            raise BadValueError(
                f"resolution {short(resolution)}, kernel {short(kernel)} and radial {short(radial)}: they must be a "
                "power of two, 1 or 3, and true or false."
            )
        super().__init__(
            resolution=resolution,
            latent_dim=bounded("latent_dim", latent_dim, 1, 4096),
            z_dim=z_dim,
            mapping_layers=bounded("mapping_layers", mapping_layers, 1, 32),
            mapping_width=mapping_width,
            num_layers=len(channels) + 2,
            image_channels=image_channels,
            background=background,
            class_label=class_label,
        )
        self.output_scale = bounded("output_scale", output_scale, 1e-6, 1e6)
        schedule = Schedule(
            resolution,
            len(channels),
            bounded("critical", critical, 0, len(channels) - 1),
            bounded("first_cutoff", first_cutoff, 1e-3, resolution / 2),
            bounded("first_stopband", first_stopband, 1e-3, resolution),
            bounded("last_stopband", last_stopband, 1.0, 2.0),
        )
        if clamp is not None:
            bounded("clamp", clamp, 1e-3, 1e6)
        bounded("filter_size", filter_size, 2, 16)
        self.schedule = schedule
        self.input = FourierFeatures(channels[0], latent_dim, schedule.sizes[0], schedule.rates[0], schedule.cutoffs[0])
        self.convs = nn.ModuleList(
            AliasFreeConv(
                channels[max(i - 1, 0)],
                width,
                latent_dim,
                schedule=schedule,
                number=i,
                kernel=kernel,
                radial=radial and i < len(channels) - critical,
                filter_size=filter_size,
                clamp=clamp,
            )
            for i, width in enumerate(channels)
        )
        self.rgb = AliasFreeRGB(channels[-1], image_channels, latent_dim, clamp=clamp)

    def forward(self, ws: Tensor) -> Tensor:
        """One w a layer, [B, L, D] => images [B, 3 or 4, R, R], not clamped."""
        x = self.input(ws[:, 0])
        for i, conv in enumerate(self.convs, 1):
            x = conv(x, ws[:, i])
        return (self.rgb(x, ws[:, -1]) * self.output_scale).float().contiguous()

    def _drawn(self, latent: Latent, resolution: int | None) -> Tensor:
        """A lower `resolution` is the mean over squares of pixels: every layer is needed for it."""
        check_side(resolution, self.resolution.bit_length() - 2)
        images = self(self._layers(latent))
        return images if resolution is None else F.avg_pool2d(images, self.resolution // resolution)


class FourierFeatures(nn.Module):
    """Sines over the plane, turned and shifted as w says, mixed by one matrix: w [B, D] => [B, width, S, S]."""

    frequencies: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, width: int, latent_dim: int, size: int, rate: int, cutoff: float) -> None:
        super().__init__()
        self.size, self.rate, self.cutoff = size, rate, cutoff
        self.affine = dense(latent_dim, 4)
        if not self.affine.weight.is_meta:  # no turn and no shift until it is trained
            nn.init.zeros_(self.affine.weight)
            self.affine.bias.data = torch.tensor([1.0, 0, 0, 0])
        self.weight = nn.Parameter(normal(width, width, std=1 / math.sqrt(width)))
        directions = normal(width, 2)
        radii = directions.norm(dim=1, keepdim=True)
        self.register_buffer("frequencies", directions / (radii * radii.square().exp() ** 0.25) * cutoff)
        self.register_buffer("phases", nn.init.uniform_(torch.empty(width), -0.5, 0.5))
        self.register_buffer("transform", torch.eye(3))  # of the picture's coordinates, by whoever wants it turned

    def forward(self, w: Tensor) -> Tensor:
        """w: [B, D] => features at every point of the plane."""
        turned = self.affine(w)  # cosine, sine, shift
        cosine, sine, right, down = (turned / turned[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        # what moves the picture moves its coordinates the other way
        rotation = _matrices([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])
        shift = _matrices([[one, zero, -right], [zero, one, -down], [zero, zero, one]])
        transform = rotation @ shift @ self.transform  # B, 3, 3
        phases = self.phases + (self.frequencies @ transform[:, :2, 2:]).squeeze(2)
        frequencies = self.frequencies @ transform[:, :2, :2]  # B, width, 2
        # what a scaling transform drives beyond the band is faded out
        amplitudes = 1 - (frequencies.norm(dim=2) - self.cutoff) / (self.rate / 2 - self.cutoff)
        axis = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5 - self.size / 2) / self.rate
        waves = (
            frequencies[:, :, 0, None, None] * axis[None, None, None, :]
            + frequencies[:, :, 1, None, None] * axis[None, None, :, None]
            + phases[:, :, None, None]
        )
        x = (waves * (2 * math.pi)).sin() * amplitudes.clamp(0, 1)[:, :, None, None]
        return F.conv2d(x, self.weight[:, :, None, None])


class AliasFreeConv(nn.Module):
    """Modulated convolution, then the leaky ReLU at twice the sampling rate (Section 3.1).

    Args:
        width_in: channels.
        width: channels that come out.
        latent_dim: D.
        schedule: of the network.
        number: of the layer.
        kernel: side of the convolution.
        radial: whether the filter down is radially symmetric.
        filter_size: taps, in samples of the lower rate.
        clamp: bound on activations.
    """

    magnitude: Tensor
    up_filter: Tensor
    down_filter: Tensor

    def __init__(
        self,
        width_in: int,
        width: int,
        latent_dim: int,
        *,
        schedule: Schedule,
        number: int,
        kernel: int,
        radial: bool,
        filter_size: int,
        clamp: float | None,
    ) -> None:
        super().__init__()
        before = max(number - 1, 0)
        between = 2 * max(schedule.rates[before], schedule.rates[number])
        self.up, self.down = between // schedule.rates[before], between // schedule.rates[number]
        self.clamp = clamp
        self.affine = dense(latent_dim, width_in, bias=1.0)
        self.weight = nn.Parameter(normal(width, width_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("magnitude", torch.ones(()))  # mean square of what comes in, followed in training
        up_taps, down_taps = filter_size * self.up, filter_size * self.down
        # of zeros (or, if negative, of pixels cut off) beside what the convolution gives, once it is sampled higher
        total = (schedule.sizes[number] - 1) * self.down + 1 + up_taps + down_taps - 2
        total -= (schedule.sizes[before] + kernel - 1) * self.up
        first = (total + self.up) // 2
        self.crop = (first - up_taps + 1, total - first + self.up - up_taps)
        cutoffs, widths = schedule.cutoffs, schedule.half_widths
        up = lowpass(up_taps, cutoffs[before], 2 * widths[before], between) * self.up
        down = lowpass(down_taps, cutoffs[number], 2 * widths[number], between, radial=radial)
        self.register_buffer("up_filter", up, persistent=False)
        self.register_buffer("down_filter", down, persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: [B, in, S, S], w: [B, D] => [B, out, S', S']."""
        style = self.affine(w)  # B, in
        gain = (F.linear(style.square(), self.weight.square().sum(dim=(2, 3))) + 1e-8).rsqrt()  # demodulation
        x = x * (style * self.magnitude.rsqrt())[:, :, None, None]
        x = F.conv2d(x, self.weight, padding=self.weight.shape[-1] - 1)
        x = x * gain[:, :, None, None] + self.bias[:, None, None]
        x = self._sampled_up(x)
        x = F.leaky_relu(x, 0.2) * GAIN
        return self._sampled_down(x if self.clamp is None else x.clamp(-self.clamp, self.clamp))

    def _sampled_up(self, x: Tensor) -> Tensor:
        """Zeros between the samples, and the filter, along one axis and then the other."""
        taps = self.up_filter.expand(x.shape[1], 1, -1)
        x = F.conv_transpose2d(x, taps[:, :, :, None], stride=(self.up, 1), groups=x.shape[1])
        x = F.pad(x, (0, 0, *self.crop))
        x = F.conv_transpose2d(x, taps[:, :, None, :], stride=(1, self.up), groups=x.shape[1])
        return F.pad(x, self.crop)

    def _sampled_down(self, x: Tensor) -> Tensor:
        if self.down_filter.ndim == 2:
            taps = self.down_filter.expand(x.shape[1], 1, -1, -1)
            return F.conv2d(x, taps, stride=self.down, groups=x.shape[1])
        taps = self.down_filter.expand(x.shape[1], 1, -1)
        x = F.conv2d(x, taps[:, :, :, None], stride=(self.down, 1), groups=x.shape[1])
        return F.conv2d(x, taps[:, :, None, :], stride=(1, self.down), groups=x.shape[1])


class AliasFreeRGB(nn.Module):
    """1 x 1 modulated convolution to the picture's channels, without demodulation and rectification."""

    magnitude: Tensor

    def __init__(self, width: int, colours: int, latent_dim: int, *, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = dense(latent_dim, width, bias=1.0)
        self.weight = nn.Parameter(normal(colours, width, 1, 1, std=1 / math.sqrt(width)))
        self.bias = nn.Parameter(torch.zeros(colours))
        self.register_buffer("magnitude", torch.ones(()))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: [B, width, R, R], w: [B, D] => [B, colours, R, R]."""
        style = self.affine(w) * self.magnitude.rsqrt()
        y = F.conv2d(x * style[:, :, None, None], self.weight, self.bias)
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


def lowpass(taps: int, cutoff: float, width: float, rate: float, *, radial: bool = False) -> Tensor:
    """A low-pass filter by a Kaiser window (Appendix C.2), float32, summing to 1.

    Args:
        taps: how many, along a side.
        cutoff: in the units of `rate`.
        width: of the transition band, in the same.
        rate: of sampling.
        radial: [taps, taps], whose ideal is a jinc, instead of [taps], a sinc.
    """
    places = (torch.arange(taps, dtype=torch.float64, device="cpu") - (taps - 1) / 2) / rate
    window = torch.kaiser_window(
        taps, periodic=False, beta=_beta(taps, 2 * width / rate), dtype=torch.float64, device="cpu"
    )
    if radial:
        radii = torch.hypot(places[:, None], places[None]) * math.pi
        ideal = torch.where(
            radii > 0, torch.special.bessel_j1(2 * cutoff * radii) / radii.clamp_min(1e-300), radii.new_tensor(cutoff)
        )
        ideal = ideal * torch.outer(window, window)
    else:
        ideal = torch.sinc(2 * cutoff * places) * window
    return (ideal / ideal.sum()).float()


def _beta(taps: int, width: float) -> float:
    """Kaiser's shape for a transition band of `width`, 1 being half the sampling rate."""
    attenuation = 2.285 * (taps - 1) * math.pi * width + 7.95  # dB
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21) if attenuation > 21 else 0.0


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    """Rows of [B] => [B, 3, 3]."""
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
