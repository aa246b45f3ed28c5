"""Do edits arrive, and what else changes on the way? Flips of every attribute, and moves to other samples' keypoints.

Results are told by the predictor that steers the edits and by the judge, which never trained a mapping.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, SGFEditor, StopReason
from sgf_hub.editing.changes import CHANGED
from sgf_hub.editing.editor import PRESETS
from sgf_hub.evaluation.disentanglement.sweep import flip, starts
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import load_predictor
from sgf_hub.predictors.faces.mesh import FaceMesh
from sgf_hub.types import ConditionSpec, Generator, Latent, Predictor, Target


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
        others = list(spec.others([name]))
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


_SHAPED = ("smile", "mouth_open", "eyes_closed", "brows_raised", "facing_left", "facing_up", "tilted_right")
"""Attributes that are where points lie: they follow what is asked of those."""

_MOVED: dict[str, tuple[tuple[str, ...], float]] = {
    "mouth corners up": (("mouth_left", "mouth_right"), -0.02),
    "mouth corners down": (("mouth_left", "mouth_right"), 0.02),
    "brows up": (("left_brow", "right_brow"), -0.02),
    "brows down": (("left_brow", "right_brow"), 0.02),
}
"""Moves of a feature: how the names of its points begin, and by how much of the side they go down."""
_ALONE = 0.02  # of the side: how far a single point goes, in a direction that differs from point to point
_ASIDE = 0.03  # how far all points go together
_GOLDEN = 2.39996  # radians: directions that spread
_WITH_POINTS = ("glasses", "hat", "beard", "long_hair")
"""Attributes that are flipped while the mouth's corners go up."""

_YAW = 0.5  # sine of 30 degrees: how far another face may be turned from the one that takes its keypoints


@dataclass(frozen=True)
class KeypointResult:
    """Edits that move keypoints: all of them to those of another sample, or some by a little; the rest is held.

    Args:
        moved: what is moved.
        samples: how many edits.
        before: mean distance of the asked points to their target, share of the image's side.
        after: the same after the edit.
        after_by_judge: the same, as the judge sees it; None if it reads no keypoints.
        reached: share that arrived within the edit's tolerance, of ours half the predictor's.
        close: share that ended within the predictor's, 1% of the side: what the demo calls reached.
        held_moved: mean distance that the other points went, share of the side; 0 where all are asked.
        attributes_changed: mean share of the attributes that changed, as the judge sees it.
        steps: mean number of steps.
        outside: share that ended beyond what 99% of the latents lie within.
    """

    moved: str
    samples: int
    before: float
    after: float
    after_by_judge: float | None
    reached: float
    close: float
    held_moved: float
    attributes_changed: float
    steps: float
    outside: float


