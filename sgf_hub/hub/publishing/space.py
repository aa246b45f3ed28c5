"""The demo as a Space: the files of a checkout, with the embedded zoo, so that it starts without a download."""

import re
from pathlib import Path
from typing import Any

from huggingface_hub import SpaceCard

from sgf_hub.errors import BadValueError, SGFError
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.publishing.cards import pictures_of
from sgf_hub.hub.publishing.upload import Upload, check_namespace

ZERO_TORCH = "2.11.0"
"""ZeroGPU lends its GPUs to torch 2.8 to 2.11, and the demo is pinned to a later one elsewhere."""
HARDWARE = "zero-a10g"  # the Hub's name of ZeroGPU, whatever GPU it is by now
_FOLDERS = ("app", "sgf_hub")
_FILES = ("app.py", "packages.txt", "LICENSE")
_RUNS = re.compile(
    r"(config|fetch)\.json|.*\.safetensors|(tokenizer|tokenizer_config|\w+processor_config|generation_config)\.json"
    r"|training\.json|measured\.json|README\.md|strip\.png"  # what the tab Zoo tells
)


def space_upload(namespace: str, name: str = "sgf-hub") -> Upload:
    """The files of the Space.

    Args:
        namespace: whose it is to be.
        name: of it.

    Raises:
        SGFError: outside of a checkout.
        BadValueError: if the name is none.
    """
    check_namespace(namespace)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", name):
        raise BadValueError(f"{name!r} is no name for a Space: letters, digits, dashes, dots and underscores.")
    home = Path(__file__).resolve().parents[3]
    lacking = [file for file in (*_FILES, *_FOLDERS, "README.md", "requirements.txt") if not (home / file).exists()]
    if lacking:
        raise SGFError(f"the demo is pushed from a checkout of the repository: {lacking[0]} is not beside sgf_hub.")
    files: dict[str, Path | bytes] = {file: home / file for file in _FILES}
    for folder in _FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                files[path.relative_to(home).as_posix()] = path
    for entry in zoo.entries():
        for path in sorted(entry.path.iterdir()):
            if _RUNS.fullmatch(path.name):
                files[f"zoo/{entry.name}/{path.name}"] = path
    card = _card((home / "README.md").read_text("utf-8"))
    files["README.md"] = card.encode()
    files["requirements.txt"] = _requirements((home / "requirements.txt").read_text("utf-8")).encode()
    files |= {picture: home / picture for picture in pictures_of(card, home)}
    return Upload(f"{namespace}/{name}", files, kind="space", mirrored=tuple(f"{one}/" for one in (*_FOLDERS, "zoo")))


def _card(readme: str) -> str:
    """The README with front matter that also says which models are in there, and which hardware is meant."""
    card = SpaceCard(readme)
    data: Any = card.data
    data.suggested_hardware = HARDWARE
    data.models = [f"{zoo.NAMESPACE}/{entry.name}" for entry in zoo.entries() if (entry.path / CONFIG).is_file()]
    return str(card)


def _requirements(text: str) -> str:
    """The demo's requirements, with the torch that ZeroGPU takes."""
    pinned = f"# ZeroGPU takes torch 2.8 to 2.11; elsewhere the demo runs on a later one.\ntorch=={ZERO_TORCH}"
    return re.sub(r"(?m)^torch==.*$", pinned, text, count=1)
