"""Training of F: reconstruct z from (z, c) by least squares, with spectral normalisation (Sections 3.2 and 4.3).

The preset "paper" is the paper's recipe. "fast" is ours: larger batches, a decaying learning rate, and noise on the z
that F reads (its target stays clean), so that F cannot do without c.
"""

import dataclasses
import json
import math
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sgf_hub.data.distributed import ALONE, Group
from sgf_hub.data.pairs import Pairs, PairsInfo
from sgf_hub.editing.statistics.distribution import fit_statistics
from sgf_hub.editing.statistics.following import FACTORS
from sgf_hub.errors import BadValueError, CorruptFileError, DegenerateMappingError
from sgf_hub.field import contraction
from sgf_hub.mapping import SGFMapping
from sgf_hub.training.checkpoint import save_checkpoint
from sgf_hub.training.reconstruction import Descent
from sgf_hub.validation import bounded

LEAST_SLOPE = 0.05  # of F in c, standardised: below it, a field would be noise
LEAST_GAP = 1.02  # error with a shuffled c over that with the right one: chance alone reaches 1.006, useful F's 1.2;
LEAST_CERTAINTY = 5.0  # or else, standard errors that it must lie above
_SHUFFLES = 8  # of the conditions, to tell a small gap from chance


@dataclass(frozen=True, kw_only=True)
class MappingConfig:
    """Settings of one training.

    Args:
        layers: N; None takes the paper's 15 in W and 6 in Z.
        embedding: width of the layer that c passes first.
        iterations: steps.
        batch: pairs a step.
        learning_rate: of Adam.
        decay: whether the learning rate falls to nothing along a cosine.
        noise: standard deviation of the Gaussian noise on F's standardised z input.
        held_out: share of the pairs that are kept for measuring.
        seed: of weights, order and noise.

    Raises:
        BadValueError: for a number out of range.
    """

    layers: int | None = None
    embedding: int = 64
    iterations: int = 500_000
    batch: int = 8
    learning_rate: float = 2e-4
    decay: bool = False
    noise: float = 0.0
    held_out: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        bounded("layers", 1 if self.layers is None else self.layers, 1, 256)
        bounded("iterations", self.iterations, 1, 10**9)
        bounded("noise", self.noise, 0.0, 100.0)


PRESETS = {
    "paper": MappingConfig(),
    "fast": MappingConfig(iterations=8_000, batch=256, learning_rate=1e-3, decay=True, noise=2.0),
}


@dataclass(frozen=True)
class MappingReport:
    """What a trained F measures on held-out pairs, all in standardised coordinates.

    Args:
        loss: mean squared error of F(z, c) against z.
        loss_shuffled: the same with the conditions of other pairs.
        slopes: for each name of c, the mean norm of dF/dc along it: 0 means ignored.
        jacobian: quantiles 0, 50, 95 and 100% of the spectral growth of dF/dz over the pairs.
        certainty: how many standard errors the gap between the two is wide. The gap itself says little: one attribute
            of 512 dimensions can hardly explain more of z than chance seems to.
    """

    loss: float
    loss_shuffled: float
    slopes: dict[str, float]
    jacobian: dict[str, float]
    certainty: float


def train(
    config: MappingConfig, pairs: Pairs, work: Path, out: Path, *, command: str = "", group: Group = ALONE
) -> Iterator[dict]:
    """Train F on pairs, continuing what `work` holds, and write it to `out`.

    Several processes draw the same batches, take the gradient of their parts, and add them up: what comes out is the
    same as with one, up to rounding.

    Args:
        config: the settings.
        pairs: (z, c), and what they were sampled with.
        work: folder for the checkpoint and log.jsonl.
        out: folder for config.json, model.safetensors and training.json.
        command: what the user typed, for training.json.
        group: the processes that train together, on one file system; all of them call this.

    Yields:
        A record every 100 steps, {"iteration", "loss"}; the last one is the report, in the process that leads.

    Raises:
        BadValueError: for too few pairs.
        DegenerateMappingError: if F ignores c; nothing is written to `out` then.
    """
    held = int(len(pairs.z) * config.held_out)
    if held < 2:
        raise BadValueError(f"{len(pairs.z)} pairs are too few to train on and measure: sample at least 1,000.")
    info, (train_z, train_c) = pairs.info, (pairs.z[:-held], pairs.c[:-held])
    mapping = mapping_for(config, info, pairs.z.shape[1])
    for name, data in (("z", train_z), ("c", train_c)):
        getattr(mapping, f"{name}_mean").copy_(data.mean(dim=0))
        getattr(mapping, f"{name}_std").copy_(data.std(dim=0).clamp_min(1e-3))
    mapping.to(group.device)
    z, c = (
        (data.to(group.device) - mean) / std
        for data, mean, std in (
            (train_z, mapping.z_mean, mapping.z_std),
            (train_c, mapping.c_mean, mapping.c_std),
        )
    )
    descent = Descent(mapping, z, c, config.learning_rate, group)
    rng = torch.Generator().manual_seed(config.seed + 1)
    work.mkdir(parents=True, exist_ok=True)
    group.wait()  # nobody reads a checkpoint that is being replaced
    start, seconds = _resume(work / "checkpoint.pt", config, descent, rng)
    mine = group.share(config.batch)
    began = saved = time.monotonic()
    running, since = torch.zeros((), device=group.device), start
    for iteration in range(start, config.iterations):
        if config.decay:
            share = iteration / config.iterations
            descent.set_rate(config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * share)))
        index = torch.randint(len(z), (config.batch,), generator=rng)[mine]
        noise = config.noise * torch.randn(config.batch, z.shape[1], generator=rng)[mine] if config.noise else None
        loss = descent.step(index, noise, config.batch * z.shape[1])
        running += loss
        if (iteration + 1) % 100 == 0:
            record = {"iteration": iteration + 1, "loss": running.item() / (iteration + 1 - since)}
            since = iteration + 1
            running.zero_()
            if group.leads:
                with open(work / "log.jsonl", "a") as log:
                    log.write(json.dumps(record) + "\n")
            yield record
        if not group.leads:
            continue
        if time.monotonic() - saved > 60 or iteration + 1 == config.iterations:
            _save(work / "checkpoint.pt", config, descent, rng, iteration + 1, seconds + saved - began)
            saved = time.monotonic()
    if not group.leads:
        return
    descent.reconstruction.fold()
    mapping.cpu().eval().requires_grad_(False)
    fit_statistics(mapping, pairs.z, pairs.c)
    report = measure(mapping, pairs.z[-held:], pairs.c[-held:])
    refuse_degenerate(report)
    mapping.save_pretrained(out)
    made = {
        "command": command,
        "config": dataclasses.asdict(config),
        "pairs": len(pairs.z),
        "seconds": round(seconds + time.monotonic() - began),
        "report": dataclasses.asdict(report),
    }
    (out / "training.json").write_text(json.dumps(made, indent=1))
    yield {"iteration": config.iterations, **dataclasses.asdict(report)}


