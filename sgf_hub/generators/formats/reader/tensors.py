"""Tensors and NumPy arrays of a checkpoint, rebuilt from their bytes and held against them.

A shape is only what a file says; what it shows must lie in the storage that it names. A view may show a value many
times (one w for every layer is saved with a stride of zero), and is paid for as if all were held: strides of zero would
make terabytes of four bytes.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.generators.formats.reader.budget import ReadBudget, Unreadable
from sgf_hub.validation import short

_MAX_DIMS = 8
_TENSOR = 8  # operations: what a tensor object takes in time and memory, however few its values


def new_storage(budget: ReadBudget, dtype: torch.dtype, count: int) -> Tensor:
    """A storage of `count` values, not yet filled: a flat tensor, on the "meta" device where only shapes are wanted."""
    budget.operations(_TENSOR)
    if not budget.tensors:
        return torch.empty(count, dtype=dtype, device="meta")
    budget.copied(count * dtype.itemsize)
    return torch.empty(count * dtype.itemsize, dtype=torch.uint8).view(dtype)


def fill_storage(storage: Tensor, data: memoryview | np.ndarray) -> None:
    """Copy a storage's bytes into it."""
    if not storage.is_meta:
        storage.view(torch.uint8).numpy()[:] = np.frombuffer(data, np.uint8)
        if storage.dtype == torch.bool:
            storage.copy_(storage.view(torch.uint8) != 0)  # a byte beyond 0 and 1 is no truth value


def tensor(budget: ReadBudget, args: tuple) -> Tensor:
    """`torch._utils._rebuild_tensor_v2`: a view of a storage."""
    storage, offset, size, stride = args[:4]
    if not isinstance(storage, Tensor) or storage.dim() != 1:
        raise TypeError("not a storage")
    held = storage.numel()
    size, stride = sides(size), sides(stride)
    if type(offset) is not int or not 0 <= offset <= held or len(size) != len(stride):
        raise ValueError("not a tensor")
    count = math.prod(size)
    if count and offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) >= held:
        raise Unreadable(f"declares a tensor of shape {short(list(size))} over a storage of {held} values.")
    budget.operations(_TENSOR)
    budget.viewed(count * storage.itemsize)
    return storage.as_strided(size, stride, offset) if count else storage.new_empty(size)


def parameter(budget: ReadBudget, args: tuple) -> Tensor:
    """`torch._utils._rebuild_parameter`: its tensor."""
    if not isinstance(args[0], Tensor):
        raise TypeError("not a tensor")
    return args[0]


def sides(value: Any) -> tuple[int, ...]:
    """A shape or strides: a few numbers that are not negative."""
    if type(value) is not tuple or len(value) > _MAX_DIMS or not all(type(side) is int for side in value):
        raise Unreadable("declares a tensor whose shape is not a few whole numbers: it is damaged.")
    if not all(0 <= side < 2**40 for side in value):
        raise Unreadable(f"declares a tensor of shape or strides {short(value)}: it is damaged.")
    return value


# NumPy


class Dtype:
    """Stands for a `numpy.dtype`: numbers of the machine's byte order only."""

    def __init__(self, budget: ReadBudget, args: tuple) -> None:
        name = args[0] if type(args[0]) is str and len(args[0]) < 8 else "unknown"
        self.code = name.lstrip("<|=")
        if self.code not in _NUMBERS:
            raise Unreadable(f"holds NumPy data of type {name!r}, which no generator checkpoint needs.")

    def build(self, state: Any) -> None:
        """Only the byte order is of interest."""
        if type(state) is not tuple or state[1] not in ("<", "|", "="):
            raise Unreadable("holds NumPy data in big-endian order, which is not read here.")

    def read(self, budget: ReadBudget, data: Any, count: int) -> np.ndarray:
        """`count` numbers out of bytes, or out of the text that Python 2 wrote for bytes."""
        if type(data) is str:
            budget.copied(len(data))
            data = data.encode("latin-1")
        if type(data) not in (bytes, memoryview) or len(data) != count * np.dtype(self.code).itemsize:
            raise Unreadable("holds a NumPy array whose bytes do not fit its shape: it is damaged.")
        return np.frombuffer(data, self.code)

    def tensor(self, budget: ReadBudget, data: Any, size: Any, fortran: bool) -> Tensor:
        """An array as a tensor."""
        shape = sides(size)
        dtype = _NUMBERS[self.code]
        if dtype is None or math.prod(shape) > len(data):
            raise Unreadable(f"holds a NumPy array of {self.code} of shape {short(shape)}: it is damaged or foreign.")
        flat = new_storage(budget, dtype, math.prod(shape))
        fill_storage(flat, self.read(budget, data, flat.numel()))
        return flat.view(shape[::-1]).permute(tuple(range(len(shape)))[::-1]) if fortran else flat.view(shape)


class Array:
    """Stands for a `numpy.ndarray` until its state is known; then `value` is a tensor."""

    def __init__(self, budget: ReadBudget, args: tuple) -> None:
        self.value: Tensor | None = None

    def build(self, budget: ReadBudget, state: Any) -> Tensor:
        """From (version, shape, dtype, in Fortran's order, bytes)."""
        _, shape, dtype, fortran, data = state if type(state) is tuple else ()
        if type(dtype) is not Dtype or self.value is not None:
            raise TypeError("not an array's state")
        self.value = dtype.tensor(budget, data, shape, fortran is True)
        return self.value


def scalar(budget: ReadBudget, args: tuple) -> int | float | bool:
    """`numpy._core.multiarray.scalar`: a Python number."""
    dtype, data = args
    if type(dtype) is not Dtype:
        raise TypeError("not a dtype")
    return dtype.read(budget, data, 1)[0].item()


def from_buffer(budget: ReadBudget, args: tuple) -> Tensor:
    """`numpy._core.numeric._frombuffer`: how pickles of protocol 5 hold arrays."""
    data, dtype, shape, order = args
    if type(dtype) is not Dtype:
        raise TypeError("not a dtype")
    return dtype.tensor(budget, data, shape, order == "F")


_NUMBERS: dict[str, torch.dtype | None] = {  # None: as a single number only
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "b1": torch.bool,
    "u2": None,
    "u4": None,
    "u8": None,
}
