"""Iterations a second of F's training: ours, the plain loop, and the loop that draws every picture anew.

`python -m benchmarks.training [--json] [--device cuda]`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.field import toy
from benchmarks.plain.training import iterations
from benchmarks.sections import Line, Section, report
from benchmarks.timing import medians
from sgf_hub.data.distributed import Group
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor
from sgf_hub.training.reconstruction import Descent
from sgf_hub.types import Latent

COUNT = 4096  # pairs
ROUND = 20  # iterations that are timed together


def measure(device: torch.device) -> Section:
    """Rates at the paper's batch of 8 and at the fast preset's 256."""
    section = Section("Training F")
    for latent, conditions, batch in ((128, 25, 8), (512, 48, 8), (128, 25, 256)):
        rng = torch.Generator().manual_seed(0)
        z, c = (torch.randn(COUNT, size, generator=rng).to(device) for size in (latent, conditions))
        works = {"ours": _ours(z, c, batch, device), "plain": _plain(z, c, batch, device)}
        if latent == 128 and batch == 8:
            works["drawing"] = _plain(z, c, batch, device, seen=_seen(device))
        times = medians(works, repeats=12, warmup=1, most_s=25)
        rates = {name: 1000 * ROUND / ms for name, ms in times.items()}
        name = f"F's training, D = {latent}, C = {conditions}, N = 15, batch {batch}"
        goal = 2.0 if batch == 8 else None
        section.lines.append(_line(name, rates["ours"], "plain loop over cached pairs", rates["plain"], goal))
        if "drawing" in rates:
            other = "loop that draws and reads 8 pictures an iteration"
            section.lines.append(_line(name, rates["ours"], other, rates["drawing"], None))
        section.rows.append({"D": latent, "C": conditions, "batch": batch, **rates})
    return section


def _line(what: str, ours: float, other: str, theirs: float, goal: float | None) -> Line:
    ratio = ours / theirs
    words, met = ("", None) if goal is None else (f"at least {goal:g} x faster", ratio >= goal)
    return Line(what, f"{ours:.0f} iterations/s", f"{other}: {theirs:.0f}", ratio, words, met)


def _ours(z: Tensor, c: Tensor, batch: int, device: torch.device) -> Callable[[], None]:
    mapping = toy(c.shape[1], latent=z.shape[1]).train().requires_grad_(True).to(device)
    descent = Descent(mapping, z, c, 2e-4, Group(device=device))
    rng = torch.Generator().manual_seed(1)

    def work() -> None:
        for _ in range(ROUND):
            descent.step(torch.randint(len(z), (batch,), generator=rng), None, batch * z.shape[1])

    return work


def _plain(
    z: Tensor, c: Tensor, batch: int, device: torch.device, *, seen: Callable[[Tensor], Tensor] | None = None
) -> Callable[[], None]:
    with torch.device(device):
        loop = iterations(z, c, batch=batch, seen=seen)

    def work() -> None:
        for _ in range(ROUND):
            next(loop)

    return work


def _seen(device: torch.device) -> Callable[[Tensor], Tensor]:
    generator, predictor = load_generator("avatars-stylegan2"), load_predictor("avatars-attributes")
    generator.to(device)  # type: ignore[attr-defined]
    predictor.to(device)

    @torch.no_grad()
    def seen(z: Tensor) -> Tensor:
        return predictor(generator.synthesize(Latent(z, "w")))

    return seen


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
