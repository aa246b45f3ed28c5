"""Golden checkpoints, and ways to damage them or to make them hostile: for `benchmarks.hostile` and the tests.

An alteration cuts, flips or moves bytes; or edits the pickle inside by its operations, with the container around it
made whole again, so that no checksum saves the reader; or plants a call of `os.system` and the like; or is a program
of random operations.
"""

import io
import pickle
import pickletools
import random
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
CONDITIONAL = "NVIDIA pickle of 3 classes"
MARK = "sgf-mark"  # a file, or a variable of the environment, that only code out of a checkpoint would make


@dataclass(frozen=True)
class Golden:
    """A good file, and the pickle inside it.

    Args:
        data: the file.
        pickle: the bytes of the pickle that holds its value.
        cuts: where its operations begin and where it ends.
        wrapped: a pickle => a file that holds it in place of the good one.
    """

    data: bytes
    pickle: bytes
    cuts: list[int]
    wrapped: Callable[[bytes], bytes]


def golden(name: str, data: bytes) -> Golden:
    """Find the pickle inside a good file."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            entries = {entry: file.read(entry) for entry in file.namelist()}
        inside = next(entry for entry in entries if entry.endswith("/data.pkl"))

        def wrapped(content: bytes) -> bytes:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as file:
                for entry, old in entries.items():
                    file.writestr(entry, content if entry == inside else old)
            return buffer.getvalue()

        content = entries[inside]
    else:
        stream, ends = io.BytesIO(data), [0]
        while ends[-1] < len(data) and data[ends[-1]] == pickle.PROTO[0] and len(ends) < 5:
            for _ in pickletools.genops(stream):
                pass
            ends.append(stream.tell())
        begin, end = (ends[3], ends[4]) if len(ends) == 5 else (0, ends[1])  # a legacy file's fourth pickle
        content = data[begin:end]

        def wrapped(content: bytes) -> bytes:
            return data[:begin] + content + data[end:]

    cuts = [at for _, _, at in pickletools.genops(content)] + [len(content)]
    return Golden(data, content, cuts, wrapped)


def goldens() -> dict[str, Golden]:
    """A file of each format."""
    files = {
        "NVIDIA pickle": (GOLDEN / "nvidia_stylegan2_ada_64px.pkl").read_bytes(),
        "rosinality, torch zip": (GOLDEN / "rosinality_stylegan2_32px.pt").read_bytes(),
        "pytorch_GAN_zoo": (GOLDEN / "pytorch_gan_zoo_pgan_32px.pth").read_bytes(),
        "genforce": (GOLDEN / "genforce_pggan_32px.pth").read_bytes(),
    }
    old = io.BytesIO()
    value = torch.load(GOLDEN / "rosinality_stylegan2_32px.pt", weights_only=True)
    torch.save(value, old, _use_new_zipfile_serialization=False)
    files["rosinality, legacy torch"] = old.getvalue()
    return {name: golden(name, data) for name, data in files.items()}


def more_goldens() -> dict[str, Golden]:
    """Variants of those formats: other networks and layouts in the same containers."""
    files = {
        "NVIDIA StyleGAN3 pickle": "nvidia_stylegan3_t_32px.pkl",
        CONDITIONAL: "nvidia_stylegan2_ada_conditional_32px.pkl",
        "pSp": "psp_encoder_checkpoint_32px.pt",
        "genforce StyleGAN2": "genforce_stylegan2_32px.pth",
    }
    return {name: golden(name, (GOLDEN / file).read_bytes()) for name, file in files.items()}


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


PLANTS = [  # code, and what could fill memory; each leaves one value on the stack
    *(
        f"c{module}\n{name}\n(".encode() + b"".join(map(_text, args)) + b"tR"
        for module, name, *args in (
            ("os", "system", "touch sgf-mark"),
            ("posix", "system", "touch sgf-mark"),
            ("builtins", "eval", "__import__('os').putenv('sgf-mark', '1')"),
            ("builtins", "exec", "open('sgf-mark', 'w')"),
            ("__builtin__", "execfile", "sgf-mark"),
            ("builtins", "getattr", "os", "system"),
            ("subprocess", "Popen", "touch sgf-mark"),
            ("io", "open", "sgf-mark", "w"),
            ("os", "putenv", "sgf-mark", "1"),
            ("torch", "load", "sgf-mark"),
            ("torch.hub", "load", "a/b", "c"),
            ("importlib", "import_module", "this"),
            ("torch_utils.persistence", "_reconstruct_persistent_obj", "exec('1')"),
            ("argparse", "Namespace", "a"),
            ("torch.storage", "_load_from_bytes", "a"),
        )
    ),
    b"(ios\nsystem\n" + _text("true") + b"o",
    b"N\x85" + b"\x85" * 3000,
    b"]" * 50 + b"a" * 49,
    b"Nr\xff\xff\xff\xff",
    b"\x8b\xff\xff\xff\x7f",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"]q\xf0h\xf0a",
    b"ctorch\nFloatStorage\n",
    b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ\xff\xff\xff\x7ftQ",
    b"cnumpy\ndtype\nX\x02\0\0\0f8\x85R",
]
_CODES = [operation.code.encode("latin-1") for operation in pickletools.opcodes]


def _operation(rng: random.Random) -> bytes:
    """An operation, most often with an argument of the right kind."""
    code = rng.choice(_CODES)
    argument = next(o for o in pickletools.opcodes if o.code.encode("latin-1") == code).arg
    if argument is None:
        return code
    size = argument.n
    if size >= 0:
        return code + bytes(rng.choice((0, 1, 2, rng.randrange(256))) for _ in range(size))
    if size == pickletools.UP_TO_NEWLINE:
        return code + rng.choice((b"1\n", b"collections\nOrderedDict\n", b"torch\nFloatStorage\n", b"os\nsystem\n"))
    width = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT8U: 8}.get(size, 4)
    length = rng.choice((0, 1, 3, 8, 2**31 - 1 if width > 1 else 255))
    return code + length.to_bytes(width, "little") + rng.randbytes(min(length, 8))


def _cut(file: Golden, rng: random.Random) -> bytes:
    return file.data[: rng.randrange(len(file.data))]


def _flipped(file: Golden, rng: random.Random) -> bytes:
    """Bytes changed anywhere, or among the last 4 KB, where a zip file's directory is."""
    data = bytearray(file.data)
    first = rng.choice((0, max(len(data) - 4096, 0)))
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(first, len(data))] = rng.randrange(256)
    return bytes(data)


