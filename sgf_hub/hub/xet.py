"""Xet: large files of the Hub are on other hosts than the Hub itself, and a firewall may let through the Hub alone.

`hf_xet`, which speaks to those hosts, tries for minutes and ends in built-in exceptions. Here it has seconds, and what
it cannot do is done by plain HTTP.
"""

import logging
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

Result = TypeVar("Result")

ANSWERS_WITHIN = 5.0  # s, for a host that is asked whether it is there
LIMITS = {  # of hf_xet, unless they are set; its own are 1 minute, 5 times, 6 minutes
    "HF_XET_CLIENT_CONNECT_TIMEOUT": f"{ANSWERS_WITHIN:g}s",
    "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1",
    "HF_XET_CLIENT_RETRY_MAX_DURATION": "10s",
    "HF_XET_CLIENT_RETRY_BASE_DELAY": "1s",
}
PULL_SILENCE = "8s"  # without a byte
PUSH_SILENCE = "60s"  # the same; it also bounds how long a block of 64 MB may take to be sent
_SILENCE = "HF_XET_CLIENT_READ_TIMEOUT"


def or_plain_http(attempt: Callable[[], Result], *, silence: str) -> Result:
    """What `attempt` gives; where Xet fails, it is called again, and Xet is left out for the rest of the process.

    Args:
        attempt: brings files from the Hub or to it, and may be called twice.
        silence: after how long a host that says nothing is given up, PULL_SILENCE or PUSH_SILENCE.
    """
    from huggingface_hub import constants

    _limit(silence)
    try:
        return attempt()
    except Exception as error:
        if constants.HF_HUB_DISABLE_XET or not _in_xet(error):
            raise
    _leave_out()
    return attempt()


def leave_out_if_silent(token_url: str, token: str | None) -> None:
    """Leave Xet out if the storage that the Hub names for a repo does not answer.

    A push asks first: it has to wait long for hosts that answer, since they take in large blocks.

    Args:
        token_url: where the Hub gives out the storage's address, with a token for it.
        token: of the Hub.
    """
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers

    if constants.HF_HUB_DISABLE_XET or find_spec("hf_xet") is None:
        return
    told = get_session().get(token_url, headers=build_hf_headers(token=token))
    storage = told.headers.get(constants.HUGGINGFACE_HEADER_X_XET_ENDPOINT)
    if storage is None:  # the Hub says why when the push is tried
        return
    try:
        get_session().head(storage, timeout=ANSWERS_WITHIN)
    except transport_error():
        _leave_out()


def storage_of(error: Any) -> str | None:
    """The host that a failed request was for, where it is not the Hub's: that of its large files."""
    from huggingface_hub import constants

    host = error.request.url.host
    return None if host == urlsplit(constants.ENDPOINT).hostname else host


def transport_error(*names: str) -> tuple[type[Exception], ...]:
    """Exceptions of the library that huggingface_hub speaks HTTP with; by default all of a lost connection."""
    try:
        import httpx2 as library
    except ImportError:  # before huggingface_hub 2
        import httpx as library  # type: ignore[no-redef]
    return tuple(getattr(library, name) for name in names or ("TransportError",))


def _limit(silence: str) -> None:
    """Set how long hf_xet tries, where the user has not."""
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)
    if os.environ.get(_SILENCE, silence) not in (PULL_SILENCE, PUSH_SILENCE):
        return
    changed = os.environ.get(_SILENCE) not in (None, silence)
    os.environ[_SILENCE] = silence
    if changed:  # a session has read the other
        with suppress(ImportError):  # before huggingface_hub had sessions
            from huggingface_hub.utils._xet import abort_xet_session

            abort_xet_session()


def _in_xet(error: BaseException) -> bool:
    """Whether an exception comes out of the client's Xet functions: what hf_xet raises has no type of its own."""
    return any("xet" in frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__))


def _leave_out() -> None:
    """Use plain HTTP from now on, as HF_HUB_DISABLE_XET=1 does."""
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_XET = True
    logging.getLogger(__name__).warning(
        "the Hub's storage of large files cannot be reached by Xet, so plain HTTP is used; HF_HUB_DISABLE_XET=1 spares "
        "the wait."
    )
