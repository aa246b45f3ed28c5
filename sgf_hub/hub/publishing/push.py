"""What goes to the Hub: the files of a repo, its config with the names that its parts have there, its card."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.hub import names as zoo
from sgf_hub.hub.fetching.cache import fetched
from sgf_hub.hub.fetching.registry import LICENCE
from sgf_hub.hub.files import CONFIG, INDEX, WEIGHTS, shards_of
from sgf_hub.hub.kinds import KINDS
from sgf_hub.hub.names import NAMESPACE, entries, sibling
from sgf_hub.hub.options import PUSH_DEFAULTS, PushOptions
from sgf_hub.hub.publishing.cards import CARD, card_of, pictures_of
from sgf_hub.hub.publishing.upload import Sent, Upload, check_namespace, collect, send, whoami
from sgf_hub.hub.user_code import is_code
from sgf_hub.validation import nearest, read_json, short

COLLECTION = "sgf-hub model zoo"
REFERENCES = tuple(dict.fromkeys(key for kind in KINDS.values() for key in kind.parts))
"""Keys of a config.json that name other repos."""
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)+")  # of a repo, or of a file in one
_BESIDES = (
    "training.json", "measured.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


def plan(names: Sequence[str | Path], *, namespace: str | None = None, token: str | None = None) -> list[Upload]:
    """What is to be pushed, parts before what names them.

    Folders that a config names by their names alone come along. Nothing is written, here or there.

    Args:
        names: folders, or entries of the embedded zoo.
        namespace: whose the repos are to be; by default "sgf-hub" for entries of the zoo, and the logged-in user else.
        token: of the Hub, to ask who is logged in.

    Raises:
        UnknownNameError: if nothing answers to a name.
        BadValueError: if two folders of one name come together.
        CorruptFileError: if a folder is not a complete model.
    """
    folders = [_folder(name) for name in names]
    if namespace is None:
        ours = all(folder.resolve().parent == zoo.root().resolve() for folder in folders)
        namespace = NAMESPACE if ours else whoami(token)
    check_namespace(namespace)
    ordered: dict[str, Path] = {}
    for folder in folders:
        _order(folder, {one.resolve() for one in folders}, ordered)
    ids = {name: f"{namespace}/{name}" for name in ordered}
    return [upload_of(folder, ids[name], ids) for name, folder in ordered.items()]


def plan_all(*, namespace: str | None = None) -> list[Upload]:
    """The whole embedded zoo."""
    found = [entry.path for entry in entries()]
    if not found:
        raise UnknownNameError("the embedded zoo is empty: there is nothing to push.")
    return plan(found, namespace=namespace or NAMESPACE)


def push(uploads: Sequence[Upload], options: PushOptions = PUSH_DEFAULTS) -> list[Sent]:
    """Send what was planned, in that order."""
    return [send(upload, options) for upload in uploads]


def gather(uploads: Sequence[Upload], options: PushOptions = PUSH_DEFAULTS) -> str:
    """The Collection of what was pushed; gives its slug."""
    ids = [upload.repo_id for upload in uploads]
    return collect(COLLECTION, ids, options, namespace=ids[0].partition("/")[0])


def push_folder(folder: str | Path, repo_id: str, options: PushOptions = PUSH_DEFAULTS) -> str:
    """Push one folder under a name of its own, with those that it names; gives the address of the repo or pull request.

    Args:
        folder: of a model.
        repo_id: "owner/name", or "name" for one of the logged-in user's.
        options: how, its parts too.
    """
    owner, _, name = repo_id.rpartition("/")
    namespace = check_namespace(owner or whoami(options.token))
    ordered: dict[str, Path] = {}
    _order(Path(folder), {Path(folder).resolve()}, ordered)
    *parts, own = ordered
    ids = {part: f"{namespace}/{part}" for part in parts} | {own: f"{namespace}/{name}"}
    return push([upload_of(ordered[one], ids[one], ids) for one in ordered], options)[-1].url


def upload_of(folder: Path, repo_id: str, ids: Mapping[str, str]) -> Upload:
    """The files of one repo.

    Args:
        folder: of a model.
        repo_id: what it is called on the Hub.
        ids: what the folders that are pushed together are called there, by their names.
    """
    config, held = read_json(folder / CONFIG), fetched(folder) or folder
    weights = _weights(held)
    renamed, notes = _renamed(folder, config, ids)
    new = {key: _renaming(value, renamed) if key in REFERENCES else value for key, value in config.items()}
    card = card_of(folder, repo_id=repo_id, names=renamed)
    files: dict[str, Path | bytes] = {
        CONFIG: folder / CONFIG if new == config else json.dumps(new, sort_keys=True, indent=2).encode(),
        CARD: card.encode(),
    }
    besides = [name for name in _BESIDES if (folder / name).is_file()]
    files |= {name: folder / name for name in (*besides, *pictures_of(card, folder))}
    files |= {name: held / name for name in (*weights, *([LICENCE] if (held / LICENCE).is_file() else []))}
    return Upload(repo_id, files, notes=tuple(notes))


def _folder(name: str | Path) -> Path:
    """The folder of an entry or of a path, with a config."""
    known = [entry.name for entry in entries()]
    bare = str(name).removeprefix(NAMESPACE + "/")
    folder = zoo.root() / bare if bare in known else Path(name)
    if not folder.is_dir():
        raise UnknownNameError(
            f"{short(str(name))} is not a folder, and not in the embedded zoo{nearest(bare, known)}."
        )
    return folder


def _order(folder: Path, together: set[Path], ordered: dict[str, Path]) -> None:
    """Put a folder behind those that it names, each once.

    Args:
        folder: of a model.
        together: folders that are pushed anyway; those of the zoo are named with its namespace.
        ordered: name => folder, so far.
    """
    name = folder.resolve().name
    if name in ordered:
        if ordered[name].resolve() != folder.resolve():
            raise BadValueError(f"two folders are called {name!r}: they would be one repo, so push them one by one.")
        return
    if not (folder / CONFIG).is_file():
        raise CorruptFileError(f"the folder {name!r} lacks {CONFIG}: it is not a complete model.")
    config = read_json(folder / CONFIG)
    for reference in [one for key in REFERENCES for one in _names(config.get(key))]:
        part = sibling(folder, reference)
        if part and part != folder.resolve() and ("/" not in reference or part.resolve() in together):
            _order(part, together, ordered)
    ordered[name] = folder


def _renamed(folder: Path, config: dict, ids: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What the repos that a config names are called on the Hub, where that is another name; and what to tell of it."""
    names, notes = {}, []
    for reference in [one for key in REFERENCES for one in _names(config.get(key))]:
        owner, _, bare = reference.rpartition("/")
        if is_code(reference):
            notes.append(
                f"{folder.resolve().name} names code of your own, {reference}, which is not pushed: its card says to "
                "pass generator= and predictor= to SGFEditor.from_pretrained."
            )
        elif owner in ("", NAMESPACE) and bare in ids:
            names[reference] = ids[bare]
        elif not owner and (zoo.root() / bare / CONFIG).is_file():
            names[reference] = f"{NAMESPACE}/{bare}"
        elif not _ID.fullmatch(reference):
            raise CorruptFileError(
                f"{CONFIG} of {folder.resolve().name!r} names {short(reference)}, which is no Hub id and no folder "
                "beside it: put that folder there, or name a repo."
            )
    return names, notes


def _names(value: object) -> list[str]:
    """The names that a config's value holds: one, or several."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _renaming(value: Any, names: Mapping[str, str]) -> Any:
    """A config's value with other names in it."""
    if isinstance(value, list):
        return [_renaming(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def _weights(folder: Path) -> list[str]:
    """The files of a folder's weights, each of them whole."""
    parted = (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file()
    files = [INDEX, *shards_of(folder / INDEX)] if parted else [WEIGHTS]
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        other = next((file.name for file in folder.iterdir() if re.search(r"\.(bin|pt|pth|pkl|ckpt)$", file.name)), "")
        held = f" (it holds {other}; only safetensors are pushed, see `sgf-hub convert`)" if other else ""
        raise CorruptFileError(f"the folder {folder.name!r} lacks {missing[0]}: it is not a complete model{held}.")
    for name in files:
        if name.endswith(".safetensors"):
            _check_weights(folder / name, folder.name)
    return files


def _check_weights(path: Path, name: str) -> None:
    """Raise a CorruptFileError if a file is not whole safetensors; only its header is read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            list(file.keys())
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(
            f"{path.name} of {name!r} cannot be read as safetensors ({error}): fetch or save it again."
        ) from None
