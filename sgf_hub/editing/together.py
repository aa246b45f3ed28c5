"""Many edits in one batch: what their steps compute is computed for all of them at once.

An edit is a generator of work (`loop.edit_loop`): it gives `Call`s to make and, between them, its steps. All that is an
edit's own, its target, limits, region, layers, and what its rule remembers, stays in there, and is computed as if it
were alone. `Together` makes the calls of many edits, those of one kind as one; `alone` makes those of one.

No edit's numbers depend on another's, to the last bit. That takes care, for a product of matrices rounds differently
with more rows, and an edit that stalls is chaotic: a difference in the seventh digit is another picture 20 steps later.
So in company each edit's rows are multiplied by themselves (`Apart`), and so are small maps, which PyTorch convolves
otherwise when they come alone; large convolutions, which take nearly all of the time, are made once, sample by sample
inside.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sgf_hub.editing.trajectory import EditStep

_PIXELS = 2**20  # of a batch: 16 pictures of 256 px, or one of 1024 px
_LARGEST = 16


class Stage(IntEnum):
    """What a step asks for, in its order: no edit's picture is drawn before all have moved."""

    MOVE = 0
    DRAW = 1
    READ = 2


def at_once(resolution: int) -> int:
    """How many pictures are worked on at once: the larger they are, the fewer."""
    return max(1, min(_LARGEST, _PIXELS // resolution**2))


@dataclass(frozen=True)
class Call:
    """Something to compute: rows in, rows out.

    Args:
        stage: of the step.
        function: of `rows`; gives one row for each.
        rows: its arguments, [b, ...] each.
        shared: what calls have in common that can be made as one; None where this one is made by itself.
        most: rows of one call that several share.
    """

    stage: Stage
    function: Callable[..., Tensor]
    rows: tuple[Tensor, ...]
    shared: tuple[object, ...] | None = None
    most: int = 1

    def __call__(self) -> Tensor:
        """Make it by itself."""
        return self.function(*self.rows)


Work = Generator["Call | EditStep", Any, None]
"""An edit: it gives calls, each answered with what it returns, and steps, of which the last has all reasons."""


def alone(work: Work) -> Iterator[EditStep]:
    """The steps of an edit that is by itself."""
    together = Together()
    together.join(work)
    try:
        while together.edits:
            for _, came in together.step():
                if isinstance(came, BaseException):
                    raise came
                yield came
    finally:
        work.close()


@dataclass(eq=False)
class Ticket:
    """An edit's place among the others.

    Args:
        work: the edit.
    """

    work: Work
    asked: "Call | None" = field(default=None, init=False)
    came: "EditStep | Exception | None" = field(default=None, init=False)

    def advance(self, answer: Any = None) -> None:
        """Go on to the next call (`asked`), or to the end of the step (`came`)."""
        self.asked = None
        try:
            found = self.work.send(answer)
        except Exception as error:  # told to whoever waits for it, and to nobody else
            self.came = error
            return
        if isinstance(found, Call):
            self.asked = found
        else:
            self.came = found

    @property
    def over(self) -> bool:
        """Whether nothing comes after what came."""
        return not isinstance(self.came, EditStep) or None not in self.came.reasons


class Together:
    """Edits under way, all stepped at once. They join and leave between steps.

    Attributes:
        edits: those that are under way.
    """

    def __init__(self) -> None:
        self.edits: list[Ticket] = []

    def join(self, work: Work) -> Ticket:
        """Take in an edit; its picture before is the first thing that comes."""
        ticket = Ticket(work)
        self.edits.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Let an edit go, wherever it is."""
        if ticket in self.edits:
            self.edits.remove(ticket)
            ticket.work.close()

    @torch.no_grad()
    def step(self) -> list[tuple[Ticket, EditStep | Exception]]:
        """One step of every edit: what came of each, its step or what went wrong; those that are over have left."""
        edits = list(self.edits)
        for ticket in edits:
            ticket.came = None
            ticket.advance()
        while asking := [ticket for ticket in edits if ticket.asked]:
            stage = min(ticket.asked.stage for ticket in asking if ticket.asked)
            for some in _sharing([ticket for ticket in asking if ticket.asked and ticket.asked.stage == stage]):
                _answer(some)
        for ticket in edits:
            if ticket.over:
                self.leave(ticket)
        return [(ticket, ticket.came) for ticket in edits if ticket.came is not None]


def _sharing(asking: Sequence[Ticket]) -> Iterator[list[Ticket]]:
    """The edits whose calls are made as one."""
    groups: dict[object, list[Ticket]] = {}
    for ticket in asking:
        call = ticket.asked
        assert call is not None
        shapes = tuple((row.shape[1:], row.dtype, row.device) for row in call.rows)
        groups.setdefault(id(ticket) if call.shared is None else (call.shared, shapes), []).append(ticket)
    for group in groups.values():
        some: list[Ticket] = []
        for ticket in group:
            assert ticket.asked is not None
            if some and sum(map(_rows, some)) + _rows(ticket) > ticket.asked.most:
                yield some
                some = []
            some.append(ticket)
        yield some


def _rows(ticket: Ticket) -> int:
    assert ticket.asked is not None
    return len(ticket.asked.rows[0])


def _answer(some: Sequence[Ticket]) -> None:
    """Make a call for all that share it."""
    calls = [ticket.asked for ticket in some if ticket.asked]
    parts: Sequence[Tensor]
    if len(calls) > 1:
        try:
            rows = [torch.cat(each) for each in zip(*(call.rows for call in calls), strict=True)]
            sizes = [len(call.rows[0]) for call in calls]
            with Apart(sizes, at=-2 if calls[0].stage == Stage.MOVE else 0):
                parts = calls[0].function(*rows).split(sizes)
        except Exception:  # whose fault it is shows when each is made by itself
            for ticket in some:
                _answer([ticket])
            return
    else:
        try:
            parts = [calls[0]()]
        except Exception as error:
            some[0].asked, some[0].came = None, error
            return
    for ticket, part in zip(some, parts, strict=True):
        ticket.advance(part)


SMALL = 20480
"""Numbers of a map up to which PyTorch convolves a single one by another kernel than several."""
_PRODUCTS = {torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__}
_CONVOLUTIONS = {torch.conv1d, torch.conv2d, torch.conv_transpose2d}


class Apart(TorchFunctionMode):
    """Multiplies and convolves the edits of a batch with the results that each has alone.

    Args:
        sizes: how many samples of the batch are each edit's.
        at: the dimension of a linear layer's input that the samples are along: 0, or -2 for a mapping's, which sends
            values and tangents through its layers side by side.
    """

    def __init__(self, sizes: Sequence[int], at: int = 0) -> None:
        super().__init__()
        self.sizes, self.batch, self.at = list(sizes), sum(sizes), at
        self.threads = torch.get_num_threads()  # several share an operation out by the size of its batch

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.linear:
            return self._linear(*args, **kwargs)
        apart = func in _PRODUCTS and args[0].ndim > 1 and args[1].ndim < 3
        if func in _CONVOLUTIONS:
            small = args[0][0].numel() <= SMALL and kwargs.get("groups", 1) == 1
            apart = small or self.threads > 1
        return self._split(func, 0, *args, **kwargs) if apart else func(*args, **kwargs)

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        rows = input.unsqueeze(-2) if input.ndim == 2 else input.transpose(0, 1).contiguous()
        several = len(rows) != len(self.sizes) or input.ndim > 3 or (input.ndim > 2 and self.at == 0)
        if several or self.threads > 1:
            return self._split(F.linear, self.at, input, weight, bias)
        weights = weight.t().expand(len(rows), -1, -1)  # a product for each sample, in one call
        found = torch.bmm(rows, weights) if bias is None else torch.baddbmm(bias, rows, weights)
        return found.squeeze(-2) if input.ndim == 2 else found.transpose(0, 1).contiguous()

    def _split(self, func: Callable, at: int, *args: Any, **kwargs: Any) -> Tensor:
        """One edit after the other."""
        rows = args[0].shape[at]
        if rows % self.batch:  # no samples: a weight, or a table
            return func(*args, **kwargs)
        parts = args[0].split([rows // self.batch * size for size in self.sizes], dim=at)
        if at:  # as they are laid out alone
            parts = tuple(part.contiguous() for part in parts)
        return torch.cat([func(part, *args[1:], **kwargs) for part in parts], dim=at)
