"""Run all benchmarks of speed and renew docs/performance.md: `python -m benchmarks [--device cuda]`, or `make bench`.

Each module runs in a process of its own, so that none warms another's caches or holds its memory.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks import memory
from benchmarks.sections import Line, Section, markdown
from sgf_hub.evaluation.page import renewed

MODULES = ("field", "step", "generator", "steps", "training", "sampling", "processes", "captions", "faces", "demo",
           "frames", "memory")  # fmt: skip
ON_GPU = ("field", "step", "generator", "training", "sampling", "memory")
PAGE = Path("docs/performance.md")
BEGIN, END = "<!-- measured: begin (written by `make bench`) -->", "<!-- measured: end -->"


def run(module: str, device: str) -> Section:
    """A module's section, and its bare figures beside the log."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "--json", "--device", device]
    section = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return Section(**{**section, "lines": [Line(**line) for line in section["lines"]]})


def processor() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu (the default) or cuda")
    device = parser.parse_args().device
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    parts = [
        "Written by `make bench`, in one run; times are medians, works that are compared take turns. Compare the "
        "columns, not the machine. Each part can be run alone, `python -m benchmarks.field` and so on, with `--json` "
        "for the bare figures; what ours is held against is written out in `benchmarks/plain/`.",
        f"Machine: {name}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python "
        f"{platform.python_version()}.",
    ]
    for module in MODULES if device == "cpu" else ON_GPU:
        begun = time.perf_counter()
        section = run(module, device)
        print(f"{module}: {time.perf_counter() - begun:.0f} s", flush=True)
        if module == "memory":
            memory.draw(section.rows, memory.PICTURE)
        parts.append(markdown(section))
    text = "\n\n".join(parts)
    if device == "cpu":
        PAGE.write_text(renewed(PAGE.read_text(), text, BEGIN, END))
    else:
        PAGE.with_stem("performance-gpu").write_text(f"# Times on a GPU\n\n{text}\n")


if __name__ == "__main__":
    main()
