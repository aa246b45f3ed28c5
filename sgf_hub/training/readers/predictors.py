"""Train a predictor: a backbone with an attribute head, and a keypoint head where the world has keypoints, on drawn
pictures with exact labels.

"avatars" is the predictor that mappings are trained with and edits are steered by. "avatars-judge" has another shape,
other seeds and other faces, and only ever measures: an edit that fools the predictor should not fool it. The same for
"flowers-judge", which measures edits that captions steer and has never read a caption.
"""

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sgf_hub.data.drawn import augment, evaluate
from sgf_hub.hub.files import WEIGHTS
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.predictors import load_predictor
from sgf_hub.predictors.backbone import fingerprint
from sgf_hub.training.readers.learner import Learner
from sgf_hub.training.readers.supervised import (
    PROBE,
    REPORT,
    check_sizes,
    descend,
    drawn_sets,
    logged,
    report_of,
    rows_of,
)


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Everything that decides what a training run gives.

    Args:
        name: of the preset, and the prefix of its repos: `{name}-backbone`, `{name}-attributes`, `{name}-keypoints`.
        world: whose pictures it learns to read.
        image_size: side in pixels of what the network reads.
        embedding_size: channels of the ResNet's stem.
        hidden_sizes: channels of each stage.
        depths: residual blocks of each stage.
        squeeze: channels of each head's 1x1 convolution.
        hidden: width of each head's hidden layer.
        resolution: side in pixels of the drawn pictures.
        pictures: how many are drawn to train on.
        held_out: how many more are drawn to measure on.
        images: how many are seen in all, repeats counted.
        batch: pictures a step.
        learning_rate: at its peak.
        weight_decay: of AdamW, on matrices and kernels.
        seed: of weights, order and augmentation.
        data_seed: of the drawn pictures.
        tint: strength of the changes of colour in augmentation; below 1 where the labels name shades.
        soften: share of the pictures that augmentation shrinks and enlarges again, as soft as a small GAN's.
        bf16: whether convolutions run in bfloat16.
    """

    name: str
    world: str
    image_size: int
    embedding_size: int
    hidden_sizes: tuple[int, ...]
    depths: tuple[int, ...]
    squeeze: int = 32
    hidden: int = 128
    resolution: int = 64
    pictures: int = 40_000
    held_out: int = 4_000
    images: int = 140_000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    data_seed: int = 1_000
    tint: float = 1.0
    soften: float = 0.0
    bf16: bool = True

    def __post_init__(self) -> None:
        check_sizes(self)

    @property
    def backbone(self) -> dict[str, Any]:
        """The backbone's config, as transformers reads it."""
        return {
            "model_type": "resnet",
            "image_size": self.image_size,
            "layer_type": "basic",
            "embedding_size": self.embedding_size,
            "hidden_sizes": list(self.hidden_sizes),
            "depths": list(self.depths),
        }

    def repo(self, part: str) -> str:
        """The folder's name of "backbone", "attributes" or "keypoints"."""
        return f"{self.name}-{part}"


PRESETS: dict[str, PredictorConfig] = {
    preset.name: preset
    for preset in (
        PredictorConfig(
            name="avatars",
            world="avatars",
            image_size=96,
            embedding_size=32,
            hidden_sizes=(32, 64, 128),
            depths=(1, 2, 2),
        ),
        PredictorConfig(
            name="avatars-judge",
            world="avatars",
            image_size=64,
            embedding_size=64,
            hidden_sizes=(64, 128),
            depths=(2, 2),
            squeeze=24,
            hidden=160,
            seed=7,
            data_seed=500_000,
        ),
        PredictorConfig(
            name="flowers-judge",
            world="flowers",
            image_size=64,
            embedding_size=48,
            hidden_sizes=(48, 96, 128),
            depths=(1, 2, 2),
            images=200_000,
            batch=32,
            seed=7,
            data_seed=500_000,
            tint=0.5,
            soften=0.6,
        ),
        *(
            # in whose features a generator's training compares pictures; it is to see colours, so those are not changed
            PredictorConfig(
                name=f"{world}-guide",
                world=world,
                image_size=128,
                embedding_size=32,
                hidden_sizes=(32, 64, 128),
                depths=(1, 2, 2),
                resolution=128,
                seed=11,
                data_seed=700_000,
                tint=0.0,
            )
            for world in ("avatars", "flowers")
        ),
    )
}


def train_predictor(config: PredictorConfig, *, out: Path, run: Path, command: str = "") -> Iterator[dict[str, Any]]:
    """Train, save and measure one predictor; called again after a kill, it goes on where the last checkpoint is.

    Args:
        config: a preset, or one of your own.
        out: the zoo folder that receives the repos.
        run: folder of the drawn pictures, the checkpoint and `log.jsonl`; it may be deleted afterwards.
        command: what the user typed, for the report.

    Yields:
        Log records: `event` is "drawn", "progress" (every 10 s), "checkpoint" (every minute, with held-out numbers)
        or "done" (with the report that is written beside the weights).

    Raises:
        BadValueError: if `run` holds a checkpoint of another config.
        CorruptFileError: if the checkpoint cannot be read.
    """
    yield from logged(_train(config, out, run, command), run)


def _train(config: PredictorConfig, out: Path, run: Path, command: str) -> Iterator[dict[str, Any]]:
    clock = time.monotonic()
    pictures, held_out = drawn_sets(config, config.world, run, resolution=config.resolution)
    yield {"event": "drawn", "pictures": len(pictures), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        repo = f"{NAMESPACE}/{config.repo('backbone')}"
        learner = Learner(config.world, config.backbone, repo=repo, squeeze=config.squeeze, hidden=config.hidden)
        learner = learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if learner.keypoints is not None and pictures.keypoints is not None:
        learner.keypoints.mean.copy_(torch.from_numpy(pictures.keypoints.mean(0)))
    steps = math.ceil(config.images / config.batch)

    def losses(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        images, attributes, causes, keypoints = pictures.batch(rows_of(config, step))
        images, keypoints = augment(images, keypoints, generator=generator, tint=config.tint, soften=config.soften)
        return learner.losses(images, attributes, causes, keypoints, bf16=config.bf16)

    def probe() -> dict[str, Any]:
        found = evaluate(learner, held_out, config.world, most=PROBE)
        return {key: found[key] for key in ("accuracy", "keypoint_error") if key in found}

    seconds = yield from descend(config, run, learner, losses, probe, steps=steps)

    _save_repos(config, learner, out)
    finished = load_predictor([str(out / config.repo(part)) for part in learner.heads])
    found = evaluate(finished, held_out, config.world)
    report = report_of(config, command, images=steps * config.batch, seconds=seconds, held_out=found)
    for part in ("backbone", *learner.heads):
        (out / config.repo(part) / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


def _save_repos(config: PredictorConfig, learner: Learner, out: Path) -> None:
    """Write the repos: the backbone in transformers' own format, the heads as ours."""
    folder = out / config.repo("backbone")
    copy.deepcopy(learner.backbone.network).half().save_pretrained(folder)  # type: ignore[operator]
    mark = fingerprint(folder / WEIGHTS)
    for part, head in learner.heads.items():
        head.save_pretrained(out / config.repo(part), config={**head.config(), "fingerprint": mark})


__all__ = ["PRESETS", "PredictorConfig", "train_predictor"]
