"""Names to files: a name is a local folder, an entry of the embedded zoo, or a Hub repo, tried in that order."""

import re
from dataclasses import dataclass
from pathlib import Path

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.hub.download import download, incomplete
from sgf_hub.hub.fetching.cache import fetched, place
from sgf_hub.hub.fetching.manifest import MANIFEST
from sgf_hub.hub.kinds import kind_of
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.validation import nearest, read_json, short

NAMESPACE = "sgf-hub"
_LISTED = 20  # entries that a sentence names
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def root() -> Path:
    """The embedded zoo: inside an installed wheel, or at the root of a checkout."""
    here = Path(__file__).resolve().parents[1]
    packed = here / "_zoo"
    return packed if packed.is_dir() else here.parent / "zoo"


@dataclass(frozen=True)
class Entry:
    """One folder of the zoo.

    Args:
        name: the folder's name.
        kind: what it holds, of `kinds.KINDS`; "damaged" where config.json cannot be read.
        path: the folder.
        config: its config.json.
    """

    name: str
    kind: str
    path: Path
    config: dict

    @property
    def fetched(self) -> bool:
        """Whether its weights are fetched, and not part of the zoo."""
        return (self.path / MANIFEST).is_file()

    @property
    def size(self) -> int:
        """Bytes of its weights; 0 for those that are not fetched yet."""
        folder = place(self.path) if self.fetched else self.path
        return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def entries() -> list[Entry]:
    """All entries of the embedded zoo, by name."""
    found = []
    for config_path in sorted(root().glob("*/config.json")):
        try:
            config = read_json(config_path)
        except CorruptFileError:  # one damaged entry must not hide the others
            config = {"class": "damaged"}
        found.append(Entry(config_path.parent.name, kind_of(config), config_path.parent, config))
    return found


def locate(name: str, hub: HubOptions = HUB_DEFAULTS, *, files: tuple[str, ...] = ("config.json",)) -> Path:
    """The folder that holds `files` of the repo called `name`, downloading them from the Hub if need be.

    Args:
        name: a folder, an entry of the embedded zoo (with or without "sgf-hub/"), or a Hub id "owner/name". Where the
            library came without its zoo, "name" is "sgf-hub/name" on the Hub.
        hub: how it is fetched. Folders have no revision.
        files: what must be there.

    Raises:
        UnknownNameError: if nothing answers to the name, or the Hub cannot be reached.
        BadValueError: if a revision is asked for of what has none.
        CorruptFileError: if it is there, but without one of the files.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise UnknownNameError(
            f"{short(name)} is not a name: give a folder, a zoo entry or a Hub id such as 'owner/model'."
        )
    bare = name.removeprefix(NAMESPACE + "/")
    try:
        if Path(name).is_dir():
            _check_revision(f"{name!r} is a folder", hub.revision)
            return _with_files(_complete(Path(name) / (hub.subfolder or ""), files), files)
        if embedded(name):
            if hub.revision is None:
                return _with_files(_complete(root() / bare / (hub.subfolder or ""), files), files)
            if name == bare:
                _check_revision(f"{name!r} is in the embedded zoo; 'sgf-hub/{name}' is on the Hub", hub.revision)
    except OSError:  # a name too long to be a path
        pass
    if "/" not in name and not any(root().glob("*/config.json")):
        name = f"{NAMESPACE}/{bare}"
    if not is_hub_id(name):
        known = [entry.name for entry in entries()]
        raise UnknownNameError(
            f"{short(name)} is not a folder, not in the zoo{nearest(bare, known)}, and not a Hub id such as "
            f"'owner/model'. {_held(known)}."
        )
    return download(name, files, hub)


def _held(names: list[str]) -> str:
    """What the zoo holds, in words; of many entries only where they are listed."""
    if len(names) > _LISTED:
        return f"The zoo holds {len(names)} models: `sgf-hub zoo list` names them"
    return f"The zoo holds: {', '.join(names) or 'nothing'}"


def _complete(folder: Path, files: tuple[str, ...]) -> Path:
    """An entry's folder; that in the cache, where its weights are needed and somebody else published them."""
    whole = all((folder / file).is_file() for file in files)
    return folder if whole else fetched(folder) or folder


def embedded(name: str) -> bool:
    """Whether the embedded zoo has a folder of that name, with or without "sgf-hub/"."""
    bare = name.removeprefix(NAMESPACE + "/")
    return re.fullmatch(r"\w[\w.-]*", bare) is not None and (root() / bare).is_dir()


def is_hub_id(name: object) -> bool:
    """Whether something is spelt as the id of a Hub repo, "owner/name"."""
    return isinstance(name, str) and _HUB_ID.fullmatch(name) is not None and ".." not in name


def sibling(folder: Path, name: str) -> Path | None:
    """The folder of the repo `name` beside another's, if it is there: a zoo in the making."""
    bare = name.rsplit("/", 1)[-1]
    if bare in ("", ".", ".."):  # of a config that may come from anywhere
        return None
    neighbour = folder.resolve().parent / bare
    return neighbour if any((neighbour / file).is_file() for file in ("config.json", "model_index.json")) else None


def repo_name(folder: Path) -> str:
    """What the repo in a folder is called: the folder's name, or "owner/name" in the Hub's cache."""
    cached = re.search(r"(?:^|/)models--([^/]+?)--([^/]+)/snapshots/[^/]+(/.+)?$", folder.as_posix())
    return f"{cached[1]}/{cached[2]}{cached[3] or ''}" if cached else folder.name


def _check_revision(what: str, revision: str | None) -> None:
    if revision is not None:
        raise BadValueError(
            f"{what}, and revision {short(revision)} was asked for: only repos of the Hub have revisions, so leave it "
            "out, or give a Hub id."
        )


def _with_files(folder: Path, files: tuple[str, ...]) -> Path:
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        held = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        raise CorruptFileError(f"the folder {repo_name(folder)!r} lacks {incomplete(missing, held)}")
    return folder
