"""Damaged and hostile checkpoints by the thousand, and what became of them.

`python -m benchmarks.hostile [--inputs N] [--json] [--write]`: every golden file is altered N ways, by a seed, as
`alterations.py` says, and read. Python's audit hooks watch: an import, a file opened for writing, an `exec`, a process
or a change of the environment during the reading is code that ran.
"""

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.hostile_files import HAZARDS
from benchmarks.mutations import CONDITIONAL, MARK, Golden, altered, goldens, more_goldens
from sgf_hub.errors import SGFError
from sgf_hub.evaluation.page import renewed
from sgf_hub.generators import load_generator
from sgf_hub.generators.formats.reader import read_checkpoint

PAGE = Path(__file__).resolve().parent.parent / "docs" / "formats.md"
BEGIN = "<!-- hostile: begin (written by `python -m benchmarks.hostile --write`) -->"
END = "<!-- hostile: end -->"


_events: list[str] | None = None
_watched_file = ""


def _audit(event: str, args: tuple) -> None:
    if _events is None:
        return
    family = event.split(".")[0]
    if event == "open" and str(args[0]) == _watched_file and str(args[1]).startswith("r"):
        return
    if family in ("import", "exec", "compile", "open", "os", "subprocess", "socket", "ctypes", "pickle", "marshal"):
        _events.append(f"{event} {args[0] if args else ''}"[:100])


@contextmanager
def watching(path: Path) -> Iterator[list[str]]:
    """What happens that reading `path` has no need of: imports, code, processes, files, the environment."""
    global _events, _watched_file
    if not getattr(watching, "installed", False):
        sys.addaudithook(_audit)  # for the rest of the process, and asleep outside of this block
        watching.installed = True  # type: ignore[attr-defined]
    _events, _watched_file = [], str(path)
    events = _events
    try:
        yield events
    finally:
        _events = None


def growth(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` gives, and the bytes of memory it took at its peak above what was taken before."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _resident("VmRSS")
        value = work()
        return value, _resident("VmHWM") - before
    except OSError:  # not Linux: only what goes beyond the process's highest peak is seen
        unit = 1 if sys.platform == "darwin" else 1024
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        value = work()
        return value, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit


def _resident(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def attempt(path: Path, read: Callable[[Path], object]) -> tuple[str, list[str]]:
    """ "read", "refused", or the exception that is not ours; and what else happened."""
    with watching(path) as events:
        try:
            read(path)
            return "read", events
        except SGFError as error:
            sentence = str(error)
            whole = "\n" not in sentence and len(sentence) < 1000
            return "refused" if whole else f"no sentence: {sentence}"[:200], events
        except BaseException as error:  # whatever it is, it is a finding
            return f"{type(error).__name__}: {error}"[:200], events


def measure(name: str, file: Golden, inputs: int, folder: Path, seed: int = 0) -> dict:
    """Alter one golden file many times, and read each with `read_checkpoint` and then `load_generator`."""
    rng = random.Random(f"{seed} {name}")
    path = folder / "hostile.pth"
    row: dict = {"format": name, "inputs": inputs, "read": 0, "refused": 0, "loaded": 0, "not_ours": [], "code": []}
    row |= {"size_mb": len(file.data) / 2**20, "peak_mb": 0.0, "seconds": 0.0, "slowest_s": 0.0}
    path.write_bytes(file.data)
    load = partial(load_generator, class_label=0) if name == CONDITIONAL else load_generator
    for read in (read_checkpoint, load):
        assert attempt(path, read)[0] == "read"
    repr(torch.zeros(1))  # what is imported late, the first time, is imported now
    for _ in range(inputs):
        path.write_bytes(altered(file, rng))
        _tally(row, path, read_checkpoint)
        _tally(row, path, load)
    if MARK in os.environ or Path(MARK).exists():
        row["code"].append("a mark")
    return row


def _tally(row: dict, path: Path, read: Callable[[Path], object]) -> None:
    """Read a file, and count what became of it."""
    start = time.perf_counter()
    (result, events), peak = growth(lambda: attempt(path, read))
    seconds = time.perf_counter() - start
    row["seconds"] += seconds
    row["slowest_s"] = max(row["slowest_s"], seconds)
    row["peak_mb"] = max(row["peak_mb"], peak / 2**20)
    row["code"] += events
    if result not in ("read", "refused"):
        row["not_ours"].append(result)
    elif read is read_checkpoint:
        row[result] += 1
    elif result == "read":
        row["loaded"] += 1


def measure_hazards(folder: Path) -> dict:
    """The files of `hazards.py`, each made for one way to do harm."""
    path = folder / "hostile.pkl"
    row: dict = {"format": "made by hand", "inputs": len(HAZARDS), "read": 0, "refused": 0, "loaded": 0, "not_ours": []}
    row |= {"code": [], "size_mb": 0.0, "peak_mb": 0.0, "seconds": 0.0, "slowest_s": 0.0}
    for content, _ in HAZARDS.values():
        path.write_bytes(content)
        row["size_mb"] = max(row["size_mb"], len(content) / 2**20)
        _tally(row, path, read_checkpoint)
        _tally(row, path, load_generator)
    return row


def table(rows: list[dict]) -> str:
    """As Markdown."""
    head = "| format, size | inputs | read | refused | loaded as a generator | exceptions not ours | code executed | "
    lines = [head + "peak memory | slowest | all |", "|---" * 10 + "|"]
    for row in rows:
        lines.append(
            f"| {row['format']}, {row['size_mb']:.1f} MB | {row['inputs']:,} | {row['read']:,} | {row['refused']:,} | "
            f"{row['loaded']:,} | {len(row['not_ours'])} | {len(row['code'])} | {row['peak_mb']:.0f} MB | "
            f"{row['slowest_s']:.2f} s | {row['seconds']:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all formats; print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000, help="of each format")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = [measure(key, file, options.inputs, Path(name)) for key, file in (goldens() | more_goldens()).items()]
        rows.append(measure_hazards(Path(name)))
    print(json.dumps(rows) if options.json else table(rows))
    for row in rows:
        for finding in sorted(set(row["not_ours"] + row["code"])):
            print(f"{row['format']}: {finding}")
    if options.write:
        old = PAGE.read_text() if PAGE.exists() else f"{BEGIN}\n{END}\n"
        PAGE.write_text(renewed(old, table(rows), BEGIN, END))


if __name__ == "__main__":
    main()
