"""ProgressiveGAN checkpoints of facebookresearch/pytorch_GAN_zoo: {config, netG, netD, avgG}.

Learning rates are equalised by He's constant, sqrt(2 / fan-in), which there multiplies a layer's output: the offset has
the gain of the weight.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.checkpoint import (
    Checkpoint,
    Piece,
    UnsupportedError,
    equalized,
    grey,
    highest,
    is_plain,
    named,
    side,
)
from sgf_hub.generators.formats.reader import Opaque
from sgf_hub.generators.formats.state_dicts import StateDict
from sgf_hub.generators.progan import ProGAN
from sgf_hub.validation import short

FORMAT = "a pytorch_GAN_zoo ProgressiveGAN checkpoint"

# what the function depends on besides the weights: the setting, what is supported, what the trainer takes by default
_FIXED = {
    "perChannelNormalization": True,
    "equalizedlR": True,
    "leakyReluLeak": 0.2,
    "categoryVectorDim": 0,  # classes
}


def read(weights: StateDict, name: str) -> Checkpoint | None:
    """The generator of a state dict, or None if it is not of this format.

    Raises:
        UnsupportedError: for settings that change the function in a way that ProGAN does not know.
        CorruptFileError: if something is missing.
    """
    tensors = weights.tensors
    if not any(key.startswith(("formatLayer.module.", "groupScale0.")) for key in tensors):
        return None
    config = weights.root.get("config") if isinstance(weights.root, Mapping) else None
    settings = dict(named(config.state if isinstance(config, Opaque) else config))
    for key, wanted in _FIXED.items():
        if key in settings and not (is_plain(settings[key]) and settings[key] == wanted):
            raise UnsupportedError(
                FORMAT,
                f"{name!r} was trained with {key} = {short(settings[key])}: only {key} = {wanted} is supported.",
            )
    if settings.get("lossCriterion") == "MSE":
        raise UnsupportedError(
            FORMAT, f"{name!r} was trained with the loss 'MSE', whose generator ends in a tanh: that is not supported."
        )
    alpha = settings.get("alpha", 0)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise CorruptFileError(f"{name!r} says that alpha is {short(alpha)}; it must be a number from 0 to 1.")
    return _progan(name, tensors, fade=1.0 - alpha, notes=weights.notes)


def _progan(name: str, tensors: dict[str, Tensor], *, fade: float, notes: tuple[str, ...]) -> Checkpoint:
    above = highest(tensors, "scaleLayers.") + 1  # levels above 4 px
    firsts = ["groupScale0.0", *(f"scaleLayers.{i}.0" for i in range(above))]
    channels = [side(name, tensors, f"{conv}.module.weight", 0, dims=4) for conv in firsts]

    def layer(ours: str, theirs: str, *, dims: int = 4) -> dict[str, Piece]:
        key = f"{theirs}.module.weight"
        fan_in = math.prod(side(name, tensors, key, axis, dims=dims) for axis in range(1, dims))
        gain = equalized(fan_in, gain=math.sqrt(2))
        return {f"{ours}.{part}": Piece(f"{theirs}.module.{part}", gain) for part in ("weight", "bias")}

    pieces = layer("first", "formatLayer", dims=2) | layer("blocks.0.conv1", "groupScale0.0")
    for i in range(above):
        for number in (0, 1):
            pieces |= layer(f"blocks.{i + 1}.conv{number}", f"scaleLayers.{i}.{number}")
    for i in range(above + 1):
        rgb = layer(f"rgb.{i}", f"toRGBLayers.{i}")
        one = side(name, tensors, f"toRGBLayers.{i}.module.weight", 0, dims=4) == 1
        pieces |= {ours: grey(tensors, piece) for ours, piece in rgb.items()} if one else rgb
    if fade < 1:
        notes += (f"growth had not ended: the last block has faded in by {fade:.0%}",)
    return Checkpoint(
        name=name,
        format=FORMAT,
        kind=ProGAN,
        config={
            "resolution": 4 << above,
            "latent_dim": side(name, tensors, "formatLayer.module.weight", 1, dims=2),
            "channels": channels,
            "fade": fade,
        },
        pieces=pieces,
        tensors=tensors,
        notes=notes,
    )
