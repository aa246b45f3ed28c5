"""What the generators have in common, and share with their discriminators: initial weights, sizes, draws of z."""

import math

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.types import Latent
from sgf_hub.validation import bounded, check_seed, short


def conv(width_in: int, width: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the side, with weights of variance 1 / fan-in and no offset."""
    layer = nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=bias)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(width_in * kernel**2))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def dense(fan_in: int, fan_out: int, *, bias: float = 0.0) -> nn.Linear:
    """A fully connected layer with weights of variance 1 / fan-in and the offset `bias`."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(fan_in))
    nn.init.constant_(layer.bias, bias)
    return layer


def normalized(z: Tensor) -> Tensor:
    """z [B, D] over its root mean square: only its direction is left."""
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def draw_z(n: int, latent_dim: int, *, seed: int) -> Tensor:
    """N(0, 1), [n, D], the i-th row depending on the seed and i alone."""
    bounded("the number of samples", n, 1, 1 << 20)
    generator = torch.Generator().manual_seed(check_seed(seed))
    return torch.cat([torch.randn(1, latent_dim, generator=generator) for _ in range(n)])


def check_sizes(resolution: object, latent_dim: object, channels: object) -> None:
    """Raise a BadValueError unless the sizes are whole, within bounds, and one width fits each of 4, 8, ... R px."""
    bounded("resolution", resolution, 8, 2048)
    bounded("latent_dim", latent_dim, 1, 4096)
    if not isinstance(channels, (list, tuple)) or not channels or resolution != 4 << (len(channels) - 1):
        raise BadValueError(
            f"{short(resolution)} px takes one width for each of 4, 8, ... {short(resolution)} px, "
            f"not {short(channels)}."
        )
    for width in channels:
        bounded("a width in channels", width, 1, 4096)


def check_label(name: str, classes: int, label: int | None) -> None:
    """Raise a BadValueError for a class that a network of so many (0 for one without classes) does not draw."""
    if label is not None and not classes:
        raise BadValueError(f"{name!r} knows no classes: leave class_label out.")
    if label is not None:
        bounded("class_label", label, 0, classes - 1)


def check_shape(latent: Latent, *wanted: int) -> None:
    """Raise a BadValueError unless one sample of a latent has the wanted shape."""
    if tuple(latent.data.shape[1:]) != wanted:
        raise BadValueError(
            f"a latent of this generator in {latent.space!r} has shape [batch, {', '.join(map(str, wanted))}], "
            f"not {list(latent.data.shape)}."
        )


def check_side(resolution: object, levels: int) -> None:
    """Raise a BadValueError unless `resolution` is None or a side that a generator of so many levels can draw."""
    sides = [4 << i for i in range(1, levels)]
    if resolution is not None and resolution not in sides:
        raise BadValueError(f"this generator draws {', '.join(map(str, sides))} px, not {short(resolution)}.")
