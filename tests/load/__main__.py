"""Many at once: `python -m tests.load [--sessions 8] [--edits 25] [--against FOLDER] [--write]`, or `make load-test`.

Serves the demo in a process of its own and opens so many pages on it with Gradio's client. Each edits, without a pause,
its own few pictures over and over; some edits are stopped, some cancelled by the client, and some pages go away in the
middle. Every picture that comes must be the one that the same edit gives when nobody else is there, byte by byte.
`--against` measures another checkout of the project beside it; `--write` puts the figures into docs/load.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load.server import Server, served
from tests.load.visitor import Outcome, Visitor, vanish

PAGE = Path(__file__).parents[2] / "docs" / "load.md"
STOPPED, CANCELLED, GONE = 6, 8, 12  # every so many edits


@dataclass(frozen=True)
class Wish:
    """An edit to ask for.

    Args:
        tab: where.
        seed: of the picture.
        values: of the tab's components.
    """

    tab: str
    seed: int
    values: dict[str, Any]


@dataclass
class Tally:
    """What happened, of all visitors together."""

    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def wishes_of(visitor: int) -> list[Wish]:
    """Three edits that no other visitor makes: two in three visitors edit attributes, others points or flowers."""
    seeds = [1000 * (visitor + 1) + i for i in range(3)]
    if visitor % 4 == 2:
        moved = [
            {"mouth_left": [0.38, 0.68], "mouth_right": [0.62, 0.68]},
            {"nose_tip": [0.54, 0.56]},
            {"chin": [0.5, 0.86]},
        ]
        return [
            Wish("keypoints", s, {"stage": {"from": "client", "moved": m}}) for s, m in zip(seeds, moved, strict=True)
        ]
    if visitor % 4 == 3:
        words = ("purple petals", "a small white flower", "large and red")
        return [Wish("captions", s, {"caption": w}) for s, w in zip(seeds, words, strict=True)]
    asked: list[dict[str, float]] = [{"glasses": 1.0}, {"smile": 1.0, "hat": 1.0}, {"blond_hair": 1.0}]
    panel = [{"from": "client", "wishes": w, "released": []} for w in asked]
    return [Wish("attributes", s, {"panel": p}) for s, p in zip(seeds, panel, strict=True)]


def open_page(server: Server, wish: Wish) -> Visitor:
    """A page for that kind of edit."""
    return Visitor(server.url, "flower-" if wish.tab == "captions" else "")


def alone(server: Server, wishes: list[Wish]) -> dict[tuple[str, int], tuple[str, Outcome]]:
    """The picture before, and the outcome, of every edit of one visitor, made while nobody else is there."""
    found = {}
    page = open_page(server, wishes[0])
    for wish in wishes:
        before = page.begin(wish.seed)["image"]
        found[wish.tab, wish.seed] = before, page.edit(wish.tab, **wish.values)
    page.close()
    return found


def visit(server: Server, number: int, edits: int, expected: dict, tally: Tally, at_each: Callable[[], None]) -> None:
    """One visitor's whole visit; no two are at the same place between what happens every so many edits."""
    wishes = wishes_of(number)
    page = open_page(server, wishes[0])
    for i in range(3 * number + 1, 3 * number + 1 + edits):
        wish = wishes[i % len(wishes)]
        before, result = expected[wish.tab, wish.seed]
        try:
            if i % GONE == 0 and wish.tab == "attributes":
                vanish(server.url, wish.seed, wish.values["panel"]["wishes"])
                tally.counts["pages that went away"] += 1
                page.close()
                page = open_page(server, wish)
                continue
            if page.begin(wish.seed)["image"] != before:
                tally.wrong.append(f"visitor {number} was shown another picture than that of {wish.seed}")
            if i % CANCELLED == 0:
                page.cancel(wish.tab, **wish.values)
                tally.counts["cancelled"] += 1
            elif i % STOPPED == 0:
                outcome = page.edit(wish.tab, stop_after=1, **wish.values)
                tally.counts["stopped" if outcome.status.startswith("Stopped") else "done before Stop came"] += 1
            else:
                outcome = page.edit(wish.tab, **wish.values)
                tally.outcomes.append((wish.tab, outcome))
                tally.counts["finished"] += 1
                if outcome.image != result.image:
                    told = f"{outcome.status!r}, alone {result.status!r}"
                    tally.wrong.append(f"visitor {number}: the result of {wish.seed} is not that of it alone: {told}")
                if i % 5 == 0 and result.image != before and page.undo()["image"] != before:
                    tally.wrong.append(f"visitor {number}: Undo showed another picture than that of {wish.seed}")
        except Exception as error:
            tally.errors.append(f"visitor {number}, edit {i}: {type(error).__name__}: {error}"[:300])
        at_each()
    page.close()


