"""What an evaluation leaves in its folder: results.json, table.md, the curves and the pictures."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.evaluation.disentanglement.evaluate import FIRST_SEED
from sgf_hub.evaluation.disentanglement.figure import draw_curves, draw_grid
from sgf_hub.evaluation.disentanglement.measures.flip import Edited
from sgf_hub.evaluation.disentanglement.measures.reference import Reference
from sgf_hub.evaluation.disentanglement.measures.together import together
from sgf_hub.evaluation.disentanglement.summary import figures, matrices, mean_curves, tables
from sgf_hub.evaluation.disentanglement.tasks import PICTURES, Plan, Task, models, reference
from sgf_hub.types import Latent


def write_report(plan: Plan, records: Sequence[dict], command: str) -> dict:
    """Write the report of a finished evaluation.

    Args:
        plan: what was done.
        records: of all its tasks, in any order.
        command: what the user typed.

    Returns:
        What results.json holds.
    """
    methods = plan.open()
    place = {task: i for i, task in enumerate(plan.tasks)}  # they come in another order after a kill
    records = sorted(records, key=lambda one: place[Task(one["method"], one["attribute"], one["seed"])])
    results: dict[str, Any] = {
        "command": command,
        "mapping": plan.mapping,
        "generator": methods.sgf.mapping.generator_name,
        "judge": list(plan.judge),
        "samples": plan.samples,
        "seeds": plan.seeds,
        "attributes": list(plan.attributes),
        "models": models(plan, methods),
        "methods": {name: methods.settings(name) for name in plan.methods},
        "figures": figures(records, _together(plan, reference(plan, methods))),
        "curves": mean_curves(records),
    }
    (plan.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    parts = (f"# {plan.mapping}", f"Written by `{command}`.", tables(results), matrices(results))
    (plan.out / "table.md").write_text("\n\n".join(filter(None, parts)) + "\n")
    for observer in records[0]["readings"]:
        path = plan.out / f"mdc-{observer}.png"
        draw_curves(results["curves"], results["figures"], plan.attributes, observer, path)
    _draw_pictures(plan, methods.sgf)
    return results


def _together(plan: Plan, company: Reference) -> dict[str, list[dict]]:
    """What is measured of all attributes' edits together: method => a row a seed."""
    return {
        method: [
            together([Edited.load(Task(method, name, seed).files(plan.out)[1]) for name in plan.attributes], company)
            for seed in range(plan.seeds)
        ]
        for method in plan.methods
    }


def _draw_pictures(plan: Plan, editor: SGFEditor) -> None:
    """Each attribute's edit of other samples of the first seed: the first ones, not chosen. At least six columns."""
    names = [name for name in plan.attributes for _ in range(max(1, 6 // len(plan.attributes)))]
    draw = editor.generator.synthesize
    count = min(PICTURES, plan.samples)
    shown = [i % count for i in range(len(names))]
    with torch.no_grad():
        before = draw(editor.generator.sample(count, seed=FIRST_SEED))[shown]
        scores = editor.predictor(before)
        rows = {"": before}
        for method in plan.methods:
            files = (Task(method, name, 0).files(plan.out)[0] for name in names)
            rows[method] = torch.cat([draw(Latent.load(file)[i]) for file, i in zip(files, shown, strict=True)])
    present = [scores[i, editor.predictor.spec.index(name).start] > 0 for i, name in enumerate(names)]
    titles = [
        ("\u2212 " if there else "+ ") + name.replace("_", " ") for name, there in zip(names, present, strict=True)
    ]
    draw_grid(titles, rows, plan.out / "pictures.png")
