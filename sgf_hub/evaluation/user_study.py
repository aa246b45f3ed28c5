"""The paper's user study (Section 4.4.2) as votes in JSON Lines files: written, read, and counted.

A voter sees a picture, a wish in words, and what two methods made of it, without their names. A vote says which result
was chosen and nothing of who voted: the day is the finest time there is.
"""

import json
import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.validation import check_seed, short

CHOICES = ("left", "right", "neither")
LIMIT = 4 * 2**20  # bytes of a file of votes, about 25 000 of them
_READ_LIMIT = 2**26
_LINE_LIMIT = 1000  # characters; a vote has about 170
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_Z = 1.959963984540054  # the normal distribution's 97.5 % point
_writing = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One choice between two results.

    Args:
        attribute: what was wished for.
        wanted: whether it should appear; else it should go.
        seed: of the source picture.
        left: the method whose result was shown on the left.
        right: the other method.
        choice: "left", "right", or "neither" for a voter who could not tell.
        day: of the vote, "2026-05-17".

    Raises:
        BadValueError: if one of them is not that.
    """

    attribute: str
    wanted: bool
    seed: int
    left: str
    right: str
    choice: str
    day: str

    def __post_init__(self) -> None:
        for field in ("attribute", "left", "right"):
            value = getattr(self, field)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise BadValueError(f"{field} is {short(value)}; it must be a name of small letters, digits, - and _.")
        if not isinstance(self.wanted, bool):
            raise BadValueError(f"wanted is {short(self.wanted)}; it must be true or false.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise BadValueError(f"a seed is a whole number, not {short(self.seed)}.")
        check_seed(self.seed)
        if self.left == self.right:
            raise BadValueError(f"both results are of {self.left}; a vote chooses between two methods.")
        if self.choice not in CHOICES:
            raise BadValueError(f"the choice is {short(self.choice)}; it must be {', '.join(CHOICES[:2])} or neither.")
        _check_day(self.day)

    @property
    def wish(self) -> str:
        """The wish in short: "+glasses" or "-glasses"."""
        return f"{'+' if self.wanted else '-'}{self.attribute}"

    @property
    def chosen(self) -> str | None:
        """The method that won; None where the voter could not tell."""
        return {"left": self.left, "right": self.right}.get(self.choice)


def _check_day(day: object) -> None:
    try:
        if not isinstance(day, str) or len(day) != 10:
            raise ValueError
        date.fromisoformat(day)
    except ValueError:
        raise BadValueError(f"the day is {short(day)}; it must be a date such as 2026-05-17.") from None


# -- files -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """What files of votes hold.

    Args:
        votes: in the files' order.
        damaged: lines that are no votes.
    """

    votes: tuple[Vote, ...]
    damaged: int = 0

    @property
    def remark(self) -> str:
        """A sentence about what was skipped; "" where nothing was."""
        if not self.damaged:
            return ""
        lines = "1 line was" if self.damaged == 1 else f"{self.damaged} lines were"
        return f"{lines} no vote and left out: the file was damaged, or is of something else."


def append(path: Path, vote: Vote, *, limit: int = LIMIT) -> None:
    """Add a vote to a file, as one line; threads may do so at once.

    Args:
        path: of the file; made, with its folder, if it is not there.
        vote: what is added.
        limit: bytes that the file may come to.

    Raises:
        BadValueError: if the file is full.
    """
    line = json.dumps(asdict(vote)).encode() + b"\n"
    with _writing:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            size = file.seek(0, 2)
            if size:
                file.seek(-1, 2)
                if file.read(1) != b"\n":  # a line that was cut off stays alone
                    line = b"\n" + line
            if size + len(line) > limit:
                raise BadValueError(
                    f"{path.name} is full ({limit >> 10} KB): the vote was not counted; move the file away to go on."
                )
            file.write(line)


def read(paths: Iterable[Path]) -> Box:
    """The votes of files, and of all .jsonl files in folders.

    Raises:
        CorruptFileError: if there is no such file, or one is too large to be of votes.
    """
    votes: list[Vote] = []
    damaged = 0
    for path in paths:
        for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
            for line in _lines(file):
                vote = _vote(line)
                if vote is None:
                    damaged += 1
                else:
                    votes.append(vote)
    return Box(tuple(votes), damaged)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise CorruptFileError(f"there are no votes at {path}: give a .jsonl file of votes, or a folder of such.")
    if path.stat().st_size > _READ_LIMIT:
        raise CorruptFileError(f"{path.name} is larger than {_READ_LIMIT >> 20} MB: it is not a file of votes.")
    return [line for line in path.read_text("utf-8", errors="replace").split("\n") if line.strip()]


def _vote(line: str) -> Vote | None:
    try:
        value: Any = json.loads(line[: _LINE_LIMIT + 1])
        if isinstance(value, dict) and value.keys() == {field.name for field in fields(Vote)}:
            return Vote(**value)
    except (ValueError, RecursionError, BadValueError):
        pass
    return None


# -- counting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """Votes between two methods.

    Args:
        wins: of the first method.
        losses: those that the second one won.
        ties: voters who could not tell. They are told, and left out of the share and its interval.
    """

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def votes(self) -> int:
        """All of them."""
        return self.wins + self.losses + self.ties

    @property
    def share(self) -> float | None:
        """The share of the first method among the votes that chose one; None where none did."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval of the share."""
        return wilson(self.wins, self.wins + self.losses)


