"""Fitting of a `CaptionPredictor`: which captions a generator's pictures have, and along which axes those differ."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.hub.kinds import MINILM
from sgf_hub.predictors.captions.grounding import content
from sgf_hub.predictors.captions.predictor import MOST_CAPTIONS, CaptionPredictor
from sgf_hub.predictors.captions.sentences import load_embedder
from sgf_hub.types import Generator

_LONGEST = 200  # characters of a caption in the bank
_BYTES = 900_000  # of the bank in config.json, which may have 1 MB
_CHUNK = 64  # sentences embedded between two reports
_PROMPT = 3  # words that carry meaning in the shortest prompts that the floor should let through


@dataclass(frozen=True, kw_only=True)
class CaptionsConfig:
    """Settings of one fit.

    Args:
        count: pictures.
        components: C.
        bank: captions to keep at most.
        truncation: of the latents.
        seed: of the latents; not that of the pairs.
        batch: pictures at a time.
    """

    count: int = 20_000
    components: int = 24
    bank: int = 3_000
    truncation: float = 0.8
    seed: int = 77
    batch: int = 64


@dataclass(frozen=True)
class CaptionsReport:
    """What a fit found.

    Args:
        distinct: how many different captions the pictures have.
        banked: share of the pictures whose caption is in the bank.
        variance: for numbers of components, the share of the embeddings' variance that they hold.
        tolerance: 1 - cosine that counts as a distance of 1.
        floor: cosine from which a text is known.
        frequent: the ten most frequent captions, and how many pictures have each.
    """

    distinct: int
    banked: float
    variance: dict[int, float]
    tolerance: float
    floor: float
    frequent: dict[str, int]


def train_captions(
    config: CaptionsConfig, generator: Generator, predictor_out: Path, *, captioner: str, command: str = ""
) -> Iterator[dict]:
    """Caption pictures of a generator, and write the `CaptionPredictor` that fits them.

    Args:
        config: the settings.
        generator: G.
        predictor_out: folder for config.json, model.safetensors and training.json.
        captioner: repo of the captioner.
        command: what the user typed, for training.json.

    Yields:
        {"pictures": n} after every batch, then {"embedded": n}; the last record is the report.

    Raises:
        BadValueError: for numbers out of range, or if the pictures have too few different captions.
    """
    from sgf_hub.predictors.captions.captioner import load_captioner

    began = time.monotonic()
    counts: Counter[str] = Counter()
    for counts in count_captions(config, generator, load_captioner(captioner)):
        yield {"pictures": counts.total()}
    embed = load_embedder().embed
    for done in _embedded(list(counts), embed):  # remembered by the embedder
        yield {"pictures": config.count, "embedded": done}
    predictor, report = fit_captions(counts, embed, captioner=captioner, components=config.components, most=config.bank)
    predictor.save_pretrained(predictor_out)
    made = {
        "command": command,
        "config": asdict(config),
        "seconds": round(time.monotonic() - began),
        "report": asdict(report),
    }
    (predictor_out / "training.json").write_text(json.dumps(made, indent=1) + "\n")
    yield {"pictures": config.count, **asdict(report)}


@torch.inference_mode()
def count_captions(
    config: CaptionsConfig, generator: Generator, captioner: Callable[[Tensor], Sequence[str]]
) -> Iterator[Counter[str]]:
    """Caption pictures of a generator.

    Yields:
        How many pictures have each caption, so far; after every batch.
    """
    if config.count < 2:
        raise BadValueError(f"captions are fitted to at least 2 pictures, not {config.count}.")
    counts: Counter[str] = Counter()
    latents = generator.sample(config.count, seed=config.seed, truncation=config.truncation)
    for first in range(0, config.count, config.batch):
        counts.update(captioner(generator.synthesize(latents[first : first + config.batch])))
        yield counts


def fit_captions(
    counts: Counter[str],
    embed: Callable[[Sequence[str]], Tensor],
    *,
    captioner: str,
    embedder: str = MINILM,
    components: int = 24,
    most: int = 3_000,
) -> tuple[CaptionPredictor, CaptionsReport]:
    """The predictor of captions with these frequencies.

    The axes are the leading principal components of the embeddings, every picture counting once. The tolerance is half
    the median of 1 - cosine from a caption of the bank to its nearest other one, which differs in one factor: what is
    close then has all factors right. The floor is what 95% of three-word extracts of captions reach.

    Args:
        counts: caption => how many pictures have it.
        embed: sentences => [N, E], of unit norm.
        captioner: repo of the captioner, for the config.
        embedder: repo of the embedder, for the config.
        components: C.
        most: captions that the bank may have.

    Raises:
        BadValueError: for numbers out of range, or too few different captions for the components.
    """
    if not 2 <= most <= MOST_CAPTIONS:
        raise BadValueError(f"the bank is of {most} captions; it must be from 2 to {MOST_CAPTIONS}.")
    captions = [caption for caption, _ in counts.most_common()]
    if len(captions) <= components:
        raise BadValueError(
            f"the pictures have {len(captions)} different captions, too few for {components} components: fit fewer "
            f"components, or train the captioner and the generator longer."
        )
    embeddings = embed(captions).double()  # M, E
    weights = torch.tensor([counts[caption] for caption in captions]).double() / counts.total()
    mean = weights @ embeddings
    centred = (embeddings - mean) * weights.sqrt().unsqueeze(1)
    values, vectors = torch.linalg.eigh(centred.T @ centred)  # ascending
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    axes, scale = vectors[:, :components].T, values[:components].sqrt()
    axes = axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()  # an axis has no sign of its own
    kept = _bank(captions, most)
    places = {caption: place for place, caption in enumerate(captions)}
    rows = embeddings[[places[caption] for caption in kept]]
    alike = rows @ rows.T
    tolerance = max(1e-4, (1 - alike.fill_diagonal_(-1).amax(dim=1)).median().item() / 2)
    prompts = extracts(kept[:: max(1, len(kept) // 100)])
    reached = (embed(prompts).double() @ rows.T).amax(dim=1) if prompts else alike.amax(dim=1)
    floor = min(reached.quantile(0.05).item(), 1.0)
    predictor = CaptionPredictor(
        captioner=captioner,
        captions=kept,
        components=components,
        tolerance=tolerance,
        floor=floor,
        dimension=embeddings.shape[1],
        embedder=embedder,
    )
    share = torch.tensor([counts[caption] for caption in kept]) / counts.total()
    parts = {"mean": mean, "axes": axes, "scale": scale.clamp_min(1e-4), "bank": rows, "share": share}
    for name, value in parts.items():
        getattr(predictor, name).copy_(value.half())  # as it will be read back: a sentence's c must not depend on that
    held = (values / values.sum().clamp_min(1e-12)).cumsum(0)
    report = CaptionsReport(
        distinct=len(captions),
        banked=sum(counts[caption] for caption in kept) / counts.total(),
        variance={n: round(held[n - 1].item(), 4) for n in (8, 16, 24, 32, 48, components) if n <= len(held)},
        tolerance=tolerance,
        floor=floor,
        frequent=dict(counts.most_common(10)),
    )
    return predictor.eval().requires_grad_(False), report


def extracts(captions: Sequence[str], *, length: int = _PROMPT) -> list[str]:
    """Prompts as short as users write: the first, middle and last `length` words of captions that carry meaning."""
    found: dict[str, None] = {}
    for caption in captions:
        words = content(caption)
        starts = (0, (len(words) - length) // 2, len(words) - length) if len(words) > length else ()
        found.update(dict.fromkeys(" ".join(words[start : start + length]) for start in starts))
    return list(found)


def _embedded(captions: Sequence[str], embed: Callable[[Sequence[str]], Tensor]) -> Iterator[int]:
    for first in range(0, len(captions), _CHUNK):
        embed(captions[first : first + _CHUNK])
        yield min(first + _CHUNK, len(captions))


def _bank(captions: Sequence[str], most: int) -> list[str]:
    """The first captions, as many as a config.json may hold."""
    kept: list[str] = []
    size = 0
    for caption in captions:
        size += len(json.dumps(caption)) + 4
        if 0 < len(caption) <= _LONGEST and size <= _BYTES and len(kept) < most:
            kept.append(caption)
    return kept
