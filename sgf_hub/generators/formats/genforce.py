"""ProgressiveGAN and StyleGAN2 checkpoints of genforce (InterFaceGAN, HiGAN, SeFa, ...).

ProgressiveGAN lies in either of two layouts. `layer{i}.conv.weight` belongs to a convolution; the gain sqrt(2 / fan-in)
(1 / sqrt(fan-in) for RGB) is a layer of its own with the offset after it, so the offset has none. In the fused layout
the convolution that doubles the side is a transposed one, and `layer{i}.weight` [3, 3, in, out] is its kernel before it
is padded to 5 x 5 and summed over four shifts. Written out for one axis, with F that kernel and u the input doubled by
nearest neighbours, pixel o receives sum_j u[j] F[o + 1 - j], where a convolution with weight W gives
sum_j u[j] W[j - o + 1]: W is F mirrored.

StyleGAN2 holds equalised weights as NVIDIA's TensorFlow code had them: layers that double the side apply their kernel
mirrored, and a style's offset of 1 is not in its bias. Older files call a dense weight `fc.weight` and keep kernels as
[side, side, in, out].
"""

import math
import re

from torch import Tensor

from sgf_hub.generators.formats.checkpoint import (
    Checkpoint,
    Piece,
    UnsupportedError,
    check_filter,
    check_square,
    equalized,
    grey,
    highest,
    side,
)
from sgf_hub.generators.formats.state_dicts import StateDict
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2

FORMAT, FORMAT2 = "a genforce ProgressiveGAN checkpoint", "a genforce StyleGAN2 checkpoint"
ROOT2 = math.sqrt(2)
MAPPING_RATE = 0.01  # of learning, in the mapping network of StyleGAN2
_OFFSET, _FUSED = ".wscale.bias", re.compile(r"layer\d+\.weight")
_STYLED = re.compile(r"synthesis\.layer\d+\.style\.(fc\.)?weight")


def read(weights: StateDict, name: str) -> Checkpoint | None:
    """The generator of a state dict, or None if it is not of this format.

    Raises:
        UnsupportedError: for a network whose growth had not ended.
        CorruptFileError: if something is missing.
    """
    tensors = weights.tensors
    if any(_STYLED.match(key) for key in tensors):
        return _stylegan2(name, tensors, weights.notes)
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
        notes=weights.notes,
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


def _stylegan2(name: str, tensors: dict[str, Tensor], notes: tuple[str, ...]) -> Checkpoint:
    """StyleGAN2, with the names of genforce."""
    above = max(highest(tensors, "synthesis.output"), 0)  # levels above 4 px
    const, old = "synthesis.early_layer.const", "mapping.dense0.fc.weight" in tensors
    if const in tensors:
        check_square(name, tensors[const], above)
    layers = highest(tensors, "mapping.dense") + 1
    fc = "fc." if old else ""
    out, into = (3, 2) if old else (0, 1)  # axes of a kernel
    noise = any(key.endswith(".noise") for key in tensors)

    def dense(ours: str, theirs: str, rate: float = 1.0, offset: float = 0.0) -> dict[str, Piece]:
        key = f"{theirs}.{fc}weight"
        fan_in = side(name, tensors, key, 1, dims=2)
        return {
            f"{ours}.weight": Piece(key, equalized(fan_in, gain=rate)),
            f"{ours}.bias": Piece(f"{theirs}.bias", rate, arrange=lambda bias: bias + offset if offset else bias),
        }

    def conv(ours: str, number: int, *, up: bool = False) -> dict[str, Piece]:
        theirs = f"synthesis.layer{number}"
        key = f"{theirs}.weight"
        fan_in = 9 * side(name, tensors, key, into, dims=4)
        shape = tuple(tensors[key].shape)

        def arranged(kernel: Tensor) -> Tensor:
            kernel = kernel.permute(3, 2, 0, 1) if old else kernel
            return kernel.flip(2, 3) if up else kernel

        pieces = {f"{ours}.weight": Piece(key, equalized(fan_in), shape, arranged)}
        pieces |= dense(f"{ours}.affine", f"{theirs}.style", offset=1.0)
        pieces[f"{ours}.bias"] = Piece(f"{theirs}.bias")
        if noise:
            pieces[f"{ours}.noise_const"] = Piece(f"{theirs}.noise")
            pieces[f"{ours}.noise_strength"] = Piece(f"{theirs}.noise_strength")
        return pieces

    def rgb(ours: str, theirs: str) -> dict[str, Piece]:
        key = f"{theirs}.weight"
        fan_in = side(name, tensors, key, into, dims=4)
        turned = (lambda kernel: kernel.permute(3, 2, 0, 1)) if old else None
        weight = Piece(key, equalized(fan_in), tuple(tensors[key].shape), turned)
        bias = Piece(f"{theirs}.bias")
        if colours == 1:
            weight, bias = grey(tensors, weight), grey(tensors, bias)
        return {f"{ours}.weight": weight, f"{ours}.bias": bias} | dense(f"{ours}.affine", f"{theirs}.style", offset=1.0)

    channels = [side(name, tensors, f"synthesis.layer{2 * i}.weight", out, dims=4) for i in range(above + 1)]
    colours = side(name, tensors, "synthesis.output0.weight", out, dims=4)
    latent_dim = side(name, tensors, f"mapping.dense{max(layers - 1, 0)}.{fc}weight", 0, dims=2)
    pieces = {"blocks.0.const": Piece(const)}
    if "truncation.w_avg" in tensors:
        pieces["w_avg"] = Piece("truncation.w_avg")
    else:
        notes += ("the mean w is that of 10,000 draws: the file holds none",)
    for i in range(layers):
        pieces |= dense(f"mapping.{i}", f"mapping.dense{i}", MAPPING_RATE)
    for i in range(above + 1):
        if i > 0:
            pieces |= conv(f"blocks.{i}.conv0", 2 * i - 1, up=True)
        pieces |= conv(f"blocks.{i}.conv1", 2 * i)
        pieces |= rgb(f"blocks.{i}.rgb", f"synthesis.output{i}")
    filters = [key for key in tensors if key.endswith((".filter.kernel", ".upsample.kernel"))]
    for key in filters:
        check_filter(name, FORMAT2, tensors, key, gain=4.0)
    return Checkpoint(
        name=name,
        format=FORMAT2,
        kind=StyleGAN2,
        config={
            "resolution": 4 << above,
            "latent_dim": latent_dim,
            "z_dim": side(name, tensors, f"mapping.dense0.{fc}weight", 1, dims=2),
            "mapping_layers": layers,
            "mapping_width": side(name, tensors, f"mapping.dense0.{fc}weight", 0, dims=2) if layers > 1 else None,
            "channels": channels,
            "noise": noise,
            "image_channels": 3 if colours == 1 else colours,
        },
        pieces=pieces,
        tensors=tensors,
        spare=frozenset(filters),
        notes=notes,
    )
