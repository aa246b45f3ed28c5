"""Reads checkpoint files of anybody without running any of them: `read_checkpoint`."""

from sgf_hub.generators.formats.reader.budget import Opaque
from sgf_hub.generators.formats.reader.reading import read_checkpoint

__all__ = ["Opaque", "read_checkpoint"]
