"""Who computes when: one piece of work at a time, and of each visitor's pieces, one after another.

The page runs on a few cores, so all that computes in a process holds one lock, for a step of a search, a picture to
draw, a step of all edits under way (`app.models.edit_loop`), and never longer. It is given to whoever has waited
longest: a long piece of work waits for a short one after each of its own steps, and the other way round.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


class FairLock:
    """A lock that whoever has waited longest gets; a thread that asks again at once comes last."""

    def __init__(self) -> None:
        self._guard, self._held = threading.Lock(), False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # until it is handed over

    def __exit__(self, *error: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._held


@dataclass(eq=False)
class _Piece:
    """A visitor's piece of work.

    Args:
        idle_since: when it last gave an item that nobody has asked on from; None while it computes or waits.
    """

    idle_since: float | None = None


@dataclass
class VisitorQueues:
    """A visitor's pieces of work are done in their order: a picture is not shown before the edit that it ends is over.

    Args:
        patience: seconds after which a piece from which nobody asks for more holds up no other: a browser that was
            closed ends nothing.
    """

    patience: float = 5.0
    _pieces: dict[str, deque[_Piece]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def work(self, who: str, steps: Iterable[Item]) -> Iterator[Item]:
        """The items of `steps`, once the visitor's earlier pieces are over. Closing it closes `steps`.

        Args:
            who: the visitor, by the page's session.
            steps: an iterator. What a generator returns (not None) is its last item.
        """
        piece, items = _Piece(), iter(steps)
        with self._changed:
            self._pieces.setdefault(who, deque()).append(piece)
        try:
            self._wait(who, piece)
            while True:
                piece.idle_since = None
                try:
                    item = next(items)
                except StopIteration as end:
                    if end.value is not None:
                        piece.idle_since = time.monotonic()
                        yield end.value
                    return
                piece.idle_since = time.monotonic()
                yield item
        finally:
            with self._changed:
                self._drop(who, piece)
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def _wait(self, who: str, piece: _Piece) -> None:
        with self._changed:
            while (first := self._pieces[who][0]) is not piece:
                if first.idle_since is not None and time.monotonic() - first.idle_since >= self.patience:
                    self._drop(who, first)
                else:
                    self._changed.wait(self.patience / 2)

    def _drop(self, who: str, piece: _Piece) -> None:
        pieces = self._pieces.get(who, deque())
        if piece in pieces:
            pieces.remove(piece)
        if not pieces:
            self._pieces.pop(who, None)
        self._changed.notify_all()
