"""Checking what callers, files and clients give: each failure is one sentence."""

import difflib
import json
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sgf_hub.errors import BadValueError, CorruptFileError

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


def short(value: object) -> str:
    """`repr`, cut to what fits in a sentence: what a file or a client gave may be a megabyte long."""
    return _SHORT.repr(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' for a mistyped name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(one) for one in close)}?)" if close else ""


def check_seed(seed: object) -> int:
    """A seed as an integer in [0, 2**63), or a BadValueError that says so."""
    try:
        if isinstance(seed, float) and not seed.is_integer():
            raise ValueError
        value = int(seed)  # type: ignore[call-overload]
        if 0 <= value < 2**63:
            return value
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadValueError(f"a seed is a whole number from 0 to 2**63 - 1, not {short(seed)}.")


def read_json(path: Path, *, limit: int = 2**20) -> dict:
    """A JSON object from a file of at most `limit` bytes.

    Raises:
        CorruptFileError: if it is missing, too large, not JSON, or not an object.
    """
    try:
        if path.stat().st_size > limit:
            raise CorruptFileError(f"{path.name} is larger than {limit >> 10} KB: it is not a file of ours.")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} cannot be read as JSON ({error}).") from None
    if not isinstance(value, dict):
        raise CorruptFileError(f"{path} holds {type(value).__name__}, not a JSON object.")
    return value


def check_downloaded(path: Path) -> None:
    """Refuse what often lies where a large file should be: a pointer of Git LFS, or the web page around it.

    Raises:
        CorruptFileError: if it is one.
    """
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise CorruptFileError(
            f"{path.name} is a pointer of Git LFS, not the file that it stands for: run `git lfs pull` in its "
            "repository, or download the file itself."
        )
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise CorruptFileError(
            f"{path.name} is a web page, not the file that it was downloaded as: open its address in a browser, and "
            "save the file that the page offers."
        )


def bounded(name: str, value: Any, low: float, high: float) -> Any:
    """`value` if it is a number in [low, high] (an integer where `low` is one), else a BadValueError."""
    kinds = (int,) if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise BadValueError(f"{name} is {short(value)}; it must be a number from {low} to {high}.")
    return value


def names_of(field: str, value: Any, *, most: int = 1024) -> tuple[str, ...]:
    """`value` as a tuple of distinct names, else a BadValueError."""
    if (
        not isinstance(value, (list, tuple))
        or len(value) > most
        or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in value)
        or len(set(value)) != len(value)
    ):
        raise BadValueError(f"{field} must be a list of at most {most} distinct names.")
    return tuple(value)
