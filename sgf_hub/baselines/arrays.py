"""Reads the `.npy` and `.npz` files of the public tools without running, allocating or believing what they say."""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sgf_hub.errors import CorruptFileError

_LIMIT = 2**28  # bytes; 80 components of the largest layer that is used (512 x 8 x 8) are 10 MB
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, RuntimeError, RecursionError)
_UNREADABLE += (tokenize.TokenError, zipfile.BadZipFile, zlib.error, OverflowError)  # type: ignore[assignment]


def read_npy(path: str | Path) -> Tensor:
    """The array of an `.npy` file, float32.

    Raises:
        CorruptFileError: if it is missing, too large, damaged, a pickle, not of floating point, or not finite.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LIMIT:
            raise CorruptFileError(f"{path.name} is larger than {_LIMIT >> 20} MB: it holds no direction.")
        return _finite(_parse(path.read_bytes()), path.name)
    except _UNREADABLE as error:
        raise CorruptFileError(f"{path.name} cannot be read as .npy ({_line(error)}).") from None


def read_npz(path: str | Path, keys: Sequence[str]) -> dict[str, Tensor]:
    """The arrays called `keys` of an `.npz` file, float32.

    Raises:
        CorruptFileError: as `read_npy`, or if an array is missing.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            missing = [key for key in keys if f"{key}.npy" not in members]
            if missing:
                raise CorruptFileError(f"{path.name} lacks {', '.join(missing)}: it holds no components.")
            if sum(members[f"{key}.npy"].file_size for key in keys) > _LIMIT:
                raise CorruptFileError(f"{path.name} is larger than {_LIMIT >> 20} MB: it holds no components.")
            return {key: _finite(_parse(archive.read(f"{key}.npy")), f"{key} of {path.name}") for key in keys}
    except _UNREADABLE as error:
        raise CorruptFileError(f"{path.name} cannot be read as .npz ({_line(error)}).") from None


def _parse(data: bytes) -> np.ndarray:
    """The array of an `.npy` file's bytes: its header is held against their number before anything is allocated."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"format {version}")
    shape, columns_first, dtype = _HEADERS[version](stream)
    if dtype.kind != "f":
        raise ValueError("it holds no floating-point numbers")
    start = stream.tell()
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError("its length is not what its header says")
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if columns_first else "C")


def _finite(array: np.ndarray, name: str) -> Tensor:
    with np.errstate(over="ignore"):
        values = torch.from_numpy(array.astype(np.float32))
    if not torch.isfinite(values).all():
        raise CorruptFileError(f"{name} holds numbers that are not finite.")
    return values


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
