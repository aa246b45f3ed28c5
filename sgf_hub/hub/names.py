"""Names to files: a name is a local folder, an entry of the embedded zoo, or a Hub repo, tried in that order."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.types import nearest, read_json, short

NAMESPACE = "sgf-hub"
_FOREIGN = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")  # weights of others
_REACHED_WITHIN = 10.0  # s
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
        kind: what it holds: "SGFMapping", "StyleGAN2", "ProGAN", "AttributeHead", "KeypointHead", "Boundaries",
            "Components", "LatentEncoder", "CaptionPredictor", ..., in transformers' format a "backbone", "captioner" or
            "classifier", or "damaged" where config.json cannot be read.
        path: the folder.
        config: its config.json.
    """

    name: str
    kind: str
    path: Path
    config: dict

    @property
    def size(self) -> int:
        """Bytes of its weights."""
        return sum(file.stat().st_size for file in self.path.glob("*.safetensors"))


# what a repo in transformers' format holds, by a part of the name of its class
_THEIRS = {"Backbone": "backbone", "ForImageClassification": "classifier", "ForPoseEstimation": "classifier",
           "EncoderDecoder": "captioner", "ConditionalGeneration": "captioner"}  # fmt: skip
_BACKBONES = ("resnet", "convnextv2")


def kind_of(config: dict) -> str:
    """What a config.json describes: a class of ours, or a kind of transformers' models; "unknown" for others."""
    if "class" in config:
        return str(config["class"])
    theirs = str(config.get("architectures"))
    found = next((kind for part, kind in _THEIRS.items() if part in theirs), None)
    return found or ("backbone" if config.get("model_type") in _BACKBONES else "unknown")


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


def locate(name: str, *, revision: str | None = None, files: tuple[str, ...] = ("config.json",)) -> Path:
    """The folder that holds `files` of the repo called `name`, downloading them from the Hub if need be.

    Args:
        name: a folder, an entry of the embedded zoo (with or without "sgf-hub/"), or a Hub id "owner/name". Where the
            library came without its zoo, "name" is "sgf-hub/name" on the Hub.
        revision: of a Hub repo: a branch, a tag, or a commit's id. Folders have none.
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
            _check_revision(f"{name!r} is a folder", revision)
            return _with_files(Path(name), files)
        if embedded(name):
            if revision is None:
                return _with_files(root() / bare, files)
            if name == bare:
                _check_revision(f"{name!r} is in the embedded zoo; 'sgf-hub/{name}' is on the Hub", revision)
    except OSError:  # a name too long to be a path
        pass
    if "/" not in name and not any(root().glob("*/config.json")):
        name = f"{NAMESPACE}/{bare}"
    if not is_hub_id(name):
        known = [entry.name for entry in entries()]
        raise UnknownNameError(
            f"{short(name)} is not a folder, not in the zoo{nearest(bare, known)}, and not a Hub id such as "
            f"'owner/model'. The zoo holds: {', '.join(known) or 'nothing'}."
        )
    return _download(name, revision, files)


def embedded(name: str) -> bool:
    """Whether the embedded zoo has a folder of that name, with or without "sgf-hub/"."""
    bare = name.removeprefix(NAMESPACE + "/")
    return re.fullmatch(r"\w[\w.-]*", bare) is not None and (root() / bare).is_dir()


def is_hub_id(name: object) -> bool:
    """Whether something is spelt as the id of a Hub repo, "owner/name"."""
    return isinstance(name, str) and _HUB_ID.fullmatch(name) is not None and ".." not in name


def beside(folder: Path, name: str) -> Path | None:
    """The folder of the repo `name` beside another's, if it is there: a zoo in the making."""
    bare = name.rsplit("/", 1)[-1]
    if bare in ("", ".", ".."):  # of a config that may come from anywhere
        return None
    neighbour = folder.resolve().parent / bare
    return neighbour if any((neighbour / file).is_file() for file in ("config.json", "model_index.json")) else None


def called(folder: Path) -> str:
    """What the repo in a folder is called: the folder's name, or "owner/name" in the Hub's cache."""
    cached = re.fullmatch(r"models--(.+?)--(.+)", folder.parent.parent.name)
    return f"{cached[1]}/{cached[2]}" if cached and folder.parent.name == "snapshots" else folder.name


def _check_revision(what: str, revision: str | None) -> None:
    if revision is not None:
        raise BadValueError(
            f"{what}, and revision {short(revision)} was asked for: only repos of the Hub have revisions, so leave it "
            "out, or give a Hub id."
        )


