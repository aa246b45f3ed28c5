"""What stands before every request: how large one may be, how much may be uploaded, and a word for what fails."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

LIMIT = 4 * 2**20
"""Bytes of a request's body; the largest one of the page's own is a picture as text."""
UPLOADS = 2**29
"""Bytes of all uploads within `HELD` seconds: they lie on the disk for so long."""
HELD = 1200.0  # of `FILES` in `app.server.page`
_UPLOAD = "/upload"  # how its path ends
_FILE = "/file="  # in the path of every request for a file


class BodyLimit:
    """ASGI middleware that refuses larger bodies with status 413 and a sentence.

    A body that says how large it is, is refused before any of it is read; one that does not say, or that lies, as soon
    as more has come.

    Args:
        app: what comes after it.
        limit: in bytes.
    """

    def __init__(self, app: Any, limit: int = LIMIT) -> None:
        self.app, self.limit = app, limit
        self.sentence = f"A request may have {limit / 2**20:.3g} MB, and this one has more: send less at once."

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, and count what is read of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(scope) > self.limit:
            await _say(413, self.sentence)(scope, receive, send)
            return
        read = 0

        def count(size: int) -> None:
            nonlocal read
            read += size
            if read > self.limit:
                raise HTTPException(413, self.sentence)  # the app behind this one answers with it

        await self.app(scope, _counted(receive, count), send)


class UploadLimit:
    """ASGI middleware that refuses uploads once so many bytes of them have come within so many seconds.

    Args:
        app: what comes after it.
        limit: in bytes, of all visitors together.
        seconds: after which a file that was uploaded is gone.
        clock: tells the time, in seconds.
    """

    def __init__(
        self, app: Any, limit: int = UPLOADS, seconds: float = HELD, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.app, self.limit, self.seconds, self.clock = app, limit, seconds, clock
        self.sent: deque[list[float]] = deque()  # of each upload, when it began and its bytes
        self.held = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, and take note of what it uploads."""
        if scope["type"] != "http" or not scope["path"].rstrip("/").endswith(_UPLOAD):
            await self.app(scope, receive, send)
            return
        now = self.clock()
        while self.sent and now - self.sent[0][0] > self.seconds:
            self.held -= self.sent.popleft()[1]
        if self.held >= self.limit:
            await _say(503, "Too many files were sent to this page lately: try again in twenty minutes.")(
                scope, receive, send
            )
            return

        upload = [now, 0]
        self.sent.append(upload)

        def count(size: int) -> None:
            upload[1] += size
            self.held += size

        await self.app(scope, _counted(receive, count), send)


class LastWord:
    """ASGI middleware that answers with a sentence where Gradio fails on a request that is none of the page's.

    What handlers raise does not come here: Gradio tells of that itself.

    Args:
        app: what comes after it.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, and answer if nothing else does."""
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            logging.getLogger(__name__).warning("a request that cannot be answered: %r", error)
            # an argument that an endpoint lacks, or needs: Gradio names it
            named = isinstance(error, TypeError) and "/call/" in scope["path"]
            sentence = (
                f"{error}" if named else "This request cannot be understood: see the page's API for those that can."
            )
            await _say(400, sentence)(scope, receive, send)


class SilentFiles:
    """ASGI middleware that refuses files in its own words: Gradio quotes the path that it was asked for.

    Args:
        app: what comes after it.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, and what comes back of it, unless that is a refusal of a file."""
        if scope["type"] != "http" or _FILE not in scope["path"]:
            await self.app(scope, receive, send)
            return
        refused = False

        async def quiet(message: Any) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = True
                await _say(message["status"], "There is no such file for visitors.")(scope, receive, send)
            if not refused:
                await send(message)

        await self.app(scope, receive, quiet)


def _counted(receive: Any, count: Callable[[int], None]) -> Any:
    async def counted() -> Any:
        message = await receive()
        count(len(message.get("body", b"")))
        return message

    return counted


def _declared(scope: Any) -> int:
    """The size that a request says it has; 0 where it says nothing that can be read."""
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(size) for size in sizes if size.isdigit() and len(size) < 20), default=0)


def _say(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status)


def guards() -> list[Middleware]:
    """What Gradio's app is begun with, the outermost first."""
    return [Middleware(LastWord), Middleware(SilentFiles), Middleware(BodyLimit), Middleware(UploadLimit)]
