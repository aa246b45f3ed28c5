"""One edit by sentence, and where its time goes. `python -m benchmarks.captions [--json]`."""

import argparse
import json
import statistics
import time

import torch

from benchmarks.step import median_ms
from sgf_hub.editor import EditConfig, SGFEditor
from sgf_hub.field import SurrogateGradientField
from sgf_hub.predictors import CaptionPredictor

STEPS = 15


@torch.inference_mode()
def measure(name: str = "sgf-flowers-captions", repeats: int = 30) -> dict:
    """Times of the parts of a step at batch 1, and of whole edits of 15 steps with new flowers and new sentences."""
    editor = SGFEditor.from_pretrained(name)
    predictor = editor.predictor
    assert isinstance(predictor, CaptionPredictor)
    start = time.perf_counter()
    latent = editor.generator.sample(1, seed=0)
    images = editor.generator.synthesize(latent)
    c = predictor(images)
    row: dict = {"mapping": name, "first_caption_s": time.perf_counter() - start}
    field = SurrogateGradientField(editor.mapping, order=1)
    numbers = iter(range(10**6))
    parts = {
        "generator": lambda: editor.generator.synthesize(latent),
        "captioner": lambda: predictor.captioner(images),
        "embedding": lambda: predictor.embed([f"a sentence that nobody has written, number {next(numbers)}"]),
        "field": lambda: field(latent.data, c, torch.full_like(c, 0.1)),
    }
    row |= {f"{key}_ms": median_ms(work, repeats) for key, work in parts.items()}
    config = EditConfig.ours(max_steps=STEPS, tolerance=0, patience=None)  # never arrives: all steps are taken
    times = []
    for seed in range(1, 6):
        latent = editor.generator.sample(1, seed=seed)
        wish = {"caption": f"a small purple flower with pointed petals, number {seed}"}
        start = time.perf_counter()
        list(editor.steps(latent, wish, config))
        times.append(time.perf_counter() - start)
    row["edit_s"] = statistics.median(times)
    return row


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    row = measure()
    print(json.dumps(row) if options.json else ", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
