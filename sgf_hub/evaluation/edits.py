"""Do edits arrive, and what else changes on the way? Flips of every attribute, and moves to other samples' keypoints.

Results are told by the predictor that steers the edits and by the judge, which never trained a mapping.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, SGFEditor, StopReason
from sgf_hub.editing.editor import PRESETS
from sgf_hub.evaluation.disentanglement.mds import CHANGED
from sgf_hub.evaluation.disentanglement.sweep import flip, starts
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import Backbone, load_predictor
from sgf_hub.predictors.frechet import features, frechet_distance
from sgf_hub.types import Latent, Predictor, Target


@dataclass(frozen=True)
class FlipResult:
    """100 (say) edits that each flip one attribute.

    Args:
        attribute: which one.
        samples: how many edits.
        reached: share that arrived.
        reached_by_judge: share whose attribute changed to the asked side, as the judge sees it; None if it reads none
            such.
        others_changed: mean number of other attributes that changed, as the judge sees it.
        others_changed_by_predictor: the same, as the predictor sees it.
        steps: mean number of steps.
        outside: share that ended beyond what 99% of the latents lie within.
        farthest: how far out the farthest ended, in units of that.
    """

    attribute: str
    samples: int
    reached: float
    reached_by_judge: float | None
    others_changed: float
    others_changed_by_predictor: float
    steps: float
    outside: float
    farthest: float


def flips(
    editor: SGFEditor,
    judge: Predictor,
    config: EditConfig,
    *,
    samples: int,
    seed: int,
    attributes: tuple[str, ...] = (),
) -> Iterator[FlipResult]:
    """Flip each attribute of `samples` latents (present becomes absent and the reverse), all else held.

    Siblings of a flipped attribute (other hair colours, when one is raised) are not counted among the others: they
    must change.
    """
    latent = starts(editor, samples, seed=seed)
    spec = editor.predictor.spec
    for name in attributes or spec.attributes:
        c0 = editor.predictor(editor.generator.synthesize(latent))
        target = flip(editor.predictor, c0, name)
        trajectory = editor.edit(latent, target, config)
        after = trajectory.result.images
        before = trajectory.first.images
        others = [other for other in spec.attributes if other != name and other not in spec.siblings(name)]
        moved_predictor = _moves(editor.predictor, before, after)
        moved_judge = _moves(judge, before, after)
        sees = None
        if name in judge.spec.attributes:
            side = target.c[:, spec.index(name).start]
            sees = (judge(after)[:, judge.spec.index(name).start] * side > 0).float().mean().item()
        outlying = trajectory.result.outlyingness
        reached = [reason is StopReason.TARGET_REACHED for reason in trajectory.reasons]
        yield FlipResult(
            attribute=name,
            samples=samples,
            reached=sum(reached) / samples,
            reached_by_judge=sees,
            others_changed=_changed(moved_judge, judge, [other for other in others if other in judge.spec.attributes]),
            others_changed_by_predictor=_changed(moved_predictor, editor.predictor, others),
            steps=sum(trajectory.taken) / samples,
            outside=_share_outside(outlying),
            farthest=0.0 if outlying is None else outlying.max().item(),
        )


def _share_outside(outlying: Tensor | None) -> float:
    return 0.0 if outlying is None else (outlying > 1 + 1e-3).float().mean().item()  # on the border is within


def _changed(moves: Tensor, predictor: Predictor, names: list[str]) -> float:
    """The mean number of the attributes `names` that changed; `moves` are in the predictor's own order, [B, A]."""
    columns = [predictor.spec.index(name).start for name in names]
    return (moves[:, columns] > CHANGED).float().sum(dim=1).mean().item()


def _moves(predictor: Predictor, before: Tensor, after: Tensor) -> Tensor:
    """How far each attribute's probability moved, [B, A]."""
    spec = predictor.spec
    return (spec.scores(predictor(after)) - spec.scores(predictor(before))).abs() / 2


@dataclass(frozen=True)
class KeypointResult:
    """Edits that move all keypoints to those of another sample, attributes held.

    Args:
        samples: how many edits.
        before: mean distance to the target, share of the image's side.
        after: the same after the edit.
        after_by_judge: the same, as the judge sees it; None if it reads no keypoints.
        reached: share that arrived within the tolerance.
        attributes_changed: mean share of the attributes that changed, as the judge sees it.
        steps: mean number of steps.
        outside: share that ended beyond what 99% of the latents lie within.
    """

    samples: int
    before: float
    after: float
    after_by_judge: float | None
    reached: float
    attributes_changed: float
    steps: float
    outside: float


def keypoint_moves(
    editor: SGFEditor, judge: Predictor, config: EditConfig, *, samples: int, seed: int
) -> KeypointResult:
    """Move the keypoints of `samples` latents to those of as many others."""
    spec = editor.predictor.spec
    latents = starts(editor, 2 * samples, seed=seed)
    latent, other = latents[:samples], latents[samples:]
    c0 = editor.predictor(editor.generator.synthesize(latent))
    wanted = spec.points(editor.predictor(editor.generator.synthesize(other)))  # B, K, 2
    count = len(spec.attributes)
    c1 = torch.cat([c0[:, :count], wanted.flatten(1)], dim=1)
    asked = torch.arange(spec.dimension) >= count
    trajectory = editor.edit(latent, Target(c1, asked, torch.zeros_like(asked)), config)
    result = trajectory.result
    moved = _moves(judge, trajectory.first.images, result.images)

    def error(points: Tensor) -> float:
        return (points - wanted).norm(dim=-1).mean().item()

    return KeypointResult(
        samples=samples,
        before=error(spec.points(c0)),
        after=error(spec.points(result.c)),
        after_by_judge=error(judge.spec.points(judge(result.images))) if judge.spec.keypoints else None,
        reached=sum(reason is StopReason.TARGET_REACHED for reason in trajectory.reasons) / samples,
        attributes_changed=(moved > CHANGED).float().mean().item(),
        steps=sum(trajectory.taken) / samples,
        outside=_share_outside(result.outlyingness),
    )


