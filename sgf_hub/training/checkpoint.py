"""Unfinished work on disk, so that a kill costs a minute and never the file."""

import os
from pathlib import Path

import torch


def save_checkpoint(path: Path, state: dict) -> None:
    """Write a checkpoint; a kill while writing leaves the older one whole."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
