"""Files of Hub repos: fetched at once or refused at once, each failure one sentence."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sgf_hub.errors import CorruptFileError, UnknownNameError
from sgf_hub.hub import xet
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions

_FOREIGN = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")  # weights of others
_REACHED_WITHIN = 10.0  # s
_OF_CLIENT = ("token", "cache_dir", "force_download", "local_files_only")  # options that are the client's own
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


def incomplete(missing: Sequence[str], held: Iterable[str]) -> str:
    """What a repo lacks, and what it holds in its place."""
    other = sorted(file for file in held if file.endswith(_FOREIGN))
    more = f"; it holds {other[0]}, and weights are read from safetensors only" if other else ""
    return f"{', '.join(missing)}: it is not a complete model{more}."


def fetch(name: str, file: str, hub: HubOptions = HUB_DEFAULTS) -> Path:
    """One file of a Hub repo, downloaded if need be."""
    return download(name, (file,), hub) / file


def listing(name: str, hub: HubOptions = HUB_DEFAULTS) -> list[str]:
    """The names of a Hub repo's files, or of its subfolder's; those that are cached, where nobody can be asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    cached: dict[str, Any] = {"revision": hub.revision, "cache_dir": hub.cache_dir, "local_files_only": True}
    try:
        with hub_errors(name, hub):
            if hub.local_files_only:
                raise LocalEntryNotFoundError(name)
            reach_hub()
            found = _listed(name, hub)
    except UnknownNameError:
        try:
            folder = Path(snapshot_download(name, **cached))
        except (LocalEntryNotFoundError, ValueError, OSError):
            folder = None
        if folder is None:
            raise
        found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    start = hub.within("")
    return [path.removeprefix(start) for path in found if path.startswith(start)]


def download(name: str, files: tuple[str, ...], hub: HubOptions = HUB_DEFAULTS) -> Path:
    """The folder in the Hub's cache that holds the files, all of one commit."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    paths = [hub.within(file) for file in files]
    options: dict[str, Any] = {key: getattr(hub, key) for key in _OF_CLIENT}

    def together() -> Path:
        folder = Path(hf_hub_download(name, paths[0], revision=hub.revision, **options))
        for _ in Path(paths[0]).parts:
            folder = folder.parent
        for path in paths[1:]:  # of the same commit, should somebody push in between
            hf_hub_download(name, path, revision=folder.name, **options)
        return folder / (hub.subfolder or "")

    with hub_errors(name, hub):
        cached = all(isinstance(try_to_load_from_cache(name, path, hub.cache_dir, hub.revision), str) for path in paths)
        if not hub.local_files_only and (hub.force_download or not cached):
            reach_hub()
        try:
            return xet.or_plain_http(together, silence=xet.PULL_SILENCE)
        except LocalEntryNotFoundError:  # one of the next, but it says nothing of what the repo holds
            raise
        except EntryNotFoundError:
            held = _listed(name, hub)
            missing = [path for path in paths if path not in held]
            raise CorruptFileError(f"{name!r} on the Hub lacks {incomplete(missing, held)}") from None


def reach_hub() -> None:
    """Find out at once if the Hub is not there: to fetch a file, the client tries for 23 s."""
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=_REACHED_WITHIN)


def _listed(name: str, hub: HubOptions) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi(token=hub.token).list_repo_files(name, revision=hub.revision))


@contextmanager
def hub_errors(name: str, hub: HubOptions) -> Iterator[None]:
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
        raise UnknownNameError(f"{name!r} has no revision {hub.revision!r} on the Hub.") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _answered(name, error.__cause__) from None
        if hub.local_files_only:
            raise UnknownNameError(
                f"{name!r} is not in the cache {_cache(hub)}, and local_files_only keeps it from being fetched: leave "
                "that out."
            ) from None
        raise unreachable from None
    except xet.transport_error("ConnectError", "ConnectTimeout") as error:
        if host := xet.storage_of(error):
            raise UnknownNameError(
                f"{name!r} could not be fetched: the Hub answers, and {host}, where it keeps large files, does not: "
                "have that host let through."
            ) from None
        raise unreachable from None
    except HfHubHTTPError as error:
        raise _answered(name, error) from None
    except xet.transport_error() + (OSError,) as error:
        number = getattr(error, "errno", None)  # of the system's own errors alone
        if number in _READ_ONLY:
            raise UnknownNameError(f"the cache {_cache(hub)} is read-only: {_elsewhere(hub)}.") from None
        if number is not None:
            raise UnknownNameError(
                f"{name!r} could not be kept in the cache {_cache(hub)} ({os.strerror(number)})."
            ) from None
        raise UnknownNameError(
            f"{name!r} could not be fetched whole from the Hub ({type(error).__name__}): try again."
        ) from None
    finally:
        logging.set_verbosity(level)


def _answered(name: str, error: Any) -> UnknownNameError:
    status = error.response.status_code
    advice = "it does not know your token: log in again" if status == 401 else "try again later"
    return UnknownNameError(f"{name!r} could not be fetched: the Hub answered {status}; {advice}.")


def _cache(hub: HubOptions) -> str:
    """Where fetched files are kept, as the user has named it."""
    from huggingface_hub import constants

    if hub.cache_dir is not None:
        return str(hub.cache_dir)
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        named = os.environ.get(name)
        if named and constants.HF_HUB_CACHE.startswith(os.path.expandvars(os.path.expanduser(named))):
            return named
    return constants.HF_HUB_CACHE


def _elsewhere(hub: HubOptions) -> str:
    return "set HF_HOME to a folder that can be written" if hub.cache_dir is None else "give another cache_dir"
