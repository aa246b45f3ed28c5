"""Discriminators: images to logits. One for pictures of one side, one that grows with a progressive generator."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.generators.layers import conv, dense
from sgf_hub.generators.stylegan.modulated import GAIN, blur


class Trunk(nn.Module):
    """A residual discriminator behind its layers from RGB, with minibatch standard deviation: features to logits."""

    def __init__(self, from_rgb: nn.Module, channels: Sequence[int]) -> None:
        super().__init__()
        self.from_rgb = from_rgb  # first: checkpoints of optimisers count parameters in this order
        widths = tuple(reversed(channels))  # R, R/2, ..., 4
        self.blocks = nn.ModuleList(
            DownBlock(width, wider) for width, wider in zip(widths[:-1], widths[1:], strict=True)
        )
        self.conv = conv(widths[-1] + 1, widths[-1], 3)
        self.dense = dense(widths[-1] * 16, widths[-1])
        self.out = dense(widths[-1], 1)

    def judge(self, x: Tensor, *, first: int = 0) -> Tensor:
        """The features that block `first` reads => logits [B]."""
        for block in self.blocks[first:]:
            x = block(x)
        x = rectified(self.conv, torch.cat([x, minibatch_std(x)], dim=1))
        x = F.leaky_relu(self.dense(x.flatten(1)), 0.2) * GAIN
        return self.out(x).squeeze(1).float()


class Discriminator(Trunk):
    """For pictures of one side."""

    from_rgb: nn.Conv2d

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(conv(3, channels[-1], 1), channels)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] => logits [B]."""
        images = images.contiguous(memory_format=torch.channels_last)
        return self.judge(rectified(self.from_rgb, images, padding=0))


class ProgressiveDiscriminator(Trunk):
    """With a layer from RGB for every side, entered where the side of the images says.

    The published one is plain; this one has the residual blocks that trained the first generator of the zoo.
    """

    from_rgb: nn.ModuleList

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(nn.ModuleList(conv(3, width, 1) for width in reversed(channels)), channels)

    def forward(self, images: Tensor, alpha: float = 1.0) -> Tensor:
        """[B, 3, S, S], S = 4, 8, ..., R => logits [B]; `alpha` tells how far side S has faded in."""
        first = len(self.blocks) - (images.shape[2].bit_length() - 3)  # S = 4 enters behind all blocks
        images = images.contiguous(memory_format=torch.channels_last)
        x = self._entered(images, first)
        if alpha == 1 or first == len(self.blocks):
            return self.judge(x, first=first)
        below = self._entered(F.avg_pool2d(images, 2), first + 1)
        return self.judge(torch.lerp(below, self.blocks[first](x), alpha), first=first + 1)

    def _entered(self, images: Tensor, first: int) -> Tensor:
        layer = self.from_rgb[first]
        assert isinstance(layer, nn.Conv2d)
        return rectified(layer, images, padding=0)


class DownBlock(nn.Module):
    """Two convolutions, the second halving the side, beside a filtered 1 x 1 skip."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.conv0 = conv(width, width, 3)
        self.conv1 = conv(width, wider, 3)
        self.skip = conv(width, wider, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, R, R] => [B, wider, R / 2, R / 2]."""
        # the skip is low-passed by a box: the backward of a strided depthwise filter is slow on a CPU
        skip = self.skip(F.avg_pool2d(x, 2))
        x = blur(rectified(self.conv0, x), padding=2)
        return rectified(self.conv1, x, stride=2, padding=0, gain=1.0) + skip * math.sqrt(0.5)


def rectified(layer: nn.Conv2d, x: Tensor, *, stride: int = 1, padding: int = 1, gain: float = GAIN) -> Tensor:
    """Convolution and leaky ReLU, times `gain`, which rides on the small weight and not on the large activation."""
    assert layer.bias is not None
    return F.leaky_relu(F.conv2d(x, layer.weight * gain, layer.bias * gain, stride=stride, padding=padding), 0.2)


def minibatch_std(x: Tensor, group: int = 4) -> Tensor:
    """Mean standard deviation over groups of samples, as one more channel: [B, C, 4, 4] => [B, 1, 4, 4].

    Groups are runs of neighbours, so that a batch of fakes followed by reals never mixes the two.
    """
    size = group if len(x) % group == 0 else 1
    grouped = x.float().unflatten(0, (-1, size))  # B/G, G, C, H, W
    deviation = (grouped.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat_interleave(size).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)
