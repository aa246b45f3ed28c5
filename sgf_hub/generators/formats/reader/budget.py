"""What reading one file may cost, and the two things every part of the reader speaks of: refusals and inert objects."""

from dataclasses import dataclass
from typing import Any

MAX_FILE = 4 * 2**30  # bytes; the largest training checkpoint of a 1024 px StyleGAN2 is under one gigabyte
MAX_OPERATIONS = 2**18  # the golden pickle of a 64 px StyleGAN2-ADA takes 42,000, one of 1024 px twice as many
_SPARE = 2**20  # bytes, so that small files need no exact accounts


class Unreadable(Exception):
    """Why a file is refused: the rest of a sentence that begins with the file's name."""


@dataclass(eq=False, repr=False, slots=True)
class Opaque:
    """An object of an allowed class as the file describes it; nothing of the class was called.

    Args:
        name: "module.qualname" of the class or function that the file asks for.
        args: what it would have been called with.
        state: what its `__setstate__` or `__dict__` would have been given, or None.
    """

    name: str
    args: tuple = ()
    state: Any = None

    def __repr__(self) -> str:
        return f"Opaque({self.name!r})"  # without what it holds, which may unfold without end


class ReadBudget:
    """What is left of the operations and bytes that one file may cost; every part of the file spends from it.

    A file that is read honestly spends each of its bytes about twice (bytes inside the pickle, then a tensor) and an
    operation a value. What goes beyond has been made to fill memory: the same megabyte made into a thousand tensors.

    Args:
        size: of the file, in bytes.
        tensors: whether tensors get their values, or stay on the "meta" device.
    """

    def __init__(self, size: int, *, tensors: bool) -> None:
        self.tensors = tensors
        self.inside = False  # within the bytes of a storage, where no further storage may hide
        self._operations = MAX_OPERATIONS
        self._copied = 2 * size + _SPARE
        self._viewed = 4 * size + _SPARE

    def operations(self, count: int = 1) -> None:
        """Spend operations of the pickle machine, or of work that is as long as one."""
        self._operations -= count
        if self._operations < 0:
            raise Unreadable(f"takes more than {MAX_OPERATIONS:,} steps to read, which no generator checkpoint does.")

    def copied(self, size: int) -> None:
        """Spend bytes that are copied out of the file."""
        self._copied -= size
        if self._copied < 0:
            raise Unreadable("unfolds to more than twice its size: it was made to fill memory, and is refused.")

    def viewed(self, size: int) -> None:
        """Spend bytes that tensors show, of a storage that others may show too."""
        self._viewed -= size
        if self._viewed < 0:
            raise Unreadable("declares tensors of more than four times its size: it was made to fill memory.")
