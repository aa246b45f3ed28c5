"""What draws and reads a kind of pictures, loaded before anybody queues for it, and how far that is in sentences.

Some of it is fetched at its first use (`sgf_hub.hub.fetching`), which takes seconds, and fails where the registry
cannot be reached.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path

from app.core.model_sets import ModelSet
from app.models.services import Models

NEWS = 0.4  # seconds between two words on how it goes


def bring(models: Models, model_set: ModelSet) -> Iterator[str]:
    """See to it that a model set's generator and predictor are there.

    Yields:
        How it goes, in sentences; nothing where they are there.

    Raises:
        SGFError: if they cannot be had.
    """
    if models.has(model_set):
        return
    done: Future[None] = Future()

    def load() -> None:
        try:
            models.generator(model_set.generator)
            models.predictor(model_set.heads)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    missing, said = _missing(model_set), ""
    threading.Thread(target=load, daemon=True).start()
    while not wait([done], timeout=NEWS if said else 0.05).done:
        news = _progress(missing)
        if news != said:
            said = news
            yield said
    done.result()


def _missing(model_set: ModelSet) -> dict[Path, int]:
    """The folders in the cache of what must be fetched, and how many bytes come for each."""
    from sgf_hub.hub.fetching.cache import WEIGHTS, place
    from sgf_hub.hub.fetching.manifest import read_manifest

    folders = {folder: read_manifest(folder) for folder in _folders((model_set.generator, *model_set.heads))}
    places = {place(folder): manifest.wheel_bytes for folder, manifest in folders.items() if manifest}
    return {folder: size for folder, size in places.items() if not (folder / WEIGHTS).is_file()}


def _progress(missing: dict[Path, int]) -> str:
    from sgf_hub.hub.fetching.cache import WEIGHTS

    come = sum(
        size if (folder / WEIGHTS).is_file() else min(size, sum(sizes(folder.parent)))
        for folder, size in missing.items()
    )
    whole = sum(missing.values())
    if come == whole:
        return "Loading what draws and reads these pictures …"
    return f"Fetching what draws and reads these pictures: {come / 2**20:.0f} of {whole / 2**20:.0f} MB …"


def _folders(names: tuple[str, ...]) -> Iterator[Path]:
    """The folders of entries of the zoo, and of those that their configs name."""
    from sgf_hub.errors import CorruptFileError
    from sgf_hub.hub.kinds import KINDS, kind_of
    from sgf_hub.hub.names import NAMESPACE, root
    from sgf_hub.validation import read_json

    known: dict[Path, None] = {}
    waiting = [*names]
    while waiting:
        folder = root() / waiting.pop(0).removeprefix(NAMESPACE + "/")
        if folder in known or not (folder / "config.json").is_file():
            continue
        known[folder] = None
        with suppress(CorruptFileError):  # told by whoever loads it
            config = read_json(folder / "config.json")
            kind = KINDS.get(kind_of(config))
            for part in kind.parts if kind else ():
                value = config.get(part)
                waiting += [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]
    yield from known


def sizes(folder: Path) -> Iterator[int]:
    """The bytes of each file in a folder that others write to."""
    for place, _, files in os.walk(folder):  # which goes on where a folder went
        for file in files:
            with suppress(OSError):  # it was renamed meanwhile
                yield os.stat(os.path.join(place, file)).st_size
