"""Where a step of an edit goes: generator, predictor, field. `python -m benchmarks.step [--json]`."""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from sgf_hub.editor import EditConfig, SGFEditor
from sgf_hub.field import SurrogateGradientField


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median time of one call, in milliseconds, after a warm-up."""
    for _ in range(5):
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


@torch.inference_mode()
def measure(name: str, batch: int, repeats: int) -> dict:
    """Times of the parts of one step and of the whole, at one batch size."""
    editor = SGFEditor.from_pretrained(name)
    latent = editor.generator.sample(batch, seed=0)
    images = editor.generator.synthesize(latent)
    c = editor.predictor(images)
    delta = torch.zeros_like(c)
    delta[:, 0] = 0.4
    field = SurrogateGradientField(editor.mapping, order=1)
    parts = {
        "generator": lambda: editor.generator.synthesize(latent),
        "predictor": lambda: editor.predictor(images),
        "field": lambda: field(latent.data, c, delta),
    }
    row: dict = {"mapping": name, "batch": batch}
    row |= {f"{key}_ms": median_ms(work, repeats) for key, work in parts.items()}
    # a target that is never reached: all steps are taken, and the time of one is that of all over their number
    target = editor.predictor.target(c, **{editor.predictor.spec.names[0]: 0.5})
    config = EditConfig(max_steps=20, tolerance=0, step_size=1e-6)
    row["step_ms"] = median_ms(lambda: list(editor.steps(latent, target, config)), max(repeats // 20, 3)) / 21
    row["field_share"] = row["field_ms"] / row["step_ms"]
    row["over_generator_and_predictor"] = row["step_ms"] / (row["generator_ms"] + row["predictor_ms"])
    return row


def main() -> None:
    """Print a line for each mapping and batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    rows = [
        measure(name, batch, options.repeats)
        for name in ("sgf-avatars-attributes", "sgf-avatars-keypoints")
        for batch in (1, 8)
    ]
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for row in rows:
        print(", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
