"""What callers say of the Hub by keyword: how a repo is fetched, and how one is pushed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

from typing_extensions import Self

from sgf_hub.errors import BadValueError
from sgf_hub.validation import nearest, short

_ACCEPTED: dict[Any, str] = {
    str: "a text",
    str | None: "a text",
    bool: "True or False",
    str | bool | None: "a text, True for the one that is logged in, or False for none",
    str | Path | None: "a folder",
}


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Keyword arguments that are checked once, where they are given, and passed on as one object."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind = getattr(self, one.name), cast(type, one.type)
            if not isinstance(value, kind):
                shown = short(value) if one.repr else f"of type {type(value).__name__}"
                raise BadValueError(f"{one.name} is {shown}; it must be {_ACCEPTED[kind]}.")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The options out of keyword arguments, or a BadValueError that names what is unknown."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise BadValueError(f"there is no option {name!r}{nearest(name, known)}: {', '.join(known)} are taken.")
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class HubOptions(_Options):
    """How a repo of the Hub is fetched, as other libraries have it. Folders and the embedded zoo need none of it.

    Args:
        revision: a branch, a tag, or a commit's id.
        token: of the Hub; the one that is logged in by default, and none at all for False.
        cache_dir: where fetched files are kept; HF_HUB_CACHE by default.
        force_download: fetch what is in the cache already.
        local_files_only: fetch nothing, ask nobody.
        subfolder: of the repo, or of a folder, in which the files are.

    Raises:
        BadValueError: if one of them is of another type, or the subfolder leads out of the repo.
    """

    revision: str | None = None
    token: str | bool | None = field(default=None, repr=False)
    cache_dir: str | Path | None = None
    force_download: bool = False
    local_files_only: bool = False
    subfolder: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        inner = self.subfolder or ""
        if ".." in inner.replace("\\", "/").split("/") or "\0" in inner or Path(inner).is_absolute():
            raise BadValueError(f"subfolder is {short(self.subfolder)}; it must be a path within the repo.")

    @property
    def of_parts(self) -> Self:
        """For the repos that a config names: a revision and a subfolder are those of the one that was named."""
        return replace(self, revision=None, subfolder=None, force_download=False)

    def within(self, file: str) -> str:
        """A file's path in the repo."""
        return f"{self.subfolder.strip('/')}/{file}" if self.subfolder else file


HUB_DEFAULTS = HubOptions()


@dataclass(frozen=True, kw_only=True)
class PushOptions(_Options):
    """How repos are pushed.

    Args:
        commit_message: of the commit.
        private: whether a new repo is private.
        revision: the branch, made if need be; "main" by default.
        create_pr: open a pull request, and leave the branch as it is.
        token: of the Hub; the one that is logged in by default.

    Raises:
        BadValueError: if one of them is of another type, or the message is empty.
    """

    commit_message: str = "Push with sgf-hub"
    private: bool = False
    revision: str | None = None
    create_pr: bool = False
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.commit_message.strip():
            raise BadValueError("commit_message is empty: say what the commit brings, or leave it out.")


PUSH_DEFAULTS = PushOptions()
