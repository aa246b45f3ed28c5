"""A frame of an edit on the page: `python -m benchmarks.frames [--json]`, under a minute. Linux: it reads /proc.

The demo is served in a process of its own, and a page edits as a browser would; the same edit is made in Python by the
same models, in turn. Both are whole edits, over their number of pictures: the page's holds its result as well.
"""

import statistics
import time
from typing import Any

import torch

from app.core.model_sets import Faces
from app.core.session import Plan
from app.models.edit_run import steps as edit_steps
from app.models.services import Models
from app.widgets import render
from benchmarks.sections import Line, Section, duration, report
from tests.load.server import computing, served
from tests.load.visitor import Visitor

STEPS = 12
ROUNDS = 8
MOST_S = 20.0
WISHES = {"black_hair": 1.0, "blond_hair": 1.0, "gray_hair": 1.0}  # never all at once: every step is taken
_ASKED: dict[str, Any] = {"panel": {"from": "client", "wishes": WISHES, "released": []}, "steps-attributes": STEPS}


def measure(device: torch.device) -> Section:
    """Edit faces on the page and in Python, in turn.

    Args:
        device: of no matter: elsewhere than on a Space, the demo computes on the CPU.
    """
    models, rounds = Models(), []
    torch.set_num_threads(1)  # on both sides: two threads each, on two cores, wait for each other
    with served(OMP_NUM_THREADS="1") as server:
        page, begun = Visitor(server.url), time.perf_counter()
        for seed in range(ROUNDS + 1):
            rounds.append(edited(page, server.pid, models, seed))
            if seed > 2 and time.perf_counter() - begun > MOST_S:
                break
        page.close()
    rows = rounds[1:]  # the first one loads the models
    ms = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    floor = ms["python"] + ms["encode"]
    section = Section("A frame of an edit in the demo", rows=rows)
    section.lines = [
        Line(what, duration(ours), f"{other}: {duration(theirs)}", ours / theirs)
        for what, ours, other, theirs in (
            ("a frame on the page, until it is there", ms["page"], "a step in Python", ms["python"]),
            ("computing of the server for it", ms["page_computing"], "of the step", ms["python_computing"]),
        )
    ]
    section.text = (
        f"Medians of {len(rows)} edits of {STEPS} steps each, over their {STEPS + 1} pictures, the page that shows the "
        "result included. The models have one thread on either side; computing is that of all its processes. "
        f"The floor of a frame is a step and the encoding of its picture ({render.PREVIEW} px, JPEG, "
        f"{duration(ms['encode'])}): {duration(floor)}, of which the page takes {ms['page'] / floor:.2f} times as long."
    )
    return section


def edited(page: Visitor, pid: int, models: Models, seed: int) -> dict[str, float]:
    """One edit on the page, in Python, and the encoding of its pictures: milliseconds for each picture.

    Args:
        page: a visitor's.
        pid: of the server's process.
        models: of this process.
        seed: of the face.
    """
    world = Faces()
    page.begin(seed)
    latent = models.sample(world, seed, 0.8)
    laps, spent = [time.perf_counter()], [computing(pid)]
    status = page.edit("attributes", **_ASKED).status
    laps.append(time.perf_counter())
    spent += [computing(pid), time.process_time()]
    steps = list(edit_steps(models, Plan(world.attributes, WISHES, max_steps=STEPS), latent))
    spent.append(time.process_time())
    laps.append(time.perf_counter())
    for step in steps:
        render.jpeg_uri(render.picture(step.images[0], render.PREVIEW), 82)
    laps.append(time.perf_counter())
    if len(steps) != STEPS + 1 or f"after {STEPS} steps" not in status:
        raise SystemExit(f"The edit was to take {STEPS} steps, and not {len(steps) - 1} ({status}).")
    seconds = {
        "page": laps[1] - laps[0],
        "python": laps[2] - laps[1],
        "encode": laps[3] - laps[2],
        "page_computing": spent[1] - spent[0],
        "python_computing": spent[3] - spent[2],
    }
    return {name: 1000 * value / len(steps) for name, value in seconds.items()}


def main() -> None:
    """Print the figures."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
