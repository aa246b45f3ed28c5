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
from sgf_hub.validation import short

_LIMIT = 2**28  # bytes; 80 components of the largest layer that is used (512 x 8 x 8) are 10 MB
_MOST = 2**12  # arrays of a file
_UNFOLDS, _SPARE = 100, 2**20  # by how much a compressed file may grow
_REFUSED = "that is more than is read, so save what is needed of it alone"
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
        return _finite(_parse(_content(path)), path.name)
    except _UNREADABLE as error:
        raise CorruptFileError(f"{path.name} cannot be read as .npy ({_line(error)}).") from None


def read_npz(path: str | Path, keys: Sequence[str] = ()) -> dict[str, Tensor]:
    """The arrays called `keys` of an `.npz` file, or all that are of floating point, as float32.

    Raises:
        CorruptFileError: as `read_npy`, or if an array is missing, or they are thousands, or unfold out of proportion.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(io.BytesIO(_content(path))) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            missing = [key for key in keys if key not in members]
            if missing:
                raise CorruptFileError(f"{path.name} lacks {', '.join(missing)}: it holds no components.")
            wanted = [members[key] for key in keys or members]
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in wanted):
                raise zipfile.BadZipFile("compressed in a way that NumPy does not use")
            size, packed = sum(member.file_size for member in wanted), path.stat().st_size
            if size > min(_LIMIT, _SPARE + _UNFOLDS * packed):
                raise CorruptFileError(f"{path.name} unfolds from {packed:,} to {size:,} bytes: {_REFUSED}.")
            found = {}
            for member in wanted:
                key = member.filename.removesuffix(".npy")
                try:
                    found[key] = _finite(_parse(archive.read(member)), f"{short(key)[1:-1]} of {path.name}")
                except _NoNumbersError:
                    if keys:
                        raise
            return found
    except _UNREADABLE as error:
        raise CorruptFileError(f"{path.name} cannot be read as .npz ({_line(error)}).") from None


class _NoNumbersError(ValueError):
    """An array of something else than floating-point numbers."""


def _content(path: Path) -> bytes:
    """A file, once it is known not to be large or crowded."""
    if path.stat().st_size > _LIMIT:
        raise CorruptFileError(f"{path.name} is larger than {_LIMIT >> 20} MB: {_REFUSED}.")
    data = path.read_bytes()
    if data[:2] == b"PK" and data.count(b"PK\1\2") > _MOST:  # before a list of them is made
        raise CorruptFileError(f"{path.name} holds more than {_MOST} arrays: {_REFUSED}.")
    return data


def _parse(data: bytes) -> np.ndarray:
    """The array of an `.npy` file's bytes: its header is held against their number before anything is allocated."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"format {version}")
    shape, columns_first, dtype = _HEADERS[version](stream)
    if dtype.kind == "O":
        raise _NoNumbersError(
            "it holds Python objects, which are not read: np.save the array of numbers that is in them"
        )
    if dtype.kind != "f":
        raise _NoNumbersError("it holds no floating-point numbers")
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
