"""What `app.py` imports before it serves the page. This module itself imports nothing large."""

from __future__ import annotations

import os
from contextlib import suppress

from app.models.edit_process import cores


def share_cores() -> None:
    """Have PyTorch, before it is imported, compute with half of the cores in this process, and in that of edits.

    With one thread, edits share their convolutions (`sgf_hub.editing.together.Apart`); and a picture has the same bits
    in both processes.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(cores() // 2, 1)))


def import_libraries() -> None:
    """Import what the first face and its edit need, after `app.models.services`, and load nothing.

    It is done before the page is served and not beside it: while torch comes in, nothing else moves, so that a page
    that is open would hang, and Gradio, which asks itself for its page, could take itself for unreachable and end.
    """
    with suppress(Exception):  # told to the visitor who needs it
        import sgf_hub.editing.editor
        import sgf_hub.generators
        import sgf_hub.predictors  # noqa: F401
