"""`read_tensors`: the tensors of a file that somebody's inverter or direction finder wrote, told by what is in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.reader import read_checkpoint
from sgf_hub.latents.arrays import read_npy, read_npz
from sgf_hub.validation import check_downloaded

ACCEPTED = "give a .safetensors, .npz, .npy, .pt or .pth file"
_LIMIT = 2**28  # bytes; 7,000 w+ latents of a 1024 px StyleGAN2
_DEPTH = 4  # of dicts and lists in each other: a dict of pictures holds dicts of tensors

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Tensors:
    """What a file holds.

    Args:
        name: of the file.
        stem: of its name: public tools call a file of one array by what it holds, "z.npy".
        held: each tensor of floating point, as float32, by its keys from the outside in; () for a bare one.
        metadata: of a safetensors file.
    """

    name: str
    stem: str
    held: dict[Keys, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_tensors(path: str | Path) -> Tensors:
    """Read a file of safetensors, of NumPy (one array or several), or of torch (tensors in dicts and lists).

    Raises:
        CorruptFileError: if it is missing, too large, damaged, of another format, or without such tensors. No code of
            the file has run, and nothing was allocated that the file does not hold.
    """
    path = Path(path)
    if not path.is_file():
        raise CorruptFileError(f"there is no file at {path}: {ACCEPTED}.")
    size = path.stat().st_size
    if size > _LIMIT:
        raise CorruptFileError(f"{path.name} is larger than any file of latents ({_LIMIT >> 20} MB): save fewer in it.")
    check_downloaded(path)
    with path.open("rb") as file:
        start = file.read(64)
    metadata: Mapping[str, str] = {}
    if start.startswith(b"\x93NUMPY"):
        held: dict[Keys, Tensor] = {(): read_npy(path)}
    elif start.startswith(b"PK") and b".npy" in start:  # the first member's name stands here
        held = {(key,): one for key, one in read_npz(path).items()}
    elif start.startswith((b"PK", b"\x80")):
        held = dict(_leaves(read_checkpoint(path)))
    elif start[8:9] == b"{" or path.suffix == ".safetensors":
        held, metadata = _safetensors(path)
    else:
        what = "no file of latents or directions" if size else "empty"
        raise CorruptFileError(f"{path.name} is {what}: {ACCEPTED}.")
    held = {keys: one.to(torch.float32, copy=True) for keys, one in held.items() if one.is_floating_point()}
    if not held:
        raise CorruptFileError(f"{path.name} holds no tensor of floating-point numbers: {ACCEPTED} with one.")
    return Tensors(path.name, path.stem, held, metadata)


def _safetensors(path: Path) -> tuple[dict[Keys, Tensor], Mapping[str, str]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return {(key,): file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptFileError(
            f"{path.name} cannot be read as safetensors ({error}): it is damaged or foreign; save the latent again."
        ) from None


def _leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Tensor]]:
    """The tensors in dicts and lists."""
    if isinstance(value, Tensor):
        yield keys, value.detach()
    elif len(keys) < _DEPTH and isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, (*keys, str(key)))
    elif len(keys) < _DEPTH and isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _leaves(one, (*keys, str(number)))
