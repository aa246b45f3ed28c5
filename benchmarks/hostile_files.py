"""Hostile files made by hand, by name: what each tries, and a part of the sentence that refuses it."""

import io
import pickle
import struct
import zipfile

PROTO = b"\x80\x04"
STOP = b"."
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
NUMPY_F8 = b"cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R"
MEGABYTE = 2**20


def text(value):
    """A string."""
    return blob(value.encode()).replace(b"B", b"X", 1)


def blob(value):
    """A byte string."""
    return b"B" + struct.pack("<I", len(value)) + value


def number(value):
    """A number of 64 bits."""
    return b"\x8a\x08" + struct.pack("<q", value)


def calls(module, name, *args):
    """A call of a function with strings."""
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(map(text, args)) + b"tR"


def legacy(storage, *, value=b"", keys=b"](X\x01\x00\x00\x000e", tail=b"\x01\0\0\0\0\0\0\0\0\0\x80?"):
    """A legacy file with one float."""
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    head += pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
    return head + b"\x80\x02" + storage + value + STOP + b"\x80\x02" + keys + STOP + tail


def storage(count, name="0", kind="FloatStorage"):
    """A persistent id."""
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(name) + text("cpu") + number(count) + b"tQ"


def shown(source, size, stride, offset=0):
    """A tensor over a storage."""
    pack = lambda sides: b"(" + b"".join(map(number, sides)) + b"t"  # noqa: E731
    return TENSOR + b"(" + source + number(offset) + pack(size) + pack(stride) + b"\x89}tR"


