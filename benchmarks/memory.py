"""How the cost of an edit's step grows, beside the expected law. `python -m benchmarks.memory [--json]`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.field import toy
from benchmarks.generator import operations, real
from benchmarks.sections import Section, duration, report
from benchmarks.timing import medians
from sgf_hub.field import SurrogateGradientField
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2

PICTURE = Path("docs/growth.png")


def measure(device: torch.device) -> Section:
    """Times along each size, the others at D = 512, C = 48, N = 15, m = 1, batch 1, 256 px."""
    rows = [
        _row("field", "D", (128, 256, 512, 1024), lambda size: _field(device, latent=size), lambda size: size**2,
             "D^2, its weights, from where they outgrow the overhead of 168 operations"),
        _row("field", "N", (4, 8, 15, 30), lambda size: _field(device, layers=size), lambda size: size, "N"),
        _row("field", "C", (16, 48, 167, 500), lambda size: _field(device, conditions=size), lambda size: 1,
             "none: C meets one narrow layer"),
        _row("field", "m", (0, 1, 3, 7), lambda size: _field(device, order=size), lambda size: size + 1,
             "m + 1 passes"),
        _row("field", "batch", (1, 4, 16, 64), lambda size: _field(device, batch=size),
             lambda size: 1 + size / 64, "none while weights come from memory, then the batch"),
        _row("generator", "batch", (1, 2, 4), lambda size: _generator(device, batch=size), lambda size: size,
             "the batch"),
        _row("generator", "side", (64, 128, 256), lambda size: _generator(device, side=size),
             lambda size: operations(real(256), size),
             "products of the convolutions"),
    ]  # fmt: skip
    lines = ["| part | by | sizes | times | growth | expected | law |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        found, wanted = (row[key][-1] / row[key][0] for key in ("ms", "law"))
        lines.append(
            f"| {row['part']} | {row['by']} | {', '.join(map(str, row['sizes']))} "
            f"| {', '.join(map(duration, row['ms']))} | {found:.1f} x | {wanted:.1f} x | {row['words']} |"
        )
    text = "Each size alone, the others at D = 512, C = 48, N = 15, m = 1, batch 1, 256 px.\n\n" + "\n".join(lines)
    return Section("Growth", [], f"{text}\n\n![Times against sizes, with the expected laws]({PICTURE.name})", rows)


def _row(
    part: str, by: str, sizes: Sequence[int], make: Callable[[int], Callable[[], object]],
    law: Callable[[int], float], words: str,
) -> dict:  # fmt: skip
    times = medians({str(size): make(size) for size in sizes}, repeats=30, most_s=6)
    return {"part": part, "by": by, "sizes": list(sizes), "ms": list(times.values()),
            "law": [law(size) for size in sizes], "words": words}  # fmt: skip


def _field(
    device: torch.device, *, latent: int = 512, layers: int = 15, conditions: int = 48, order: int = 1, batch: int = 1
) -> Callable[[], object]:
    mapping = toy(conditions, latent=latent, layers=layers).to(device)
    field = SurrogateGradientField(mapping, order=order)
    z, c = (torch.randn(batch, size, device=device) for size in (latent, conditions))
    return lambda: field(z, c, c)


def _generator(device: torch.device, *, batch: int = 1, side: int = 256) -> Callable[[], object]:
    generator: StyleGAN2 = real(256).to(device)
    latent = generator.sample(batch, seed=0)
    return lambda: generator.synthesize(latent, resolution=side)


def draw(rows: list[dict], path: Path) -> None:
    """The times against the sizes, each with its law through the last point."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.5), layout="constrained")
    axes = list(figure.subplots(2, 4).flat)
    for axis, row in zip(axes, rows, strict=False):
        sizes = [size + 1 for size in row["sizes"]] if row["by"] == "m" else row["sizes"]
        scale = row["ms"][-1] / row["law"][-1]
        axis.loglog(sizes, row["ms"], "o-", label="measured")
        axis.loglog(sizes, [scale * law for law in row["law"]], "--", color="gray", label="law")
        axis.set_title(f"{row['part']} by {row['by']}" + (" + 1" if row["by"] == "m" else ""), fontsize=10)
        axis.set_ylabel("ms")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.set_ylim(min(row["ms"]) / 3, max(row["ms"]) * 3)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
