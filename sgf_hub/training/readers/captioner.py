"""Train a captioner: an image encoder and a GPT-2 that attends to its patches, on drawn pictures with captions.

From scratch, as a `VisionEncoderDecoderModel` of transformers. Two things make that short: the encoder reads a picture
once for several of its captions, and beside the words it learns the labels, which are used in training only.
"""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.data.drawn import Labelled, augment, load_world
from sgf_hub.errors import BadValueError
from sgf_hub.predictors.backbone import resize
from sgf_hub.predictors.captions.captioner import Captioner, load_captioner
from sgf_hub.training.readers.caption_learner import (
    LONGEST,
    CaptionerConfig,
    CaptionLearner,
    build_tokenizer,
    encode,
    save_repo,
)
from sgf_hub.training.readers.supervised import PROBE, REPORT, descend, drawn_sets, logged, report_of, rows_of

_FACTORS = ("color", "second", "pattern", "size", "shape", "center", "petals", "layered", "closed")


PRESETS: dict[str, CaptionerConfig] = {"flowers": CaptionerConfig(name="flowers")}


def train_captioner(config: CaptionerConfig, *, out: Path, run: Path, command: str = "") -> Iterator[dict[str, Any]]:
    """Train, save and measure a captioner; called again after a kill, it goes on where the last checkpoint is.

    Args:
        config: a preset, or one of your own.
        out: the zoo folder that receives the repo.
        run: folder of the drawn pictures, the checkpoint and `log.jsonl`; it may be deleted afterwards.
        command: what the user typed, for the report.

    Yields:
        Log records: `event` is "drawn", "progress" (every 10 s), "checkpoint" (every minute, with held-out numbers)
        or "done" (with the report that is written beside the weights).

    Raises:
        BadValueError: if `run` holds a checkpoint of another config, or the world has no captions.
        CorruptFileError: if the checkpoint cannot be read.
    """
    yield from logged(_train(config, out, run, command), run)


def _train(config: CaptionerConfig, out: Path, run: Path, command: str) -> Iterator[dict[str, Any]]:
    if not hasattr(load_world(config.name), "stated"):
        raise BadValueError(f"the world {config.name!r} has no captions: a captioner is trained on 'flowers'.")
    clock = time.monotonic()
    pictures, held_out = drawn_sets(config, config.name, run, resolution=config.resolution)
    captions = pictures.captions or []
    yield {"event": "drawn", "pictures": len(pictures), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    tokenizer = build_tokenizer(captions)
    tokens = encode(tokenizer, captions)  # [N, 5, T]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        learner = CaptionLearner(config, words=tokenizer.get_vocab_size(), labels=pictures.attributes.shape[1])
        learner = learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = math.ceil(config.images / config.batch)
    captioner = Captioner(learner.network, tokenizer, image_size=config.image_size, longest=LONGEST)

    def losses(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = rows_of(config, step)
        images, attributes, *_ = pictures.batch(rows)
        images, _ = augment(images, None, generator=generator, tint=config.tint, soften=config.soften)
        images = resize(images, config.image_size)
        return learner.losses(images, attributes, _some(tokens[rows], config.sentences, generator), bf16=config.bf16)

    def probe() -> dict[str, Any]:
        found = evaluate(captioner, held_out, most=PROBE)
        return {"right": found["right"], "example": found["examples"][0]}

    seconds = yield from descend(config, run, learner, losses, probe, steps=steps, clip=1.0)

    save_repo(config, learner.network, tokenizer, out / config.repo)
    found = evaluate(load_captioner(out / config.repo), held_out)
    report = report_of(config, command, images=steps * config.batch, seconds=seconds, held_out=found)
    (out / config.repo / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


def _some(tokens: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` captions of each picture, at random: [B, 5, T] => [B, count, T]."""
    chosen = torch.rand(tokens.shape[:2], generator=generator).argsort(1)[:, :count]
    return tokens[torch.arange(len(tokens))[:, None], chosen]


def evaluate(captioner: Captioner, pictures: Labelled, *, most: int | None = None) -> dict[str, Any]:
    """Measure what greedy captions say of labelled flowers.

    Args:
        captioner: in evaluation mode.
        pictures: the labelled flowers.
        most: how many of them to look at.

    Returns:
        By factor: `right`, of the captions that state it the share that states what is drawn; and `stated`, of the
        pictures that have it the share whose caption states it. `all_right`, the share of captions with nothing wrong
        in them; `pictures`; and a few `examples`.
    """
    stated = load_world("flowers").stated
    count = min(len(pictures), most or len(pictures))
    captions: list[str] = []
    for rows in np.array_split(np.arange(count), math.ceil(count / 64)):
        captions += captioner(pictures.batch(rows)[0])
    said = [stated(caption) for caption in captions]
    true = [labelled(row) for row in pictures.attributes[:count]]
    right, share = {}, {}
    for factor in _FACTORS:
        verdicts = [one[factor] == other.get(factor) for one, other in zip(said, true, strict=True) if factor in one]
        spoken = [factor in one for one, other in zip(said, true, strict=True) if factor in other]
        right[factor] = round(float(np.mean(verdicts)), 4) if verdicts else None
        share[factor] = round(float(np.mean(spoken)), 4) if spoken else None
    whole = [one.items() <= other.items() for one, other in zip(said, true, strict=True)]
    return {
        "pictures": count,
        "right": right,
        "stated": share,
        "all_right": round(float(np.mean(whole)), 4),
        "examples": captions[:4],
    }


def labelled(attributes: np.ndarray) -> dict[str, str]:
    """What a caption may say of a flower, from its labels [A]: what `datasets.flowers.truth` gives for its factors."""
    world = load_world("flowers")
    on = {name for name, value in zip(world.ATTRIBUTES, attributes, strict=True) if value > 0.5}
    said = {
        factor: name.split("_")[0]  # "yellow_center" => "yellow"
        for factor, names in world.GROUPS.items()
        for name in names
        if name in on and factor in _FACTORS
    }
    return said | {name: "yes" for name in ("layered", "closed") if name in on}


__all__ = ["PRESETS", "CaptionerConfig", "evaluate", "train_captioner"]
