"""Do edits by sentence arrive, and what else changes? Eight kinds of sentence about flowers, told by a judge.

The judge was trained on the renderer's labels and has never seen a caption. The floor to beat is random sampling: of
20 flowers that nobody edited, the one whose caption is most like the sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.data.flowers.factors import COLORS, GROUPS, SECONDS, SHAPES, SIZES
from sgf_hub.editing import EditConfig, SGFEditor, StopReason
from sgf_hub.evaluation.edits import mean_and_spread
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.predictors import CaptionPredictor, load_predictor
from sgf_hub.types import Predictor, Target

# kind of sentence -> the factors it speaks of
KINDS: dict[str, tuple[str, ...]] = {
    "color": ("color",),
    "size": ("size",),
    "shape": ("shape",),
    "two colors": ("color", "second"),
    "color, size": ("color", "size"),
    "color, shape": ("color", "shape"),
    "size, shape": ("size", "shape"),
    "color, size, shape": ("color", "size", "shape"),
}
SAID = ("color", "second", "pattern", "size", "shape", "center", "closed")  # what captions speak of
UNSAID = ("petals", "background", "layered", "leaves")  # what they rarely or never do
DRAWS = 20  # flowers that random sampling picks from
_BATCH = 50

Flower = Mapping[str, str]  # factor -> value, "" where there is none


@dataclass(frozen=True)
class Request:
    """A sentence, and what it asks for.

    Args:
        text: the sentence.
        asked: factor -> value.
    """

    text: str
    asked: Flower


def request(kind: str, now: Flower, rng: np.random.Generator) -> Request:
    """A sentence of a kind that asks for something else than a flower has in every factor it speaks of.

    Two colours are a pair that grows in nature, each weighted alike.

    Args:
        kind: of `KINDS`.
        now: what the flower is.
        rng: the choice.
    """

    def other(choices: Sequence[str], factor: str) -> str:
        return str(rng.choice([choice for choice in choices if choice != now[factor]]))

    factors = KINDS[kind]
    asked: dict[str, str] = {}
    if "second" in factors:
        pairs = [(one, two) for one in COLORS for two in SECONDS[one] if {one, two} != {now["color"], now["second"]}]
        asked["color"], asked["second"] = pairs[rng.integers(len(pairs))]
    elif "color" in factors:
        asked["color"] = other(COLORS, "color")
    if "size" in factors:
        asked["size"] = other(SIZES, "size")
    if "shape" in factors:
        asked["shape"] = other(SHAPES, "shape")
    size = asked.get("size", "").replace("medium", "medium sized")
    colors = " and ".join(filter(None, (asked.get("color"), asked.get("second"))))
    petals = f"{asked['shape']} petals" if "shape" in asked else ""
    if "second" in asked:  # two colours are the petals'
        petals = " ".join(filter(None, (colors, petals or "petals")))
        colors = ""
    subject = " ".join(filter(None, ("a", size, colors, "flower")))
    text = f"{subject} with {petals}" if petals else subject
    return Request(text.replace("a orange", "an orange"), asked)


def read(judge: Predictor, images: Tensor) -> list[dict[str, str]]:
    """What the judge sees in each picture: factor => value, "" where it sees none of a group.

    Args:
        judge: of the attributes of flowers.
        images: [B, 3, R, R] in [-1, 1].
    """
    scores = torch.cat([judge.spec.scores(judge(part)) for part in images.split(_BATCH)])
    readings: list[dict[str, str]] = [{} for _ in range(len(scores))]
    always = ("color", "size", "shape", "background")  # every flower has one
    for factor in (*SAID, *UNSAID):
        names = GROUPS.get(factor, (factor,))
        part = scores[:, [judge.spec.index(name).start for name in names]]
        best = part.max(dim=1)
        for one, index, score in zip(readings, best.indices.tolist(), best.values.tolist(), strict=True):
            one[factor] = names[index].removesuffix(f"_{factor}") if score > 0 or factor in always else ""
    return readings


def found(asked: Flower, after: Flower) -> list[bool]:
    """Whether each asked factor is there; two colours may have changed places."""
    if "second" in asked:
        colors = {asked["color"], asked["second"]} == {after["color"], after["second"]}
        return [colors, *(after[factor] == asked[factor] for factor in asked if factor not in ("color", "second"))]
    return [after[factor] == value for factor, value in asked.items()]


def kept(asked: Flower, before: Flower, after: Flower, factors: Sequence[str] = SAID) -> list[bool]:
    """Whether each factor that a sentence leaves as it was stayed; one that names the petals' colours leaves none."""
    spoken = {*asked, *(("color", "second", "pattern") if "color" in asked else ())}
    return [after[factor] == before[factor] for factor in factors if factor not in spoken]


