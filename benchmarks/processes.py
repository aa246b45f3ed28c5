"""Sampling pairs and training F: one process and two, how fast, and whether the results are equal.

`python -m benchmarks.processes [--json]`. Times are of the work alone, once models are loaded.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from benchmarks.sections import Section, report

PAIRS, SHARD = 3_000, 250
ITERATIONS = 200
TWO = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
       "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
SETTINGS = {  # launcher, threads a process
    "1 process, 1 thread": ((), 1),
    "1 process, 2 threads": ((), 2),
    "2 processes, 1 thread each": (TWO, 1),
}


def work(folder: Path) -> None:
    """What is timed: called in every process."""
    from sgf_hub.data import pairs
    from sgf_hub.data.distributed import group
    from sgf_hub.generators import load_generator
    from sgf_hub.predictors import load_predictor
    from sgf_hub.training.mapping import PRESETS, train

    pairs.SHARD = SHARD
    together = group()
    generator, predictor = load_generator("avatars-stylegan2"), load_predictor("avatars-attributes")
    info = pairs.PairsInfo("avatars-stylegan2", ("avatars-attributes",), "w", predictor.spec, 0.8, 0)
    predictor(generator.synthesize(generator.sample(64, seed=1)))
    together.wait()
    start = time.perf_counter()
    for _ in pairs.sample_pairs(generator, predictor, info, folder / "pairs", count=PAIRS, group=together):
        pass
    sampled = time.perf_counter() - start
    config = replace(PRESETS["fast"], iterations=ITERATIONS)
    data = pairs.load_pairs(folder / "pairs")
    start = time.perf_counter()
    for record in train(config, data, folder / "work", folder / "mapping", group=together):
        if record["iteration"] == ITERATIONS and "slopes" not in record:
            trained = time.perf_counter() - start
    if together.leads:
        row = {"pairs_per_second": PAIRS / sampled, "iterations_per_second": ITERATIONS / trained}
        (folder / "row.json").write_text(json.dumps(row))


def measure(device: torch.device) -> Section:
    """A row for each setting, the first one being what the others are held against; always on the CPU."""
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for number, (name, (launcher, threads)) in enumerate(SETTINGS.items()):
            folder = Path(root, str(number))
            folder.mkdir()
            module = ("--module",) if launcher else ("-m",)
            command = [sys.executable, *launcher, *module, "benchmarks.processes", "--work", str(folder)]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, timeout=900)
            row = {"setting": name, **json.loads((folder / "row.json").read_text())}
            rows.append({**row, **_difference(folder, Path(root, "0"))})
    first = rows[0]
    text = "\n".join(
        [
            f"avatars-stylegan2 and avatars-attributes, {PAIRS:,} pairs, {ITERATIONS} iterations of batch 256. "
            "Differences are to the first line's: of pairs, the largest one over the largest value; of the loss over "
            "the first 100 iterations, and of that on held-out pairs in the end.\n",
            "| | pairs a second | of the first | iterations a second | of the first | pairs differ by | loss by | "
            "held-out loss by |",
            "|---|---|---|---|---|---|---|---|",
            *(
                f"| {one['setting']} | {one['pairs_per_second']:.0f} "
                f"| {one['pairs_per_second'] / first['pairs_per_second']:.2f} | {one['iterations_per_second']:.1f} "
                f"| {one['iterations_per_second'] / first['iterations_per_second']:.2f} "
                f"| {one['pairs_difference']:.1e} | {one['first_loss_difference']:.1e} "
                f"| {one['held_out_loss_difference']:.1e} |"
                for one in rows
            ),
        ]
    )
    return Section("Sampling pairs and training F in several processes", [], text, rows)


def _difference(folder: Path, first: Path) -> dict:
    """The largest difference of pairs to the first setting's, over the largest value; and that of the losses.

    F's weights part for good after some hundred steps, as they do with another number of threads: sums are rounded in
    another order. What they make of held-out pairs does not.
    """
    worst, paths = 0.0, [sorted((one / "pairs").glob("*.safetensors")) for one in (folder, first)]
    assert [path.name for path in paths[0]] == [path.name for path in paths[1]]
    for mine, theirs in zip(*paths, strict=True):
        a, b = load_file(mine), load_file(theirs)
        worst = max([worst, *(((a[key] - b[key]).abs().max() / b[key].abs().max()).item() for key in b)])
    ours, other = (
        json.loads((one / "work" / "log.jsonl").read_text().splitlines()[0])["loss"] for one in (folder, first)
    )
    held = [json.loads((one / "mapping" / "training.json").read_text())["report"]["loss"] for one in (folder, first)]
    return {
        "pairs_difference": worst,
        "first_loss_difference": abs(ours - other) / other,
        "held_out_loss_difference": abs(held[0] - held[1]) / held[1],
    }


def main() -> None:
    """Print the section; `--work FOLDER` is what each process does."""
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]))
    else:
        report(measure, __doc__)


if __name__ == "__main__":
    main()
