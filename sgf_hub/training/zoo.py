"""The zoo by one command: which entry is made from which, what is stale, and what makes it anew, in order."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.provenance import fingerprint_of, made_from, record
from sgf_hub.validation import nearest, short

TABLE = "build.yaml"
_WORK = "runs/"  # begins the names of folders that are no entries

Status = Literal["made", "missing", "stale", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the build.

    Args:
        writes: names of entries, or folders under runs/.
        made_from: likewise.
        run: commands, each of which goes on where a kill left it.
        minutes: that it takes on two cores.
    """

    writes: tuple[str, ...]
    made_from: tuple[str, ...]
    run: tuple[str, ...]
    minutes: float

    @property
    def name(self) -> str:
        """By which it is told."""
        return self.writes[-1]

    @property
    def is_work(self) -> bool:
        """Whether it writes no entries, but what they are made from."""
        return all(name.startswith(_WORK) for name in self.writes)


@dataclass(frozen=True)
class State:
    """What a step has come to.

    Args:
        step: which.
        status: "made"; "missing"; "stale", if something that it is made from was made anew since; "unknown", if what it
            was made from was not recorded.
        why: in words, unless it is made.
    """

    step: Step
    status: Status
    why: str = ""


class Zoo:
    """A zoo and how it is made.

    Args:
        root: folder of the entries, with the table in it.
        work: folder that runs/ lies in.
    """

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.work = root, work
        self.steps = read_table(root / TABLE)

    def folder(self, name: str) -> Path:
        """Where an entry, or a folder under runs/, lies."""
        return self.work / name if name.startswith(_WORK) else self.root / name

    def states(self) -> list[State]:
        """Every step and what it has come to, in the order of the table."""
        return [self._state(step) for step in self.steps]

    def wanted(self, names: Sequence[str] = ()) -> list[State]:
        """What has to be made, in order, for some entries, or for all: stale and missing steps, and what follows them.

        Raises:
            UnknownNameError: if a name is not in the table.
        """
        known = [name for step in self.steps for name in step.writes]
        for name in names:
            if name not in known:
                raise UnknownNameError(f"{short(name)} is made by no step of {TABLE}{nearest(name, known)}.")
        needed = set(names or known)
        for step in reversed(self.steps):  # who stands further down is made from who stands above
            if needed & set(step.writes):
                needed |= set(step.made_from)
        found: dict[str, State] = {}
        anew: set[str] = set()
        states = [state for state in self.states() if needed & set(state.step.writes)]
        for state in states:
            follows = sorted(anew & set(state.step.made_from))
            absent = state.step.is_work and state.status == "missing"  # work need not be kept
            if follows or (state.status != "made" and not absent):
                why = state.why or f"made from {', '.join(follows)}, made anew before it"
                found[state.step.name] = replace(state, why=why)
                anew |= set(state.step.writes)
        for state in reversed(states):
            wanted = {name for one in found.values() for name in one.step.made_from}
            if state.step.is_work and state.status == "missing" and wanted & set(state.step.writes):
                found.setdefault(state.step.name, state)
        return [found[state.step.name] for state in states if state.step.name in found]

    def build(self, names: Sequence[str] = ()) -> Iterator[tuple[Step, list[str]]]:
        """Make what has to be made; each step's commands are run, and what it was made from is written down.

        Args:
            names: entries; all by default.

        Yields:
            A step and its commands, before each is begun.

        Raises:
            SGFError: if a command fails; what was made before it stays.
        """
        for state in self.wanted(names):
            step = state.step
            marks = self.marks(step)
            self._lay_aside(step, marks)
            yield step, list(step.run)
            for command in step.run:
                code = subprocess.run(_words(command), cwd=self.work).returncode
                if code:
                    raise SGFError(f"`{command}` ended with {code}: what it says above has to be mended; then go on.")
            self.remember(step, marks)

    def remember(self, step: Step, marks: dict[str, str]) -> None:
        """Write down what a step's entries were made from.

        Raises:
            SGFError: if one of them is not there.
        """
        for name in step.writes:
            if not self.folder(name).is_dir():
                raise SGFError(f"the step of {step.name} was run, and wrote no {name}: mend {TABLE}.")
            record(self.folder(name), marks)

    def marks(self, step: Step) -> dict[str, str]:
        """Fingerprints of what a step is made from.

        Raises:
            CorruptFileError: if something is not there.
        """
        found = {}
        for name in step.made_from:
            mark = fingerprint_of(self.folder(name))
            if mark is None:
                raise CorruptFileError(f"{name} is not there, and {step.name} is made from it.")
            found[name] = mark
        return found

    def _state(self, step: Step) -> State:
        folders = {name: self.folder(name) for name in step.writes}
        absent = [name for name, folder in folders.items() if fingerprint_of(folder) is None]
        if absent:
            return State(step, "missing", f"{absent[0]} is not there")
        recorded = [made_from(folder) for folder in folders.values()]
        if step.made_from and None in recorded:
            return State(step, "unknown", "what it was made from is not recorded")
        for name in step.made_from:
            now = fingerprint_of(self.folder(name))
            if name.startswith(_WORK) and now is None:
                continue  # pairs need not be kept
            if any((marks or {}).get(name) != now for marks in recorded):
                return State(step, "stale", f"made from other weights of {name}")
        return State(step, "made")

    def _lay_aside(self, step: Step, marks: dict[str, str]) -> None:
        """Move stale work out of the way, which a command would go on with."""
        for name in step.writes:
            folder = self.folder(name)
            if name.startswith(_WORK) and folder.exists() and made_from(folder) not in (None, marks):
                aside = folder.with_name(f"{folder.name}.stale")
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)


def read_table(path: Path) -> tuple[Step, ...]:
    """The steps of a table.

    Raises:
        CorruptFileError: if it is no table of steps, or a step is made from what stands below it.
    """
    try:
        rows = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CorruptFileError(f"{path.name} cannot be read as YAML ({' '.join(str(error).split())[:200]}).") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CorruptFileError(f"{path.name} must be a list of steps, each with writes, run and minutes.")
    steps = tuple(_step(row, path.name) for row in rows)
    later = [set(step.writes) for step in steps]
    for number, step in enumerate(steps):
        below = set(step.made_from) & set().union(*later[number:])
        if below:
            raise CorruptFileError(f"{path.name}: {step.name} is made from {min(below)}, which stands below it.")
    return steps


def _step(row: dict[str, Any], name: str) -> Step:
    def texts(key: str) -> tuple[str, ...]:
        value = row.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise CorruptFileError(f"{name}: {key} of a step is {short(value)}; it must be a list of texts.")
        return tuple(value)

    strange = sorted(set(row) - {"writes", "from", "run", "minutes"})
    minutes = row.get("minutes")
    if strange or not texts("writes") or not texts("run") or not isinstance(minutes, (int, float)):
        raise CorruptFileError(f"{name}: a step has writes, from, run and minutes, not {', '.join(map(str, row))}.")
    return Step(writes=texts("writes"), made_from=texts("from"), run=texts("run"), minutes=minutes)


def _words(command: str) -> list[str]:
    """A command's words; sgf-hub is that of this Python."""
    words = shlex.split(command)
    if not words:
        raise BadValueError("a step's command is empty.")
    return [sys.executable, "-m", "sgf_hub", *words[1:]] if words[0] == "sgf-hub" else words
