"""What a visitor does, without a page: handlers called as the panel's events call them."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.core.session import Plan, Session, present
from app.panels import edits, links
from app.panels.panel import EditorPanel


def handle(panel: EditorPanel, handler: Any, session: Session | None, *values: Any) -> Any:
    """What a handler gives for a session and the values of its inputs."""
    return handler(panel, panel.view_of(session), session, *values)


def begin(panel: EditorPanel, seed: object = "7", variety: object = 0.8) -> dict:
    """A picture from a seed."""
    return panel.begin(panel.view_of(None), seed, variety)


def opening(panel: EditorPanel, session: Session | None, *values: Any) -> Iterator[dict]:
    """The page is opened."""
    yield from handle(panel, links.opening, session, *values)


def run(panel: EditorPanel, session: Session | None, plan: Plan, who: str = "me") -> Iterator[dict]:
    """An edit."""
    session = present(session)
    yield from edits.run(panel, panel.view_of(session), session, plan, who)


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives, in a thread of its own: Playwright leaves a loop running in the one that tests are in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
