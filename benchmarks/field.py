"""The field H(z) against what public code does in its place. `python -m benchmarks.field [--json] [--device cuda]`."""

import torch

from benchmarks.limits import limits
from benchmarks.plain.field import dense, differences
from benchmarks.sections import Section, duration, faster, report, within
from benchmarks.timing import medians, timed
from sgf_hub.field import SurrogateGradientField
from sgf_hub.mapping import SGFMapping

LATENT, LAYERS = 512, 15
SETTINGS = [(48, 1), (48, 8), (167, 1), (167, 8)]  # C, B
DENSE = [(48, 1), (167, 1), (48, 8)]  # where dense Jacobians are taken, once: each sample of a batch takes seconds


def measure(device: torch.device) -> Section:
    """Time of one H(z) of order 1, four ways, in one run."""
    section, rows, able = Section("The field"), [], limits(device)
    for conditions, batch in SETTINGS:
        mapping = toy(conditions).to(device)
        rng = torch.Generator().manual_seed(0)
        z, c, delta = (torch.randn(batch, n, generator=rng).to(device) for n in (LATENT, conditions, conditions))
        field = SurrogateGradientField(mapping, order=1)
        naive = SurrogateGradientField(lambda z, c, mapping=mapping: mapping(z, c), order=1)  # has no `linearize`
        works = {
            "ours": lambda field=field, given=(z, c, delta): field(*given),
            "differences": lambda mapping=mapping, given=(z, c, delta): differences(mapping, *given),
            "forward": lambda mapping=mapping, given=(z, c): forward(mapping, *given),
            "jvp": lambda naive=naive, given=(z, c, delta): naive(*given),
        }
        times = medians(works, repeats=60, most_s=6)
        if (conditions, batch) in DENSE:
            times["dense"] = timed(lambda m=mapping, given=(z, c, delta): dense(m, *given))
        given = (z.double(), c.double(), delta.double())
        found = {"error_ours": field(z, c, delta), "error_differences": differences(mapping, z, c, delta)}
        mapping.double()
        exact = naive(*given)
        errors = {name: ((one - exact).norm() / exact.norm()).item() for name, one in found.items()}
        name = f"H(z), D = {LATENT}, N = {LAYERS}, C = {conditions}, batch {batch}"
        if "dense" in times:
            section.lines.append(faster(name, times["ours"], "dense Jacobians", times["dense"], at_least=100))
        section.lines += [
            faster(name, times["ours"], "`torch.func.jvp`", times["jvp"]),
            faster(name, times["ours"], "finite differences", times["differences"], at_least=1),
            within(name, times["ours"], "one forward pass of F", times["forward"], at_most=2.5),
        ]
        weights = sum(one.numel() for one in mapping.parameters())
        floor = able.floor_ms(read=8 * weights, flops=2 * (2 + 1) * batch * weights)
        rows.append({"C": conditions, "batch": batch, **times, **errors, "floor_ms": floor})
    section.rows = rows
    section.text = "\n".join(
        [
            "Error of one H(z) against `torch.func.jvp` in float64, and the least time: F's weights read twice from "
            "memory, or its products at the rate of a large one.\n",
            "| C | batch | ours | finite differences | least time | ours |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row['C']} | {row['batch']} | {row['error_ours']:.1e} | {row['error_differences']:.1e} "
                f"| {duration(row['floor_ms'])} | {duration(row['ours'])} |"
                for row in rows
            ),
        ]
    )
    return section


@torch.no_grad()
def forward(mapping: SGFMapping, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """F(z, c), without a graph."""
    return mapping(z, c)


def toy(conditions: int, *, latent: int = LATENT, layers: int = LAYERS) -> SGFMapping:
    """F of a real size, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        names = [f"attribute {i}" for i in range(conditions)]
        mapping = SGFMapping(
            generator="any/generator", predictor=["any/predictor"], latent_dim=latent, layers=layers, attributes=names
        )
        for bias in (mapping.bias, mapping.affine_bias, mapping.embed_bias):
            torch.nn.init.normal_(bias, std=0.3)
    return mapping.eval().requires_grad_(False)


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
