"""StyleGAN2's synthesis as public code writes it in PyTorch, on the weights of one of ours.

One modulated and demodulated weight a sample, a convolution with as many groups as samples, zeros put in between
pixels for the resampling filter, RGB skips resampled likewise.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.generators.stylegan.modulated import FIR, ModulatedConv, ToRGB
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2


@torch.no_grad()
def synthesize(generator: StyleGAN2, ws: Tensor) -> Tensor:
    """[B, L, D] => [B, 3, R, R], as `StyleGAN2.forward`."""
    x = generator.blocks[0].const.unsqueeze(0).repeat(len(ws), 1, 1, 1)
    image, row = None, 0
    for i, block in enumerate(generator.blocks):
        if i > 0:
            x = _convolved(block.conv0, x, ws[:, row])
            row += 1
        x = _convolved(block.conv1, x, ws[:, row])
        row += 1
        rgb = _coloured(block.rgb, x, ws[:, row])
        image = rgb if image is None else _filtered(image, up=2, padding=(2, 1), gain=4) + rgb
    assert image is not None
    return image


def _convolved(layer: ModulatedConv, x: Tensor, w: Tensor) -> Tensor:
    batch, style = len(x), layer.affine(w)
    weight = layer.weight * style[:, None, :, None, None]  # B, out, in, 3, 3
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    out, inside = weight.shape[1:3]
    x = x.reshape(1, batch * inside, *x.shape[2:])
    if layer.up:
        weight = weight.transpose(1, 2).reshape(batch * inside, out, 3, 3)
        x = F.conv_transpose2d(x, weight, stride=2, groups=batch)
        x = _filtered(x.reshape(batch, out, *x.shape[2:]), padding=(1, 1), gain=4)
    else:
        x = F.conv2d(x, weight.reshape(batch * out, inside, 3, 3), padding=1, groups=batch)
        x = x.reshape(batch, out, *x.shape[2:])
    if layer.noise:
        x = x + layer.noise_const * layer.noise_strength
    x = F.leaky_relu(x + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def _coloured(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    batch = len(x)
    weight = (layer.weight * layer.affine(w)[:, None, :, None, None]).flatten(0, 1)
    x = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight, groups=batch).reshape(batch, 3, *x.shape[2:])
    x = x + layer.bias[:, None, None]
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def _filtered(x: Tensor, *, up: int = 1, padding: tuple[int, int], gain: float) -> Tensor:
    """Zeros between the pixels, a margin, and the filter."""
    batch, channels, height, width = x.shape
    x = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
    x = F.pad(x.reshape(batch, channels, height * up, width * up), (*padding, *padding))
    taps = torch.tensor(FIR)
    kernel = (torch.outer(taps, taps) * (gain / 64)).expand(channels, 1, 4, 4)
    return F.conv2d(x, kernel, groups=channels)
