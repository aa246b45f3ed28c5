"""Names to files: a name is a local folder, an entry of the embedded zoo, or a Hub repo, tried in that order."""

import re
from dataclasses import dataclass
from pathlib import Path

from sgf_hub.errors import CorruptFileError, UnknownNameError
from sgf_hub.types import nearest, read_json, short

NAMESPACE = "sgf-hub"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def root() -> Path:
    """The embedded zoo: inside an installed wheel, or at the root of a checkout."""
    here = Path(__file__).resolve().parent
    packed = here / "_zoo"
    return packed if packed.is_dir() else here.parent / "zoo"


@dataclass(frozen=True)
class Entry:
    """One folder of the zoo.

    Args:
        name: the folder's name.
        kind: what it holds: "SGFMapping", "StyleGAN2", "ProGAN", "AttributeHead", "KeypointHead", "Boundaries",
            "Components", "backbone"; or "damaged" where config.json cannot be read.
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


_KINDS = {"vision-encoder-decoder": "captioner"}  # repos in transformers' own format; others are backbones


def entries() -> list[Entry]:
    """All entries of the embedded zoo, by name."""
    found = []
    for config_path in sorted(root().glob("*/config.json")):
        try:
            config = read_json(config_path)
        except CorruptFileError:  # one damaged entry must not hide the others
            config = {"class": "damaged"}
        theirs = _KINDS.get(str(config["model_type"]), "backbone") if "model_type" in config else "unknown"
        kind = str(config.get("class", theirs))
        found.append(Entry(config_path.parent.name, kind, config_path.parent, config))
    return found


def locate(name: str, *, revision: str | None = None, files: tuple[str, ...] = ("config.json",)) -> Path:
    """The folder that holds `files` of the repo called `name`, downloading them from the Hub if need be.

    Args:
        name: a folder, an entry of the embedded zoo (with or without "sgf-hub/"), or a Hub id "owner/name".
        revision: of a Hub repo.
        files: what must be there.

    Raises:
        UnknownNameError: if nothing answers to the name, or the Hub cannot be reached.
        CorruptFileError: if it is there, but without one of the files.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise UnknownNameError(
            f"{short(name)} is not a name: give a folder, a zoo entry or a Hub id such as 'owner/model'."
        )
    bare = name.removeprefix(NAMESPACE + "/")
    try:
        if Path(name).is_dir():
            return _with_files(Path(name), files)
        if re.fullmatch(r"\w[\w.-]*", bare) and (root() / bare).is_dir() and revision is None:
            return _with_files(root() / bare, files)
    except OSError:  # a name too long to be a path
        pass
    if not _HUB_ID.fullmatch(name) or ".." in name:
        known = [entry.name for entry in entries()]
        raise UnknownNameError(
            f"{short(name)} is not a folder, not in the zoo{nearest(bare, known)}, and not a Hub id such as "
            f"'owner/model'. The zoo holds: {', '.join(known) or 'nothing'}."
        )
    return _download(name, revision, files)


def beside(folder: Path, name: str) -> Path | None:
    """The folder of the repo `name` beside another's, if it is there: a zoo in the making."""
    neighbour = folder.resolve().parent / name.rsplit("/", 1)[-1]
    return neighbour if (neighbour / "config.json").is_file() else None


def _with_files(folder: Path, files: tuple[str, ...]) -> Path:
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise CorruptFileError(f"the folder {folder.name!r} lacks {', '.join(missing)}: it is not a complete model.")
    return folder


def _download(name: str, revision: str | None, files: tuple[str, ...]) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        paths = [Path(hf_hub_download(name, file, revision=revision)) for file in files]
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
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):  # before EntryNotFoundError: the first is one of those
        raise UnknownNameError(
            f"{name!r} is not in the zoo, and the Hub cannot be reached: check the name, or the network."
        ) from None
    except EntryNotFoundError as error:
        raise CorruptFileError(f"{name!r} on the Hub is not a complete model: {str(error).splitlines()[0]}") from None
    except (HfHubHTTPError, OSError) as error:
        raise UnknownNameError(f"{name!r} could not be fetched from the Hub: {str(error).splitlines()[0]}") from None
    return paths[0].parent
