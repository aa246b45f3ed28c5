"""The demo's start, memory and download: `python -m benchmarks.demo [--json]`, under a minute. Linux: it reads /proc.

A start is the whole `python app.py`, a process of its own; what it asks next it asks over HTTP, as a browser would,
the first face at once when the page is served, the first edit at once when the face is there.
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import torch
from packaging.requirements import Requirement

from benchmarks.sections import Line, Section, report
from tests.load.server import computing, memory

STARTS = 3
ROOT = Path(__file__).parent.parent
_GOALS = {  # figure => what it is, its unit, the most it may be
    "served": ("start to a served page", "s", 8.0),
    "first_face": ("from there to the first face", "s", 1.5),
    "first_edit": ("from there to the end of its edit", "s", 4.0),
    "peak": ("peak memory until then", "GB", 1.5),
}
_PARTS = """
import time
def lap(part, begun):
    print(f"{part}: {time.perf_counter() - begun}")
    return time.perf_counter()
now = time.perf_counter()
from app.server.gradio_private import import_gradio
from app.server.start import import_libraries
import_gradio()
now = lap("Gradio and what it imports", now)
from app.server.page import build_demo, check_tools
from app.models.services import Models
from app.core.model_sets import Faces
faces, models = Faces(), Models()
build_demo(faces, models=models)
now = lap("the page, its modules and building it", now)
import torch
now = lap("torch", now)
import_libraries()
now = lap("the library", now)
models.warm(faces, faces.attributes)
assert ("editor", faces.attributes) in models._loaded
now = lap("generator, predictor and mapping", now)
"""


def measure(device: torch.device) -> Section:
    """Start the demo a few times, and say where its start goes and how much has to be fetched for it.

    Args:
        device: of no matter: elsewhere than on a Space, the demo computes on the CPU.
    """
    starts = [start() for _ in range(STARTS)]
    figures = {name: statistics.median(one[name] for one in starts) for name in starts[0]}
    parts, packages = parts_of_start()
    sizes = download()
    large = {name: size / 1e6 for name, size in sizes.items()}
    zoo = sum(path.stat().st_size for path in (ROOT / "zoo").rglob("*") if path.is_file()) / 1e6
    section = Section("The demo, from a cold start")
    for name, (what, unit, most) in _GOALS.items():
        ours = figures[name]
        section.lines.append(
            Line(what, f"{ours:.2f} {unit}", f"{most:g} {unit}", ours / most, f"at most {most:g} {unit}", ours <= most)
        )
    section.text = "\n".join([
        f"Medians of {STARTS} starts, each a process of its own, with the files in the system's cache: a first start "
        "from a disk takes longer by the reading. The other side is the goal. Up to the end of the edit its processes "
        f"compute for {figures['computing']:.1f} s. Where they go, each part after the other in one process:\n",
        "| part | s |",
        "|---|---|",
        *(f"| {part} | {seconds:.2f} |" for part, seconds in parts.items()),
        f"\nOf this, importing takes, each package without what it imports in turn: {_listed(packages, 's')}. "
        f"transformers: {packages.get('transformers', 0):.2f} s.\n",
        f"Download: requirements.txt leads to {len(sizes)} packages. The files that they install have "
        f"{sum(sizes.values()) / 1e6:,.0f} MB (by their RECORDs; the wheels are compressed, so less is fetched), of "
        f"which {_listed(large, 'MB')}. The zoo, which needs no fetching, has {zoo:.0f} MB.",
    ])  # fmt: skip
    section.rows = [*starts, {"parts": parts, "packages": packages}, {"bytes": sizes, "zoo_mb": zoo}]
    return section


def _listed(amounts: dict[str, float], unit: str) -> str:
    digits = 2 if unit == "s" else 0
    return ", ".join(f"{name} {amount:,.{digits}f} {unit}" for name, amount in list(amounts.items())[:8])


def start() -> dict[str, float]:
    """One start, face and edit: seconds, and GB of memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"SERVER_PORT": str(port), "SERVER_NAME": "127.0.0.1", "ANALYTICS_ENABLED": "False"}
    laps = [time.perf_counter()]
    with _running(**{f"GRADIO_{name}": value for name, value in settings.items()}) as server:
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                urllib.request.urlopen(url, timeout=60).read()
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit("The demo ended before it served a page: run python app.py.") from None
                time.sleep(0.02)
        laps.append(time.perf_counter())
        ask(url, "new_face", {"seed": 7})
        laps.append(time.perf_counter())
        ask(url, "edit_attributes", {"seed": 7, "wishes": {"smile": 1}})
        laps.append(time.perf_counter())
        spent, peak = computing(server.pid), memory(server.pid, "VmHWM")
    return {
        "served": laps[1] - laps[0],
        "first_face": laps[2] - laps[1],
        "first_edit": laps[3] - laps[2],
        "peak": peak * 2**20 / 1e9,
        "computing": spent,
    }


def ask(url: str, endpoint: str, body: dict) -> None:
    """Call an endpoint, and wait for its last word."""
    request = urllib.request.Request(
        f"{url}/gradio_api/call/v2/{endpoint}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    event = json.load(urllib.request.urlopen(request, timeout=60))["event_id"]
    words = urllib.request.urlopen(f"{url}/gradio_api/call/{endpoint}/{event}", timeout=60).read().decode()
    if "event: complete" not in words:
        raise SystemExit(f"The demo failed at {endpoint}: {words[-300:]}")


@contextmanager
def _running(**environment: str) -> Iterator[subprocess.Popen]:
    silent = subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **environment}, stdout=silent, stderr=silent
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def parts_of_start() -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of what the start does, one after the other, and of the imports among it by package, longest first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _PARTS], check=True, cwd=ROOT, capture_output=True, text=True
    )
    parts = {part: float(seconds) for part, seconds in (line.split(": ") for line in done.stdout.splitlines())}
    imports: Counter[str] = Counter()
    for own, name in re.findall(r"import time: +(\d+) \| +\d+ \| +(\w+)", done.stderr):
        imports[name] += int(own)
    return parts, {name: own / 1e6 for name, own in imports.most_common()}


def download() -> dict[str, int]:
    """Bytes of each package that requirements.txt leads to, as installed, the largest first."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [one for one in map(Requirement, filter(lambda line: line and line[0] != "#", lines)) if _holds(one)]
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    while wanted:
        one = wanted.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        package = distribution(one.name)
        sizes[one.name.lower().replace("_", "-")] = sum(file.size or 0 for file in package.files or [])
        wanted += [other for other in map(Requirement, package.requires or []) if _holds(other, one.extras)]
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _holds(requirement: Requirement, extras: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
    """Whether a requirement is one on this system, of a package that is asked for with these extras."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def main() -> None:
    """Print the figures."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
