"""What a similarity of 0 is for an encoder, and from which one on its generator can express a picture.

Both are measured: the first on random pairs of the generator's pictures, the second on projections into W of held-out
pictures of its world, and of pictures of none.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sgf_hub.data.drawn import WORLDS, load_world
from sgf_hub.data.out_of_domain import KINDS, sample_strangers
from sgf_hub.inversion.perceptual import distance
from sgf_hub.inversion.projection import ProjectionConfig
from sgf_hub.inversion.projector import Projector

PAIRS = 256
OWN, EACH = 48, 8  # projected pictures of the world, and of every kind that is not
SEED = 930_000_000  # of the projected pictures: neither trained on, nor measured with
RARE = 0.02  # share of the world's pictures that may fall below the threshold


@dataclass(frozen=True)
class Calibration:
    """The two figures, and what they were found from.

    Args:
        apart: mean distance of two random pictures of the generator in the judge's features.
        expressible_from: the threshold.
        report: for training.json.
    """

    apart: float
    expressible_from: float
    report: dict[str, Any]


def calibrate(projector: Projector, world: str | None, config: ProjectionConfig | None = None) -> Calibration:
    """Measure both figures.

    Args:
        projector: with the trained encoder, whose own figures are not looked at.
        world: whose pictures the generator draws; without one, both figures are those of a search without an encoder.
        config: of the projections; those of the demo by default.
    """
    if world is None:
        apart, threshold = (round(figure, 5) for figure in projector.own.scale(projector.judge))
        return Calibration(apart, threshold, {"apart": apart, "expressible_from": threshold})
    apart = pairs_apart(projector)
    config = replace(config or ProjectionConfig(), plus_steps=0)
    own = _similarities(projector, of_world(world, OWN, SEED, projector.generator.resolution), apart, config)
    kinds = {kind: out_of_domain(kind, world, EACH, SEED, projector.generator.resolution) for kind in (*KINDS, "other")}
    others = {kind: _similarities(projector, images, apart, config) for kind, images in kinds.items()}
    low, high = own.quantile(RARE).item(), max(found.max().item() for found in others.values())
    threshold = (low + high) / 2 if high < low else low
    report = {
        "apart": round(apart, 5),
        "expressible_from": round(threshold, 3),
        "own": _row(own),
        **{kind: _row(found) for kind, found in others.items()},
    }
    return Calibration(round(apart, 5), round(threshold, 3), report)


@torch.no_grad()
def pairs_apart(projector: Projector) -> float:
    """Mean distance of two random pictures of the generator in the judge's features."""
    generator = projector.generator
    latents = generator.sample(2 * PAIRS, seed=SEED)
    features = torch.cat([projector.judge(generator.synthesize(latents[i : i + 64])) for i in range(0, 2 * PAIRS, 64)])
    return distance(features[:PAIRS], features[PAIRS:]).mean().item()


def of_world(world: str, count: int, seed: int, side: int) -> Tensor:
    """Drawn pictures of a world, [N, 3, R, R] in [-1, 1]."""
    images = load_world(world).sample_batch(count, seed=seed, resolution=side).images
    return torch.from_numpy(images).float() / 127.5 - 1


def out_of_domain(kind: str, world: str, count: int, seed: int, side: int) -> Tensor:
    """Pictures that are not of a world: of a kind of `sgf_hub.data.out_of_domain`, or "other", the other worlds'."""
    if kind == "other":
        return of_world(next(one for one in WORLDS if one != world), count, seed, side)
    return torch.from_numpy(sample_strangers(kind, count, seed=seed, resolution=side)).float() / 127.5 - 1


def _similarities(projector: Projector, images: Tensor, apart: float, config: ProjectionConfig) -> Tensor:
    """Of pictures to what W has for them, [B]."""
    found = []
    for part in images.split(16):
        *_, last = projector.steps(part, config)
        with torch.no_grad():
            features = projector.judge(part), projector.judge(last.plain_images)
        found.append(1 - distance(*features) / apart)
    return torch.cat(found).clamp(0, 1)


def _row(values: Tensor) -> dict[str, float]:
    ends = {"least": values.min(), "mean": values.mean(), "most": values.max()}
    return {"pictures": len(values), **{name: round(value.item(), 3) for name, value in ends.items()}}
