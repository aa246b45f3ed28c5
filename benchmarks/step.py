"""Where a step of an edit goes: generator, predictor, field, the rest. `python -m benchmarks.step [--json]`.

The zoo's mappings, and one of StyleGAN2's real size with random weights.
"""

import torch

from benchmarks.field import toy
from benchmarks.generator import reader, real
from benchmarks.sections import Section, report, within
from benchmarks.timing import medians
from sgf_hub.editing import EditConfig, Fixed, SGFEditor
from sgf_hub.field import SurrogateGradientField

STEPS = 10
REAL = "a mapping of D = 512 for 256 px"
SETTINGS = {  # mapping, batch => the most that a step may take over generator and predictor
    ("sgf-avatars-attributes", 1): 1.10,
    ("sgf-avatars-attributes", 8): 1.10,
    ("sgf-avatars-keypoints", 1): 1.10,
    ("sgf-avatars-keypoints", 8): 1.10,
    (REAL, 1): 1.05,
}


def measure(device: torch.device) -> Section:
    """The parts of one step, and whole edits, taking turns."""
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
    """Medians; of a step, the difference between an edit of 11 steps and one of 1, over 10."""
    latent = editor.generator.sample(batch, seed=0)
    images = editor.generator.synthesize(latent)
    c = editor.predictor(images)
    delta = torch.zeros_like(c)
    delta[:, 0] = 0.4
    field = SurrogateGradientField(editor.mapping, order=1)
    # a target that is never reached: all steps are taken
    target = editor.predictor.target(c, **{editor.predictor.spec.names[0]: 0.5})

    def edit(steps: int) -> None:
        for _ in editor.steps(latent, target, EditConfig.paper(max_steps=steps, tolerance=0)):
            pass

    works = {
        "generator": lambda: editor.generator.synthesize(latent),
        "predictor": lambda: editor.predictor(images),
        "field": lambda: field(latent.data, c, delta),
        "long": lambda: edit(STEPS + 1),
        "short": lambda: edit(1),
    }
    times = medians(works, repeats=40, most_s=10)
    step = (times.pop("long") - times.pop("short")) / STEPS
    return {**times, "step": step}


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
