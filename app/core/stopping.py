"""Who asked for their running edit to be stopped."""

from __future__ import annotations

import threading


class Stop(threading.Event):
    """Set when an edit is asked to stop.

    `superseded` is true where another picture takes its place: nobody waits for the edit's result, and its buttons
    would outlive it on a slow page.
    """

    superseded = False

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()  # set when the edit has ended


class Stops:
    """Who asked for their edit to be stopped, by the page's session."""

    def __init__(self) -> None:
        self._events: dict[str, Stop] = {}

    def begin(self, who: str) -> Stop:
        """An edit begins; the event is set when it is asked to stop."""
        self._events[who] = Stop()
        return self._events[who]

    def ask(self, who: str, *, superseded: bool = False) -> None:
        """Stop the edit of that page, if one runs."""
        event = self._events.get(who)
        if event is not None:
            event.superseded = superseded
            event.set()

    def ask_and_wait(self, who: str, seconds: float = 20.0) -> None:
        """Stop the edit of that page, if one runs, and wait for its end."""
        event = self._events.get(who)
        if event is not None:
            event.set()
            event.over.wait(seconds)

    def end(self, who: str, event: Stop) -> None:
        """The edit is over."""
        event.over.set()
        if self._events.get(who) is event:
            del self._events[who]
