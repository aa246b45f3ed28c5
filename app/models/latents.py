"""Latents that come from outside: as a file or as text, of any shape and with any numbers, until they are checked."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import UserError
from app.core.model_sets import ModelSet
from app.models.services import Models

if TYPE_CHECKING:
    from sgf_hub.types import Latent

_TEXT = 2**19  # characters; a w+ latent of 18 layers of 512 is 50,000
_FILE = "latent.safetensors"  # as errors name it


def as_text(latent: Latent, generator: str) -> str:
    """A latent's safetensors file, in base64: what `from_text` reads, and `Latent.load` once it is decoded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        latent.save(path, generator=generator)
        return base64.b64encode(path.read_bytes()).decode()


def from_text(text: object) -> Latent:
    """The latent of a text that `as_text` gave; `taken_in` checks whose it is.

    Raises:
        UserError: if it is no text, too long, or not base64.
        CorruptFileError: if what it holds is no latent file.
    """
    from sgf_hub.types import Latent

    if not isinstance(text, str) or len(text) > _TEXT:
        raise UserError("A latent is the base64 text of a latent file, as an earlier result gave it.")
    try:
        content = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):  # not ASCII, for one
        raise UserError("The latent is not base64: send it as an earlier result gave it.") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        path.write_bytes(content)
        return Latent.load(path)


def taken_in(latent: Latent, models: Models, model_set: ModelSet) -> Latent:
    """A latent of a file as the page's edits take it; it has been drawn once.

    Raises:
        BadValueError: if it is not one sample, not of this generator, or draws nothing.
    """
    from sgf_hub.errors import BadValueError

    if len(latent) != 1:
        raise BadValueError(f"the file holds {len(latent)} latents; the demo opens a file with one.")
    if not models.draw(model_set, latent).isfinite().all():
        raise BadValueError("the latent lies too far out to be drawn: save it again from a picture.")
    generator = models.generator(model_set.generator)
    if latent.space == "z" and generator.latent_space == "w":
        return generator.to_w(latent)  # type: ignore[attr-defined]
    return latent
