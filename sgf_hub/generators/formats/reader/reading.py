"""`read_checkpoint`: what a .pkl, .pt or .pth file of anybody holds, read without running any of it.

torch's own `weights_only` loading reads neither NVIDIA's pickles nor the older files, and bounds neither memory nor
time. Here a pickle goes through a machine of ours (`pickles.py`) that knows an exact list of names (`allowlist.py`),
and every byte and operation is paid for (`budget.py`), so that any file ends, soon, in a value or in one sentence.
"""

import struct
from pathlib import Path
from typing import Any

from torch import Tensor

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.reader.allowlist import WHOLE_MODULE, UnlistedError
from sgf_hub.generators.formats.reader.budget import MAX_FILE, Opaque, ReadBudget, Unreadable
from sgf_hub.generators.formats.reader.containers import read_pickle, read_zip
from sgf_hub.validation import short

_MAX_DEPTH = 100  # a StyleGAN3 pickle nests 20 deep
_MAX_VALUES = 2**20  # counted with repetition, as who walks the tree meets them
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, struct.error)


def read_checkpoint(path: Path, *, tensors: bool = True) -> Any:
    """The tree of objects in a checkpoint file: a pickle of NVIDIA's, or a torch file, old or new.

    Args:
        path: the file.
        tensors: whether tensors get their values; otherwise they are on the "meta" device.

    Returns:
        Dicts (of OrderedDict and EasyDict too), lists, tuples, sets, numbers (of NumPy too), strings, tensors on the
        CPU (NumPy arrays and parameters too), and `Opaque` objects, nested at most 100 deep and in no circle.

    Raises:
        CorruptFileError: for everything else, in one sentence. No code of the file has run, and memory stayed within
            three times the file's size and 100 MB.
    """
    path = Path(path)
    data = _bytes_of(path)
    budget = ReadBudget(len(data), tensors=tensors)
    try:
        value = (read_zip if data[:4] == b"PK\3\4" else read_pickle)(data, budget)
        _weigh(value, 0, {})
    except UnlistedError as reason:
        raise CorruptFileError(_whole_module(data, path.name, reason.name) or f"{path.name} {reason}") from None
    except Unreadable as reason:
        raise CorruptFileError(f"{path.name} {reason}") from None
    except MemoryError:
        raise CorruptFileError(f"{path.name} needs more memory than there is: use a larger machine.") from None
    except _DAMAGE:
        raise CorruptFileError(
            f"{path.name} is damaged, or not a checkpoint: what it holds makes no sense; fetch it again."
        ) from None
    return value


def _whole_module(data: memoryview, name: str, asked: str) -> str | None:
    """What to say of a file that `torch.save(module)` wrote, whose classes are the writer's own; None for others."""
    whole = bytes(data[: 1 << 24])
    if asked != WHOLE_MODULE and not all(part in whole for part in (b"_parameters", b"_buffers", b"_modules")):
        return None
    return (
        f"{name} holds a whole module ({short(asked)}) and not its weights alone, and to read it would run its code; "
        f"where that code is: torch.save(torch.load({name!r}, weights_only=False).state_dict(), 'weights.pt'). A "
        f"network of no format that is read here fits in a CustomGenerator."
    )


def _bytes_of(path: Path) -> memoryview:
    try:
        if not path.is_file():
            what = "a folder or a device" if path.exists() else "not there"
            raise CorruptFileError(f"{path} is {what}: give a .pkl, .pt or .pth file.")
        with path.open("rb") as file:
            size = path.stat().st_size
            data = file.read(MAX_FILE + 1) if size <= MAX_FILE else b""
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{path} cannot be read: {error}.") from None
    if size > MAX_FILE or len(data) > MAX_FILE:
        raise CorruptFileError(f"{path.name} is larger than any generator checkpoint ({MAX_FILE >> 30} GB).")
    if data[:1] != b"\x80" and data[:4] != b"PK\3\4":
        what = "empty" if not data else "neither a pickle nor a torch file"
        raise CorruptFileError(f"{path.name} is {what}: give a .pkl, .pt or .pth file of a generator.")
    return memoryview(data)


def _weigh(value: Any, depth: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a walk through `value` meets, and how deep it is nested; no circle and no excess passes.

    Args:
        value: a part of the tree.
        depth: where it is.
        known: what was weighed, by `id`: what is met again is not walked again.
    """
    if value is None or type(value) in (bool, int, float, str, bytes) or isinstance(value, Tensor):
        return 1, 0
    if id(value) in known:
        count, height = known[id(value)]
    else:
        if type(value) is dict:
            parts = list(value.values())
        elif type(value) in (list, tuple, set):
            parts = list(value)
        elif type(value) is Opaque:
            parts = [value.args, value.state]
        else:
            raise Unreadable("holds values that are neither plain data nor tensors: it is damaged or foreign.")
        if not parts:
            return 1, 0
        if depth >= _MAX_DEPTH:
            raise Unreadable(f"is nested more than {_MAX_DEPTH} deep, or in a circle: no generator checkpoint is.")
        weights = [_weigh(part, depth + 1, known) for part in parts]
        count = 1 + sum(weight[0] for weight in weights)
        height = 1 + max((weight[1] for weight in weights), default=0)
        known[id(value)] = count, height
    if depth + height > _MAX_DEPTH:
        raise Unreadable(f"is nested more than {_MAX_DEPTH} deep, or in a circle: no generator checkpoint is.")
    if count > _MAX_VALUES:
        raise Unreadable(f"unfolds to more than {_MAX_VALUES:,} values: it was made to fill memory, and is refused.")
    return count, height
