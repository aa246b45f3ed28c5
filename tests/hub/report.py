"""`python -m tests.hub.report [--write]`: every scenario against the loopback Hub, and a table of what happened."""

import sys
import tempfile
from pathlib import Path

from sgf_hub.evaluation.page import renewed
from tests.hub.client import world
from tests.hub.scenarios import SCENARIOS
from tests.toys import write_zoo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hub.md"
BEGIN, END = "<!-- scenarios: begin (written by `python -m tests.hub.report --write`) -->", "<!-- scenarios: end -->"


def table() -> str:
    """Run them all; a failure ends it."""
    lines = ["| what is done | fault | what happens |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        zoo = write_zoo(Path(folder) / "toys")
        for i, scenario in enumerate(SCENARIOS):
            with world(zoo, Path(folder) / str(i), by_xet=scenario.by_xet) as here:
                lines.append(f"| {scenario.name} | {scenario.injected} | {scenario.run(here)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it into the page."""
    text = table()
    if "--write" in sys.argv:
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), text, BEGIN, END), "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
