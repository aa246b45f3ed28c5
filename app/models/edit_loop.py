"""The edits under way of all visitors, stepped in one batch by one thread.

Edits of one generator are drawn and read together (`sgf_hub.editing.together`); those of several generators take turns,
so that each edit gets the same share of the time. An edit joins and leaves between two steps. A visitor's handler takes
what has come since it last asked: the more edits are under way, the fewer of their steps are shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from app.core.queue import FairLock

if TYPE_CHECKING:
    from sgf_hub.editing import EditStep
    from sgf_hub.editing.together import Ticket, Together, Work

PACE = 0.06
"""Seconds between two steps that a page shows of an edit, for each other edit under way: showing one takes as long as
computing it."""


Arrived = Callable[["EditStep | Exception", bool], None]
"""Takes a step of an edit, or what went wrong, and whether nothing follows."""


class Arrivals:
    """What has come of an edit and was not taken yet."""

    def __init__(self) -> None:
        self._came: SimpleQueue[tuple[EditStep | Exception, bool]] = SimpleQueue()

    def put(self, came: EditStep | Exception, over: bool) -> None:
        """A step, or what went wrong, and whether nothing follows."""
        self._came.put((came, over))

    def take(self, due: float) -> tuple[list[EditStep | Exception], bool]:
        """What has come, one thing at least: all until it is over, or until a time. And whether it is over."""
        found, over = self._came.get()
        came = [found]
        with suppress(Empty):
            while not over:
                found, over = self._came.get(timeout=max(due - time.monotonic(), 0))
                came.append(found)
        return came, over


def watch(arrivals: Arrivals, under_way: Callable[[], int], paced: bool) -> Iterator[list[EditStep]]:
    """The steps of an edit, those that have come since the last ones; what went wrong is raised.

    Args:
        arrivals: of the edit.
        under_way: how many edits are, this one among them.
        paced: for somebody who looks on: the more are under way, the longer until the next ones are looked for.
    """
    over, due = False, 0.0
    while not over:
        came, over = arrivals.take(due)
        due = time.monotonic() + PACE * (under_way() - 1) * paced
        steps = [step for step in came if not isinstance(step, Exception)]
        if steps:
            yield steps
        if len(steps) < len(came):
            error = came[-1]
            assert isinstance(error, Exception)
            raise error


@dataclass(eq=False)
class Edit:
    """An edit under way.

    Args:
        generator: what draws it; edits of the same one are stepped together.
        work: the edit.
        arrived: called with each of its steps.
    """

    generator: object
    work: Work
    arrived: Arrived
    left: bool = field(default=False, init=False)
    """Whether nobody looks on any more."""


@dataclass(eq=False)
class _Batch:
    """The edits of a generator.

    Args:
        together: what steps them.
        spent: seconds of computing for each edit, by which batches take turns.
    """

    together: Together
    spent: float
    edits: dict[Ticket, Edit] = field(default_factory=dict)


class EditLoop:
    """The loop.

    Args:
        computing: held during a step.
    """

    def __init__(self, computing: FairLock) -> None:
        self.computing = computing
        self._batches: dict[int, _Batch] = {}
        self._joining: list[Edit] = []
        self._under_way = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def steps(self, generator: object, work: Work, *, paced: bool = False) -> Iterator[list[EditStep]]:
        """The steps of an edit, those that have come since the last ones; closing it ends the edit.

        Args:
            generator: what draws it.
            work: the edit.
            paced: for somebody who looks on, and to whom the newest one is shown: not too often.
        """
        arrivals = Arrivals()
        edit = self.begin(generator, work, arrivals.put)
        try:
            yield from watch(arrivals, lambda: self._under_way, paced)
        finally:
            self.end(edit)

    def begin(self, generator: object, work: Work, arrived: Arrived) -> Edit:
        """Take in an edit, which joins the others before their next step.

        Args:
            generator: what draws it.
            work: the edit.
            arrived: called with each of its steps, by the loop's thread: it must not wait.
        """
        edit = Edit(generator, work, arrived)
        with self._changed:
            self._joining.append(edit)
            self._under_way += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="edits", daemon=True)
                self._thread.start()
            self._changed.notify()
        return edit

    def end(self, edit: Edit) -> None:
        """Nobody looks on any more: an edit that is not over leaves before the next step."""
        with self._changed:
            edit.left = True
            self._under_way -= 1

    def _run(self) -> None:
        while True:
            batch = self._next()
            with self.computing:
                began = time.monotonic()
                came = batch.together.step()
                batch.spent += (time.monotonic() - began) / max(len(batch.edits), 1)
            for ticket, found in came:
                batch.edits[ticket].arrived(found, ticket.over)
                if ticket.over:
                    del batch.edits[ticket]
            del came, found

    def _next(self) -> _Batch:
        """The batch whose turn it is, once there is an edit; who joins has joined, and who left has left."""
        from sgf_hub.editing.together import Together

        with self._changed:
            while True:
                for edit in self._joining:
                    least = min((batch.spent for batch in self._batches.values()), default=0.0)
                    batch = self._batches.setdefault(id(edit.generator), _Batch(Together(), least))
                    batch.edits[batch.together.join(edit.work)] = edit
                self._joining.clear()
                for batch in self._batches.values():
                    for ticket in [ticket for ticket, edit in batch.edits.items() if edit.left]:
                        batch.together.leave(ticket)
                        del batch.edits[ticket]
                self._batches = {key: batch for key, batch in self._batches.items() if batch.edits}
                if self._batches:
                    return min(self._batches.values(), key=lambda batch: batch.spent)
                self._changed.wait()