def keypoint_moves(
    editor: SGFEditor, judge: Predictor, config: EditConfig, *, samples: int, seed: int
) -> Iterator[KeypointResult]:
    """Move all keypoints of `samples` latents to those of as many others; those of a feature, up and down; every point
    alone; all of them aside; and a feature while an attribute is flipped.

    A face that is read for where it turns takes the points of one that turns at most 30 degrees otherwise.
    """
    spec = editor.predictor.spec
    latents = starts(editor, 2 * samples, seed=seed)
    latent, other = latents[:samples], latents[samples:]
    c0 = editor.predictor(editor.generator.synthesize(latent))
    wanted = editor.predictor(editor.generator.synthesize(other))
    count = len(spec.attributes)
    if "facing_left" in spec.attributes:
        wanted = wanted[_near_in_yaw(editor.predictor, latent, other, editor.generator)]
    c1 = torch.cat([c0[:, :count], wanted[:, count:]], dim=1)
    asked = torch.arange(spec.dimension) >= count
    yield _moved(editor, judge, config, latent, Target(c1, asked, _named(spec, _SHAPED)), "all, to another's")
    shaped = _named(spec, _SHAPED)

    def by(
        name: str, shift: Mapping[str, tuple[float, float]], wishes: Mapping[str, Tensor], rows: slice = slice(None)
    ) -> KeypointResult:
        """Points moved by (x, y), and attributes to a score."""
        c1 = c0[rows].clone()
        for point, way in shift.items():
            c1[:, spec.index(point)] += torch.tensor(way)
        for wish, score in wishes.items():
            c1[:, spec.index(wish)] = score[:, None]
        asked = _named(spec, (*shift, *wishes))
        return _moved(editor, judge, config, latent[rows], Target(c1, asked, shaped & ~asked), name)

    for name, (begin, down) in _MOVED.items():
        points = [one for one in spec.keypoints if one.startswith(begin)]
        if points:
            yield by(name, {one: (0.0, down) for one in points}, {})
    alone = []
    for number, point in enumerate(spec.keypoints):
        way = (_ALONE * math.cos(number * _GOLDEN), _ALONE * math.sin(number * _GOLDEN))
        row = number % samples
        alone.append(by("a point alone", {point: way}, {}, slice(row, row + 1)))
    if alone:
        yield _together(alone)
    for name, x in (("all points left", -_ASIDE), ("all points right", _ASIDE)):
        yield by(name, {point: (x, 0.0) for point in spec.keypoints}, {})
    corners = {one: (0.0, -0.02) for one in spec.keypoints if one in ("mouth_left", "mouth_right")}
    for wish in _WITH_POINTS if corners else ():
        if wish in spec.attributes:
            there = c0[:, spec.index(wish).start] > 0
            yield by(f"mouth corners up, {wish} flipped", corners, {wish: torch.where(there, -1.0, 1.0)})


def _together(results: list[KeypointResult]) -> KeypointResult:
    """One record of several, each of as many samples."""
    figures = mean_and_spread([asdict(one) for one in results])
    held = {key: figures[key] for key in figures if not key.endswith("_std")}
    return KeypointResult(**{**held, "samples": sum(one.samples for one in results)})


def _named(spec: ConditionSpec, names: Iterable[str]) -> Tensor:
    """The coordinates of c that names stand for, those of them that are known, a mask [C]."""
    mask = torch.zeros(spec.dimension, dtype=torch.bool)
    for name in names:
        if name in (*spec.attributes, *spec.keypoints):
            mask[spec.index(name)] = True
    return mask


def _near_in_yaw(predictor: Predictor, latent: Latent, other: Latent, generator: Generator) -> Tensor:
    """For every face the first of the others, from its own number on, that is turned nearly as it is."""
    mesh = next(one for one in predictor.backbones if isinstance(one, FaceMesh))  # type: ignore[attr-defined]
    here, there = (mesh(generator.synthesize(one)).head[1][:, 2, 0] for one in (latent, other))  # the sine of the yaw
    far = (here[:, None] - there[None]).abs() > _YAW
    order = (torch.arange(len(there))[None] - torch.arange(len(here))[:, None]) % len(there)
    return (order + far * len(there)).argmin(dim=1)