def _with_files(folder: Path, files: tuple[str, ...]) -> Path:
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        held = [file.name for file in folder.iterdir()]
        raise CorruptFileError(f"the folder {called(folder)!r} lacks {_incomplete(missing, held)}")
    return folder


def _incomplete(missing: Sequence[str], held: Iterable[str]) -> str:
    """What a repo lacks, and what it holds in its place."""
    other = sorted(file for file in held if file.endswith(_FOREIGN))
    more = f"; it holds {other[0]}, and weights are read from safetensors only" if other else ""
    return f"{', '.join(missing)}: it is not a complete model{more}."


def fetch(name: str, file: str, *, revision: str | None = None) -> Path:
    """One file of a Hub repo, downloaded if need be."""
    return _download(name, revision, (file,)) / file


def listing(name: str, *, revision: str | None = None) -> list[str]:
    """The names of a Hub repo's files; those that are cached, where the Hub cannot be reached."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        with hub_told(name, revision):
            reach_hub()
            return _listed(name, revision)
    except UnknownNameError:
        try:
            folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
        except (LocalEntryNotFoundError, ValueError, OSError):
            folder = None
        if folder is None:
            raise
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _download(name: str, revision: str | None, files: tuple[str, ...]) -> Path:
    """The folder in the Hub's cache that holds the files, all of one commit."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with hub_told(name, revision):
        if not all(isinstance(try_to_load_from_cache(name, file, revision=revision), str) for file in files):
            reach_hub()
        try:
            folder = Path(hf_hub_download(name, files[0], revision=revision))
            for _ in Path(files[0]).parts:
                folder = folder.parent
            for file in files[1:]:  # of the same commit, should somebody push in between
                hf_hub_download(name, file, revision=folder.name)
            return folder
        except LocalEntryNotFoundError:  # one of the next, but it says nothing of what the repo holds
            raise
        except EntryNotFoundError:
            held = _listed(name, revision)
            missing = [file for file in files if file not in held]
            raise CorruptFileError(f"{name!r} on the Hub lacks {_incomplete(missing, held)}") from None


def reach_hub() -> None:
    """Find out at once if the Hub is not there: to fetch a file, the client tries for 23 s."""
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=_REACHED_WITHIN)


def _listed(name: str, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(name, revision=revision))


@contextmanager
def hub_told(name: str, revision: str | None) -> Iterator[None]:
    """What goes wrong with a repo of the Hub, as one sentence; the client's own warnings are not shown."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    unreachable = UnknownNameError(
        f"{name!r} is not in the zoo, and the Hub cannot be reached: check the name, or the network."
    )
    try:
        yield
    except GatedRepoError:
        raise UnknownNameError(f"{name!r} is gated on the Hub: accept its terms there and log in.") from None
    except HFValidationError:
        raise UnknownNameError(f"{name!r} is not in the zoo, and not a Hub id such as 'owner/model'.") from None
    except RepositoryNotFoundError:
        raise UnknownNameError(
            f"{name!r} is not in the zoo, and the Hub has no such repo (or it is private: log in with `hf auth login`)."
        ) from None
    except RevisionNotFoundError:
        raise UnknownNameError(f"{name!r} has no revision {revision!r} on the Hub.") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _answered(name, error.__cause__) from None
        raise unreachable from None
    except transport_error("ConnectError", "ConnectTimeout"):
        raise unreachable from None
    except HfHubHTTPError as error:
        raise _answered(name, error) from None
    except transport_error() + (OSError,) as error:
        raise UnknownNameError(
            f"{name!r} could not be fetched whole from the Hub ({type(error).__name__}): try again."
        ) from None
    finally:
        logging.set_verbosity(level)


def _answered(name: str, error: Any) -> UnknownNameError:
    status = error.response.status_code
    advice = "it does not know your token: log in again" if status == 401 else "try again later"
    return UnknownNameError(f"{name!r} could not be fetched: the Hub answered {status}; {advice}.")


def transport_error(*names: str) -> tuple[type[Exception], ...]:
    """Exceptions of the library that huggingface_hub speaks HTTP with; by default all of a lost connection."""
    try:
        import httpx2 as library
    except ImportError:  # before huggingface_hub 2
        import httpx as library  # type: ignore[no-redef]
    return tuple(getattr(library, name) for name in names or ("TransportError",))
