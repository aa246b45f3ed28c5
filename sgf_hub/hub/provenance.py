"""What an entry was made from: fingerprints of others' weights, kept beside its own, so that what is stale is told."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from sgf_hub.errors import CorruptFileError
from sgf_hub.hub.fetching.manifest import MANIFEST
from sgf_hub.hub.files import CONFIG, sha256
from sgf_hub.hub.names import sibling
from sgf_hub.validation import read_json

RECORD, KEY = "training.json", "made_from"


def fingerprint_of(folder: Path) -> str | None:
    """16 hexadecimal digits of an entry's weights; of where they are fetched from, or its config, if it has none.

    Of a folder of pairs, digits of what its own record says. None if there is nothing.
    """
    weights = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("pairs-"))
    named = [folder / name for name in (MANIFEST, CONFIG, RECORD) if (folder / name).is_file()]
    files = weights or named[:1]
    if not files:
        return None
    marks = [sha256(path) for path in files]
    return (marks[0] if len(marks) == 1 else hashlib.sha256("".join(marks).encode()).hexdigest())[:16]


def made_from(folder: Path) -> dict[str, str] | None:
    """Names to the fingerprints that they had when an entry was made; None where that was not recorded."""
    held = read_json(folder / RECORD).get(KEY) if (folder / RECORD).is_file() else None
    return {str(name): str(mark) for name, mark in held.items()} if isinstance(held, dict) else None


def record(folder: Path, marks: dict[str, str]) -> None:
    """Write down what an entry was made from, beside what else its record says."""
    path = folder / RECORD
    held = read_json(path) if path.is_file() else {}
    path.write_text(json.dumps({**held, KEY: marks}, indent=1) + "\n")


def check_parts(folder: Path, parts: Iterable[str]) -> None:
    """Refuse a mapping whose generator or predictor, in the folder beside it, is another than it was made from.

    Args:
        folder: of the mapping.
        parts: what its config names.

    Raises:
        CorruptFileError: if one of them is.
    """
    marks = made_from(folder) or {}
    for part in parts:
        name = part.rpartition("/")[2]
        beside = sibling(folder, part)
        if beside is not None and name in marks and fingerprint_of(beside) != marks[name]:
            raise CorruptFileError(
                f"{folder.name!r} was made from other weights of {name!r} than lie beside it: `sgf-hub zoo build "
                f"{folder.name}` makes it anew, or fetch both again."
            )
