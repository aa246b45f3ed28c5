"""What `app.py` imports before it serves the page, and how. This module itself imports nothing large."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any


def import_gradio() -> None:
    """Import Gradio without the stub files for editors that it writes each time, which take a third of its import.

    It asks in which file each component's class is, and leaves out those that are in none.
    """
    asked = inspect.getfile
    inspect.getfile = _in_no_file  # type: ignore[assignment]
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = asked


def _in_no_file(thing: Any) -> str:
    raise FileNotFoundError(f"{thing} has no file while Gradio is imported.")


def import_libraries() -> None:
    """Import what the first face and its edit need, after `app.models.services`, and load nothing.

    It is done before the page is served and not beside it: while torch comes in, nothing else moves, so that a page
    that is open would hang, and Gradio, which asks itself for its page, could take itself for unreachable and end.
    """
    with suppress(Exception):  # told to the visitor who needs it
        import sgf_hub.editing.editor
        import sgf_hub.generators
        import sgf_hub.predictors  # noqa: F401
