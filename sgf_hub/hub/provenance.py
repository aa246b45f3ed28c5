"""What an entry was made from: fingerprints of others' weights, kept beside its own, so that what is stale is told."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from sgf_hub.errors import CorruptFileError
from sgf_hub.hub.fetching.manifest import MANIFEST
from sgf_hub.hub.files import CONFIG, sha256
from sgf_hub.hub.kinds import KINDS, kind_of
from sgf_hub.hub.names import NAMESPACE, root, sibling
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


def weights_behind(names: Iterable[str]) -> dict[str, str]:
    """Fingerprints of entries of the zoo and of all that their configs name in turn, by name.

    What figures are measured with: they speak of these weights, and are old once one of them is another.

    Args:
        names: of entries; what is not in the zoo is passed over.
    """
    found: dict[str, str] = {}
    waiting = [name.removeprefix(NAMESPACE + "/") for name in names]
    for name in waiting:  # which grows meanwhile
        folder = root() / name
        if name in found or not (folder / CONFIG).is_file():
            continue
        mark = fingerprint_of(folder)
        if mark is not None:
            found[name] = mark
        config = read_json(folder / CONFIG)
        kind = KINDS.get(kind_of(config))
        for key in kind.parts if kind else ():
            named = config.get(key)
            waiting += [part.removeprefix(NAMESPACE + "/") for part in (named if isinstance(named, list) else [named])
                        if isinstance(part, str)]  # fmt: skip
    return dict(sorted(found.items()))


def outdated(weights: dict[str, str]) -> list[str]:
    """Of the entries that figures speak of, those whose weights are others now, or gone."""
    return [name for name, mark in weights.items() if fingerprint_of(root() / name) != mark]


def stamp(names: Iterable[str]) -> str:
    """What a picture's file says, as its comment, of the weights that drew it."""
    return json.dumps({"weights": weights_behind(names)})


def stamped(path: Path) -> dict[str, str] | None:
    """The fingerprints in a picture's comment; None if it has none."""
    from PIL import Image

    with Image.open(path) as picture:
        text = picture.info.get("Comment", picture.info.get("comment", ""))
    try:
        return dict(json.loads(text)["weights"])
    except (ValueError, KeyError, TypeError):
        return None


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
