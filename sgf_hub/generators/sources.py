"""What a source names: a folder of ours, one of diffusers, or a checkpoint file; on disk, in the zoo, or on the Hub."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub import download
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.validation import read_json, short

INDEX = "model_index.json"  # of diffusers
SUFFIXES = (".pkl", ".pt", ".pth", ".ckpt")  # of checkpoints; what is in them is looked at, whatever they are called
_OTHERS = {
    ".onnx": "ONNX, which sgf-hub does not run",
    ".safetensors": "safetensors without a config.json of ours",
    ".bin": "weights without a config.json of ours",
    ".h5": "Keras weights",
}
_IN_REPO = re.compile(r"([\w.-]+/[\w.-]+)/(.+)")


@dataclass(frozen=True)
class Found:
    """What a source led to.

    Args:
        kind: "folder" (with a config.json), "diffusers" (a folder with a model_index.json), or "checkpoint" (a file).
        path: the folder or file.
    """

    kind: Literal["folder", "diffusers", "checkpoint"]
    path: Path


def find(source: str | Path, hub: HubOptions = HUB_DEFAULTS) -> Found:
    """What `source` names, fetched from the Hub if need be.

    Args:
        source: a folder, a file, a zoo entry, a Hub id "owner/name", or a file of a Hub repo, "owner/name/file.pkl".
        hub: how it is fetched.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if it is there, and holds no generator or several.
        BadValueError: if a revision is asked for of what has none.
    """
    name = str(source)
    local = _on_disk(name)
    if local is not None and local.is_file():
        if hub.revision is not None:
            raise BadValueError(f"{name!r} is a file, and only repos of the Hub have revisions: leave it out.")
        return Found("checkpoint", local)
    if local is not None and hub.revision is None:
        local = local / (hub.subfolder or "")
        try:
            names = [one.name for one in local.iterdir()]
        except OSError as error:  # a device, or a folder that is not ours to read
            raise CorruptFileError(f"{name!r} cannot be read ({error.strerror}): give a file or a folder.") from None
        kind, file = _choice(names, local, name)
        return Found(kind, local / file)
    if local is None and name.lower().endswith(SUFFIXES):
        inside = _IN_REPO.fullmatch(name)
        if inside is None or ".." in inside[2].split("/"):
            raise UnknownNameError(
                f"there is no file {short(name)}; a file of a Hub repo is written 'owner/name/file.pkl'."
            )
        return Found("checkpoint", download.fetch(inside[1], inside[2], hub))
    try:
        return Found("folder", zoo.locate(name, hub, files=(CONFIG,)))
    except SGFError:
        if "/" not in name or local is not None or (hub.revision is None and zoo.embedded(name)):
            raise
        return _in_repo(name, hub)


def _in_repo(name: str, hub: HubOptions) -> Found:
    """A repo of the Hub without a config.json."""
    kind, file = _choice(download.listing(name, hub), None, name)
    path = download.fetch(name, file or INDEX, hub)
    return Found(kind, path if kind == "checkpoint" else path.parent)


def _on_disk(name: str) -> Path | None:
    try:
        return Path(name) if name and Path(name).exists() else None
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        return None


def _choice(
    names: Sequence[str], folder: Path | None, name: str
) -> tuple[Literal["folder", "diffusers", "checkpoint"], str]:
    """Which of a folder's files to load; the file's name is empty where it is the folder."""
    if CONFIG in names and (folder is None or "class" in read_json(folder / CONFIG)):
        return "folder", ""
    if INDEX in names:
        return "diffusers", ""
    checkpoints = [one for one in sorted(names) if one.lower().endswith(SUFFIXES)]
    if len(checkpoints) == 1:
        return "checkpoint", checkpoints[0]
    if checkpoints:
        few = ", ".join(checkpoints[:8]) + (", ..." if len(checkpoints) > 8 else "")
        raise CorruptFileError(
            f"{name!r} holds {len(checkpoints)} checkpoints ({few}): name one of them, as '{name.rstrip('/')}/"
            f"{checkpoints[0]}'."
        )
    if CONFIG in names:
        return "folder", ""  # of another library; who loads it says so
    others = [(one, what) for one in sorted(names) for suffix, what in _OTHERS.items() if one.lower().endswith(suffix)]
    held = f"it holds {others[0][0]}, {others[0][1]}" if others else "it holds neither config.json nor a checkpoint"
    raise CorruptFileError(
        f"{name!r} is no generator that sgf-hub can load: {held}. A folder written by `sgf-hub convert`, a diffusers "
        f"folder, or a .pkl, .pt or .pth file is accepted; wrap any other PyTorch network in a CustomGenerator."
    )
