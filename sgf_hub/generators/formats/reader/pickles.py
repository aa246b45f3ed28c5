"""A pickle machine that can only build plain data: our own, since Python's cannot be made to stop.

`pickle.Unpickler` with a guarded `find_class` still lets a file choose what memory it takes (the C machine allocates
its memo by the index that a file names: nine bytes take 4 GB), calls whatever object a file can reach by REDUCE, BUILD
or a subclass's `append`, hashes nested tuples until the C stack ends (200 KB of them end the process), and decodes a
million digits in quadratic time. Here an operation is a dozen lines of Python at most, those that no checkpoint needs
do not exist, every one of them is paid for out of a `ReadBudget`, and the only functions that REDUCE can reach are
those of `allowlist.py`.

What the operations mean is documented in the standard library's `pickletools`.
"""

import pickle
import pickletools
import struct
import sys
from collections.abc import Callable
from typing import Any

from sgf_hub.generators.formats.reader.allowlist import NESTED, Global, find, key
from sgf_hub.generators.formats.reader.budget import Opaque, ReadBudget, Unreadable
from sgf_hub.generators.formats.reader.tensors import Array, Dtype
from sgf_hub.validation import short

_LONG_BYTES = 4096  # byte strings beyond stay views of the file: they are storages, and copied once, into a tensor
_MAX_LINE = 512
_MAX_INTEGER = 16  # bytes; torch's magic number takes ten

_NAMES = {operation.code: operation.name for operation in pickletools.opcodes}


class Machine:
    """Reads one pickle.

    Args:
        data: the bytes that hold it.
        at: where it begins.
        budget: what it may cost.
        storage: what a persistent id stands for; None where a pickle may hold none.
        nested: what the bytes of a storage inside the pickle stand for; None where they may not be.
    """

    def __init__(
        self,
        data: memoryview,
        at: int,
        budget: ReadBudget,
        storage: Callable[[Any], Any] | None = None,
        nested: Callable[[Any], Any] | None = None,
    ) -> None:
        self.data, self.at, self.budget, self.storage, self.nested = data, at, budget, storage, nested
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value; `at` is then where the pickle ends.

        Raises:
            Unreadable: for whatever is not plain data, too costly, or cut short. What else a damaged pickle makes
                Python raise (an empty stack, a missing memo) is left to the caller.
        """
        while True:
            self.budget.operations()
            code = self.take(1)[0]
            if code == pickle.STOP[0]:
                break
            if code not in _OPERATIONS:
                name = _NAMES.get(chr(code))
                what = f"the pickle operation {name}" if name else f"the byte {code:#04x} for an operation"
                raise Unreadable(
                    f"has {what} at byte {self.at - 1}, which no generator checkpoint needs: it is damaged or foreign."
                )
            _OPERATIONS[code](self)
        (value,) = self.stack
        if self.marks:
            raise ValueError("a mark is left")
        return value

    def take(self, count: int) -> memoryview:
        """The next bytes, as a view."""
        begin, self.at = self.at, self.at + count
        if self.at > len(self.data):
            raise Unreadable("ends in the middle of a value: it is truncated or damaged; fetch it again.")
        return self.data[begin : self.at]

    def number(self, form: str) -> int:
        """The next number, little-endian, in a `struct` format."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def line(self) -> str:
        """The text up to the next line's end."""
        window = bytes(self.data[self.at : self.at + _MAX_LINE])
        end = window.index(b"\n")  # a ValueError without one
        self.at += end + 1
        return window[:end].decode("ascii")

    def marked(self) -> list:
        """What was pushed since the last mark."""
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def push(self, value: Any) -> None:
        """Onto the stack."""
        self.stack.append(value)

    def push_text(self, form: str, encoding: str) -> None:
        """A string, after its length."""
        text = str(self.take(self.number(form)), encoding)
        self.budget.copied(sys.getsizeof(text))  # one rare letter makes all letters take four bytes
        self.push(text)

    def push_bytes(self, form: str) -> None:
        """A byte string, after its length."""
        view = self.take(self.number(form))
        if len(view) <= _LONG_BYTES:
            self.budget.copied(len(view))
        self.push(view if len(view) > _LONG_BYTES else bytes(view))

    def push_integer(self, size: int) -> None:
        """An integer in two's complement."""
        if not 0 <= size <= _MAX_INTEGER:
            raise Unreadable(f"holds an integer of {size} bytes, which no generator checkpoint does.")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def push_integer_line(self) -> None:
        """An integer in decimal, as Python 2 writes those beyond 32 bits; "00" and "01" are False and True."""
        line = self.line()
        if len(line) > 20:
            raise Unreadable(f"holds an integer of {len(line)} digits, which no generator checkpoint does.")
        self.push(line == "01" if line in ("00", "01") else int(line))

    def push_tuple(self, count: int) -> None:
        """A tuple of the topmost values."""
        height = len(self.stack) - count
        if height < 0:
            raise IndexError("the stack is empty")
        self.stack[height:] = [tuple(self.stack[height:])]

    def extend(self, items: list) -> None:
        """Append to the list on top."""
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("not a list")
        target.extend(items)

    def assign(self, items: list) -> None:
        """Set items of the dict on top: key, value, key, value, ..."""
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise TypeError("not a dict")
        target.update((key(items[i]), items[i + 1]) for i in range(0, len(items), 2))

    def add(self) -> None:
        """Add to the set on top."""
        items, target = self.marked(), self.stack[-1]
        if type(target) is not set:
            raise TypeError("not a set")
        target.update(map(key, items))

    def remember(self, index: int) -> None:
        """Put the topmost value into the memo, a dict: no index costs more than another."""
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        """Push a value of the memo."""
        value = self.memo[index]
        self.push(value.value if type(value) is Array and value.value is not None else value)

    def global_(self) -> None:
        """A class or function by name, from two lines of text."""
        module = self.line()
        self.push(find(module, self.line()))

    def stack_global(self) -> None:
        """A class or function by name, from two strings."""
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a name is not a string")
        self.push(find(module, name))

    def reduce(self) -> None:
        """Call the function on the stack: only a stand-in of ours can be called."""
        args, function = self.stack.pop(), self.stack.pop()
        if function is NESTED and self.nested is not None and type(args) is tuple:
            self.push(self.nested(args[0]))
            return
        if type(args) is not tuple or type(function) is not Global or function.make is None:
            what = function.name if type(function) is Global else type(function).__name__
            raise Unreadable(f"calls {short(what)}, which is nothing that can be called here: it is refused.")
        self.push(function.make(self.budget, args))

    def build(self) -> None:
        """Give an object its state."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Opaque:
            target.state = state
        elif type(target) is Array:
            self.stack[-1] = target.build(self.budget, state)
        elif type(target) is Dtype:
            target.build(state)
        elif type(target) is not dict:  # the attributes of an OrderedDict (a state dict's `_metadata`) are dropped
            raise Unreadable(f"gives a {type(target).__name__} a state, which no generator checkpoint does.")

    def persistent(self) -> None:
        """What a persistent id stands for: a storage beside the pickle."""
        if self.storage is None:
            raise Unreadable("is a pickle that refers to something outside of itself: it is damaged or foreign.")
        self.push(self.storage(self.stack.pop()))

    def protocol(self) -> None:
        """The protocol's number."""
        if self.take(1)[0] > pickle.HIGHEST_PROTOCOL:
            raise ValueError("a protocol of the future")


