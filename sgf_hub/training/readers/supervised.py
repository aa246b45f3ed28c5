"""What trainings on labelled pictures share: order, learning rate, checkpoints that continue, and when they report."""

import json
import math
import pickle
import platform
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sgf_hub.data.drawn import Labelled, drawn
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.training.checkpoint import save_checkpoint

REPORT = "training.json"  # beside the weights: how they were made, and what they measure
HELD_OUT_SEED = 900_000_000  # no preset draws its training pictures from here on
SAVE_EVERY, REPORT_EVERY = 60.0, 10.0  # seconds
PROBE = 1024  # held-out pictures looked at while training


class RunConfig(Protocol):
    """What is read here of a training's settings, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def pictures(self) -> int:
        """How many are drawn to train on."""

    @property
    def held_out(self) -> int:
        """How many are kept to measure with."""

    @property
    def images(self) -> int:
        """How many are seen in all, repeats counted."""

    @property
    def batch(self) -> int:
        """Pictures a step."""

    @property
    def learning_rate(self) -> float:
        """At its peak."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW, on matrices and kernels."""

    @property
    def seed(self) -> int:
        """Of the order."""

    @property
    def data_seed(self) -> int:
        """Of the drawn pictures."""


def logged(records: Iterator[dict[str, Any]], run: Path) -> Iterator[dict[str, Any]]:
    """A training's records, each also a line of `log.jsonl` in its run folder, which is made before the first."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        for record in records:
            log.write(json.dumps(record) + "\n")
            log.flush()
            yield record


def check_sizes(config: RunConfig) -> None:
    """Refuse counts with which no step can be taken.

    Raises:
        BadValueError: for them.
    """
    if min(config.pictures, config.held_out, config.images, config.batch) < 2 or config.batch > config.pictures:
        raise BadValueError("pictures, held_out, images and batch are at least 2, and batch is at most pictures.")


def drawn_sets(config: RunConfig, world: str, run: Path, *, resolution: int) -> tuple[Labelled, Labelled]:
    """The drawn pictures to train on, and those to measure with."""
    held_out = drawn(world, run, config.held_out, seed=HELD_OUT_SEED, resolution=resolution)
    return drawn(world, run, config.pictures, seed=config.data_seed, resolution=resolution), held_out


def descend(
    config: RunConfig,
    run: Path,
    module: nn.Module,
    losses: Callable[[int], tuple[Tensor, dict[str, Tensor]]],
    probe: Callable[[], dict[str, Any]],
    *,
    steps: int,
    clip: float = 5.0,
) -> Generator[dict[str, Any], None, float]:
    """AdamW from where the last checkpoint is to the last step.

    Args:
        config: of the run.
        run: folder of the checkpoint.
        module: what learns.
        losses: a step's number => the sum to descend, and its parts. All that is random in it is a function of (seed,
            step) alone, so that a resumed run sees what an unbroken one would.
        probe: what is measured at a checkpoint, the module being in evaluation.
        steps: how many there are.
        clip: the gradient's norm at most.

    Yields:
        Records: "checkpoint" every minute and at the end, "progress" every 10 s.

    Returns:
        The seconds spent, with those before a kill.
    """
    optimizer = torch.optim.AdamW(decayed(module, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99))
    step, spent = resume_run(run / "checkpoint.pt", config, module, optimizer)
    clock = reported = saved = time.monotonic()
    recent: list[dict[str, Tensor]] = []
    while step < steps:
        module.train()
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step / steps)
        total, parts = losses(step)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
        step += 1
        recent.append({"total": total.detach(), **parts})
        now = time.monotonic()
        record: dict[str, Any] = {"step": step, "of": steps, "seconds": round(spent + now - clock, 1)}
        if now - saved > SAVE_EVERY or step == steps:
            save_run(run / "checkpoint.pt", config, module, optimizer, step, spent + now - clock)
            module.eval()
            yield {"event": "checkpoint", **record, **probe()}
            saved = time.monotonic()
        if now - reported > REPORT_EVERY:
            means = {key: float(torch.stack([one[key] for one in recent]).mean()) for key in recent[0]}
            yield {"event": "progress", **record, **means}
            recent, reported = [], now
    return spent + time.monotonic() - clock


def report_of(config: RunConfig, command: str, *, images: int, seconds: float, held_out: dict) -> dict[str, Any]:
    """What `training.json` says of a run."""
    return {
        "command": command,
        "config": asdict(config),
        "images_seen": images,
        "seconds": round(seconds),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
        "torch": str(torch.__version__),
        "held_out": held_out,
    }


def decayed(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Parameter groups: kernels and matrices decay, biases and normalisations do not."""
    kernels = [p for p in module.parameters() if p.ndim > 1]
    return [
        {"params": kernels, "weight_decay": decay},
        {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def schedule(progress: float, warmup: float = 0.05) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to zero."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def rows_of(config: RunConfig, step: int) -> np.ndarray:
    """The pictures of a step: each epoch is a new permutation, of which the last incomplete batch is left out."""
    per_epoch = config.pictures // config.batch
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng((config.seed, epoch)).permutation(config.pictures)
    return np.sort(order[place * config.batch : (place + 1) * config.batch])


def _identity(config: RunConfig) -> str:
    return json.dumps(asdict(config), sort_keys=True)


def save_run(
    path: Path, config: RunConfig, learner: nn.Module, optimizer: torch.optim.Optimizer, step: int, spent: float
) -> None:
    """Write everything that continuing needs."""
    state = {"model": learner.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seconds": spent}
    save_checkpoint(path, {"config": _identity(config), **state})


def resume_run(
    path: Path, config: RunConfig, learner: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps done and seconds spent so far, with the state restored; (0, 0) for a new run."""
    if not path.is_file():
        return 0, 0.0
    try:
        state = torch.load(path, weights_only=True)
        same = state["config"] == _identity(config)
        if same:
            learner.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return int(state["step"]), float(state["seconds"])
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise CorruptFileError(f"{path} cannot be read ({error}): delete it to start over.") from None
    raise BadValueError(f"{path} is of a run with other settings: delete it to start over, or give another run folder.")
