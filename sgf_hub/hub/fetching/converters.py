"""Other people's files as tensors of our modules. Each is read as data; nothing in it is run."""

import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sgf_hub.errors import CorruptFileError

Converted = tuple[dict[str, Any], dict[str, Tensor]]
"""The keyword arguments of a class of ours that the file decides, and its weights."""

_EPSILON = 1e-5  # of DCGAN's batch normalisation
# what torch.load says of a file that is none of its own, and we of one that holds something else
_DAMAGE = (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, AssertionError,
           struct.error, pickle.UnpicklingError)  # fmt: skip


def read_dcgan(path: Path) -> Converted:
    """A file of torch's tutorial on DCGAN, {"netG_state_dict": ...}, with the normalisation folded into the weights.

    Raises:
        CorruptFileError: if it is not one.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        return {}, fold_dcgan(held["netG_state_dict"])
    except _DAMAGE as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:80]
        raise CorruptFileError(f"{path.name} is no checkpoint of a DCGAN ({said}).") from None


def fold_dcgan(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a `DCGAN` out of `main.0.weight`, `main.1.weight`, `main.1.running_mean`, ...: layers in turn.

    In evaluation a batch normalisation is a factor and an offset for every channel.
    """
    numbers = sorted({int(key.split(".")[1]) for key in state if key.startswith("main.") and key.endswith(".weight")})
    if not numbers:
        raise LookupError("it has no main.0.weight")
    weights: dict[str, Tensor] = {}
    for i, number in enumerate(numbers[0::2]):
        weight = state[f"main.{number}.weight"].float()
        bias = weight.new_zeros(weight.shape[1])
        if f"main.{number + 1}.weight" in state:
            gain, offset, mean, variance = (
                state[f"main.{number + 1}.{name}"].float() for name in ("weight", "bias", "running_mean", "running_var")
            )
            gain = gain * (variance + _EPSILON).rsqrt()
            weight, bias = weight * gain[:, None, None], offset - mean * gain
        weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"] = weight, bias
    return weights


def _tflite(path: Path) -> Converted:
    from sgf_hub.hub.fetching.tflite_graph import read_tflite

    return read_tflite(path)


def _onnx(path: Path) -> Converted:
    from sgf_hub.hub.fetching.onnx_graph import read_onnx

    return read_onnx(path)


CONVERTERS: dict[str, Callable[[Path], Converted]] = {"dcgan": read_dcgan, "tflite": _tflite, "onnx": _onnx}
"""By the name that a manifest gives."""
