"""One queue for all that computes, fair between visitors: two edits at once on a few cores would both be slow.

A visitor's turn lasts for as long as nobody else waits, and for `SLICE` seconds where somebody does; then it passes to
the one who has waited longest, and the rest of the work goes to the end of the queue. So a short edit behind a long
projection waits for seconds, not for its end; and one visitor with many pieces of work gets no more than the others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

SLICE = 1.0  # seconds
NEWS = 0.5  # seconds between two words on how the line moves
Item = TypeVar("Item")


@dataclass(frozen=True)
class Queued:
    """It is somebody else's turn.

    Args:
        ahead: how many visitors come first.
    """

    ahead: int


def place_in_words(queued: Queued) -> str:
    """A place in the queue, as a visitor reads it."""
    others = "1 edit is" if queued.ahead == 1 else f"{queued.ahead} edits are"
    return f"Waiting: {others} ahead of yours."


@dataclass
class FairQueue:
    """The queue. One visitor has the turn; of each visitor's pieces of work, the oldest is the one that is done.

    Args:
        slice: seconds that a turn lasts where others wait.
        patience: seconds after which one who has the turn and does nothing with it loses it.
    """

    slice: float = SLICE
    patience: float = 5.0
    _visitors: deque[str] = field(default_factory=deque)  # visitors; the first has the turn
    _work: dict[str, deque[object]] = field(default_factory=dict)  # each one's pieces
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _idle_since: float | None = None  # of the turn's owner; None while it computes

    def work(self, who: str, steps: Iterator[Item]) -> Iterator[Item | Queued]:
        """The items of `steps`, each computed when it is this visitor's turn; `Queued` while it is not.

        Closing it leaves the queue, and closes `steps`. The last item is never `Queued`.

        Args:
            who: the visitor, by the page's session.
            steps: an iterator; a turn passes on between its items only. What a generator returns (not None) is its last
                item: one that is known to be the last is not followed by a wait.
        """
        piece = object()
        self._enter(who, piece)
        waited, item = False, None
        try:
            while True:
                for queued in self._wait(who, piece):
                    waited = True
                    yield queued
                began = time.monotonic()
                while self._resume(who, piece):
                    try:
                        item = next(steps)
                    except StopIteration as end:
                        if end.value is not None:
                            yield end.value
                        elif waited and item is not None:
                            yield item
                        return
                    finally:
                        self._rest()
                    waited = False
                    yield item
                    if time.monotonic() - began > self.slice and self._pass_on(who):
                        break
        finally:
            self._leave(who, piece)
            close = getattr(steps, "close", None)
            if close is not None:
                close()

    def _enter(self, who: str, piece: object) -> None:
        with self._changed:
            if who not in self._work:
                self._work[who] = deque()
                self._visitors.append(who)
                if self._visitors[0] == who:
                    self._idle_since = time.monotonic()
            self._work[who].append(piece)

    def _leave(self, who: str, piece: object) -> None:
        with self._changed:
            pieces = self._work.get(who)
            if pieces is None or piece not in pieces:  # it had lost its turn and its place
                return
            had_turn = self._visitors[0] == who and pieces[0] is piece
            pieces.remove(piece)
            if pieces:
                if had_turn:  # the next of its pieces waits for a turn of its own
                    self._visitors.rotate(-1)
            else:
                del self._work[who]
                self._visitors.remove(who)
            if had_turn:
                self._idle_since = time.monotonic()
            self._changed.notify_all()

    def _pass_on(self, who: str) -> bool:
        """Give the turn to the next in line, if there is one."""
        with self._changed:
            if len(self._visitors) < 2 or self._visitors[0] != who:
                return False
            self._visitors.rotate(-1)
            self._idle_since = time.monotonic()
            self._changed.notify_all()
            return True

    def _resume(self, who: str, piece: object) -> bool:
        """Whether the turn is still this piece's; from here on it computes."""
        with self._changed:
            mine = self._visitors and self._visitors[0] == who and self._work[who][0] is piece
            if mine:
                self._idle_since = None
            return bool(mine)

    def _rest(self) -> None:
        with self._changed:
            self._idle_since = time.monotonic()

    def _wait(self, who: str, piece: object) -> Iterator[Queued]:
        """Until it is this piece's turn."""
        last, patience = 0, 0.2  # most turns come sooner than that, and are worth no word
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._ahead(who, piece) == 0, timeout=patience):
                    return
                self._drop_the_absent()
                ahead = self._ahead(who, piece)
            patience = NEWS
            if ahead and ahead != last:
                last = ahead
                yield Queued(ahead)

    def _ahead(self, who: str, piece: object) -> int:
        """How many come before a piece of work: visitors, and the visitor's own older pieces."""
        if piece not in self._work.get(who, ()):  # it was taken for absent, and is back
            self._enter(who, piece)
        return self._visitors.index(who) + self._work[who].index(piece)

    def _drop_the_absent(self) -> None:
        """Who has the turn and does not use it is gone: a browser that was closed ends nothing."""
        if self._idle_since is None or time.monotonic() - self._idle_since < self.patience:
            return
        who = self._visitors[0]
        self._leave(who, self._work[who][0])
