"""Where a step of an edit goes: generator, predictor, field, the rest. `python -m benchmarks.step [--json]`.

The zoo's mappings, and one of StyleGAN2's real size with random weights.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

import torch

from benchmarks.field import toy
from benchmarks.generator import reader, real
from benchmarks.sections import Section, report, within
from benchmarks.timing import timed
from sgf_hub.editing import EditConfig, Fixed, SGFEditor
from sgf_hub.field import SurrogateGradientField

STEPS = 10
MOST_S = 10.0  # for each line
REAL = "a mapping of D = 512 for 256 px"
SETTINGS = {  # mapping, batch => the most that a step may take over generator and predictor
    ("sgf-avatars-attributes", 1): 1.10,
    ("sgf-avatars-attributes", 8): 1.10,
    ("sgf-avatars-keypoints", 1): 1.10,
    ("sgf-avatars-keypoints", 8): 1.10,
    (REAL, 1): 1.05,
}


def measure(device: torch.device) -> Section:
    """A step and its parts."""
    section = Section("One step of an edit")
    for (name, batch), most in SETTINGS.items():
        editor = SGFEditor(toy(48), real(256), reader()) if name == REAL else SGFEditor.from_pretrained(name)
        editor = editor.with_stepping(Fixed(step_size=1e-6))
        for part in (editor.mapping, editor.generator, editor.predictor):
            part.to(device)  # type: ignore[union-attr]
        row = _row(editor, batch)
        parts = row["generator"] + row["predictor"]
        what = f"a step of {name}, batch {batch}"
        section.lines.append(within(what, row["step"], "generator and predictor alone", parts, at_most=most))
        section.rows.append({"mapping": name, "batch": batch, **row})
    section.text = "\n".join(
        [
            "| mapping | batch | generator, ms | predictor, ms | field, ms | the rest, ms | whole step, ms |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {row['mapping']} | {row['batch']} | {row['generator']:.2f} | {row['predictor']:.2f} "
                f"| {row['field']:.2f} | {row['step'] - row['generator'] - row['predictor'] - row['field']:.2f} "
                f"| {row['step']:.2f} |"
                for row in section.rows
            ),
        ]
    )
    return section


@torch.no_grad()
def _row(editor: SGFEditor, batch: int) -> dict:
    """Medians of steps and of their parts within them, in milliseconds: by itself, each part takes others."""
    latent = editor.generator.sample(batch, seed=0)
    c = editor.predictor(editor.generator.synthesize(latent))
    # a target that is never reached: all steps are taken
    target = editor.predictor.target(c, **{editor.predictor.spec.names[0]: 0.5})
    config = EditConfig.paper(max_steps=STEPS, tolerance=0)
    spent: dict[str, float] = {}
    rows: list[dict[str, float]] = []

    def clocked(name: str, function: Callable) -> Callable:
        def call(*given: object, **options: object) -> object:
            found: list[object] = []
            spent[name] = spent.get(name, 0.0) + timed(lambda: found.append(function(*given, **options)))
            return found[0]

        return call

    with ExitStack() as patches:
        for name, owner, part in (
            ("generator", editor.generator, "synthesize"),
            ("predictor", editor.predictor, "forward"),
            ("field", SurrogateGradientField, "__call__"),
        ):
            clock = clocked(name, getattr(owner, part))
            # a function in a class is given the object it is called of
            patches.enter_context(patch.object(owner, part, (lambda *a, f=clock: f(*a)) if name == "field" else clock))
        begun = time.perf_counter()
        while len(rows) < 2 * STEPS or (time.perf_counter() - begun < MOST_S and len(rows) < 40 * STEPS):
            steps = editor.steps(latent, target, config)
            next(steps)
            for _ in range(STEPS):
                spent.clear()
                step = timed(lambda: next(steps))  # noqa: B023
                rows.append({**spent, "step": step})
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