def run(server: Server, sessions: int, edits: int) -> dict[str, Any]:
    """The whole test, and its figures."""
    expected = {}
    for number in range(sessions):
        expected |= alone(server, wishes_of(number))
    quick = alone(server, wishes_of(0))  # once more, with everything loaded and known
    before = {"memory": server.memory(), "disk": server.disk()}
    tally, done, lock = Tally(), 0, threading.Lock()

    def at_each() -> None:
        nonlocal done
        with lock:
            done += 1
            if done % max(sessions * edits // 8, 1) == 0:
                tally.memory.append(server.memory())
                print(f"{done} edits of {sessions * edits}, {tally.memory[-1]:.0f} MB", file=sys.stderr)

    begun = time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        visits = [pool.submit(visit, server, n, edits, expected, tally, at_each) for n in range(sessions)]
        for one in visits:
            one.result()
    seconds = time.monotonic() - begun
    again = alone(server, wishes_of(0)[:1])
    return {
        "sessions": sessions,
        "edits": sum(tally.counts.values()),
        "counts": dict(tally.counts),
        "seconds": seconds,
        "errors": tally.errors,
        "wrong": tally.wrong,
        "frames": statistics.mean(outcome.frames for _, outcome in tally.outcomes),
        "times": {
            tab: _times([o for at, o in tally.outcomes if at == tab]) for tab in ("attributes", "keypoints", "captions")
        },
        "all": _times([outcome for _, outcome in tally.outcomes]),
        "alone": _times([outcome for _, outcome in quick.values()]),
        "afterwards": _times([outcome for _, outcome in again.values()]),
        "before": before,
        "memory": tally.memory,
        "after": {"memory": server.memory(), "disk": server.disk()},
    }


def _times(outcomes: list[Outcome]) -> dict[str, float]:
    """Seconds to the first picture and to the result: median, and the time that 95% stay under."""
    found = {"count": float(len(outcomes))}
    for name, values in (("preview", [o.preview_s for o in outcomes]), ("result", [o.result_s for o in outcomes])):
        if values:
            parts = statistics.quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
            found |= {f"{name}_p50": statistics.median(values), f"{name}_p95": parts[18]}
    return found


def table(figures: dict[str, Any], against: dict[str, Any] | None = None) -> str:
    """The figures as Markdown, beside those of another checkout."""

    def row(name: str, times: dict[str, float]) -> str:
        if not times["count"]:
            return ""
        cells = [f"{times[f'{what}_{part}']:.2f}" for what in ("preview", "result") for part in ("p50", "p95")]
        return f"| {name} | {times['count']:.0f} | {' | '.join(cells)} |\n"

    counts = ", ".join(f"{count} {name}" for name, count in sorted(figures["counts"].items()))
    before, after = figures["before"], figures["after"]
    return (
        f"{figures['sessions']} pages at once, {figures['edits']} edits without a pause between them ({counts}), in "
        f"{figures['seconds']:.0f} s on {os.cpu_count()} cores.\n\n"
        "| seconds | edits | first picture, p50 | p95 | result, p50 | p95 |\n| --- | --- | --- | --- | --- | --- |\n"
        + row("all that finished", figures["all"])
        + "".join(row(tab, times) for tab, times in figures["times"].items())
        + row("attributes, alone, before", figures["alone"])
        + row("attributes, alone, afterwards", figures["afterwards"])
        + (row("before: all that finished", against["all"]) if against else "")
        + (row("before: attributes, alone", against["alone"]) if against else "")
        + "\n| | |\n| --- | --- |\n"
        f"| errors | {len(figures['errors'])} |\n"
        f"| pictures that were another's, or not those of the same edit alone | {len(figures['wrong'])} |\n"
        f"| pictures of an edit that are shown, the result among them | {figures['frames']:.1f} |\n"
        f"| edits a second | {_rate(figures):.2f}{_than(figures, against)} |\n"
        f"| memory, before: every kind of edit made already | {before['memory']:.0f} MB |\n"
        f"| memory, after each eighth of the edits | {', '.join(f'{one:.0f}' for one in figures['memory'])} MB |\n"
        f"| files, before and after | {before['disk']:.1f} MB, {after['disk']:.1f} MB |\n"
    )


def _rate(figures: dict[str, Any]) -> float:
    return figures["edits"] / figures["seconds"]


def _than(figures: dict[str, Any], against: dict[str, Any] | None) -> str:
    if not against:
        return ""
    return f"; before {_rate(against):.2f}, {_rate(figures) / _rate(against):.1f} times as many"


def write(text: str, page: Path = PAGE) -> None:
    """Put the figures between the page's marks."""
    begin, end = "<!-- load: begin -->\n", "<!-- load: end -->"
    old = page.read_text("utf-8")
    head, tail = old.split(begin)[0], old.split(end)[1]
    page.write_text(f"{head}{begin}{text}{end}{tail}", "utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--edits", type=int, default=25, help="of each session")
    parser.add_argument("--against", type=Path, help="another checkout, measured in the same run")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/load.md")
    options = parser.parse_args()
    with served() as server:
        figures = run(server, options.sessions, options.edits)
    against = None
    if options.against:
        with served(options.against) as server:
            against = run(server, options.sessions, options.edits)
    print(text := table(figures, against))
    for line in (*figures["errors"], *figures["wrong"]):
        print(line, file=sys.stderr)
    if options.write:
        write(text)
    raise SystemExit(1 if figures["errors"] or figures["wrong"] else 0)


if __name__ == "__main__":
    main()
