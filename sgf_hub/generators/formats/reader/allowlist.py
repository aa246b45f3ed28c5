"""The exact list of classes and functions a checkpoint may ask for, each with a stand-in of ours that runs nothing.

Seen in checkpoints of StyleGAN2-ADA, StyleGAN3, rosinality, pytorch_GAN_zoo and genforce, written by Python 2 and 3, by
torch since 0.4 and by NumPy 1 and 2. A stand-in builds a dict, set, number or tensor, or an `Opaque` object that only
says what the file said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from sgf_hub.generators.formats.reader.budget import Opaque, ReadBudget, Unreadable
from sgf_hub.generators.formats.reader.tensors import Array, Dtype, from_buffer, parameter, scalar, sides, tensor
from sgf_hub.validation import short

_MAX_NAME = 256
WHOLE_MODULE = "torch.nn.Module"
"""What stands for the class of a module in files of old, which do not name it where it is asked for."""


@dataclass(frozen=True, eq=False, slots=True)
class Global:
    """A class or function that a file may name.

    Args:
        name: "module.qualname".
        make: takes the place of calling it; None where it may be named only.
        dtype: of a class of storages.
    """

    name: str
    make: Callable[[ReadBudget, tuple], Any] | None = None
    dtype: torch.dtype | None = None


class UnlistedError(Unreadable):
    """A class or function that is not on the list.

    Args:
        name: "module.qualname".
        reason: the sentence.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


def find(module: str, name: str) -> Global | Opaque:
    """What stands for a class or function of a file.

    Raises:
        Unreadable: if it is not on the list.
    """
    if len(module) > _MAX_NAME or len(name) > _MAX_NAME:
        raise Unreadable("asks for a class with a name of hundreds of letters: it is refused.")
    full = f"{module}.{name}"
    if full in _TORCH_DTYPES:
        return Opaque(full)
    if full not in _ALLOWED:
        advice = next((f"; {text}" for prefix, text in _ADVICE.items() if full.startswith(prefix)), "")
        raise UnlistedError(
            full,
            f"asks for {short(full)}, which no generator checkpoint needs: it is refused, and nothing of it was run"
            f"{advice}.",
        )
    return _ALLOWED[full]


def key(value: Any) -> Any:
    """`value`, if it may be a key or in a set: hashed in little time, and to hashes that a file cannot make collide."""
    if type(value) in (str, bytes, bool, type(None)) or (type(value) is int and abs(value) < 2**60):
        return value
    what = "an enormous number" if type(value) is int else f"a {type(value).__name__}"
    raise Unreadable(f"uses {what} as a key, which no generator checkpoint does.")


def _dict(budget: ReadBudget, args: tuple) -> dict:
    pairs = _items(budget, args)
    if not all(type(pair) in (list, tuple) for pair in pairs):
        raise TypeError("not pairs")
    return {key(name): value for name, value in pairs}


def _defaults(budget: ReadBudget, args: tuple) -> dict:
    """A `defaultdict`, whose factory is of no interest."""
    return _dict(budget, args[1:])


def _set(budget: ReadBudget, args: tuple) -> set:
    return set(map(key, _items(budget, args)))


def _items(budget: ReadBudget, args: tuple) -> list | tuple | set:
    """The one argument of a collection, or nothing; a tensor is none, since to walk one makes a tensor of each row."""
    (items,) = args or ((),)
    if type(items) not in (list, tuple, set):
        raise TypeError("not a collection")
    budget.operations(len(items))
    return items


def _size(budget: ReadBudget, args: tuple) -> tuple:
    (size,) = args
    return sides(size)


def _bytes(budget: ReadBudget, args: tuple) -> bytes:
    if args:
        raise ValueError("only the empty byte string is written so")
    return b""


def _encode(budget: ReadBudget, args: tuple) -> bytes:
    text, encoding = args
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise ValueError("not how byte strings are written")
    budget.copied(len(text))
    return text.encode("latin-1")


def _opaque(name: str) -> Callable[[ReadBudget, tuple], Opaque]:
    return lambda budget, args: Opaque(name, args)


_STORAGES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
_TORCH_DTYPES = {str(dtype) for dtype in _STORAGES.values()}  # "torch.float32", ...: named, and nothing to call
_OPAQUE = (
    "argparse.Namespace",
    "models.utils.config.BaseConfig",  # of pytorch_GAN_zoo
    "pathlib.PosixPath",  # among a trainer's options
    "pathlib.WindowsPath",
    "torch.device",
    "torch_utils.persistence._reconstruct_persistent_obj",  # of NVIDIA: its meta holds code, which nobody runs
)
_MADE: dict[str, Callable[[ReadBudget, tuple], Any] | None] = {
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _defaults,
    "dnnlib.util.EasyDict": _dict,
    "lightning_fabric.utilities.data.AttributeDict": _dict,
    "pytorch_lightning.utilities.parsing.AttributeDict": _dict,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "builtins.frozenset": _set,
    "__builtin__.frozenset": _set,
    "builtins.bytes": _bytes,
    "__builtin__.bytes": _bytes,
    "_codecs.encode": _encode,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_parameter": parameter,
    "torch.nn.parameter.Parameter": parameter,
    "numpy.dtype": Dtype,
    "numpy.ndarray": None,
    # factories of defaultdicts
    **{f"{builtins}.{name}": None for builtins in ("builtins", "__builtin__") for name in ("dict", "int", "list")},
    **{
        f"numpy.{core}.{name}": make
        for core in ("core", "_core")
        for name, make in (
            ("multiarray.scalar", scalar),
            ("multiarray._reconstruct", Array),
            ("numeric._frombuffer", from_buffer),
        )
    },
}
NESTED = Global("torch.storage._load_from_bytes")
"""A storage as the bytes of a file inside a pickle: who reads files answers for it (`Machine.nested`)."""
_ALLOWED = (
    {NESTED.name: NESTED}
    | {name: Global(name, make) for name, make in _MADE.items()}
    | {name: Global(name, _opaque(name)) for name in _OPAQUE}
    | {name: Global(name, dtype=dtype) for name, dtype in _STORAGES.items()}
)
_ADVICE = {
    "dnnlib.tflib": "it is one of NVIDIA's TensorFlow pickles: convert it with legacy.py of stylegan2-ada-pytorch",
    "__torch__": "it is TorchScript: load it with torch.jit.load and wrap it in CustomGenerator",
}
