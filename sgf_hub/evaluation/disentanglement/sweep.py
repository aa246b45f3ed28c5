"""One method's edits of one attribute, watched over manipulation strength by the predictor and by a judge.

A sweep is all that the metric, the drift and the pictures are computed from. Shapes: S strengths, N samples, C and M
the observer's coordinates and attributes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, Editor
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.disentanglement.mds import Curve, at_steps, manipulation_curve
from sgf_hub.predictors import BasePredictor
from sgf_hub.types import ConditionSpec, Latent, Predictor, Target

_BATCH = 64
_TRIED = 4  # times as many samples as are wanted


@dataclass(frozen=True)
class Sweep:
    """What became of N samples, step by step.

    Args:
        attribute: the one that was flipped.
        rising: [N], true where it should appear.
        latents: one a step; a sample that has stopped stays where it is.
        distance: to the target, as the steering predictor measures it, [S, N].
        conditions: observer's name ("predictor", "judge") to what it saw, [S, N, C].
        specs: observer's name to what its coordinates mean.
        seconds: since the start, at each step, without the judge's time, [S].
    """

    attribute: str
    rising: Tensor
    latents: list[Latent]
    distance: Tensor
    conditions: Mapping[str, Tensor]
    specs: Mapping[str, ConditionSpec]
    seconds: list[float]

    def scores(self, observer: str) -> Tensor:
        """The attributes' probabilities, [S, N, M]."""
        return probabilities(self.conditions[observer], self.specs[observer])

    def points(self, observer: str) -> Tensor:
        """The keypoints, [S, N, K, 2]; K is 0 for an observer of attributes alone."""
        spec = self.specs[observer]
        return self.conditions[observer][..., len(spec.attributes) :].unflatten(-1, (len(spec.keypoints), 2))

    def curve(self, observer: str, steps: Tensor) -> Curve:
        """The MDC as the observer sees it, sample b at strength k being at step `steps[k, b]`."""
        asked = self.specs[observer].attributes.index(self.attribute)
        return manipulation_curve(at_steps(self.scores(observer), steps), asked, self.rising)


@torch.no_grad()
def sweep(
    editor: Editor, judge: Predictor | None, config: EditConfig, attribute: str, *, samples: int, seed: int
) -> Sweep:
    """Flip one attribute of `samples` latents, all else held.

    Args:
        editor: the method.
        judge: a second observer, or None. It looks at new pictures only.
        config: how the editor steps.
        attribute: present becomes absent, and absent becomes present, as the steering predictor sees the start.
        samples: N.
        seed: of the latents.
    """
    latent = starts(editor, samples, seed=seed)
    target = flip(editor.predictor, editor.predictor(editor.generator.synthesize(latent)), attribute)
    latents, distances, conditions, seconds = [], [], [], []
    judged: list[Tensor] = []
    moving, spent, begun = torch.ones(samples, dtype=torch.bool), 0.0, time.perf_counter()
    for step in editor.steps(latent, target, config):
        spent += time.perf_counter() - begun
        seconds.append(spent)
        latents.append(step.latent)
        distances.append(step.distance.cpu())
        conditions.append(step.c.cpu())
        if judge is not None:
            opinion = judged[-1].clone() if judged else torch.empty(samples, judge.spec.dimension)
            opinion[moving] = judge(step.images[moving]).cpu()
            judged.append(opinion)
        moving = torch.tensor([reason is None for reason in step.reasons])
        begun = time.perf_counter()
    observers = {"predictor": (conditions, editor.predictor.spec)}
    if judge is not None:
        observers["judge"] = (judged, judge.spec)
    return Sweep(
        attribute=attribute,
        rising=target.c[:, editor.predictor.spec.index(attribute).start].cpu() > 0,
        latents=latents,
        distance=torch.stack(distances),
        conditions={name: torch.stack(conditions) for name, (conditions, _) in observers.items()},
        specs={name: spec for name, (_, spec) in observers.items()},
        seconds=seconds,
    )


def starts(editor: Editor, count: int, *, seed: int) -> Latent:
    """The first samples of a seed that an edit can begin at: those that the predictor can read."""
    generator, predictor = editor.generator, editor.predictor
    if not isinstance(predictor, BasePredictor):
        return generator.sample(count, seed=seed)
    tried = count
    while True:
        latents = generator.sample(tried, seed=seed)
        parts = [predictor.readable(generator.synthesize(latents[i : i + _BATCH])) for i in range(0, tried, _BATCH)]
        readable = torch.cat(parts).nonzero().flatten()[:count]
        if len(readable) == count:
            return latents if tried == count else Latent(latents.data[readable], latents.space)
        if tried > _TRIED * count:
            raise BadValueError(f"of {tried} samples of this generator only {len(readable)} can be read.")
        tried = tried * 5 // 4 + 1


def probabilities(c: Tensor, spec: ConditionSpec) -> Tensor:
    """The attributes' probabilities of conditions: [..., C] => [..., M]."""
    return ((c[..., : len(spec.attributes)] + 1) / 2).clamp(0, 1)


def held(spec: ConditionSpec, attribute: str) -> list[int]:
    """Which attributes should stay as they are when one is flipped: all others but those that exclude it."""
    return [spec.index(name).start for name in spec.others([attribute])]


def flip(predictor: Predictor, c0: Tensor, attribute: str) -> Target:
    """The target that inverts one attribute of every sample and holds all else: c0 [B, C] => c1 [B, C]."""
    where = predictor.spec.index(attribute)
    c1 = c0.clone()
    c1[:, where] = torch.where(c0[:, where] > 0, -1.0, 1.0)
    asked = torch.zeros(predictor.spec.dimension, dtype=torch.bool, device=c0.device)
    asked[where] = True
    return Target(c1, asked, torch.zeros_like(asked))