@dataclass(frozen=True)
class Pool:
    """Flowers that nobody edited, for random sampling to pick from.

    Args:
        c: of their captions, [N, C].
        readings: what the judge sees in each.
    """

    c: Tensor
    readings: list[dict[str, str]]

    @classmethod
    @torch.no_grad()
    def of(cls, editor: SGFEditor, judge: Predictor, *, size: int = 1_000, seed: int = 500_000) -> Self:
        """Draw `size` flowers."""
        latents = editor.generator.sample(size, seed=seed)
        c, readings = [], []
        for first in range(0, size, _BATCH):
            images = editor.generator.synthesize(latents[first : first + _BATCH])
            c.append(editor.predictor(images))
            readings += read(judge, images)
        return cls(torch.cat(c), readings)

    def best(self, predictor: CaptionPredictor, text: str, rng: np.random.Generator) -> dict[str, str]:
        """Of `DRAWS` flowers, the one whose caption is most like a sentence, as the judge sees it."""
        rows = rng.choice(len(self.readings), min(DRAWS, len(self.readings)), replace=False)
        return self.readings[rows[int(predictor.similarity(self.c[rows], text).argmax())]]


@torch.no_grad()
def measure_kind(
    editor: SGFEditor, judge: Predictor, pool: Pool, config: EditConfig, kind: str, *, samples: int, seed: int
) -> dict[str, float]:
    """Edit `samples` flowers by sentences of one kind.

    Returns:
        Shares of the asked factors `found` (`color_found`: of the asked colours alone, 0 where none was) and of those
        left that were `kept` (of all factors of `SAID`, and of `UNSAID` as `unsaid_kept`), of edits that were `reached`
        by their own account; mean `steps`; mean `similarity` of caption and sentence before and after; and the first
        three of random sampling as `sampled_...`.
    """
    predictor = editor.predictor
    assert isinstance(predictor, CaptionPredictor)
    rng = np.random.default_rng((seed, list(KINDS).index(kind)))
    latent = editor.generator.sample(samples, seed=seed)
    images = editor.generator.synthesize(latent)
    before = read(judge, images)
    requests = [request(kind, now, rng) for now in before]
    c0 = predictor(images)
    aims = [predictor.target(c0[i : i + 1], caption=one.text) for i, one in enumerate(requests)]
    target = Target(torch.cat([aim.c for aim in aims]), aims[0].asked, aims[0].released)
    trajectory = editor.edit(latent, target, config)
    result = trajectory.result
    after = read(judge, result.images)
    sampled = [pool.best(predictor, one.text, rng) for one in requests]

    def share(flags: Sequence[Sequence[bool]]) -> float:
        every = [flag for row in flags for flag in row]
        return float(np.mean(every)) if every else 0.0

    def similarity(c: Tensor) -> float:
        return float(np.mean([predictor.similarity(c[i : i + 1], one.text).item() for i, one in enumerate(requests)]))

    triples = list(zip(requests, before, after, strict=True))
    floor = list(zip(requests, before, sampled, strict=True))
    return {
        "found": share([found(one.asked, end) for one, _, end in triples]),
        "color_found": share([found(one.asked, end)[:1] if "color" in one.asked else [] for one, _, end in triples]),
        "kept": share([kept(one.asked, start, end) for one, start, end in triples]),
        "unsaid_kept": share([kept(one.asked, start, end, UNSAID) for one, start, end in triples]),
        "reached": float(np.mean([reason is StopReason.TARGET_REACHED for reason in trajectory.reasons])),
        "steps": float(np.mean(trajectory.taken)),
        "similarity_before": similarity(c0),
        "similarity_after": similarity(result.c),
        "sampled_color_found": share(
            [found(one.asked, end)[:1] if "color" in one.asked else [] for one, _, end in floor]
        ),
        "sampled_found": share([found(one.asked, end) for one, _, end in floor]),
        "sampled_kept": share([kept(one.asked, start, end) for one, start, end in floor]),
    }


def measure_captions(
    mapping: str,
    judge: str,
    hub: HubOptions = HUB_DEFAULTS,
    *,
    steppings: Sequence[str],
    samples: int,
    seeds: int,
    workers: int,
) -> Iterator[dict]:
    """Every kind of sentence with every stepping, on all cores.

    Args:
        mapping: name of a mapping of captions.
        judge: repo of the judge's head.
        hub: how the mapping is fetched.
        steppings: of `PRESETS`.
        samples: flowers a kind and seed.
        seeds: how many sets of flowers.
        workers: processes.

    Yields:
        One record a stepping and kind, averaged over seeds.
    """
    tasks = [(stepping, kind) for stepping in steppings for kind in KINDS]
    task = partial(_task, samples=samples, seeds=seeds)
    yield from in_parallel(task, tasks, workers=workers, load=_load, arguments=(mapping, judge, hub))


_loaded: dict[str, Any] = {}  # of a worker process


def _load(mapping: str, judge: str, hub: HubOptions) -> None:
    editor = SGFEditor.from_pretrained(mapping, **vars(hub))
    seeing = load_predictor(judge, **vars(hub.of_parts))
    _loaded.update(editor=editor, judge=seeing, pool=Pool.of(editor, seeing))


def _task(task: tuple[str, str], samples: int, seeds: int) -> dict:
    stepping, kind = task
    editor, config = _loaded["editor"].preset(stepping)
    rows = [
        measure_kind(editor, _loaded["judge"], _loaded["pool"], config, kind, samples=samples, seed=seed)
        for seed in range(1000, 1000 + seeds)
    ]
    return {"stepping": stepping, "kind": kind, **mean_and_spread(rows)}
