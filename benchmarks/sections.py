"""What a benchmark says: lines that hold two sides against each other and against a goal, and how a module prints them.

Each module has a `measure(device) -> Section`; `report` makes it a command, `python -m benchmarks.NAME [--json]
[--device cuda]`.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch


@dataclass(frozen=True)
class Line:
    """One comparison.

    Args:
        what: is measured.
        ours: figure, with its unit.
        other: the other side: what it is, and its figure.
        ratio: between the two; how many times better ours is, or our share of a limit.
        goal: in words, "" for none.
        met: whether it is reached; None without a goal.
    """

    what: str
    ours: str
    other: str
    ratio: float
    goal: str = ""
    met: bool | None = None


@dataclass
class Section:
    """What one module measured.

    Args:
        title: heading of its part of the page.
        lines: for the table of goals.
        text: what else it has to show, in Markdown.
        rows: the bare figures, for `--json`.
    """

    title: str
    lines: list[Line] = field(default_factory=list)
    text: str = ""
    rows: list[dict] = field(default_factory=list)


def faster(what: str, ours_ms: float, other: str, other_ms: float, *, at_least: float | None = None) -> Line:
    """A time against another, the ratio saying how many times faster ours is."""
    ratio = other_ms / ours_ms
    goal = "" if at_least is None else f"at least {at_least:g} x faster"
    met = None if at_least is None else ratio >= at_least
    return Line(what, duration(ours_ms), f"{other}: {duration(other_ms)}", ratio, goal, met)


def within(what: str, ours_ms: float, other: str, other_ms: float, *, at_most: float) -> Line:
    """A time against one that it contains or builds on, the ratio saying how many times as long ours takes."""
    ratio = ours_ms / other_ms
    goal, met = f"at most {at_most:g} x as long", ratio <= at_most
    return Line(what, duration(ours_ms), f"{other}: {duration(other_ms)}", ratio, goal, met)


def duration(ms: float) -> str:
    """Milliseconds in the unit that suits them, with three digits."""
    if ms < 1:
        return f"{ms:.3f} ms"
    return f"{ms:.3g} ms" if ms < 1000 else f"{ms / 1000:.3g} s"


def table(lines: list[Line]) -> str:
    """Lines as a Markdown table."""
    rows = ["| what | ours | against | ratio | goal | met |", "|---|---|---|---|---|---|"]
    for line in lines:
        met = "" if line.met is None else "yes" if line.met else "**no**"
        ratio = f"{line.ratio:.2f}" if line.ratio < 10 else f"{line.ratio:.0f}"
        rows.append(f"| {line.what} | {line.ours} | {line.other} | {ratio} | {line.goal} | {met} |")
    return "\n".join(rows)


def markdown(section: Section) -> str:
    """A section of the page."""
    parts = [f"## {section.title}", table(section.lines) if section.lines else "", section.text]
    return "\n\n".join(filter(None, parts))


def report(measure: Callable[[torch.device], Section], description: str | None) -> None:
    """Run a module's measurement from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="everything measured, as JSON")
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    options = parser.parse_args()
    section = measure(torch.device(options.device))
    print(json.dumps(asdict(section)) if options.json else markdown(section))
