"""Golden checkpoints of other projects: error, load time, size. `python -m benchmarks.formats [--write]`."""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from sgf_hub.evaluation.page import renewed
from sgf_hub.generators import load_generator
from sgf_hub.generators.formats import open_checkpoint
from sgf_hub.generators.stylegan.style_based import StyleBasedGenerator
from sgf_hub.types import Latent

GOLDEN = Path("tests/golden")
PAGE = Path("docs/formats.md")
BEGIN, END = "<!-- golden: begin (written by `python -m benchmarks.formats --write`) -->", "<!-- golden: end -->"


_INPUTS = {"z", "c", "w_mixed"}
_FILES = ("image_e4e_", "image_w_projected", "image_interfacegan")  # pictures of latent files, which are read elsewhere


@torch.no_grad()
def computed(
    load: Callable[[int | None], Any], references: Mapping[str, Tensor], *, change: Callable[[Any], None] | None = None
) -> dict[str, Tensor]:
    """The reference tensors by our generator: w, w+ and pictures that are not clipped.

    Args:
        load: the generator of a class, or of none.
        references: by name; those that end in "_label_K" belong to class K.
        change: what is done to every generator before.
    """
    found, z, generators = {}, Latent(references["z"], "z"), {}
    for name, wanted in references.items():
        if name in _INPUTS or name.startswith(_FILES):
            continue
        what, _, digits = name.partition("_label_")
        label = int(digits) if digits else 0 if "c" in references else None
        if label not in generators:
            generators[label] = load(label)
            if change is not None:
                change(generators[label])
        made = generators[label]
        if not isinstance(made, StyleBasedGenerator):
            found[name] = made(z.data)
        elif what == "image_w_mixed":
            found[name] = made(references["w_mixed"])
        else:
            w = made.to_w_plus(made.to_w(z, truncation=0.7 if "trunc" in what else 1.0)).data
            found[name] = w if what.startswith("w") else _without_noise(made)(w) if "no_noise" in what else made(w)
        if wanted.ndim == 4:  # a grey picture is drawn in three equal colours
            assert wanted.shape[1] == 3 or (found[name] == found[name][:, :1]).all()
            found[name] = found[name][:, : wanted.shape[1]]
    return found


def _without_noise(generator: Any) -> Any:
    silent = copy.deepcopy(generator)
    for name, strength in silent.named_parameters():
        if name.endswith("noise_strength"):
            strength.zero_()
    return silent


def golden_files() -> list[Path]:
    """The checkpoints of `tests/golden` that have references."""
    return [path for path in sorted(GOLDEN.glob("*.p*")) if path.with_suffix(".reference.safetensors").is_file()]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """max |a - b| / max |b|."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def measure(path: Path, *, repeats: int = 5) -> dict:
    """One golden file: its largest error, the median time to load it, its size."""
    references = load_file(str(path.with_suffix(".reference.safetensors")))
    label = 0 if "c" in references else None
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        load_generator(path, class_label=label)
        times.append(time.perf_counter() - start)
    ours = computed(lambda one: load_generator(path, class_label=one), references)
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
    for path in golden_files():
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
