"""All measures of one method's edits of one attribute of one seed's samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from typing_extensions import Self

from sgf_hub.evaluation.disentanglement.mds import at_steps
from sgf_hub.evaluation.disentanglement.measures.arrival import arrival, log_odds, towards
from sgf_hub.evaluation.disentanglement.measures.dependency import attribute_dependency
from sgf_hub.evaluation.disentanglement.measures.path import along, conceptual_range, monotonicity, smoothness
from sgf_hub.evaluation.disentanglement.measures.reference import Reference
from sgf_hub.evaluation.disentanglement.measures.rescoring import rescoring
from sgf_hub.evaluation.disentanglement.sweep import Sweep, held, probabilities
from sgf_hub.evaluation.likeness import Likeness, embed, identity
from sgf_hub.types import Generator, Latent, Predictor

WAYS = 8  # samples of every task, the first that arrive, whose way is looked at: their pictures are drawn for it alone


@dataclass(frozen=True)
class Measures:
    """What docs/metrics.md defines, as one observer sees it; None where no sample arrives, or nothing can tell.

    Args:
        arrived: share of the samples that arrive. All but `range` are of these.
        range: FreeSliders' CR.
        dependency: attribute dependency, the mean over the other attributes.
        dependency_most: the largest of them.
        target_shift: the target's change / sigma at which both are read.
        rescoring: every attribute to the mean change of its probability.
        rescored_others: the mean of its absolute values over the attributes that should stay.
        identity: cosine of features before and after, as they differ from the mean sample's.
        distance: between pictures before and after away from the edit, as LPIPS is one.
        monotonicity: Spearman's correlation of strength and score.
        smoothness: FreeSliders' CSM.
        preservation: FreeSliders' SP.
    """

    arrived: float
    range: float
    dependency: float | None = None
    dependency_most: float | None = None
    target_shift: float | None = None
    rescoring: dict[str, float] | None = None
    rescored_others: float | None = None
    identity: float | None = None
    distance: float | None = None
    monotonicity: float | None = None
    smoothness: float | None = None
    preservation: float | None = None


@dataclass(frozen=True)
class Edited:
    """What is kept of N samples for the measures of all attributes' edits together.

    Args:
        moves: change of every attribute's probability, [N, M].
        rising: [N], true where the target should appear.
        arrived: [N].
        before: features of the start pictures, [N, F]; F is 0 without a backbone.
        after: of the results.
    """

    moves: Tensor
    rising: Tensor
    arrived: Tensor
    before: Tensor
    after: Tensor

    def save(self, path: Path) -> None:
        """Write a file that `load` reads."""
        save_file({name: value.contiguous() for name, value in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**load_file(path))


@torch.no_grad()
def measure(
    run: Sweep, observer: Predictor, name: str, generator: Generator, reference: Reference
) -> tuple[Measures, Edited]:
    """Measure a sweep.

    Args:
        run: the sweep.
        observer: whose view is taken.
        name: the observer's in the sweep.
        generator: draws what is looked at beside the sweep: the samples' starts and results, and their ways.
        reference: the generator's samples as the observer sees them.
    """
    spec, scores = observer.spec, run.scores(name)
    asked, others = spec.attributes.index(run.attribute), held(spec, run.attribute)
    logits = log_odds(scores)
    target = towards(logits[..., asked], run.rising)
    end = arrival(target)
    here = end.arrived.nonzero().flatten()
    latents, space = torch.stack([latent.data for latent in run.latents]), run.latents[0].space
    results = at_steps(scores, end.steps[None])[0]
    before, after = (
        generator.synthesize(Latent(at_steps(latents, steps[None])[0], space)) for steps in (0 * end.steps, end.steps)
    )
    edited = Edited(
        moves=results - scores[0],
        rising=run.rising,
        arrived=end.arrived,
        before=embed(observer, before).cpu(),
        after=embed(observer, after).cpu(),
    )
    found: dict[str, Any] = {}
    ad = attribute_dependency(logits, reference.sigma, asked, others, run.rising)
    if ad is not None:
        found.update(dependency=ad.mean, dependency_most=ad.most, target_shift=ad.shift)
    if len(here):
        row = rescoring(scores[0, here], results[here], run.rising[here])
        found["rescoring"] = dict(zip(spec.attributes, row.tolist(), strict=True))
        found["rescored_others"] = row[others].abs().mean().item() if others else None
        likeness = Likeness.of(observer, before, run.attribute)
        if likeness is not None:
            mean = reference.features.mean(dim=0)
            found["identity"] = identity(edited.before[here] - mean, edited.after[here] - mean)
            found["distance"] = likeness.distances(after)[here].mean().item()
        found |= _way(run, end.steps, here[:WAYS], observer, generator, likeness)
    share = end.arrived.double().mean().item()
    reach = conceptual_range(_shown(scores[..., asked], run.rising))
    return Measures(arrived=share, range=reach, **found), edited


def _way(
    run: Sweep, steps: Tensor, some: Tensor, observer: Predictor, generator: Generator, likeness: Likeness | None
) -> dict[str, float]:
    """What is measured along the ways of some samples, by their numbers."""
    latents = along(torch.stack([latent.data[some] for latent in run.latents]), steps[some])  # P, n, ...
    images = [generator.synthesize(Latent(data, run.latents[0].space)) for data in latents]
    asked = observer.spec.attributes.index(run.attribute)
    scores = torch.stack([probabilities(observer(one), observer.spec)[:, asked].cpu() for one in images])
    scores = _shown(scores, run.rising[some])
    found = {"monotonicity": monotonicity(scores), "smoothness": smoothness(scores)}
    if likeness is not None:
        near = Likeness(likeness.backbone, images[0], likeness.saliency)
        found["preservation"] = sum(near.distance(one) for one in images[1:]) / (len(images) - 1)
    return found


def _shown(scores: Tensor, rising: Tensor) -> Tensor:
    """Probabilities of the asked state, from those of the attribute, [..., N]."""
    return torch.where(rising, scores, 1 - scores)
