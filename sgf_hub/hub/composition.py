"""A mapping that a stranger names, with all that its config names, from the Hub into one folder.

`SGFEditor.from_pretrained` trusts who calls it: a name may be a folder of this machine, and a private repo is read with
the token that is logged in. Here neither is so. Names are entries of the embedded zoo or ids of public Hub repos, what
would be fetched is known and bounded before it is, and all of it ends up side by side in a folder, where the library
finds each part beside the one that names it (`names.sibling`) and looks nowhere else.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.hub import names as zoo
from sgf_hub.hub import xet
from sgf_hub.hub.download import hub_errors, reach_hub
from sgf_hub.hub.files import CONFIG, INDEX, WEIGHTS
from sgf_hub.hub.kinds import KINDS, MINILM, kind_of, of_role
from sgf_hub.hub.names import NAMESPACE, embedded, entries, is_hub_id
from sgf_hub.hub.options import HubOptions
from sgf_hub.hub.user_code import is_code
from sgf_hub.validation import nearest, read_json, short

_LARGEST_CONFIG = 2**20  # bytes
_MOST_HEADS = 16
_MOST_FILES = 10_000  # of a repo
_TEXT = (CONFIG, INDEX, "preprocessor_config.json", "processor_config.json", "generation_config.json", "tokenizer.json")
_WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")


@dataclass(frozen=True)
class Limits:
    """What may be fetched.

    Args:
        megabytes: of all files together.
        side: of the generator's pictures, in pixels.
    """

    megabytes: int = 500
    side: int = 512


@dataclass(frozen=True)
class Part:
    """One repo of a composition.

    Args:
        name: a Hub id, or an entry of the embedded zoo.
        commit: of the Hub repo; None for an entry.
        config: its config.json.
        files: what it is made of, and how many bytes each.
    """

    name: str
    commit: str | None
    config: dict
    files: Mapping[str, int]

    @property
    def folder(self) -> str:
        """The name of its folder beside the others'."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Composition:
    """A mapping and all that it needs.

    Args:
        parts: the mapping first.
    """

    parts: tuple[Part, ...]

    @property
    def mapping(self) -> Part:
        """The mapping."""
        return self.parts[0]

    @property
    def size(self) -> int:
        """Bytes that come from the Hub."""
        return sum(sum(part.files.values()) for part in self.parts if part.commit)


def survey(name: str, into: Path, *, commit: str | None = None, limits: Limits | None = None) -> Composition:
    """What a mapping of the Hub is made of; only the config.json of each part is fetched.

    Args:
        name: a Hub id, never a folder.
        into: an empty folder.
        commit: of the mapping's repo; the newest by default.
        limits: what may be fetched.

    Raises:
        UnknownNameError: if there is no such public repo, or the Hub cannot be reached.
        CorruptFileError: if it is no mapping, or names what is not opened for visitors.
        BadValueError: if it is larger than the limits.
    """
    limits = limits or Limits()
    if not is_hub_id(name):
        raise UnknownNameError(f"{short(name)} is no Hub id: write it as 'owner/name'.")
    parts = {name: _on_hub(name, into, commit)}
    places = [(name, "mapping")]
    for named, place in places:  # which grows meanwhile
        config = parts[named].config
        kind = kind_of(config)
        fitting = of_role("clip" if place == "model" else place)
        if kind not in fitting:
            raise CorruptFileError(
                f"{named!r} holds a {short(kind)[1:-1]}, and the {place} must be {' or '.join(fitting)} here."
            )
        _check_size(named, place, config, limits)
        for key in KINDS[kind].parts:
            for other in _references(named, config, key):
                if other not in parts:
                    parts[other] = _embedded(other) if embedded(other) else _on_hub(other, into)
                if (other, key) not in places:
                    places.append((other, key))
    made = Composition(tuple(parts.values()))
    folders = [part.folder for part in made.parts]
    if twice := sorted({folder for folder in folders if folders.count(folder) > 1}):
        raise CorruptFileError(f"{name!r} is made of two repos called {twice[0]!r}, which cannot lie side by side.")
    if made.size > limits.megabytes * 2**20:
        raise BadValueError(
            f"{name!r} and its parts are {made.size / 2**20:,.0f} MB, and at most {limits.megabytes} MB are fetched."
        )
    return made


