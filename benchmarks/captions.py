"""One edit by sentence, and where its time goes. `python -m benchmarks.captions [--json]`."""

import statistics
import time

import torch

from benchmarks.sections import Section, report
from benchmarks.timing import medians
from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.field import SurrogateGradientField
from sgf_hub.predictors import CaptionPredictor

STEPS = 15


MAPPING = "sgf-flowers-captions"


@torch.no_grad()
def measure(device: torch.device) -> Section:
    """Times of the parts of a step at batch 1, and of whole edits of 15 steps with new flowers and new sentences."""
    editor = SGFEditor.from_pretrained(MAPPING)
    for part in (editor.mapping, editor.generator, editor.predictor):
        part.to(device)  # type: ignore[union-attr]
    predictor = editor.predictor
    assert isinstance(predictor, CaptionPredictor)
    start = time.perf_counter()
    latent = editor.generator.sample(1, seed=0)
    images = editor.generator.synthesize(latent)
    c = predictor(images)
    row = {"first_caption_s": time.perf_counter() - start}
    field = SurrogateGradientField(editor.mapping, order=1)
    numbers = iter(range(10**6))
    works = {
        "generator": lambda: editor.generator.synthesize(latent),
        "captioner": lambda: predictor.captioner(images),
        "embedding": lambda: predictor.embed([f"a sentence that nobody has written, number {next(numbers)}"]),
        "field": lambda: field(latent.data, c, torch.full_like(c, 0.1)),
    }
    row |= {f"{key}_ms": value for key, value in medians(works, repeats=30).items()}
    config = EditConfig(max_steps=STEPS, tolerance=0, patience=None)  # never arrives: all steps are taken
    times = []
    for seed in range(1, 6):
        latent = editor.generator.sample(1, seed=seed)
        wish = {"caption": f"a small purple flower with pointed petals, number {seed}"}
        start = time.perf_counter()
        list(editor.steps(latent, wish, config))
        times.append(time.perf_counter() - start)
    row["edit_s"] = statistics.median(times)
    text = "\n".join(
        [
            "| generator, ms | captioner, ms | a new sentence's embedding, ms | field, ms | whole edit, s | "
            "first caption, with loading, s |",
            "|---|---|---|---|---|---|",
            f"| {row['generator_ms']:.1f} | {row['captioner_ms']:.1f} | {row['embedding_ms']:.1f} "
            f"| {row['field_ms']:.1f} | {row['edit_s']:.2f} | {row['first_caption_s']:.1f} |",
        ]
    )
    return Section(f"One edit by sentence, {STEPS} steps", [], text, [row])


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
