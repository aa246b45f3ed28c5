"""The layers of StyleGAN2's synthesis: modulated convolutions, RGB skips, and the filter that resamples.

A layer has the affine map that makes its style of w, and is called with the style. Public code builds one modulated
weight a sample and convolves in as many groups. Here, a small map is multiplied by the styles before the convolution,
and by the demodulation after it, so that a batch shares one weight; a large map is larger than its weight, and drawn a
sample at a time with a weight of its own, bias and gain included.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.generators.layers import dense
from sgf_hub.hub.module import Derived

FIR = (1.0, 3.0, 3.0, 1.0)  # the resampling filter of StyleGAN2, before normalisation
GAIN = math.sqrt(2)  # of the leaky ReLU, keeps the variance
LARGE = 1 << 20  # numbers in a sample's map from which on a CPU gains from a weight of its own


class ModulatedConv(nn.Module):
    """3 x 3 convolution whose input channels are scaled by a style, demodulated, biased, noised, rectified."""

    noise_const: Tensor

    def __init__(
        self,
        width_in: int,
        width: int,
        latent_dim: int,
        *,
        up: bool = False,
        side: int | None = None,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.up, self.clamp = up, clamp
        self.affine = dense(latent_dim, width_in, bias=1.0)
        self.weight = nn.Parameter(normal(width, width_in, 3, 3, std=1 / math.sqrt(9 * width_in)))
        self.bias = nn.Parameter(torch.zeros(width))
        self.noise = side is not None
        if side is not None:
            self.register_buffer("noise_const", normal(side, side))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self._energy, self._transposed = Derived(_energy), Derived(_transposed)

    def energy(self) -> Tensor:
        """Squared weights summed over the kernel, [out, in]; kept while the weight is frozen."""
        if self.weight.requires_grad:  # in training
            return _energy(self.weight)
        return self._energy(self.weight)

    def transposed(self) -> Tensor:
        """The weight as a transposed convolution takes it, [in, out, 3, 3]; kept while it is frozen."""
        return self.weight.transpose(0, 1) if self.weight.requires_grad else self._transposed(self.weight)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: [B, in, R, R], style: [B, in] => [B, out, R, R], or 2 R when upsampling."""
        gain = (F.linear(style.square(), self.energy()) + 1e-8).rsqrt() * GAIN  # B, out: demodulation and gain
        bias = self.bias * GAIN
        outputs = len(self.weight) * x.shape[2] * x.shape[3] * (4 if self.up else 1)
        if len(x) == 1 and outputs >= LARGE and x.device.type == "cpu" and not self.weight.requires_grad:
            x = self._alone(x, style, gain, bias)
        else:
            x = self._together(x, style, gain, bias)
        if self.noise:
            x.add_(self.noise_const * (self.noise_strength * GAIN))
        x = F.leaky_relu(x, 0.2, inplace=True)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def _together(self, x: Tensor, style: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """A batch with one weight."""
        x = x * style[:, :, None, None]
        if self.up and x.device.type == "cuda":  # one dense kernel: filters of single channels are slow on a GPU
            x = F.conv_transpose2d(x, filtered(self.transposed()), stride=2, padding=2)
        elif self.up:
            x = blur(F.conv_transpose2d(x, self.transposed(), stride=2), gain=4.0, padding=1)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        return torch.addcmul(bias[None, :, None, None].to(x.dtype), x, gain[:, :, None, None].to(x.dtype))

    def _alone(self, x: Tensor, style: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """One sample with a weight of its own."""
        if self.up:
            weight = self.transposed() * style.view(-1, 1, 1, 1) * gain.view(1, -1, 1, 1)
            return blur(F.conv_transpose2d(x, weight, stride=2), gain=4.0, padding=1, bias=bias)
        return F.conv2d(x, self.weight * style[:, :, None, None] * gain.view(-1, 1, 1, 1), bias, padding=1)


class ToRGB(nn.Module):
    """1 x 1 modulated convolution to the picture's channels, without demodulation."""

    def __init__(self, width: int, latent_dim: int, *, clamp: float | None = None, colours: int = 3) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = dense(latent_dim, width, bias=1.0)
        self.weight = nn.Parameter(normal(colours, width, 1, 1, std=1 / math.sqrt(width)))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: [B, width, R, R], style: [B, width] => [B, colours, R, R]."""
        y = F.conv2d(x * style[:, :, None, None], self.weight, self.bias)
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


def blur(x: Tensor, *, gain: float = 1.0, padding: int = 1, stride: int = 1, bias: Tensor | None = None) -> Tensor:
    """Low-pass filter of every channel."""
    kernel = fir_kernel(x.shape[1], gain, x.dtype, x.device)
    return F.conv2d(x, kernel, bias, padding=padding, stride=stride, groups=x.shape[1])


def filtered(weight: Tensor) -> Tensor:
    """A doubling transposed convolution's weight with the low-pass filter in it: [in, out, 3, 3] => [in, out, 6, 6].

    With stride 2 and padding 2 it gives what the weight and `blur` after it give.
    """
    kernel = fir_kernel(1, 4.0, weight.dtype, weight.device)
    return F.conv2d(weight.flatten(0, 1).unsqueeze(1), kernel, padding=3).view(*weight.shape[:2], 6, 6)


def upsample(image: Tensor) -> Tensor:
    """[B, C, R, R] => [B, C, 2 R, 2 R] by zero insertion and the filter."""
    kernel = fir_kernel(image.shape[1], 4.0, image.dtype, image.device)
    if image.device.type == "cuda":  # dense, as in `ModulatedConv`
        apart = torch.eye(image.shape[1], dtype=image.dtype, device=image.device)[:, :, None, None]
        return F.conv_transpose2d(image, apart * kernel, stride=2, padding=1)
    return F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=image.shape[1])


@lru_cache(maxsize=128)
def fir_kernel(channels: int, gain: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The separable filter FIR as a depthwise kernel, [channels, 1, 4, 4], summing to `gain`."""
    with torch.inference_mode(False):  # it serves later callers that take gradients as well
        taps = torch.tensor(FIR)
        kernel = torch.outer(taps, taps) * (gain / 64)
        return kernel.to(dtype=dtype, device=device).expand(channels, 1, 4, 4).contiguous()


def normal(*shape: int, std: float = 1.0) -> Tensor:
    """A weight drawn from N(0, std)."""
    return nn.init.normal_(torch.empty(shape), std=std)


def _energy(weight: Tensor) -> Tensor:
    return weight.square().sum(dim=(2, 3))


def _transposed(weight: Tensor) -> Tensor:
    return weight.transpose(0, 1).contiguous(memory_format=torch.channels_last)