_OPERATIONS: dict[int, Callable[[Machine], None]] = {
    code[0]: action
    for code, action in {
        pickle.PROTO: Machine.protocol,
        pickle.FRAME: lambda m: m.take(8),  # a hint of how much to read at once, of no use here
        pickle.MARK: lambda m: m.marks.append(len(m.stack)),
        pickle.NONE: lambda m: m.push(None),
        pickle.NEWTRUE: lambda m: m.push(True),
        pickle.NEWFALSE: lambda m: m.push(False),
        pickle.BININT: lambda m: m.push(m.number("i")),
        pickle.BININT1: lambda m: m.push(m.number("B")),
        pickle.BININT2: lambda m: m.push(m.number("H")),
        pickle.LONG1: lambda m: m.push_integer(m.number("B")),
        pickle.LONG4: lambda m: m.push_integer(m.number("i")),
        pickle.INT: Machine.push_integer_line,
        pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        pickle.SHORT_BINUNICODE: lambda m: m.push_text("B", "utf-8"),
        pickle.BINUNICODE: lambda m: m.push_text("I", "utf-8"),
        pickle.BINUNICODE8: lambda m: m.push_text("Q", "utf-8"),
        pickle.SHORT_BINSTRING: lambda m: m.push_text("B", "latin-1"),  # of Python 2: text, or the bytes of a number
        pickle.BINSTRING: lambda m: m.push_text("I", "latin-1"),
        pickle.SHORT_BINBYTES: lambda m: m.push_bytes("B"),
        pickle.BINBYTES: lambda m: m.push_bytes("I"),
        pickle.BINBYTES8: lambda m: m.push_bytes("Q"),
        pickle.BYTEARRAY8: lambda m: m.push_bytes("Q"),
        pickle.EMPTY_TUPLE: lambda m: m.push(()),
        pickle.TUPLE: lambda m: m.push(tuple(m.marked())),
        pickle.TUPLE1: lambda m: m.push_tuple(1),
        pickle.TUPLE2: lambda m: m.push_tuple(2),
        pickle.TUPLE3: lambda m: m.push_tuple(3),
        pickle.EMPTY_LIST: lambda m: m.push([]),
        pickle.APPEND: lambda m: m.extend([m.stack.pop()]),
        pickle.APPENDS: lambda m: m.extend(m.marked()),
        pickle.EMPTY_DICT: lambda m: m.push({}),
        pickle.SETITEM: lambda m: m.assign([m.stack.pop(), m.stack.pop()][::-1]),
        pickle.SETITEMS: lambda m: m.assign(m.marked()),
        pickle.EMPTY_SET: lambda m: m.push(set()),
        pickle.ADDITEMS: Machine.add,
        pickle.FROZENSET: lambda m: m.push(set(map(key, m.marked()))),
        pickle.BINPUT: lambda m: m.remember(m.number("B")),
        pickle.LONG_BINPUT: lambda m: m.remember(m.number("I")),
        pickle.MEMOIZE: lambda m: m.remember(len(m.memo)),
        pickle.BINGET: lambda m: m.recall(m.number("B")),
        pickle.LONG_BINGET: lambda m: m.recall(m.number("I")),
        pickle.GLOBAL: Machine.global_,
        pickle.STACK_GLOBAL: Machine.stack_global,
        pickle.REDUCE: Machine.reduce,
        pickle.NEWOBJ: Machine.reduce,  # a class is called like a function
        pickle.BUILD: Machine.build,
        pickle.BINPERSID: Machine.persistent,
    }.items()
}