def fetch(composition: Composition, into: Path) -> Iterator[int]:
    """Fetch the files of a survey into its folder.

    Yields:
        After each file, how many bytes have come.
    """
    done = 0
    for part in composition.parts:
        for file, size in part.files.items():
            if part.commit is None:
                (into / part.folder).mkdir(exist_ok=True)
                shutil.copyfile(zoo.root() / part.name / file, into / part.folder / file)
                continue
            _download(part.name, part.commit, file, into / part.folder)
            done += size
            yield done


def _references(name: str, config: dict, key: str) -> list[str]:
    """The parts that a key of a config names: zoo entries without "sgf-hub/", and Hub ids."""
    given = config.get(key)
    given = given if isinstance(given, list) else [given]
    if not 1 <= len(given) <= _MOST_HEADS:
        raise CorruptFileError(f"{name!r} names {len(given)} repos as its {key}; 1 to {_MOST_HEADS} are read.")
    if key == "captioner" and config.get("embedder", MINILM) != MINILM:
        raise CorruptFileError(
            f"{name!r} compares sentences by {short(config['embedder'])}; only {MINILM} is used here."
        )
    found = []
    for one in given:
        if isinstance(one, str) and is_code(one):
            raise CorruptFileError(f"{name!r} was fitted to its maker's own code, {short(one)}, which is not run here.")
        if isinstance(one, str) and embedded(one):
            found.append(one.removeprefix(NAMESPACE + "/"))
        elif is_hub_id(one):
            found.append(one)
        else:
            raise CorruptFileError(
                f"{name!r} names {short(one)} as its {key}, which is no entry of the zoo and no Hub id such as "
                "'owner/name'."
            )
    return found


def _check_size(name: str, place: str, config: dict, limits: Limits) -> None:
    side = config.get("resolution")
    if place == "generator" and isinstance(side, int) and side > limits.side:
        raise BadValueError(
            f"{name!r} draws pictures of {short(side)} px, and at most {limits.side} px are drawn here."
        )


def _embedded(name: str) -> Part:
    folder = zoo.root() / name
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if _wanted(file.name)}
    return Part(name, None, read_json(folder / CONFIG), files)


def _on_hub(name: str, into: Path, commit: str | None = None) -> Part:
    """A repo of the Hub, of which the config.json alone is fetched."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(token=False)  # what only the owner of this machine may read is not a stranger's
    with hub_errors(name, HubOptions(revision=commit)):
        try:
            reach_hub()
            commit = str(api.model_info(name, revision=commit).sha)
            files: dict[str, int] = {}
            for number, item in enumerate(api.list_repo_tree(name, revision=commit)):
                if isinstance(item, RepoFile) and _wanted(item.path):
                    files[item.path] = item.size
                if number >= _MOST_FILES:
                    break
        except RepositoryNotFoundError:
            hint = nearest(name.rpartition("/")[2], [entry.name for entry in entries()])
            raise UnknownNameError(
                f"the Hub has no public repo {name!r}{hint}; private and gated ones are not opened here."
            ) from None
    if CONFIG not in files or not {WEIGHTS, INDEX} & files.keys():
        missing = CONFIG if CONFIG not in files else WEIGHTS
        raise CorruptFileError(f"{name!r} on the Hub lacks {missing}: it is not a model that sgf-hub wrote.")
    if files[CONFIG] > _LARGEST_CONFIG:
        raise CorruptFileError(f"{CONFIG} of {name!r} is larger than {_LARGEST_CONFIG >> 10} KB: it is not ours.")
    path = _download(name, commit, CONFIG, into / name.rpartition("/")[2])
    return Part(name, commit, read_json(path), files)


def _wanted(file: str) -> bool:
    return file in _TEXT or _WEIGHTS.fullmatch(file) is not None


def _download(name: str, commit: str, file: str, folder: Path) -> Path:
    """One file into a folder, past the cache of the Hub's client, which would never be emptied."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RepositoryNotFoundError

    def once() -> Path:
        return Path(hf_hub_download(name, file, revision=commit, local_dir=folder, token=False))

    with hub_errors(name, HubOptions(revision=commit)):
        try:
            return xet.or_plain_http(once, silence=xet.PULL_SILENCE)
        except RepositoryNotFoundError:
            raise UnknownNameError(
                f"{name!r} is gated on the Hub, and only what all may read is opened here."
            ) from None


__all__ = ["Composition", "Limits", "Part", "fetch", "survey"]
