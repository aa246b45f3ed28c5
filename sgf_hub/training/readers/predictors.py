"""Train a predictor: a backbone with an attribute head, and a keypoint head where there are keypoints, on drawn
pictures with exact labels, or on a generator's pictures of which some were labelled by eye.

"avatars" is the predictor that mappings are trained with and edits are steered by. "avatars-judge" has another shape,
other seeds and other faces, and only ever measures: an edit that fools the predictor should not fool it. The same for
"flowers-judge", which measures edits that captions steer and has never read a caption.
"""

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.data.drawn import Labelled, Meaning, augment, evaluate, meaning_of
from sgf_hub.data.labels import read_labels
from sgf_hub.errors import BadValueError
from sgf_hub.generators import load_generator
from sgf_hub.hub.files import WEIGHTS
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.predictors import load_predictor
from sgf_hub.predictors.backbone import fingerprint
from sgf_hub.training.readers.labelled import CLEAR, labelled_pictures, spread_labels
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
        world: whose drawn pictures it learns to read; "" for a generator's.
        generator: name of that generator.
        labels: names of two tables in its attribute head's folder: labels by eye, and those of the same pictures that
            somebody gave again, which are held out.
        groups: sets of attributes of which at most one holds; a drawn world knows its own.
        hints: names of readers whose answers help to spread the labels.
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
    world: str = ""
    generator: str = ""
    labels: tuple[str, str] = ("labels.csv", "labels-again.csv")
    groups: tuple[tuple[str, ...], ...] = ()
    hints: tuple[str, ...] = ()
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


