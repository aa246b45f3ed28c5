"""The two containers of torch, both a pickle with storages beside it: zip files, and the files of before 2020.

A zip file is read by its central directory, with a reader of our own: the entries that torch writes are stored, apart
from each other and few, so anything compressed, overlapping or in crowds is refused before memory is spent on it.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sgf_hub.generators.formats.reader.allowlist import WHOLE_MODULE, Global, UnlistedError, key
from sgf_hub.generators.formats.reader.budget import ReadBudget, Unreadable
from sgf_hub.generators.formats.reader.pickles import Machine
from sgf_hub.generators.formats.reader.tensors import fill_storage, new_storage
from sgf_hub.validation import short

MAGIC = 0x1950A86A20F9469CFC6C  # what a legacy file begins with, as a pickle of its own
_LEGACY_PROTOCOL = 1001
_MAX_ENTRIES = 2**16
_MAX_EXTRA = 256  # bytes; zip64 takes 32
_Storages = dict[str | int, Tensor]  # flat tensors, by the key that the pickle calls them by


def read_pickle(data: memoryview, budget: ReadBudget) -> Any:
    """The value of a plain pickle, or of a legacy file, which begins with the pickle of a magic number."""
    machine = Machine(data, 0, budget, nested=lambda data: nested_storage(data, budget))
    value = machine.run()
    if type(value) is int and value == MAGIC:
        return _read_legacy(data, machine.at, budget)
    if machine.at != len(data):
        raise Unreadable(f"goes on after its end at byte {machine.at}: it is damaged or foreign.")
    return value


def nested_storage(data: Any, budget: ReadBudget) -> Tensor:
    """`torch.storage._load_from_bytes`: a legacy file that holds one storage, inside a pickle."""
    if type(data) not in (bytes, memoryview) or budget.inside:
        raise Unreadable("hides a storage inside a storage: it is damaged or was made to do harm.")
    view = memoryview(data)
    budget.inside = True
    machine = Machine(view, 0, budget)
    magic = machine.run()
    if type(magic) is not int or magic != MAGIC:
        raise Unreadable("holds a storage in a format that torch does not write: it is damaged.")
    storage = _read_legacy(view, machine.at, budget)
    budget.inside = False
    if not isinstance(storage, Tensor) or storage.dim() != 1:
        raise TypeError("not a storage")
    return storage


def _read_legacy(data: memoryview, at: int, budget: ReadBudget) -> Any:
    """Protocol, machine, value and keys, a pickle each; then each storage: its length (int64) and its bytes."""
    storages: _Storages = {}

    def following(storage: Callable[[Any], Tensor] | None = None) -> Any:
        nonlocal at
        machine = Machine(data, at, budget, storage, lambda data: nested_storage(data, budget))
        value = machine.run()
        at = machine.at
        return value

    def storage(identity: Any) -> Tensor:
        name, dtype, count = _storage_named(identity)
        if name not in storages:
            if count * dtype.itemsize > len(data):
                raise Unreadable(f"declares a storage of {count} values: more than it holds.")
            storages[name] = new_storage(budget, dtype, count)
        return _of(storages[name], dtype, count)

    protocol, system = following(), following()
    if protocol != _LEGACY_PROTOCOL or system["little_endian"] is not True:
        raise Unreadable("was written by a big-endian machine, or by a torch that is not known here.")
    value = following(storage)
    names = [key(name) for name in following()]
    if len(names) != len(storages) or set(names) != storages.keys():
        raise Unreadable("names storages that it does not hold: it is damaged.")
    reader = Machine(data, at, budget)  # for its bounds
    for name in names:
        flat = storages[name]
        if reader.number("q") != flat.numel():
            raise Unreadable(f"holds a storage of another length than {flat.numel()}, as declared: it is damaged.")
        fill_storage(flat, reader.take(flat.nbytes))
    if reader.at != len(data):
        raise Unreadable(f"goes on after its end at byte {reader.at}: it is damaged or foreign.")
    return value


def read_zip(data: memoryview, budget: ReadBudget) -> Any:
    """The value of a torch zip file: the pickle NAME/data.pkl with storages NAME/data/KEY."""
    entries = _entries(data)
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise Unreadable("is a zip file without a torch checkpoint in it: give a .pt, .pth or .pkl file.")
    (root,) = roots
    if any(name.startswith(root + "code/") for name in entries):
        raise Unreadable("is TorchScript, which is code: load it with torch.jit.load and wrap it in CustomGenerator.")
    if root + "byteorder" in entries and _content(data, entries, root + "byteorder") != b"little":
        raise Unreadable("was written by a big-endian machine: save it again on another.")
    storages: _Storages = {}

    def storage(identity: Any) -> Tensor:
        name, dtype, count = _storage_named(identity)
        if name not in storages:
            entry = f"{root}data/{name}"
            if entry not in entries or entries[entry][1] < count * dtype.itemsize:
                raise Unreadable(f"declares a storage of {count} values that it does not hold: it is damaged.")
            storages[name] = new_storage(budget, dtype, count)
            if budget.tensors:
                fill_storage(storages[name], _content(data, entries, entry)[: count * dtype.itemsize])
        return _of(storages[name], dtype, count)

    content = _content(data, entries, root + "data.pkl")
    machine = Machine(content, 0, budget, storage, lambda data: nested_storage(data, budget))
    value = machine.run()
    if machine.at != len(content):
        raise Unreadable("has a pickle that goes on after its end: it is damaged or foreign.")
    return value


def _storage_named(identity: Any) -> tuple[str | int, torch.dtype, int]:
    """Name, type and number of values, from the persistent id ("storage", class, key, device, number[, view])."""
    if type(identity) is not tuple:
        raise TypeError("not a storage")
    if identity[:1] == ("module",):
        raise UnlistedError(WHOLE_MODULE, "holds a whole module.")
    kind, storage, name, _, count, *view = identity
    if kind != "storage" or type(storage) is not Global or storage.dtype is None or view not in ([], [None]):
        raise TypeError("not a storage")
    if type(name) not in (str, int) or len(str(name)) > 64 or type(count) is not int:
        raise TypeError("not a storage")
    if not 0 <= count < 2**40:
        raise Unreadable(f"declares a storage of {count} values: it is damaged.")
    return key(name), storage.dtype, count


def _of(flat: Tensor, dtype: torch.dtype, count: int) -> Tensor:
    if flat.dtype != dtype or flat.numel() != count:
        raise Unreadable("describes one storage in two ways: it is damaged.")
    return flat


def _content(data: memoryview, entries: dict[str, tuple[int, int, int]], name: str) -> memoryview:
    """The bytes of an entry, held against its checksum (torch writes 0 where it was told to compute none)."""
    begin, size, checksum = entries[name]
    content = data[begin : begin + size]
    if checksum and zlib.crc32(content) != checksum:
        raise Unreadable(f"is damaged: the checksum of its {short(name)} is wrong; fetch it again.")
    return content


def _entries(data: memoryview) -> dict[str, tuple[int, int, int]]:
    """Name => where its bytes begin, how many they are, and their checksum."""
    tail = bytes(data[-(2**16 + 22) :])
    end = tail.rfind(b"PK\5\6")
    if not 0 <= end <= len(tail) - 22:
        raise Unreadable("is a zip file without an end: it is truncated; fetch it again.")
    count, begin, comment = struct.unpack_from("<10xH4xIH", tail, end)
    if end + 22 + comment != len(tail):
        raise Unreadable("is a zip file that does not end where it says: fetch it again.")
    end += len(data) - len(tail)
    if end >= 20 and data[end - 20 : end - 16] == b"PK\6\7":  # the larger numbers of zip64
        (wide,) = struct.unpack_from("<Q", data, end - 12)
        signature, count, begin = struct.unpack_from("<4s28xQ8xQ", data, wide)
        if signature != b"PK\6\6":
            raise Unreadable("is a damaged zip file: fetch it again.")
    if count > _MAX_ENTRIES:
        raise Unreadable(f"is a zip file of {count} entries, which no generator checkpoint has.")
    entries: dict[str, tuple[int, int, int]] = {}
    spans = []
    at = begin
    for _ in range(count):
        fields = struct.unpack_from("<4s4xHH4xIIIHHH8xI", data, at)
        signature, flags, method, checksum, packed, real, name_size, extra_size, comment_size, local = fields
        at += 46
        name = str(data[at : at + name_size], "utf-8")
        packed, real, local = _widened(data[at + name_size : at + name_size + extra_size], real, packed, local)
        at += name_size + extra_size + comment_size
        if signature != b"PK\1\2" or name in entries or extra_size > _MAX_EXTRA:
            raise Unreadable("is a damaged zip file: fetch it again.")
        if flags & 1 or method != 0 or packed != real:
            raise Unreadable(f"has the compressed entry {short(name)}, and torch compresses none: it is refused.")
        signature, local_name, local_extra = struct.unpack_from("<4s22xHH", data, local)
        first = local + 30 + local_name + local_extra
        if signature != b"PK\3\4" or first + real > begin:
            raise Unreadable(f"has the entry {short(name)} reach beyond its end: it is truncated; fetch it again.")
        entries[name] = first, real, checksum
        spans.append((local, first + real))
    spans.sort()
    if any(one[1] > other[0] for one, other in zip(spans, spans[1:], strict=False)):
        raise Unreadable("is a zip file whose entries overlap: it was made to fill memory, and is refused.")
    return entries


def _widened(extra: memoryview, real: int, packed: int, local: int) -> tuple[int, int, int]:
    """Packed size, real size and place of an entry, from the zip64 field where they are too large for 32 bits."""
    values = [real, packed, local]
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 1:
            wide = list(struct.unpack_from(f"<{size // 8}Q", extra, 4))
            values = [wide.pop(0) if value == 2**32 - 1 else value for value in values]
        extra = extra[4 + size :]
    return values[1], values[0], values[2]
