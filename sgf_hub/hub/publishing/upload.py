"""How something gets to the Hub: one commit a repo, tried again after what passes, and told in a sentence otherwise.

Trying again is safe: a repo that is there is used, a large file that arrived is not sent again, and a push that finds
every file as it is makes no commit. So a commit whose answer was lost is found to be there.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub import xet
from sgf_hub.hub.options import PushOptions
from sgf_hub.hub.xet import transport_error
from sgf_hub.validation import short

Result = TypeVar("Result")

WAITS = (1, 2, 4)  # s before the second, third and fourth try
PATIENCE = 90.0  # s after which nothing is tried again: the client has tried single requests often, too
TIMEOUT = 60.0  # s without a byte; the client's own are endless
_PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,94}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Upload:
    """What one repo is to hold.

    Args:
        repo_id: "owner/name".
        files: by path in the repo: a file of this machine, or content.
        kind: of the repo.
        notes: what its owner should know, a sentence each.
        mirrored: folders of the repo from which files are deleted that are not among `files`.
    """

    repo_id: str
    files: Mapping[str, Path | bytes]
    kind: Literal["model", "space"] = "model"
    notes: tuple[str, ...] = ()
    mirrored: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of every file."""
        return {
            path: len(held) if isinstance(held, bytes) else held.stat().st_size for path, held in self.files.items()
        }


@dataclass(frozen=True)
class Sent:
    """What came of an upload.

    Args:
        repo_id: "owner/name".
        url: of the repo, or of the pull request.
        commit: made by this push; None where nothing had changed.
    """

    repo_id: str
    url: str
    commit: str | None