@dataclass(frozen=True)
class Tally:
    """Votes counted; the first method of a pair is SGF where it takes part.

    Args:
        pairs: (first, second) to their count.
        wishes: (first, second, wish) to theirs, a wish being "+glasses" or "-glasses".
    """

    pairs: Mapping[tuple[str, str], Count]
    wishes: Mapping[tuple[str, str, str], Count]


def tally(votes: Iterable[Vote]) -> Tally:
    """Count votes by pair of methods, and by pair and wish."""
    found: dict[tuple[str, ...], list[int]] = {}
    for vote in votes:
        first, second = sorted((vote.left, vote.right), key=lambda name: (not name.startswith("sgf"), name))
        place = 2 if vote.chosen is None else int(vote.chosen == second)
        for key in ((first, second), (first, second, vote.wish)):
            found.setdefault(key, [0, 0, 0])[place] += 1
    counts = {key: Count(*found[key]) for key in sorted(found)}
    return Tally(
        {(k[0], k[1]): count for k, count in counts.items() if len(k) == 2},
        {(k[0], k[1], k[2]): count for k, count in counts.items() if len(k) == 3},
    )


def wilson(wins: int, of: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson, 1927): all shares p with |wins/of - p| <= z sqrt(p (1 - p)/of).

    Returns:
        Its ends, in [0, 1]; (0, 1) where nothing was counted.

    Raises:
        BadValueError: if there are more wins than votes, or fewer than none.
    """
    if not 0 <= wins <= of:
        raise BadValueError(f"{wins} of {of} is no share.")
    if not of:
        return 0.0, 1.0
    share, square = wins / of, _Z * _Z / of
    middle = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return (middle - reach if wins else 0.0), (middle + reach if wins < of else 1.0)


def rows(counted: Tally) -> list[dict[str, Any]]:
    """A tally as JSON: one row a pair, its wishes below it."""
    found = []
    for (first, second), count in counted.pairs.items():
        wishes = {key[2]: one for key, one in counted.wishes.items() if key[:2] == (first, second)}
        below = {wish: _figures(one) for wish, one in wishes.items()}
        found.append({"first": first, "second": second, **_figures(count), "wishes": below})
    return found


def _figures(count: Count) -> dict[str, Any]:
    low, high = count.interval
    share = None if count.share is None else round(count.share, 4)
    return {**asdict(count), "share": share, "interval": [round(low, 4), round(high, 4)]}
