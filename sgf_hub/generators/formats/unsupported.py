"""Files and checkpoints that are recognised and refused by name, and the rest, of which a few keys are shown."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.checkpoint import UnsupportedError, named, tensors_of
from sgf_hub.generators.formats.reader import Opaque
from sgf_hub.validation import check_downloaded, short

ACCEPTED = (
    "StyleGAN2 of NVIDIA, rosinality and genforce, StyleGAN3 of NVIDIA, and ProgressiveGAN of pytorch_GAN_zoo and "
    "genforce are read"
)
_TAIL = 1 << 20  # bytes at a zip file's end in which its names stand

_STYLEGAN1 = re.compile(r"(synthesis\.layer0\.epilogue|generator\.progression\.|g_mapping\.|.*\.epi1\.)")
_STYLEGAN3 = re.compile(r"(.*\.)?(synthesis\.input\.freqs|L\d+_\d+_\d+\.)")
_DISCRIMINATOR = re.compile(
    r"(D\.|discriminator\.|final_conv\.|b4\.out\.|b\d+\.fromrgb\.|fromRGBLayers\.|decisionLayer\.)"
)


def refuse_file(path: Path) -> None:
    """Raise an UnsupportedError for files that are recognised by their first and last bytes."""
    try:
        check_downloaded(path)
        with path.open("rb") as file:
            start = file.read(16)
            file.seek(max(path.stat().st_size - _TAIL, 0))
            end = file.read(_TAIL) if start.startswith(b"PK\3\4") else b""
    except OSError as error:
        raise CorruptFileError(f"{path.name!r} cannot be read ({error.strerror}).") from None
    if b"/constants.pkl" in end and b"/code/" in end:
        raise UnsupportedError(
            "a TorchScript file",
            f"{path.name!r} is a TorchScript file, a program and not weights alone: load it with torch.jit.load and "
            f"wrap it in a CustomGenerator.",
        )
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000:
        raise UnsupportedError(
            "a safetensors file",
            f"{path.name!r} is a safetensors file, which does not say what its weights belong to: give the folder with "
            f"its config.json, or wrap the network in a CustomGenerator.",
        )
    if re.match(rb"\x08[\x01-\x20][\x12\x1a\x3a\x42]", start):  # ir_version, then the producer or the graph
        raise UnsupportedError(
            "an ONNX file",
            f"{path.name!r} is an ONNX file, which is not run here: wrap the PyTorch network in a CustomGenerator.",
        )
    if start.startswith(b"\x89HDF\r\n"):
        raise UnsupportedError("an HDF5 file", f"{path.name!r} is an HDF5 file (Keras): {ACCEPTED}.")


def refusal(tree: Any, name: str) -> UnsupportedError:
    """Why what was read is no generator of a format we know."""
    if isinstance(tree, Opaque):
        return _unknown("a pickle", f"{name!r} holds {short(tree.name)}", ())
    if not isinstance(tree, Mapping):
        return _unknown("a pickle", f"{name!r} holds {short(type(tree).__name__)}", ())
    groups = {key: tensors_of(value) for key, value in named(tree)}
    tensors = tensors_of(tree) | {
        f"{key}.{one}": tensor for key, held in groups.items() for one, tensor in held.items()
    }
    keys = list(tensors)
    bare = [key for group in (tensors_of(tree), *groups.values()) for key in group]
    if any(_STYLEGAN3.match(key) for key in bare):
        return _unknown(
            "a StyleGAN3 state dict",
            f"{name!r} is a bare state dict of StyleGAN3, which lacks its settings: give NVIDIA's .pkl",
            (),
        )
    if any(_STYLEGAN1.match(key) for key in bare):
        return _unknown(
            "a StyleGAN1 checkpoint", f"{name!r} is a StyleGAN of the first version, which sgf-hub does not have", ()
        )
    if any(_DISCRIMINATOR.match(key) for key in bare):
        return _unknown("a discriminator", f"{name!r} holds a discriminator and no generator", ())
    if any("synthesis.b4.const" in key for key in bare):
        return _unknown(
            "a StyleGAN2-ADA state dict",
            f"{name!r} is a bare state dict of StyleGAN2-ADA, which lacks its bounds and gains: give NVIDIA's .pkl",
            (),
        )
    return _unknown("a torch checkpoint", f"{name!r} is of a format that sgf-hub does not know", keys or list(tree))


def _unknown(format: str, what: str, keys: Any) -> UnsupportedError:
    few = ", ".join(short(key)[:80] for key in list(keys)[:3])
    shown = f" (its keys: {few}{', ...' if len(keys) > 3 else ''})" if few else ""
    return UnsupportedError(format, f"{what}{shown}: {ACCEPTED}; any other PyTorch network fits in a CustomGenerator.")
