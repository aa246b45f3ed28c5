"""The loop around `GuidedTraining`: feeding it pictures, measuring what it draws, sheets to look at, zoo entries."""

import copy
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.data.drawn import drawn
from sgf_hub.data.pictures import sheet
from sgf_hub.errors import BadValueError
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.inversion.calibration import calibrate
from sgf_hub.inversion.perceptual import Perceptual
from sgf_hub.inversion.projector import Projector
from sgf_hub.predictors import load_backbone
from sgf_hub.predictors.frechet import features, frechet_distance
from sgf_hub.training.guided.checkpoints import save
from sgf_hub.training.guided.config import GuidedConfig
from sgf_hub.training.guided.training import GuidedTraining, mixture_of
from sgf_hub.training.readers.supervised import HELD_OUT_SEED, REPORT

CHECKPOINT = "checkpoint.pt"
_SAVE_EVERY = 60.0  # seconds
_LOG_EVERY = 50  # steps
_PROBED = 3_000  # reconstructions and samples whose distance to the held-out pictures is measured
_ROW = 16  # pictures in a row of a sample sheet


def train(
    state: GuidedTraining,
    folder: Path,
    *,
    pictures: np.ndarray,
    held_out: np.ndarray,
    minutes: float | None = None,
    small: bool = False,
) -> Iterator[dict[str, Any]]:
    """Train until `config.images` real images were shown, or the time is over.

    Args:
        state: where to start from; `checkpoints.resume` makes it what `folder` holds.
        folder: where checkpoint.pt, log.jsonl and the sample sheets are kept.
        pictures: [N, 3, R, R], uint8, what the generator should learn to draw.
        held_out: [M, 3, R, R], uint8, others of the same world, to measure with.
        minutes: of this call, after which it stops; learning rates fall towards whichever end comes first.
        small: whether the checkpoint leaves out what training can do without; see `checkpoints.save`.

    Yields:
        A record every 50 steps (images shown, parts of the loss, images a second), and one with the Frechet distances
        of reconstructions and samples every `config.sheet_every` images; the same that log.jsonl gets.
    """
    config = state.config
    if pictures.shape[1:] != (3, config.resolution, config.resolution):
        raise BadValueError(f"pictures are {pictures.shape[1:]}; this preset learns {config.resolution} px RGB.")
    torch.backends.cudnn.benchmark = True  # the fastest of several convolutions, found once
    batch_of, probe = feed(state, pictures), Probe(state, held_out)
    began = mark = saved = time.monotonic()
    shown_then, steps, end, start = state.shown, 0, 60 * minutes if minutes else float("inf"), state.shown
    over = state.shown >= config.images
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:

        def logged(record: dict[str, Any]) -> dict[str, Any]:
            log.write(json.dumps(record) + "\n")
            log.flush()
            return record

        while not over:
            elapsed = time.monotonic() - began
            shares = ((state.shown - start) / (config.images - start), elapsed / end)
            parts = state.step(batch_of(config.batch), progress=max(shares))
            steps += 1
            over = state.shown >= config.images or elapsed >= end
            if steps % _LOG_EVERY == 0 or over:
                numbers = {name: round(float(one), 5) for name, one in parts.items()}  # waits for a GPU
                if not all(np.isfinite(list(numbers.values()))):
                    raise BadValueError(
                        f"the loss is no number after {state.shown} images: {folder / CHECKPOINT} is from before."
                    )
                now = time.monotonic()
                speed = (state.shown - shown_then) / (now - mark)
                state.seconds += now - mark
                mark, shown_then = now, state.shown
                numbers |= {"images": state.shown, "seconds": round(state.seconds, 1), "images_per_second": speed}
                yield logged(numbers)
            if state.shown % config.sheet_every < config.batch or over:
                probing = time.monotonic()
                state.fit_mixture(batch_of)
                record = {"images": state.shown, "seconds": round(state.seconds, 1)}
                yield logged(record | probe.distances())
                probe.page().save(folder / f"samples-{state.shown // 1000:05d}k.png")
                aside = time.monotonic() - probing
                mark, began = mark + aside, began + aside  # the minutes are for training
            if time.monotonic() - saved > _SAVE_EVERY or over:
                save(state, folder / CHECKPOINT, small=small)
                saved = time.monotonic()


def feed(state: GuidedTraining, pictures: np.ndarray) -> Callable[[int], Tensor]:
    """How many => as many pictures, drawn with replacement, [N, 3, R, R] in [-1, 1]; all are kept in memory."""
    data = torch.from_numpy(np.array(pictures)).to(state.device)  # pages mapped from disk are read again, slowly

    def batch_of(count: int) -> Tensor:
        index = torch.randint(len(data), (count,), generator=state.rng, device=state.device)
        return data[index].float() / 127.5 - 1

    return batch_of