def mapping_for(config: MappingConfig, info: PairsInfo, latent_dim: int) -> SGFMapping:
    """F as it is before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return SGFMapping(
            generator=info.generator,
            predictor=list(info.predictor),
            latent_dim=latent_dim,
            latent_space=info.space,
            layers=(6 if info.space == "z" else 15) if config.layers is None else config.layers,
            embedding=config.embedding,
            attributes=list(info.spec.attributes),
            keypoints=list(info.spec.keypoints),
            groups=[list(group) for group in info.spec.groups],
            caption=info.spec.caption,
            latent_statistics=True,
            class_label=info.class_label,
            condition_factors=min(FACTORS, info.spec.dimension) if info.spec.keypoints else 0,
        )


@torch.no_grad()
def measure(mapping: SGFMapping, z: Tensor, c: Tensor, *, at: int = 256, seed: int = 0) -> MappingReport:
    """Reconstruction with right and shuffled c, slopes in c, and the growth of dF/dz, on pairs F has not seen.

    Args:
        mapping: F, folded.
        z: [N, D].
        c: [N, C].
        at: pairs at which derivatives are taken.
        seed: of the shuffling.
    """
    rng = torch.Generator().manual_seed(seed)
    scale = mapping.z_std

    def errors(condition: Tensor) -> Tensor:
        return ((mapping(z, condition) - z) / scale).square().mean(dim=1)

    right = errors(c)
    shuffled = torch.stack([errors(c[torch.randperm(len(c), generator=rng)]) for _ in range(_SHUFFLES)]).mean(dim=0)
    gap = (shuffled - right).double()
    # with conditions that are all alike the gap is 0, and so is its error
    certainty = (gap.mean() / (gap.std() / len(gap) ** 0.5).clamp_min(1e-12)).item()
    slopes = {}
    for i, name in enumerate(mapping.spec.names):
        tangent = torch.zeros_like(c[:at])
        tangent[:, i] = mapping.c_std[i]
        slopes[name] = (mapping.linearize(z[:at], c[:at], tangent).along / scale).norm(dim=1).mean().item()
    growth = contraction(mapping, z[:at], c[:at])
    quantiles = {f"{q:g}": growth.quantile(q).item() for q in (0, 0.5, 0.95, 1)}
    return MappingReport(right.mean().item(), shuffled.mean().item(), slopes, quantiles, certainty)


def refuse_degenerate(report: MappingReport) -> None:
    """Raise a DegenerateMappingError if F ignores c (assumption 3, Eq. 4)."""
    strongest = max(report.slopes.values())
    conditioned = report.loss_shuffled > LEAST_GAP * report.loss or report.certainty >= LEAST_CERTAINTY
    if strongest < LEAST_SLOPE or not conditioned:
        raise DegenerateMappingError(
            f"the mapping ignores its condition (largest ||dF/dc|| {strongest:.3f}, error {report.loss:.3f} with the "
            f"right c and {report.loss_shuffled:.3f} with a shuffled one), so its field is zero: train longer, on more "
            "pairs, with more layers, or with noise on z (preset 'fast')."
        )


def _save(
    path: Path, config: MappingConfig, descent: Descent, rng: torch.Generator, iteration: int, seconds: float
) -> None:
    held = {
        "config": dataclasses.asdict(config),
        "descent": descent.state_dict(),
        "rng": rng.get_state(),
        "iteration": iteration,
        "seconds": seconds,
    }
    save_checkpoint(path, held)


def _resume(path: Path, config: MappingConfig, descent: Descent, rng: torch.Generator) -> tuple[int, float]:
    """Load a checkpoint, if there is one; returns the iterations done and the seconds they took."""
    if not path.exists():
        return 0, 0.0
    try:
        held = torch.load(path, weights_only=True, map_location="cpu")
        settings, state = held["config"], held["descent"]
    except (OSError, RuntimeError, EOFError, LookupError, TypeError, pickle.UnpicklingError):
        raise CorruptFileError(f"{path} is damaged, or an older version's: delete it to train anew.") from None
    if settings != dataclasses.asdict(config):
        raise BadValueError(
            f"{path.parent} holds a training with other settings: delete that folder to train anew, or give another "
            "--runs."
        )
    descent.load_state_dict(state)
    rng.set_state(held["rng"])
    return held["iteration"], held["seconds"]
