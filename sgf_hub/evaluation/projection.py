"""How well pictures are projected: held-out drawn ones by three searches, pictures of no world, and edits afterwards.

The judge measures: its features give the similarity, its attributes and keypoints what the two pictures agree in.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from sgf_hub.editing import SGFEditor, StopReason
from sgf_hub.evaluation.disentanglement.sweep import flip
from sgf_hub.evaluation.edits import mean_and_spread
from sgf_hub.inversion.calibration import of_world, out_of_domain
from sgf_hub.inversion.projection import Projection, ProjectionConfig
from sgf_hub.inversion.projector import Projector
from sgf_hub.types import Latent, Predictor

SEEDS = 940_000_000  # of the pictures: neither trained on nor calibrated with
SEARCHES = {"encoder": "guess", "w": "w", "w+": "w+"}  # name to the phase whose last step it ends with
BATCH, TIMED = 10, 5  # pictures searched at once, and pictures timed one by one
OUT_OF_DOMAIN = {"other": "flower", "digit": "digit", "gradient": "gradient of colours"}  # kind to its name in tables


def measure_projection(
    projector: Projector, judge: Predictor, *, world: str, samples: int, seeds: int, config: ProjectionConfig
) -> Iterator[dict]:
    """Project drawn pictures, and tell how alike the results are.

    Args:
        projector: of a generator of that world.
        judge: who reads both pictures.
        world: whose pictures are drawn.
        samples: pictures a seed.
        seeds: how many sets of them.
        config: of the search in W+.

    Yields:
        A record a search (the encoder's guess alone, W, and W+ after it): mean over pictures, with the spread over
        seeds; `seconds` is the time of one picture alone, as the demo projects it.
    """
    rows: dict[str, list[dict]] = {name: [] for name in SEARCHES}
    for seed in range(seeds):
        pictures = of_world(world, samples, SEEDS + seed, projector.generator.resolution)
        for name, found in _searched(projector, pictures, config).items():
            rows[name].append(_agreement(judge, pictures, found))
    lengths = {"encoder": replace(config, steps=0, plus_steps=0), "w": replace(config, plus_steps=0), "w+": config}
    for name in SEARCHES:
        seconds = _time_of_one(projector, pictures[:TIMED], lengths[name])
        yield {"search": name, **mean_and_spread(rows[name]), "seconds": seconds}


def measure_out_of_domain(
    projector: Projector, *, world: str, samples: int, config: ProjectionConfig
) -> Iterator[dict]:
    """Project pictures that the generator cannot draw; a record a kind, with what is said of the first."""
    for kind, name in OUT_OF_DOMAIN.items():
        pictures = out_of_domain(kind, world, samples, SEEDS, projector.generator.resolution)
        found = _searched(projector, pictures, config)["w+"]
        similarity = torch.tensor([one.similarity[0] for one in found])
        yield {
            "kind": name,
            "pictures": samples,
            "similarity": similarity.mean().item(),
            "most": similarity.max().item(),
            "expressible": sum(one.expressible[0] for one in found) / samples,
            "said": found[0].sentences[0],
        }


def measure_edits_after(
    projector: Projector, editor: SGFEditor, *, world: str, samples: int, config: ProjectionConfig
) -> Iterator[dict]:
    """Flip every attribute of projected pictures, from W and from W+, and of the generator's own, beside them."""
    pictures = of_world(world, samples, SEEDS, projector.generator.resolution)
    starts: dict[str, Latent] = {"generated": editor.generator.sample(samples, seed=SEEDS)}
    for name, found in _searched(projector, pictures, config).items():
        starts[name] = Latent(torch.cat([one.latent.data for one in found]), "w+")
    for name, start in starts.items():
        c0 = editor.predictor(editor.generator.synthesize(start))
        reached: list[bool] = []
        steps: list[int] = []
        for attribute in editor.predictor.spec.attributes:
            trajectory = editor.edit(start, flip(editor.predictor, c0, attribute))
            reached += [reason is StopReason.TARGET_REACHED for reason in trajectory.reasons]
            steps += trajectory.taken
        yield {"start": name, "reached": sum(reached) / len(reached), "steps": sum(steps) / len(steps)}


def _searched(projector: Projector, pictures: Tensor, config: ProjectionConfig) -> dict[str, list[Projection]]:
    """What N pictures come to by each search; one run passes through all three."""
    found: dict[str, list[Projection]] = {name: [] for name in SEARCHES}
    for some in pictures.split(BATCH):
        steps = {}
        for step in projector.steps(some, config):
            steps[step.phase] = step
        steps.setdefault("w+", steps["w"])  # where nothing of the batch can be expressed
        for name, phase in SEARCHES.items():
            outcome = projector.outcome(some, steps[phase])
            found[name] += [_one(outcome, i) for i in range(len(some))]
    return found


def _one(found: Projection, i: int) -> Projection:
    """The i-th of several."""
    one = slice(i, i + 1)
    return Projection(
        found.latent[i], found.images[one], found.similarity[one], found.plain_similarity[one], found.threshold
    )


def _time_of_one(projector: Projector, pictures: Tensor, config: ProjectionConfig) -> float:
    """The mean time of one projection, in seconds."""
    projector.project(pictures[:1], replace(config, steps=1, plus_steps=1))  # the first one warms caches up
    begun = time.perf_counter()
    for one in pictures:
        projector.project(one[None], config)
    return (time.perf_counter() - begun) / len(pictures)


@torch.no_grad()
def _agreement(judge: Predictor, pictures: Tensor, found: list[Projection]) -> dict[str, float]:
    """What the judge finds alike in N pictures and in what was found for them."""
    images = torch.cat([one.images for one in found])
    c0, c1 = judge(pictures), judge(images)
    spec = judge.spec
    agree = (spec.scores(c0) > 0) == (spec.scores(c1) > 0)  # N, A
    return {
        "similarity": sum(one.similarity[0] for one in found) / len(found),
        "least": min(one.similarity[0] for one in found),
        "attributes": agree.float().mean().item(),
        "keypoint_error": (spec.points(c0) - spec.points(c1)).norm(dim=-1).mean().item(),
        "pixel_error": ((images - pictures) / 2).square().mean(dim=(1, 2, 3)).sqrt().mean().item(),
        "expressible": sum(one.expressible[0] for one in found) / len(found),
    }
