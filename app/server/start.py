"""What `app.py` imports before it serves the page. This module itself imports nothing large."""

from __future__ import annotations

from contextlib import suppress


def import_libraries() -> None:
    """Import what the first face and its edit need, after `app.models.services`, and load nothing.

    It is done before the page is served and not beside it: while torch comes in, nothing else moves, so that a page
    that is open would hang, and Gradio, which asks itself for its page, could take itself for unreachable and end.
    """
    with suppress(Exception):  # told to the visitor who needs it
        import sgf_hub.editing.editor
        import sgf_hub.generators
        import sgf_hub.predictors  # noqa: F401
