"""What one method's edits of one attribute are worth: MDS, steps, seconds, and what drifted that should have stayed.

Every figure is told twice, by the predictor that steers the edits and by a judge that no method has seen. A figure "at
the best setting" is at the strength with the best harmonic mean of accuracy and disentanglement on that curve.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sgf_hub.editing import EditConfig, Editor
from sgf_hub.evaluation.disentanglement.mds import Curve, at_steps, settle
from sgf_hub.evaluation.disentanglement.measures.flip import Edited, Measures, measure
from sgf_hub.evaluation.disentanglement.measures.reference import Reference
from sgf_hub.evaluation.disentanglement.sweep import Sweep, held, sweep
from sgf_hub.types import Latent, Predictor

FIRST_SEED = 1000  # of the latents; training pairs are sampled with other seeds
STOPPING = EditConfig()  # the rule by which each sample of a baseline stops by itself, in `mds_stopping`


@dataclass(frozen=True)
class Readings:
    """One observer's view of N samples.

    Args:
        curve: the MDC over strength.
        mds: its area.
        mds_stopping: the area if every sample stops by itself as SGF's do, at the target, or else gives its closest
            step. The same as `mds` for a method that stops by itself.
        best: the strength with the best harmonic mean of accuracy and disentanglement.
        score_drift: mean move of the other attributes' probabilities at `best`, those that exclude the asked one left
            out.
        point_drift: mean move of the keypoints at `best`, share of the side; None for an observer that sees none.
    """

    curve: Curve
    mds: float
    mds_stopping: float
    best: int
    score_drift: float
    point_drift: float | None


@dataclass(frozen=True)
class Result:
    """One method's edits of one attribute of one seed's samples.

    Args:
        attribute: which was flipped.
        seed: number of the set of latents, 0, 1, ...
        samples: N.
        readings: "predictor" and, where there is one, "judge", to what it saw.
        steps: mean number of steps a sample took to its result at the best setting (the judge's, where there is one).
        seconds: of computing an edit up to there, in this batch, on this machine, without the judge.
        measures: those of other papers, by the judge, or by the predictor where there is none.
    """

    attribute: str
    seed: int
    samples: int
    readings: dict[str, Readings]
    steps: float
    seconds: float
    measures: Measures


@dataclass(frozen=True)
class Evaluation:
    """A result and its pictures.

    Args:
        result: the figures.
        before: the latents.
        after: the latents of each sample's result at the best setting.
        edited: what the measures of all attributes' edits together need.
    """

    result: Result
    before: Latent
    after: Latent
    edited: Edited


def evaluate_editor(
    editor: Editor,
    judge: Predictor | None,
    config: EditConfig,
    *,
    attributes: Sequence[str] = (),
    samples: int = 100,
    seeds: Sequence[int] = (0,),
) -> Iterator[Evaluation]:
    """Flip attributes with one method, and measure.

    Args:
        editor: the method.
        judge: an observer that the method has not seen, or None.
        config: how the editor steps: the strengths of the curve. A tolerance of 0 lets all samples run on.
        attributes: which to flip; all by default.
        samples: latents a seed.
        seeds: numbers of the sets of latents.

    Yields:
        One evaluation an attribute and seed.

    Raises:
        UnknownNameError: for an attribute that the predictor or the judge lacks.
    """
    attributes = attributes or editor.predictor.spec.attributes
    for spec in [editor.predictor.spec] + ([judge.spec] if judge is not None else []):
        for name in attributes:
            spec.index(name)
    reference = Reference.of(editor, judge if judge is not None else editor.predictor)
    for name in attributes:
        for seed in seeds:
            yield evaluate_flip(editor, judge, config, name, reference, samples=samples, seed=seed)


@torch.no_grad()
def evaluate_flip(
    editor: Editor,
    judge: Predictor | None,
    config: EditConfig,
    attribute: str,
    reference: Reference,
    *,
    samples: int,
    seed: int,
) -> Evaluation:
    """`evaluate_editor` for one attribute and seed; `reference` is of the judge, or else of the predictor."""
    run = sweep(editor, judge, config, attribute, samples=samples, seed=FIRST_SEED + seed)
    steps = settle(run.distance, _arrival(config), closest=config.return_best)
    readings = {name: _view(run, name, steps, config) for name in run.specs}
    name, observer = ("judge", judge) if judge is not None else ("predictor", editor.predictor)
    strength = readings[name].best
    chosen = steps[strength]  # N
    latents = torch.stack([latent.data for latent in run.latents])
    before, after = run.latents[0], Latent(at_steps(latents, chosen[None])[0], run.latents[0].space)
    measures, edited = measure(run, observer, name, editor.generator, reference)
    result = Result(
        attribute=attribute,
        seed=seed,
        samples=samples,
        readings=readings,
        steps=chosen.double().mean().item(),
        seconds=run.seconds[strength] / samples,
        measures=measures,
    )
    return Evaluation(result, before, after, edited)


def _view(run: Sweep, observer: str, steps: torch.Tensor, config: EditConfig) -> Readings:
    curve = run.curve(observer, steps)
    stopping = curve
    if config.tolerance == 0:
        stopping = run.curve(observer, settle(run.distance, _arrival(STOPPING), closest=STOPPING.return_best))
    spec, chosen = run.specs[observer], steps[curve.best][None]
    others = held(spec, run.attribute)
    scores, points = run.scores(observer)[..., others], run.points(observer)
    return Readings(
        curve=curve,
        mds=curve.mds,
        mds_stopping=stopping.mds,
        best=curve.best,
        score_drift=(at_steps(scores, chosen)[0] - scores[0]).abs().mean().item() if others else 0.0,
        point_drift=(at_steps(points, chosen)[0] - points[0]).norm(dim=-1).mean().item() if spec.keypoints else None,
    )


def _arrival(config: EditConfig) -> float:
    """The distance at which a flip, which asks for an attribute to be wholly there or gone, has arrived."""
    return config.tolerance * config.certainty
