"""Train a captioner: an image encoder and a GPT-2 that attends to its patches, on drawn pictures with captions.

From scratch, as a `VisionEncoderDecoderModel` of transformers. Two things make that short: the encoder reads a picture
once for several of its captions, and beside the words it learns the labels, which are used in training only.
"""

import json
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sgf_hub.data.drawn import Labelled, augment, drawn, load_world
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
from sgf_hub.training.readers.supervised import (
    HELD_OUT_SEED,
    PROBE,
    REPORT,
    REPORT_EVERY,
    SAVE_EVERY,
    decayed,
    logged,
    resume_run,
    rows_of,
    save_run,
    schedule,
)

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
    held_out = drawn(config.name, run, config.held_out, seed=HELD_OUT_SEED, resolution=config.resolution)
    pictures = drawn(config.name, run, config.pictures, seed=config.data_seed, resolution=config.resolution)
    captions = pictures.captions or []
    yield {"event": "drawn", "pictures": len(pictures), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    tokenizer = build_tokenizer(captions)
    tokens = encode(tokenizer, captions)  # [N, 5, T]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        learner = CaptionLearner(config, words=tokenizer.get_vocab_size(), labels=pictures.attributes.shape[1])
        learner = learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(decayed(learner, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99))
    step, spent = resume_run(run / "checkpoint.pt", config, learner, optimizer)
    steps = math.ceil(config.images / config.batch)
    captioner = Captioner(learner.network, tokenizer, image_size=config.image_size, longest=LONGEST)
    clock = reported = saved = time.monotonic()
    recent: list[dict[str, Tensor]] = []
    while step < steps:
        learner.train()
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step / steps)
        # order, augmentation and captions are a function of (seed, step) alone: a resumed run sees what an unbroken
        # one would
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = rows_of(config, step)
        images, attributes, *_ = pictures.batch(rows)
        images, _ = augment(images, None, generator=generator, tint=config.tint, soften=config.soften)
        images = resize(images, config.image_size)
        losses = learner.losses(images, attributes, _some(tokens[rows], config.sentences, generator), bf16=config.bf16)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        step += 1
        recent.append({key: value.detach() for key, value in losses.items()})
        now = time.monotonic()
        record: dict[str, Any] = {"step": step, "of": steps, "seconds": round(spent + now - clock, 1)}
        if now - saved > SAVE_EVERY or step == steps:
            so_far = (learner, optimizer, step, spent + now - clock)
            save_run(run / "checkpoint.pt", config, *so_far)
            learner.eval()
            probe = evaluate(captioner, held_out, most=PROBE)
            yield {"event": "checkpoint", **record, "right": probe["right"], "example": probe["examples"][0]}
            saved = time.monotonic()
        if now - reported > REPORT_EVERY:
            means = {key: float(torch.stack([one[key] for one in recent]).mean()) for key in recent[0]}
            yield {"event": "progress", **record, **means}
            recent, reported = [], now
    seconds = spent + time.monotonic() - clock

    save_repo(config, learner.network, tokenizer, out / config.repo)
    report = {
        "command": command,
        "config": asdict(config),
        "images_seen": steps * config.batch,
        "seconds": round(seconds),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
        "torch": str(torch.__version__),
        "held_out": evaluate(load_captioner(out / config.repo), held_out),
    }
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
