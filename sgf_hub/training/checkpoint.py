"""Unfinished work on disk, so that a kill costs a minute and never the file."""

import os
from pathlib import Path

import torch

from sgf_hub.errors import SGFError


def save_checkpoint(path: Path, state: dict) -> None:
    """Write a checkpoint; a kill while writing leaves the older one whole.

    Raises:
        SGFError: if it cannot be written, such as on a full disk.
    """
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch tells of a full disk in a RuntimeError
        part.unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise SGFError(
            f"{path} cannot be written ({reason}): is the disk full? What was saved before is whole; free some "
            "space and run the command again."
        ) from None
