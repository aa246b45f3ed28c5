"""Golden checkpoints of other projects: error, load time, size. `python -m benchmarks.formats [--write]`."""

import argparse
import statistics
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from sgf_hub.evaluation.page import renewed
from sgf_hub.generators import load_generator
from sgf_hub.generators.formats import open_checkpoint
from sgf_hub.generators.stylegan2 import StyleGAN2
from sgf_hub.types import Latent

GOLDEN = Path("tests/golden")
PAGE = Path("docs/formats.md")
BEGIN, END = "<!-- golden: begin (written by `python -m benchmarks.formats --write`) -->", "<!-- golden: end -->"


@torch.no_grad()
def computed(generator, z: Tensor, names: set[str]) -> dict[str, Tensor]:  # noqa: ANN001
    """The reference tensors called `names`, by our generator: w, w+ and pictures that are not clipped."""
    if not isinstance(generator, StyleGAN2):
        return {"image": generator(z)}
    latent, found = Latent(z, "z"), {}
    w, drawn = (generator.to_w_plus(generator.to_w(latent, truncation=psi)).data for psi in (1.0, 0.7))
    found = {"w": w, "w_trunc_0_7": drawn, "image_const_noise": generator(w), "image_trunc_0_7": generator(drawn)}
    if "image_no_noise" in names:
        for name, strength in generator.named_parameters():
            if name.endswith("noise_strength"):
                strength.zero_()
        found["image_no_noise"] = generator(w)
    return {name: found[name] for name in names}


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """max |a - b| / max |b|."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def measure(path: Path, *, repeats: int = 5) -> dict:
    """One golden file: its largest error, the median time to load it, its size."""
    references = load_file(str(path.with_suffix(".reference.safetensors")))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        generator = load_generator(path)
        times.append(time.perf_counter() - start)
    ours = computed(generator, references["z"], set(references) - {"z"})
    return {
        "file": path.name,
        "format": open_checkpoint(path, tensors=False).format.split(" ", 1)[1],
        "tensors": len(ours),
        "error": max(relative_error(value, references[name]) for name, value in ours.items()),
        "load_ms": 1000 * statistics.median(times),
        "bytes": path.stat().st_size,
    }


def table() -> str:
    """All golden files, in Markdown."""
    lines = [
        "| format | golden file | reference tensors | largest error | time to load, ms | size, MB |",
        "|---|---|---|---|---|---|",
    ]
    for path in sorted(GOLDEN.glob("*.p*")):
        row = measure(path)
        lines.append(
            f"| {row['format']} | {row['file']} | {row['tensors']} | {row['error']:.1e} | {row['load_ms']:.0f} | "
            f"{row['bytes'] / 2**20:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table; put it into docs/formats.md if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    text = table()
    if parser.parse_args().write:
        PAGE.write_text(renewed(PAGE.read_text(), text, BEGIN, END))
    print(text)


if __name__ == "__main__":
    main()