def _moved(file: Golden, rng: random.Random) -> bytes:
    """A piece of the file over, or into, another place."""
    begin, at, size = rng.randrange(len(file.data)), rng.randrange(len(file.data)), rng.randint(1, 4096)
    return file.data[:at] + file.data[begin : begin + size] + file.data[at + rng.choice((0, size)) :]


def _noise(file: Golden, rng: random.Random) -> bytes:
    return rng.choice((b"\x80\x02", b"\x80\x04", b"PK\3\4", file.data[:64])) + rng.randbytes(rng.randint(0, 2000))


def _pieces(file: Golden) -> list[bytes]:
    """The operations of the pickle."""
    return [file.pickle[a:b] for a, b in zip(file.cuts, file.cuts[1:], strict=False)]


def _bytes_of_pickle(file: Golden, rng: random.Random) -> bytes:
    """Bytes of the pickle changed, where operations begin or soon after: in a storage's head, where there is one."""
    data = bytearray(file.pickle)
    for _ in range(rng.randint(1, 4)):
        at = min(rng.choice(file.cuts) + rng.choice((0, 0, 1, 2, rng.randrange(300))), len(data) - 1)
        data[at] = rng.choice((rng.choice(_CODES)[0], rng.randrange(256)))
    return file.wrapped(bytes(data))


def _tweaked(file: Golden, rng: random.Random) -> bytes:
    """Arguments changed, or exchanged with those of like operations: most often a value that is nearly right."""
    pieces = _pieces(file)
    for _ in range(rng.randint(1, 3)):
        i = rng.choice([i for i in rng.sample(range(len(pieces)), 50) if len(pieces[i]) > 1])
        alike = [piece for piece in rng.sample(pieces, 200) if piece[0] == pieces[i][0]]
        changed = bytearray(pieces[i])
        at = rng.randrange(1, min(len(changed), 300))
        changed[at] = (changed[at] + rng.choice((1, 255, rng.randrange(256)))) % 256
        pieces[i] = rng.choice([bytes(changed), *alike[:1]])
    return file.wrapped(b"".join(pieces))


def _edited(file: Golden, rng: random.Random) -> bytes:
    """Operations left out, doubled, swapped with others, or put in."""
    pieces = _pieces(file)
    for _ in range(rng.randint(1, 6)):
        i, j = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        match rng.randrange(4):
            case 0:
                pieces[i] = b""
            case 1:
                pieces[i] *= rng.choice((2, 3, 100)) if len(pieces[i]) < 1000 else 2
            case 2:
                pieces[i], pieces[j] = pieces[j], pieces[i]
            case _:
                pieces[i] += _operation(rng)
    return file.wrapped(b"".join(pieces))


def _planted(file: Golden, rng: random.Random) -> bytes:
    """A hostile value before an operation, or in place of one."""
    i = rng.randrange(1, len(file.cuts) - 1)
    rest = file.cuts[i + rng.choice((0, 1))]
    return file.wrapped(file.pickle[: file.cuts[i]] + rng.choice(PLANTS) + file.pickle[rest:])


def _program(file: Golden, rng: random.Random) -> bytes:
    """Random operations and hostile values."""
    parts = [rng.choice(PLANTS) if rng.random() < 0.1 else _operation(rng) for _ in range(rng.randint(1, 60))]
    return file.wrapped(b"\x80\x04" + b"".join(parts) + b".")


ALTERATIONS = [_cut, _flipped, _moved, _noise, _bytes_of_pickle, _tweaked, _edited, _planted, _program]


def altered(file: Golden, rng: random.Random) -> bytes:
    """A hostile or damaged file."""
    return rng.choice(ALTERATIONS)(file, rng)