_HAIR = (("dark_hair", "fair_hair", "red_hair", "bald"), ("bald", "hat"), ("bald", "long_hair"))

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
        PredictorConfig(
            name="faces",
            generator="faces-dcgan",
            groups=_HAIR,
            hints=("faces-measures", "faces-gender"),
            image_size=96,
            embedding_size=32,
            hidden_sizes=(32, 64, 128),
            depths=(1, 2, 2),
            tint=0.5,
            data_seed=2_000_000,
        ),
        PredictorConfig(
            name="faces-judge",
            generator="faces-dcgan",
            groups=_HAIR,
            image_size=64,
            embedding_size=64,
            hidden_sizes=(64, 128),
            depths=(2, 2),
            squeeze=24,
            hidden=160,
            tint=0.5,
            seed=7,
            data_seed=3_000_000,
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
    sets = _drawn_sets(config, run) if config.world else _labelled_sets(config, out, run)
    pictures, held_out, meaning = sets.pictures, sets.held_out, sets.meaning
    yield {"event": "drawn", "pictures": len(pictures), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        repo = f"{NAMESPACE}/{config.repo('backbone')}"
        learner = Learner(meaning, config.backbone, repo=repo, squeeze=config.squeeze, hidden=config.hidden)
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
        found = evaluate(learner, held_out, meaning, most=PROBE)
        return {key: found[key] for key in ("accuracy", "keypoint_error") if key in found}

    seconds = yield from descend(config, run, learner, losses, probe, steps=steps)

    if sets.shares is not None:
        calibrate(learner, pictures, sets.shares)
    _save_repos(config, learner, out)
    finished = load_predictor([str(out / config.repo(part)) for part in learner.heads])
    found = evaluate(finished, held_out, meaning) | sets.figures
    report = report_of(config, command, images=steps * config.batch, seconds=seconds, held_out=found)
    for part in ("backbone", *learner.heads):
        (out / config.repo(part) / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


@dataclass(frozen=True, kw_only=True)
class _Sets:
    """What a predictor learns from, and what it is measured with."""

    pictures: Labelled
    held_out: Labelled
    meaning: Meaning
    figures: dict[str, Any]  # known before the training, for the report
    shares: np.ndarray | None = None  # of the pictures that have each attribute, where labels were spread


def _drawn_sets(config: PredictorConfig, run: Path) -> _Sets:
    pictures, held_out = drawn_sets(config, config.world, run, resolution=config.resolution)
    return _Sets(pictures=pictures, held_out=held_out, meaning=meaning_of(config.world), figures={})


def _labelled_sets(config: PredictorConfig, out: Path, run: Path) -> _Sets:
    generator = load_generator(config.generator)
    first, again = (read_labels(out / config.repo("attributes") / name) for name in config.labels)
    if first.attributes != again.attributes:
        raise BadValueError(f"{' and '.join(config.labels)} have other attributes than each other.")
    kept_out = np.isin(first.seeds, again.seeds)
    if kept_out.sum() != len(again):
        raise BadValueError(f"{config.labels[1]} has pictures that {config.labels[0]} has not: it is of some of them.")
    place = {seed: row for row, seed in enumerate(first.seeds.tolist())}
    twice = first.values[[place[seed] for seed in again.seeds.tolist()]]
    told = ~(np.isnan(twice) | np.isnan(again.values))
    agree = (twice == again.values) & told
    pictures, spread = spread_labels(
        generator, first.rows(~kept_out), run, config.pictures, seed=config.data_seed,
        hints=[load_predictor(name) for name in config.hints],
    )  # fmt: skip
    certain = replace(again, values=np.where(agree, again.values, np.nan).astype(np.float32))
    agreement = {
        name: round(float(same.sum() / both.sum()), 4)
        for name, same, both in zip(first.attributes, agree.T, told.T, strict=True)
        if both.any()
    }
    causes = pictures.causes.shape[1] if pictures.causes is not None else 0
    return _Sets(
        pictures=pictures,
        held_out=labelled_pictures(generator, certain),
        meaning=Meaning(attributes=first.attributes, groups=config.groups, causes=causes),
        figures={"labelled": int((~kept_out).sum()), "agreement_of_labels": agreement, "spread": spread},
        shares=np.nanmean(first.values[~kept_out], axis=0),
    )


@torch.inference_mode()
def calibrate(learner: Learner, pictures: Labelled, shares: np.ndarray, *, most: int = 8_000) -> None:
    """Scale and shift the logits: as many pictures have an attribute as were seen to have it, half of them clearly.

    Labels that were spread are noisy, and a network that learns them hedges: of what is rare it says "perhaps" at most.
    What an edit asks for is what samples have, so their typical score is what counts as having it (`CLEAR`).

    Args:
        learner: trained; the last layer of its attribute head is changed.
        pictures: of which the first are read.
        shares: of pictures that have each attribute, [A].
        most: how many are read.
    """
    learner.eval()
    rows = np.arange(min(len(pictures), most))
    parts = []
    for some in np.array_split(rows, -(-len(rows) // 128)):
        features = learner.backbone(pictures.batch(some)[0])
        parts.append(learner.attributes.output(learner.attributes.trunk(features)))
    logits, output = torch.cat(parts), learner.attributes.output
    for column, share in enumerate(shares.tolist()):
        values = logits[:, column]
        middle = torch.quantile(values, 1 - share)
        above = values[values > middle]
        slope = 2 * CLEAR / (above.median() - middle).clamp_min(1e-3) if len(above) else 1.0
        output.weight[column] *= slope
        output.bias[column] = (output.bias[column] - middle) * slope


def _save_repos(config: PredictorConfig, learner: Learner, out: Path) -> None:
    """Write the repos: the backbone in transformers' own format, the heads as ours."""
    folder = out / config.repo("backbone")
    copy.deepcopy(learner.backbone.network).half().save_pretrained(folder)  # type: ignore[operator]
    mark = fingerprint(folder / WEIGHTS)
    for part, head in learner.heads.items():
        head.save_pretrained(out / config.repo(part), config={**head.config(), "fingerprint": mark})


__all__ = ["PRESETS", "PredictorConfig", "train_predictor"]