def edited_frechet(
    editor: SGFEditor, backbone: Backbone, config: EditConfig, *, samples: int, seed: int
) -> tuple[float, float]:
    """Frechet distance of edited pictures to unedited ones, and that of unedited pictures to others.

    Each picture is edited once: an attribute, chosen at random, is flipped. All three sets are of other latents.

    Args:
        editor: of attributes.
        backbone: whose features are compared.
        config: of the edits.
        samples: pictures in each set.
        seed: of the latents and the choice.
    """
    spec, latents = editor.predictor.spec, starts(editor, 3 * samples, seed=seed)
    chosen = torch.randint(len(spec.attributes), (samples,), generator=torch.Generator().manual_seed(seed))

    def pictures(first: int) -> Iterator[Tensor]:
        for i in range(first, first + samples, _BATCH):
            yield editor.generator.synthesize(latents[i : min(i + _BATCH, first + samples)])

    def edited() -> Iterator[Tensor]:
        for number, name in enumerate(spec.attributes):
            for rows in (chosen == number).nonzero().flatten().split(_BATCH):
                some = Latent(latents.data[rows], latents.space)
                c0 = editor.predictor(editor.generator.synthesize(some))
                yield editor.edit(some, flip(editor.predictor, c0, name), config).result.images

    reference = features(backbone, pictures(samples))
    return (
        frechet_distance(features(backbone, edited()), reference),
        frechet_distance(features(backbone, pictures(2 * samples)), reference),
    )


def mean_and_spread(rows: list[dict]) -> dict:
    """The mean over runs (seeds) of every number, and its standard deviation where there are several."""
    summary: dict = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if values[0] is None or isinstance(values[0], str):
            summary[key] = values[0]
            continue
        data = torch.tensor(values, dtype=torch.float64)
        summary[key] = data.mean().item()
        if len(rows) > 1:
            summary[f"{key}_std"] = data.std().item()
    return summary


def measure_edits(
    editors: Mapping[str, tuple[SGFEditor, EditConfig]],
    judge: Predictor,
    *,
    samples: int,
    seeds: int,
    attributes: tuple[str, ...] = (),
) -> Iterator[dict]:
    """Flips (for a mapping of attributes) or moves (for one with keypoints), for every stepping and seed.

    Args:
        editors: what edits, and its settings, by the name of the stepping.
        judge: who measures them.
        samples: latents a seed.
        seeds: how many sets of latents.
        attributes: which to flip; all by default.

    Yields:
        One record a stepping and attribute, averaged over seeds.
    """
    starts = range(1000, 1000 + seeds)
    for name, (editor, config) in editors.items():
        if editor.predictor.spec.keypoints:
            moves = [asdict(keypoint_moves(editor, judge, config, samples=samples, seed=seed)) for seed in starts]
            yield {"stepping": name, **mean_and_spread(moves)}
            continue
        for one in attributes or editor.predictor.spec.attributes:
            rows = [
                asdict(next(flips(editor, judge, config, samples=samples, seed=seed, attributes=(one,))))
                for seed in starts
            ]
            yield {"stepping": name, **mean_and_spread(rows)}


def measure_in_parallel(
    mapping: str, judge: tuple[str, ...], *, samples: int, seeds: int, workers: int
) -> Iterator[dict]:
    """`measure_edits` with every stepping, one process a core: small batches gain nothing from threads.

    Args:
        mapping: name of the mapping.
        judge: repos of the judge's heads.
        samples: latents a seed.
        seeds: how many sets of latents.
        workers: processes.

    Yields:
        The records of `measure_edits`, as they come.
    """
    spec = SGFMapping.from_pretrained(mapping).spec
    # the slowest first: one attribute, and all seeds of it, is a task
    tasks = [(stepping, one) for stepping in STEPPINGS for one in (("",) if spec.keypoints else spec.attributes)]
    rows = partial(_task, samples=samples, seeds=seeds)
    yield from in_parallel(rows, tasks, workers=workers, load=_load, arguments=(mapping, judge))


_loaded: dict[str, Any] = {}  # of a worker process
STEPPINGS = (*PRESETS, "unconstrained")
"""What is measured: the presets, and ours without the constraint."""
_BATCH = 64


def _load(mapping: str, judge: tuple[str, ...]) -> None:
    _loaded.update(editor=SGFEditor.from_pretrained(mapping), judge=load_predictor(judge))


def _task(task: tuple[str, str], samples: int, seeds: int) -> dict:
    stepping, attribute = task
    editors = {stepping: measured_with(_loaded["editor"], stepping)}
    attributes = (attribute,) if attribute else ()
    return next(measure_edits(editors, _loaded["judge"], samples=samples, seeds=seeds, attributes=attributes))


def measured_with(editor: SGFEditor, stepping: str, *, keypoints: bool | None = None) -> tuple[SGFEditor, EditConfig]:
    """The editor and the settings of a preset; where keypoints are moved, ours goes on to half the tolerance.

    Args:
        editor: SGF.
        stepping: one of `STEPPINGS`.
        keypoints: whether they are moved; by default whether the predictor reads any.
    """
    free = stepping == "unconstrained"
    editor, config = editor.preset("tuned" if free else stepping)
    if free:
        config = replace(config, within=None)
    moved = bool(editor.predictor.spec.keypoints) if keypoints is None else keypoints
    return editor, replace(config, tolerance=0.5) if moved and stepping != "paper" else config