def send(upload: Upload, options: PushOptions) -> Sent:
    """Make the repo if need be, and bring its files there in one commit.

    Args:
        upload: the repo and its files.
        options: how.

    Raises:
        SGFError: if it cannot be done, in a sentence.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

    check_namespace(upload.repo_id.partition("/")[0])
    repo: dict[str, Any] = {"repo_id": upload.repo_id, "repo_type": upload.kind}
    branch = options.revision or constants.DEFAULT_REVISION

    def attempt() -> Sent:
        api = HfApi(token=options.token)
        sdk = "gradio" if upload.kind == "space" else None
        url = api.create_repo(**repo, private=options.private, exist_ok=True, space_sdk=sdk)
        if options.revision is not None:
            api.create_branch(**repo, branch=options.revision, exist_ok=True)
        there: Any = api.repo_info(**repo, revision=options.revision)
        if options.private and not there.private:
            raise BadValueError(
                f"{upload.repo_id} is on the Hub already, and public: make it private there, or push without --private."
            )
        deleted = [
            path
            for path in sorted(one.rfilename for one in there.siblings or ())
            if path.startswith(upload.mirrored) and path not in upload.files
        ]

        def commit() -> Any:
            operations: list[Any] = [
                # kept as bytes or a name, so that every try reads from the beginning
                CommitOperationAdd(path, held if isinstance(held, bytes) else str(held))
                for path, held in upload.files.items()
            ]
            operations += [CommitOperationDelete(path) for path in deleted]
            return api.create_commit(
                **repo,
                operations=operations,
                commit_message=options.commit_message,
                revision=options.revision,
                create_pr=options.create_pr,
            )

        address = f"{api.endpoint}/api/{upload.kind}s/{upload.repo_id}/xet-write-token/{quote(branch, safe='')}"
        xet.leave_out_if_silent(address, options.token)
        made = xet.or_plain_http(commit, silence=xet.PUSH_SILENCE)
        return Sent(upload.repo_id, made.pr_url or str(url), None if made.oid == there.sha else made.oid)

    return _tried(attempt, upload.repo_id, options.token)


def collect(title: str, models: Sequence[str], options: PushOptions, *, namespace: str) -> str:
    """A Collection of models, made if need be; gives its slug.

    Args:
        title: of the Collection.
        models: Hub ids, in order.
        options: whether a new one is private, and the token.
        namespace: of its owner.
    """
    from huggingface_hub import HfApi

    def attempt() -> str:
        api = HfApi(token=options.token)
        collection = api.create_collection(title, namespace=namespace, private=options.private, exists_ok=True)
        there = {item.item_id for item in collection.items}
        for model in models:
            if model not in there:
                api.add_collection_item(collection.slug, model, "model", exists_ok=True)
        return collection.slug

    return _tried(attempt, f"the Collection {title!r} of {namespace}", options.token)


def whoami(token: str | None = None) -> str:
    """The user whose token is logged in."""
    from huggingface_hub import HfApi

    return _tried(lambda: HfApi(token=token).whoami()["name"], "your name", token)


def check_namespace(owner: str) -> str:
    """The owner's name, or a BadValueError if the Hub can have no such owner."""
    if not isinstance(owner, str) or not _OWNER.fullmatch(owner) or "--" in owner:
        raise BadValueError(
            f"{short(owner)} is no namespace of the Hub: give your user name or an organization's, letters, digits "
            "and single dashes."
        )
    return owner


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def _tried(attempt: Callable[[], Result], what: str, token: str | None) -> Result:
    """What `attempt` gives, after a few tries if need be."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError

    if token is None and get_token() is None:
        raise SGFError("pushing to the Hub needs a token: log in with `hf auth login`, or set HF_TOKEN.")
    begun, last = time.monotonic(), None
    for wait in (0, *WAITS):
        if wait and time.monotonic() - begun > PATIENCE:
            break
        time.sleep(wait)
        try:
            with _patiently():
                return attempt()
        except SGFError:
            raise
        except HFValidationError as error:
            raise BadValueError(f"{what} is no name for a repo: {str(error).splitlines()[0]}") from None
        except Exception as error:  # the client raises a dozen kinds, some inside of a RuntimeError
            last = _heart(error)
            if not _passes(last):
                break
    raise _read_if_there(last, what) from None


@contextmanager
def _patiently() -> Iterator[None]:
    """With a limit to how long a request hangs, without the client's warnings, which quote signed addresses, and with
    its progress bars on a terminal only.
    """
    from huggingface_hub import get_session
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    client, level, quiet = get_session(), logging.get_verbosity(), are_progress_bars_disabled()
    before, client.timeout = client.timeout, TIMEOUT
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    finally:
        client.timeout = before
        logging.set_verbosity(level)
        if not quiet:
            enable_progress_bars()


def _heart(error: BaseException) -> BaseException:
    """What an error of the client's is about: it wraps those of large files."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException | None) -> int | None:
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _passes(error: BaseException) -> bool:
    """Whether the same may work in a while."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return False
    return _status(error) in _PASSING or isinstance(error, (ConnectionError, *transport_error()))


def _read_if_there(error: BaseException | None, what: str) -> SGFError:
    """The sentence. Nothing of a request is quoted: addresses of large files are signed, and headers hold the token."""
    from huggingface_hub.errors import LocalTokenNotFoundError, OfflineModeIsEnabled

    status = _status(error)
    again = "push again, what has arrived is not sent again."
    if isinstance(error, OfflineModeIsEnabled):
        return SGFError("HF_HUB_OFFLINE is set, so nothing is pushed: unset it.")
    if status == 401 or isinstance(error, LocalTokenNotFoundError):
        return SGFError("the Hub does not know the token: log in again with `hf auth login`, or set another HF_TOKEN.")
    if status == 403:
        owner = what.partition("/")[0] if "/" in what else what
        return SGFError(
            f"your token may not write to {owner}: give --namespace with your own name, or a token that may write "
            "there."
        )
    if status in (409, 412):
        return SGFError(f"{what} was being changed by somebody else (the Hub answered {status}): push again.")
    if status is not None:
        reason = re.sub(r"hf_\w+", "hf_...", str(getattr(error, "server_message", None) or "no reason given"))
        return SGFError(f"the Hub answered {status} to the push of {what} ({short(reason)}): {again}")
    if isinstance(error, transport_error("TimeoutException")):
        return SGFError(f"the Hub did not answer within {TIMEOUT:g} s while {what} was pushed: {again}")
    if isinstance(error, transport_error("ConnectError", "ConnectTimeout")) and (host := xet.storage_of(error)):
        return SGFError(
            f"the Hub answers, and {host}, where it keeps large files, does not, while {what} was pushed: have that "
            f"host let through, and {again}"
        )
    if isinstance(error, (ConnectionError, *transport_error())):
        return SGFError(
            f"the Hub cannot be reached, or the connection broke, while {what} was pushed: check the network and "
            f"{again}"
        )
    if isinstance(error, ValueError) and "README.md" in str(error):
        return CorruptFileError(f"the card of {what} has metadata that the Hub refuses: mend README.md's YAML.")
    if isinstance(error, OSError):
        return SGFError(f"a file of {what} cannot be read ({error.strerror or type(error).__name__}).")
    return SGFError(f"{what} could not be pushed ({type(error).__name__}).")
