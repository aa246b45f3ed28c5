"""Sampling pairs (z, C(G(z))): its rate against that of generator and predictor alone.

`python -m benchmarks.sampling [--json] [--device cuda]`.
"""

import tempfile
from pathlib import Path

import torch

from benchmarks.sections import Line, Section, report
from benchmarks.timing import medians
from sgf_hub.data import pairs
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor

COUNT, BATCH = 512, 64
PAPER = 200_000


def measure(device: torch.device) -> Section:
    """512 pairs of faces, written to a folder, against as many pictures drawn and read."""
    generator, predictor = load_generator("avatars-stylegan2"), load_predictor("avatars-attributes")
    generator.to(device)  # type: ignore[attr-defined]
    predictor.to(device)
    info = pairs.PairsInfo("avatars-stylegan2", ("avatars-attributes",), "w", predictor.spec, 0.8, 0)
    latents = generator.sample(COUNT, seed=1)

    @torch.inference_mode()
    def alone() -> None:
        for first in range(0, COUNT, BATCH):
            predictor(generator.synthesize(latents[first : first + BATCH]))

    def sampled() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for _ in pairs.sample_pairs(generator, predictor, info, Path(folder), count=COUNT, batch=BATCH):
                pass

    times = medians({"sampled": sampled, "alone": alone}, repeats=9, warmup=1, most_s=30)
    rates = {name: 1000 * COUNT / ms for name, ms in times.items()}
    share = rates["sampled"] / rates["alone"]
    what = f"pairs sampled and written ({PAPER:,} in {PAPER / rates['sampled'] / 60:.0f} min at this rate)"
    other = f"generator and predictor alone: {rates['alone']:.0f}"
    line = Line(what, f"{rates['sampled']:.0f} a second", other, share, "at least 0.9 of it", share >= 0.9)
    return Section("Sampling pairs", [line], rows=[rates])


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