class Probe:
    """What the averaged networks draw, beside held-out pictures.

    Args:
        state: the training.
        held_out: [M, 3, R, R], uint8.
    """

    def __init__(self, state: GuidedTraining, held_out: np.ndarray) -> None:
        self.state, self.held_out = state, torch.from_numpy(np.array(held_out))
        self.judge = load_backbone(f"{NAMESPACE}/{state.config.world}-judge-backbone").to(state.device)
        self.real = features(self.judge, self._held(len(held_out)))

    def distances(self, seed: int = 5) -> dict[str, float]:
        """Frechet distances of reconstructions and of samples to the held-out pictures, in the judge's features."""
        count = min(_PROBED, len(self.held_out))
        back = features(self.judge, (self.again(images) for images in self._held(count)))
        rng = torch.Generator(self.state.device).manual_seed(seed)
        new = features(self.judge, (self.samples(min(100, count - i), rng) for i in range(0, count, 100)))
        found = {"reconstructions": frechet_distance(self.real, back), "samples": frechet_distance(self.real, new)}
        return {name: round(one, 4) for name, one in found.items()}

    def page(self) -> Any:
        """Rows of held-out pictures and their reconstructions, then samples."""
        real = next(iter(self._held(_ROW * 2)))
        rng = torch.Generator(self.state.device).manual_seed(1)
        again = self.again(real)
        pairs = [part for i in range(0, len(real), _ROW) for part in (real[i : i + _ROW], again[i : i + _ROW])]
        return sheet(torch.cat([*pairs, self.samples(_ROW * 4, rng)]), columns=_ROW)

    @torch.no_grad()
    def again(self, images: Tensor) -> Tensor:
        """Reconstructions of pictures."""
        with torch.autocast(self.state.device, dtype=torch.bfloat16):
            return self.state.draw(self.state.encode(images)).clamp(-1, 1)

    @torch.no_grad()
    def samples(self, count: int, rng: torch.Generator) -> Tensor:
        """New pictures."""
        z = torch.randn(count, self.state.config.latent_dim + 1, generator=rng, device=self.state.device)
        with torch.autocast(self.state.device, dtype=torch.bfloat16):
            return self.state.draw(mixture_of(self.state.average_generator)(z)).clamp(-1, 1)

    def _held(self, count: int) -> Iterator[Tensor]:
        for part in self.held_out[:count].split(100):
            yield part.to(self.state.device).float() / 127.5 - 1


def pictures_of(config: GuidedConfig, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The drawn pictures of a training, and those held out, [N, 3, R, R] uint8 each; kept in `folder`."""
    sides: dict[str, Any] = {"resolution": config.resolution}
    held_out = drawn(config.world, folder, config.held_out, seed=HELD_OUT_SEED, **sides)
    return drawn(config.world, folder, config.pictures, seed=config.seed, **sides).images, held_out.images


def export(state: GuidedTraining, out: Path, command: str) -> dict[str, Any]:
    """Write the generator, and of a StyleGAN2 the encoder, as zoo entries.

    Args:
        state: whose averaged generator has its mixture; see `fit_mixture`.
        out: the zoo folder.
        command: what the user typed.

    Returns:
        What the generator's training.json says.
    """
    config = state.config
    name = f"{config.world}-{config.architecture}"
    generator = copy.deepcopy(state.average_generator).cpu().eval()
    generator.save_pretrained(out / name)
    sheet(generator.synthesize(generator.sample(48, seed=1))).save(out / name / "samples.png")
    report = {
        "command": command,
        "note": "guided recipe: the decoder of a variational autoencoder, sharpened by a projected critic on "
        "reconstructions and samples; w from a mixture around encoded pictures. The paper's generators learned "
        "adversarially alone",
        "config": dataclasses.asdict(config),
        "images_shown": state.shown,
        "seconds": round(state.seconds),
    }
    (out / name / REPORT).write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if not isinstance(generator, StyleGAN2):
        return report
    judge = f"{NAMESPACE}/{config.world}-judge-backbone"
    encoder = state.latent_encoder(f"{NAMESPACE}/{name}", judge)
    perceptual = (Perceptual(load_backbone(one)) for one in (encoder.backbone_name, judge))
    found = calibrate(Projector(encoder, generator, *perceptual), config.world)
    known = {"apart": found.apart, "expressible_from": found.expressible_from}
    encoder.save_pretrained(out / f"{name}-encoder", config={**encoder.config(), **known})
    text = json.dumps({**report, "calibration": found.report}, indent=1)
    (out / f"{name}-encoder" / REPORT).write_text(text + "\n", "utf-8")
    return report


def join_parts(checkpoint: Path) -> None:
    """Make one file of a checkpoint's parts (checkpoint.pt.aa, ...), where there are some, and remove them."""
    parts = sorted(checkpoint.parent.glob(f"{checkpoint.name}.??"))
    if not parts:
        return
    whole = checkpoint.with_suffix(".part")
    with whole.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    whole.replace(checkpoint)
    for part in parts:
        part.unlink()


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep a run folder to this process.

    Raises:
        BadValueError: if another one works in it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadValueError(f"another process trains in {folder}: wait for it, or name another --runs.") from None
        yield
