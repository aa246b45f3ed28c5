"""Mistakes that a visitor is told of: the project's `SGFError` sentences and our own become notices of the page."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

_PATH = re.compile(r"(?<![\w/:.…])/(?:[^\s/'\"<>]+/)+([^\s/'\"<>]*)")


class UserError(Exception):
    """A visitor's mistake in the demo itself, in one sentence."""


def as_notices(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler (a function or a generator), with mistakes raised as `gr.Error`: the page shows the sentence."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from handler(*args, **kwargs)
            except Exception as error:
                raise _notice(error) from error

        return stream

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            raise _notice(error) from error

    return call


def sentence_of(error: Exception) -> str:
    """What a visitor is told of a mistake; "" where it is none of theirs."""
    from sgf_hub.errors import SGFError  # after a handler ran: the library is loaded by then

    return _sentence(str(error)) if isinstance(error, (SGFError, UserError)) else ""


def _notice(error: Exception) -> Exception:
    import gradio as gr

    if sentence := sentence_of(error):
        sentence = escape(sentence, quote=False)  # shown as HTML, and it may quote what was typed
        return gr.Error(sentence, title="That did not work", print_exception=False, duration=12)
    return error


def without_folders(text: str) -> str:
    """A sentence for a visitor: of a path of this machine the last name is left."""
    return _PATH.sub(r"…/\1", text)


def _sentence(text: str, most: int = 300) -> str:
    text = without_folders(" ".join(text.split()))
    text = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    return text[:1].upper() + text[1:]