def _moved(
    editor: SGFEditor, judge: Predictor, config: EditConfig, latent: Latent, target: Target, moved: str
) -> KeypointResult:
    spec = editor.predictor.spec
    points = spec.points(target.asked[None])[0].any(-1)  # K
    trajectory = editor.edit(latent, target, config)
    result = trajectory.result

    def error(of: ConditionSpec, c: Tensor) -> float:
        return (of.points(c) - spec.points(target.c))[:, points].norm(dim=-1).mean().item()

    changed = _moves(judge, trajectory.first.images, result.images)
    went = (spec.points(result.c) - spec.points(trajectory.first.c))[:, ~points].norm(dim=-1)
    return KeypointResult(
        moved=moved,
        samples=len(latent.data),
        before=error(spec, trajectory.first.c),
        after=error(spec, result.c),
        after_by_judge=error(judge.spec, judge(result.images)) if judge.spec.keypoints else None,
        reached=sum(reason is StopReason.TARGET_REACHED for reason in trajectory.reasons) / len(latent.data),
        close=(result.distance <= 1).float().mean().item(),
        held_moved=went.mean().item() if went.numel() else 0.0,
        attributes_changed=(changed > CHANGED).float().mean().item(),
        steps=sum(trajectory.taken) / len(latent.data),
        outside=_share_outside(result.outlyingness),
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
        One record a stepping and attribute (or move), averaged over seeds.
    """
    of = range(1000, 1000 + seeds)
    for name, (editor, config) in editors.items():
        if editor.predictor.spec.keypoints:
            runs = [list(keypoint_moves(editor, judge, config, samples=samples, seed=seed)) for seed in of]
            for several in zip(*runs, strict=True):
                yield {"stepping": name, **mean_and_spread([asdict(one) for one in several])}
            continue
        for one in attributes or editor.predictor.spec.attributes:
            rows = [
                asdict(next(flips(editor, judge, config, samples=samples, seed=seed, attributes=(one,)))) for seed in of
            ]
            yield {"stepping": name, **mean_and_spread(rows)}


def measure_in_parallel(
    mapping: str,
    judge: tuple[str, ...],
    hub: HubOptions = HUB_DEFAULTS,
    *,
    steppings: tuple[str, ...],
    samples: int,
    seeds: int,
    workers: int,
) -> Iterator[dict]:
    """`measure_edits` with every stepping, one process a core: small batches gain nothing from threads.

    Args:
        mapping: name of the mapping.
        judge: repos of the judge's heads.
        hub: how the mapping is fetched.
        steppings: of `STEPPINGS`.
        samples: latents a seed.
        seeds: how many sets of latents.
        workers: processes.

    Yields:
        The records of `measure_edits`, as they come.
    """
    spec = SGFMapping.from_pretrained(mapping, **vars(hub)).spec
    # the slowest first: one attribute, and all seeds of it, is a task
    tasks = [(stepping, one) for stepping in steppings for one in (("",) if spec.keypoints else spec.attributes)]
    rows = partial(_task, samples=samples, seeds=seeds)
    for done in in_parallel(rows, tasks, workers=workers, load=_load, arguments=(mapping, judge, hub)):
        yield from done


_loaded: dict[str, Any] = {}  # of a worker process
STEPPINGS = (*PRESETS, "arrived", "unconstrained")
"""What is measured: the presets, ours with the step that arrived as the result, and ours without the constraint."""


def _load(mapping: str, judge: tuple[str, ...], hub: HubOptions) -> None:
    editor = SGFEditor.from_pretrained(mapping, **vars(hub))
    _loaded.update(editor=editor, judge=load_predictor(judge, **vars(hub.of_parts)))


def _task(task: tuple[str, str], samples: int, seeds: int) -> list[dict]:
    stepping, attribute = task
    editors = {stepping: measured_with(_loaded["editor"], stepping)}
    attributes = (attribute,) if attribute else ()
    return list(measure_edits(editors, _loaded["judge"], samples=samples, seeds=seeds, attributes=attributes))


def measured_with(editor: SGFEditor, stepping: str, *, keypoints: bool | None = None) -> tuple[SGFEditor, EditConfig]:
    """The editor and the settings of a preset; where keypoints are moved, ours goes on to half the tolerance.

    Args:
        editor: SGF.
        stepping: one of `STEPPINGS`.
        keypoints: whether they are moved; by default whether the predictor reads any.
    """
    ours: dict[str, dict[str, Any]] = {"arrived": {"choose": "arrived"}, "unconstrained": {"within": None}}
    editor, config = editor.preset("tuned" if stepping in ours else stepping)
    config = replace(config, **ours.get(stepping, {}))
    moved = bool(editor.predictor.spec.keypoints) if keypoints is None else keypoints
    return editor, replace(config, tolerance=0.5) if moved and stepping != "paper" else config
