"""Fetched entries on this machine: `~/.cache/sgf-hub`, or `SGF_HUB_CACHE`."""

import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from sgf_hub.errors import CorruptFileError, SGFError
from sgf_hub.hub.fetching.manifest import MANIFEST, Manifest, read_manifest
from sgf_hub.hub.fetching.registry import LICENCE, take
from sgf_hub.validation import read_json, short

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_WORK = ".work-"  # begins the names of folders that are being made
_OTHERS_TAKE = 600  # s, that another process may need for the same entry


def cache() -> Path:
    """The folder of what was fetched."""
    given = os.environ.get("SGF_HUB_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sgf-hub"


def place(folder: Path) -> Path:
    """Where a fetched entry lies once it is here: another folder for every version of its config and manifest."""
    digest = hashlib.sha256()
    for name in (CONFIG, MANIFEST):
        digest.update((folder / name).read_bytes())
    return cache() / "fetched" / digest.hexdigest()[:12] / folder.name


def fetched(folder: Path) -> Path | None:
    """The folder in the cache with everything of a fetched entry, fetching it if need be.

    Args:
        folder: of the entry in the zoo, without its weights.

    Returns:
        None if the folder is no fetched entry.

    Raises:
        UnknownNameError: if the registry cannot be reached or has no such package.
        CorruptFileError: if what it has is not what was checked.
        SGFError: if it cannot be written.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    target = place(folder)
    try:
        if (target / WEIGHTS).is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock", timeout=_OTHERS_TAKE):
            if not (target / WEIGHTS).is_file():  # another process was first
                _make(folder, manifest, target)
    except Timeout:
        raise SGFError(f"another process has been fetching {folder.name!r} for {_OTHERS_TAKE // 60} minutes.") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else error.strerror or type(error).__name__
        raise SGFError(
            f"{folder.name!r} cannot be written to {cache()} ({what}): "
            + ("free some of it" if full else "set SGF_HUB_CACHE to a folder that can be written")
            + ", then try again."
        ) from None
    return target


def _make(folder: Path, manifest: Manifest, target: Path) -> None:
    # torch takes seconds to import, and most commands only ask where an entry is
    from safetensors.torch import save_file

    from sgf_hub.hub.fetching.converters import CONVERTERS

    if manifest.converter not in CONVERTERS:
        raise CorruptFileError(f"{MANIFEST} of {folder.name!r} names the converter {short(manifest.converter)}.")
    for left in (target, *target.parent.glob(f"{_WORK}*")):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=target.parent) as temporary:
        work, made = Path(temporary), Path(temporary) / folder.name
        found, weights = CONVERTERS[manifest.converter](take(manifest, work))
        config = read_json(folder / CONFIG)
        if any(config.get(key) != value for key, value in found.items()):
            raise CorruptFileError(f"{manifest.file} of {manifest.package} is not the network that {CONFIG} describes.")
        made.mkdir()
        shutil.copyfile(folder / CONFIG, made / CONFIG)
        if (work / LICENCE).is_file():
            shutil.copyfile(work / LICENCE, made / LICENCE)
        try:
            save_file({name: value.contiguous() for name, value in weights.items()}, str(made / WEIGHTS))
        except SafetensorError as error:  # which hides what the system says
            full = "No space left" in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error).splitlines()[0]) from None
        (made / WEIGHTS).chmod(0o644)
        os.replace(made, target)
