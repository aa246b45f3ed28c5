"""Files of Hub repos: fetched at once or refused at once, each failure one sentence."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sgf_hub.errors import CorruptFileError, UnknownNameError

_FOREIGN = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")  # weights of others
_REACHED_WITHIN = 10.0  # s


def incomplete(missing: Sequence[str], held: Iterable[str]) -> str:
    """What a repo lacks, and what it holds in its place."""
    other = sorted(file for file in held if file.endswith(_FOREIGN))
    more = f"; it holds {other[0]}, and weights are read from safetensors only" if other else ""
    return f"{', '.join(missing)}: it is not a complete model{more}."


def fetch(name: str, file: str, *, revision: str | None = None) -> Path:
    """One file of a Hub repo, downloaded if need be."""
    return download(name, revision, (file,)) / file


def listing(name: str, *, revision: str | None = None) -> list[str]:
    """The names of a Hub repo's files; those that are cached, where the Hub cannot be reached."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        with hub_errors(name, revision):
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


def download(name: str, revision: str | None, files: tuple[str, ...]) -> Path:
    """The folder in the Hub's cache that holds the files, all of one commit."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with hub_errors(name, revision):
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
            raise CorruptFileError(f"{name!r} on the Hub lacks {incomplete(missing, held)}") from None


def reach_hub() -> None:
    """Find out at once if the Hub is not there: to fetch a file, the client tries for 23 s."""
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=_REACHED_WITHIN)


def _listed(name: str, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(name, revision=revision))


@contextmanager
def hub_errors(name: str, revision: str | None) -> Iterator[None]:
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