def torch_zip(content, compression=zipfile.ZIP_STORED, **entries):
    """A torch zip file around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("a/data.pkl", content)
        for name, entry in {"data/0": b"\0\0\x80?", **entries}.items():
            file.writestr(f"a/{name}", entry)
    return buffer.getvalue()


def overlapping():
    """A zip file in which 500 entries are one megabyte."""
    first = torch_zip(PROTO + b"N.", **{"data/1": bytes(MEGABYTE)})
    end = first.rfind(b"PK\5\6")
    begin = struct.unpack_from("<I", first, end + 16)[0]
    last = first.rfind(b"PK\1\2", 0, end)
    record = first[last:end]
    copies = b"".join(record.replace(b"a/data/1", b"a/d/%04d" % i) for i in range(500))
    tail = struct.pack("<4s4xHHIIH", b"PK\5\6", 500, 500, len(copies), begin, 0)
    return first[:begin] + copies + tail


def crowded():
    """A zip file that says it has a million entries."""
    file = bytearray(torch_zip(PROTO + b"N."))
    end = file.rfind(b"PK\5\6")
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, 100, 0)
    return bytes(file[:end]) + wide + locator + bytes(file[end:])


def one_storage(values):
    """The bytes inside `torch.storage._load_from_bytes`."""
    return legacy(storage(values), tail=struct.pack("<q", values) + bytes(4 * values))


def encrypted():
    """A zip file whose entries say that they are encrypted."""
    file = torch_zip(PROTO + b"N.")
    return file.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\1\0")


DOUBLING = b"".join(b"](h%ch%ce\x94" % (i, i) for i in range(60))  # memo 0 to 60, and the last on the stack
LOAD = b"ctorch.storage\n_load_from_bytes\n"
NEEDED = "which no generator checkpoint needs: it is refused, and nothing of it was run"
DEEP = "is nested more than 100 deep, or in a circle"
STEPS = "takes more than 262,144 steps"
FILL = "it was made to fill memory"
MANY = 300_000

HAZARDS: dict[str, tuple[bytes, str]] = {
    # code
    "os.system": (PROTO + calls("os", "system", "touch marker") + STOP, f"asks for 'os.system', {NEEDED}"),
    "posix.system": (PROTO + calls("posix", "system", "touch marker") + STOP, "asks for 'posix.system'"),
    "builtins.eval": (PROTO + calls("builtins", "eval", "1") + STOP, "asks for 'builtins.eval'"),
    "builtins.exec of Python 2": (PROTO + calls("__builtin__", "eval", "1") + STOP, "asks for '__builtin__.eval'"),
    "builtins.getattr": (PROTO + calls("builtins", "getattr", "a", "b") + STOP, "asks for 'builtins.getattr'"),
    "subprocess.Popen": (PROTO + calls("subprocess", "Popen", "true") + STOP, "asks for 'subprocess.Popen'"),
    "os.putenv": (PROTO + calls("os", "putenv", "SGF", "1") + STOP, "asks for 'os.putenv'"),
    "open": (PROTO + calls("io", "open", "marker", "w") + STOP, "asks for 'io.open'"),
    "torch.load": (PROTO + calls("torch", "load", "other.pt") + STOP, "asks for 'torch.load'"),
    "torch.hub.load": (PROTO + calls("torch.hub", "load", "a/b", "c") + STOP, "asks for 'torch.hub.load'"),
    "a module of torch": (PROTO + calls("torch.nn.modules.linear", "Linear") + STOP, "torch.nn.modules.linear.Linear"),
    "a dotted name": (PROTO + text("torch") + text("serialization.os.system") + b"\x93.", "asks for 'torch.serial"),
    "a name inside an allowed one": (PROTO + text("collections.OrderedDict") + text("fromkeys") + b"\x93.", "asks for"),
    "a TensorFlow pickle": (PROTO + calls("dnnlib.tflib.network", "Network") + STOP, "legacy.py"),
    "os.system in a zip file": (torch_zip(PROTO + calls("os", "system", "true") + STOP), "asks for 'os.system'"),
    "os.system in a legacy file": (legacy(calls("os", "system", "touch marker")), "asks for 'os.system'"),
    "os.system in a storage": (
        PROTO + LOAD + blob(legacy(calls("os", "system", "touch marker"))) + b"\x85R.",
        "asks for 'os.system'",
    ),
    "a call of a string": (PROTO + text("a") + b")R.", "calls 'str', which is nothing that can be called"),
    "a call of an object": (PROTO + b"cargparse\nNamespace\n)R)R.", "calls 'Opaque'"),
    "a call of a class of storages": (PROTO + b"ctorch\nFloatStorage\n)R.", "calls 'torch.FloatStorage'"),
    "INST": (PROTO + b"(ios\nsystem\n.", "has the pickle operation INST"),
    "OBJ": (PROTO + b"(cargparse\nNamespace\no.", "has the pickle operation OBJ"),
    "NEWOBJ_EX": (PROTO + b"cargparse\nNamespace\n)}\x92.", "has the pickle operation NEWOBJ_EX"),
    "EXT1": (PROTO + b"\x82\x01.", "has the pickle operation EXT1"),
    "EXT4": (PROTO + b"\x84\xff\xff\xff\x7f.", "has the pickle operation EXT4"),
    "NEXT_BUFFER": (PROTO + b"\x97.", "has the pickle operation NEXT_BUFFER"),
    "PERSID": (PROTO + b"Pabc\n.", "has the pickle operation PERSID"),
    "an unknown operation": (PROTO + b"\xff.", "has the byte 0xff for an operation at byte 2"),
    "a persistent id in a plain pickle": (PROTO + storage(1) + STOP, "refers to something outside"),
    "a persistent id of a module": (torch_zip(PROTO + b"(" + text("module") + b"NNNtQ."), "holds a whole module"),
    "state for a list": (PROTO + b"]}b.", "gives a list a state"),
    "state for a class": (PROTO + b"cargparse\nNamespace\n}b.", "gives a Global a state"),
    # memory and time in a pickle
    "an enormous index of the memo": (PROTO + b"Nr\xff\xff\xff\xff" * 1000 + b"]b.", "gives a NoneType a state"),
    "a string of 4 GB": (PROTO + b"X\xff\xff\xff\xffabc.", "ends in the middle of a value"),
    "a string of 2**63 bytes": (PROTO + b"\x8d" + b"\xff" * 8 + b"abc.", "ends in the middle of a value"),
    "a byte string of 2**63 bytes": (PROTO + b"\x8e" + b"\xff" * 8 + b"abc.", "ends in the middle of a value"),
    "a frame beyond the end": (PROTO + b"\x95\xff", "ends in the middle of a value"),
    "a negative LONG4": (PROTO + b"\x8b\xff\xff\xff\xff.", "holds an integer of -1 bytes"),
    "an integer of a megabyte": (
        PROTO + b"\x8b" + struct.pack("<I", MEGABYTE) + b"\x7f" * MEGABYTE + STOP,
        "holds an integer of 1048576 bytes",
    ),
    "an integer of 400 digits": (PROTO + b"I" + b"9" * 400 + b"\n.", "holds an integer of 400 digits"),
    "an integer of a million digits": (PROTO + b"I" + b"9" * 10**6 + b"\n.", "is damaged, or not a checkpoint"),
    "a long in decimal": (PROTO + b"L" + b"9" * 10**6 + b"L\n.", "has the pickle operation LONG"),
    "a name without an end": (PROTO + b"c" + b"a" * MEGABYTE, "is damaged, or not a checkpoint"),
    "a name of a megabyte": (PROTO + text("a" * MEGABYTE) + b"\x94" + b"h\x00" * 2 + b"\x93.", "hundreds of letters"),
    "tuples nested 200,000 deep": (PROTO + b")" + b"\x85" * 200_000 + STOP, DEEP),
    "lists nested 100,000 deep": (PROTO + b"]" * 100_000 + b"a" * 99_999 + STOP, DEEP),
    "dicts nested 60,000 deep": (PROTO + b"}K\x00" * 60_000 + b"}" + b"s" * 60_000 + STOP, DEEP),
    "objects nested 50,000 deep": (PROTO + b"cargparse\nNamespace\n" * 50_000 + b"N" + b"\x85R" * 50_000 + STOP, DEEP),
    "a deep tuple as a key": (PROTO + b"})" + b"\x85" * 200_000 + b"Ns.", "uses a tuple as a key"),
    "a deep tuple in a set": (PROTO + b"\x8f()" + b"\x85" * 200_000 + b"\x90.", "uses a tuple as a key"),
    "deep tuples as keys of storages": (legacy(storage(1), keys=b"]()" + b"\x85" * 200_000 + b"e"), "uses a tuple"),
    "a float as a key": (PROTO + b"}G" + bytes(8) + b"Ns.", "uses a float as a key"),
    "keys that collide": (PROTO + b"}" + number(2**61 - 1) + b"Ns.", "uses an enormous number as a key"),
    "marks without end": (PROTO + b"(" * MANY, STEPS),
    "lists without end": (PROTO + b"]" * MANY, STEPS),
    "a list of sets without end": (PROTO + b"](" + b"\x8f" * 260_000 + b"eK\x00b.", "gives a list a state"),
    "sets without end": (PROTO + b"\x8f\x94" * MANY, STEPS),
    "tensors without end": (
        PROTO + TENSOR + LOAD + blob(one_storage(1)) + b"\x85RK\x00))\x89}" + b"(" + STOP,
        "is damaged, or not a checkpoint",
    ),
    "one tensor rebuilt without end": (
        PROTO + TENSOR + b"\x94(" + LOAD + blob(one_storage(1)) + b"\x85RK\x00))\x89}t\x94" + b"h\x00h\x01R" * 200_000,
        STEPS,
    ),
    "one list made into dicts without end": (
        PROTO + b"](" + b"(K\x01Nt" * 10_000 + b"e\x85\x94ccollections\nOrderedDict\n\x94" + b"h\x01h\x00R" * 10_000,
        STEPS,
    ),
    "one list made into sets without end": (
        PROTO + b"](" + b"K\x01" * 10_000 + b"e\x85\x94cbuiltins\nset\n\x94" + b"h\x01h\x00R" * 10_000,
        STEPS,
    ),
    "a tensor made into a dict": (
        PROTO + b"ccollections\nOrderedDict\n" + LOAD + blob(one_storage(MEGABYTE)) + b"\x85R\x85R.",
        "is damaged, or not a checkpoint",
    ),
    "a tensor as state of an array": (
        PROTO + b"cnumpy.core.multiarray\n_reconstruct\n)R" + LOAD + blob(one_storage(MEGABYTE)) + b"\x85Rb.",
        "is damaged, or not a checkpoint",
    ),
    "a storage read without end": (
        PROTO + LOAD + b"\x94" + blob(one_storage(MEGABYTE)) + b"\x85\x94" + b"h\x00h\x01R" * 2000 + STOP,
        f"unfolds to more than twice its size: {FILL}",
    ),
    "a string encoded without end": (
        PROTO + b"c_codecs\nencode\n\x94" + text("a" * MEGABYTE) + text("latin1") + b"\x86\x94" + b"h\x00h\x01R" * 2000,
        f"unfolds to more than twice its size: {FILL}",
    ),
    "an array read without end": (
        PROTO + b"cnumpy._core.numeric\n_frombuffer\n\x94(" + blob(bytes(8 * MEGABYTE)) + NUMPY_F8 + number(MEGABYTE)
        + b"\x85" + text("C") + b"t\x94" + b"h\x00h\x01R" * 2000,
        f"unfolds to more than twice its size: {FILL}",
    ),  # fmt: skip
    "a tree that doubles 60 times": (PROTO + b"(]\x94" + DOUBLING + b"t.", "unfolds to more than 1,048,576 values"),
    "a tree that doubles, as a NumPy type": (
        PROTO + b"]\x94" + DOUBLING + b"\x85\x94cnumpy\ndtype\n" + b"h\x3dR.",
        "holds NumPy data of type",
    ),
    "a tree that doubles, as a shape": (
        PROTO + b"]\x94" + DOUBLING + b"\x85\x94ctorch\nSize\nh\x3dR.",
        "whose shape is not a few whole numbers",
    ),
    "a list in itself": (PROTO + b"]\x94h\x00a.", DEEP),
    "a dict in itself": (PROTO + b"}\x94K\x00h\x00s.", DEEP),
    "an object in its own state": (PROTO + b"cargparse\nNamespace\n)R\x94h\x00b.", DEEP),
    "two lists in each other": (PROTO + b"]\x94]\x94h\x00aa.", DEEP),
    "letters of four bytes": (
        PROTO + b"]" + b"".join(text("a" * MEGABYTE + "\U0001f600") + b"a" for _ in range(2)) + STOP,
        FILL,
    ),
    "bytes outside of any tensor": (PROTO + blob(bytes(10**6)) + STOP, "holds values that are neither plain data"),
    # tensors
    "strides of zero": (legacy(shown(storage(1), [2**39], [0])), "declares tensors of more than four times its size"),
    "a shape beyond the storage": (legacy(shown(storage(1), [2], [1])), "declares a tensor of shape [2] over"),
    "a shape of 2**120 values": (legacy(shown(storage(1), [2**39] * 3, [1] * 3)), "over a storage of 1 values"),
    "a shape of 50 sides": (legacy(shown(storage(1), [1] * 50, [1] * 50)), "is not a few whole numbers"),
    "a negative side": (legacy(shown(storage(1), [-1], [1])), "declares a tensor of shape or strides (-1,)"),
    "a negative stride": (legacy(shown(storage(1), [1], [-1])), "declares a tensor of shape or strides (-1,)"),
    "a negative offset": (legacy(shown(storage(1), [1], [1], -1)), "is damaged, or not a checkpoint"),
    "an offset beyond the storage": (legacy(shown(storage(1), [1], [1], 1)), "over a storage of 1 values"),
    "a thousand views of one storage": (
        legacy(
            storage(MEGABYTE) + b"\x94" + b"](" + shown(b"h\x00", [MEGABYTE], [1]) * 1000 + b"e",
            tail=struct.pack("<q", MEGABYTE) + bytes(4 * MEGABYTE),
        ),
        f"declares tensors of more than four times its size: {FILL}",
    ),
    "a storage of 2**39 values": (legacy(storage(2**39)), "declares a storage of 549755813888 values"),
    "a storage of -1 values": (legacy(storage(-1)), "declares a storage of -1 values"),
    "a storage of 2**39 values, in a zip file": (torch_zip(PROTO + storage(2**39) + STOP), "that it does not hold"),
    "a storage that is not there": (torch_zip(PROTO + storage(1, "7") + STOP), "that it does not hold"),
    "a storage outside of its folder": (torch_zip(PROTO + storage(1, "../../etc/passwd") + STOP), "does not hold"),
    "a storage of two types": (
        torch_zip(PROTO + storage(1) + storage(1, kind="IntStorage") + b"\x86."),
        "describes one storage in two ways",
    ),
    "a legacy storage of another length": (legacy(storage(1), tail=struct.pack("<q", 2**62)), "of another length"),
    "a legacy storage of negative length": (legacy(storage(1), tail=struct.pack("<q", -1)), "of another length"),
    "a legacy storage that is not there": (legacy(storage(1), keys=b"]"), "names storages that it does not hold"),
    "a legacy storage that nobody names": (legacy(b"N"), "names storages that it does not hold"),
    "a legacy file that goes on": (legacy(storage(1)) + b"x", "goes on after its end"),
    "a pickle that goes on": (PROTO + b"N.x", "goes on after its end at byte 4"),
    "a storage in a storage": (
        PROTO + LOAD + blob(legacy(LOAD + blob(one_storage(1)) + b"\x85R")) + b"\x85R.",
        "hides a storage inside a storage",
    ),
    "a storage that is no legacy file": (PROTO + LOAD + blob(torch_zip(PROTO + b"N.")) + b"\x85R.", "is damaged"),
    "an array of objects": (PROTO + NUMPY_F8.replace(b"f8", b"O8") + STOP, "holds NumPy data of type 'O8'"),
    "an array beyond its bytes": (
        PROTO + b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + number(2**39) + b"\x85" + NUMPY_F8 + b"\x89C\x08"
        + bytes(8) + b"tb.",
        "holds a NumPy array of f8 of shape (549755813888,)",
    ),
    "a number of another size": (
        PROTO + b"cnumpy.core.multiarray\nscalar\n" + NUMPY_F8 + b"C\x01\0\x86R.",
        "whose bytes do not fit its shape",
    ),
    # zip files
    "a zip bomb": (
        torch_zip(PROTO + b"N.", zipfile.ZIP_DEFLATED, bomb=bytes(50 * MEGABYTE)),
        "has the compressed entry",
    ),
    "entries that overlap": (overlapping(), "whose entries overlap"),
    "a million entries": (crowded(), "is a zip file of 1000000 entries"),
    "encrypted entries": (encrypted(), "entry 'a/data.pkl'"),
    "a zip file without a pickle": (torch_zip(PROTO + b"N.").replace(b"data.pkl", b"date.pkl"), "without a torch"),
    "TorchScript": (torch_zip(PROTO + b"N.", **{"code/__torch__.py": b"pass"}), "is TorchScript, which is code"),
    "a big-endian zip file": (torch_zip(PROTO + b"N.", byteorder=b"big"), "by a big-endian machine"),
    "a wrong checksum": (torch_zip(PROTO + b"N.").replace(PROTO + b"N.", PROTO + b"\x88."), "checksum of its 'a/data"),
}  # fmt: skip
