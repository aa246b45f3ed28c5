"""ProgressiveGAN checkpoints of genforce/interfacegan: a plain state dict, in either of two layouts.

`layer{i}.conv.weight` belongs to a convolution; the gain sqrt(2 / fan-in) (1 / sqrt(fan-in) for RGB) is a layer of its
own with the offset after it, so the offset has none. In the fused layout the convolution that doubles the side is a
transposed one, and `layer{i}.weight` [3, 3, in, out] is its kernel before it is padded to 5 x 5 and summed over four
shifts. Written out for one axis, with F that kernel and u the input doubled by nearest neighbours, pixel o receives
sum_j u[j] F[o + 1 - j], where a convolution with weight W gives sum_j u[j] W[j - o + 1]: W is F mirrored.
"""

import math
import re
from typing import Any

from torch import Tensor

from sgf_hub.generators.formats.checkpoint import (
    Checkpoint,
    Piece,
    UnsupportedError,
    equalized,
    highest,
    side,
    tensors_of,
)
from sgf_hub.generators.progan import ProGAN

FORMAT = "a genforce ProgressiveGAN checkpoint"
ROOT2 = math.sqrt(2)
_OFFSET, _FUSED = ".wscale.bias", re.compile(r"layer\d+\.weight")


def read(tree: Any, name: str) -> Checkpoint | None:
    """The generator of a state dict, or None if it is not of this format.

    Raises:
        UnsupportedError: for a network whose growth had not ended.
        CorruptFileError: if something is missing.
    """
    tensors = tensors_of(tree)
    if not any(key.startswith("layer0.") for key in tensors) or not any(key.endswith(_OFFSET) for key in tensors):
        return None
    lod = tensors.get("lod")
    if lod is not None and not lod.is_meta and (lod.numel() != 1 or lod.item() != 0):
        value = f"{lod.item():g}" if lod.numel() == 1 else f"of shape {list(lod.shape)}"
        raise UnsupportedError(
            FORMAT, f"{name!r} is of an unfinished growth (lod {value}): only whole networks, lod 0, are supported."
        )
    levels = max(highest(tensors, "output") + 1, 1)
    channels = [side(name, tensors, f"layer{2 * i + 1}.conv.weight", 0, dims=4) for i in range(levels)]
    latent_dim = side(name, tensors, "layer0.conv.weight", 1, dims=4)
    pieces = {
        # z is a picture of 1 x 1 there, padded by 3: pixel o of the 4 x 4 sees tap 3 - o
        "first.weight": Piece(
            "layer0.conv.weight", equalized(latent_dim * 16, gain=ROOT2), (channels[0], latent_dim, 4, 4), _dense
        ),
        "first.bias": Piece("layer0.wscale.bias", shape=(channels[0],), arrange=_every_pixel),
    }
    for i in range(levels):
        if i > 0:
            pieces |= _doubling(name, tensors, i, channels)
        pieces |= _layer(name, tensors, f"blocks.{i}.conv1", f"layer{2 * i + 1}", gain=ROOT2)
        pieces |= _layer(name, tensors, f"rgb.{i}", f"output{i}", gain=1.0)
    return Checkpoint(
        name=name,
        format=FORMAT,
        kind=ProGAN,
        config={"resolution": 4 << (levels - 1), "latent_dim": latent_dim, "channels": channels},
        pieces=pieces,
        tensors=tensors,
        spare=frozenset({"lod"}),
    )


def _layer(name: str, tensors: dict[str, Tensor], ours: str, theirs: str, *, gain: float) -> dict[str, Piece]:
    key = f"{theirs}.conv.weight"
    fan_in = math.prod(side(name, tensors, key, axis, dims=4) for axis in (1, 2, 3))
    return {
        f"{ours}.weight": Piece(key, equalized(fan_in, gain=gain)),
        f"{ours}.bias": Piece(f"{theirs}.wscale.bias"),
    }


def _doubling(name: str, tensors: dict[str, Tensor], level: int, channels: list[int]) -> dict[str, Piece]:
    """The convolution after doubling, of the plain or the fused layout."""
    ours, theirs = f"blocks.{level}.conv0", f"layer{2 * level}"
    if not any(_FUSED.fullmatch(key) for key in tensors):
        return _layer(name, tensors, ours, theirs, gain=ROOT2)
    fan_in, fan_out = channels[level - 1 : level + 1]
    gain = equalized(9 * fan_in, gain=ROOT2)
    return {
        f"{ours}.weight": Piece(f"{theirs}.weight", gain, (3, 3, fan_in, fan_out), unfused),
        f"{ours}.bias": Piece(f"{theirs}.wscale.bias"),
    }


def unfused(kernel: Tensor) -> Tensor:
    """The kernel of a fused layer as a convolution's weight: [3, 3, in, out] => [out, in, 3, 3]."""
    return kernel.permute(3, 2, 0, 1).flip(2, 3)


def _dense(weight: Tensor) -> Tensor:
    """[out, D, 4, 4] => [out 16, D]."""
    return weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)


def _every_pixel(bias: Tensor) -> Tensor:
    """[out] => [out 16]: one offset for all pixels of a channel."""
    return bias[:, None].expand(-1, 16).flatten()
