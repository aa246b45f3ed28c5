"""Pictures drawn until an edit arrives, at equal accuracy: the paper's Euler against ours.

`python -m benchmarks.steps [--json]`. All ways of stepping edit the same latents and arrive at the same distance: flips
of an attribute to a probability within 0.005 of what is asked (short of that, a judge often sees nothing), whole poses
to a mean error of 1% of the side.
"""

import itertools
import statistics
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from benchmarks.sections import Line, Section, report
from sgf_hub.editing import (
    EditConfig,
    EditStep,
    Fixed,
    GainControlled,
    Reaimed,
    SGFEditor,
    SteppingRule,
    Wishes,
)
from sgf_hub.evaluation.disentanglement.mds import CHANGED, at_steps, settle
from sgf_hub.evaluation.disentanglement.sweep import sweep
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.predictors import load_predictor
from sgf_hub.types import Generator, Latent, Target

ATTRIBUTES = ("male", "bald", "smile", "black_hair", "glasses", "beard")  # those of the model card's MDS
FLIPS, POSES, SEEDS = 4, 12, (1000, 1001, 1002)  # latents a seed and attribute, poses a seed
FLIP, POSE = "flips of attributes", "whole poses"
PAPER, OURS = "the paper's", "ours"
_PLAIN = EditConfig.paper(certainty=EditConfig().certainty, max_steps=EditConfig().max_steps)
WAYS: dict[str, tuple[SteppingRule, EditConfig]] = {
    PAPER: (Fixed(), _PLAIN),
    "the paper's, step size 0.4": (Fixed(step_size=0.4), _PLAIN),
    "exact solve, damped by 0.5": (Fixed(order=None, damping=0.5), _PLAIN),
    "re-aimed": (Reaimed(), _PLAIN),
    OURS: (GainControlled(), EditConfig()),
}


class Task(NamedTuple):
    """One way's edits of one seed: flips of an attribute, or poses."""

    way: str
    what: str
    seed: int


class Edit(NamedTuple):
    """One edit; a call is a picture drawn after the one that is there before.

    Args:
        arrival: calls until it arrived, or None.
        spent: calls until it stopped.
        others: other attributes that have changed in its result, as the judge sees it.
    """

    arrival: int | None
    spent: int
    others: int


class Done(NamedTuple):
    """A task's edits, and the judge's MDS over their paths (None for poses)."""

    edits: list[Edit]
    mds: float | None


class Counted:
    """A generator that counts the pictures it draws."""

    def __init__(self, generator: Generator) -> None:
        self.generator, self.drawn = generator, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)

    def synthesize(self, latent: Latent, **options: Any) -> torch.Tensor:
        """`Generator.synthesize`."""
        self.drawn += len(latent.data)
        return self.generator.synthesize(latent, **options)


class Watched:
    """An editor that notes what its steps by `rule` cost: `calls`, [S, N], those of each sample up to each step."""

    rule: SteppingRule = GainControlled()

    def __init__(self, editor: SGFEditor) -> None:
        self.counted = Counted(editor.generator)
        self.editor = SGFEditor(editor.mapping, self.counted, editor.predictor)
        self.generator, self.predictor, self.calls = self.counted, editor.predictor, torch.zeros(0, 0)

    def steps(self, latent: Latent, target: Target | Wishes, config: EditConfig) -> Iterator[EditStep]:
        """`Editor.steps`."""
        rows = [torch.zeros(len(latent.data), dtype=torch.long)]
        moving = torch.ones_like(rows[0])
        for step in self.editor.with_stepping(self.rule).steps(latent, target, config):
            if step.index:
                each, left = divmod(self.counted.drawn, int(moving.sum()))
                assert not left, "samples that move are drawn equally often"
                rows.append(rows[-1] + each * moving)
            yield step
            moving = torch.tensor([reason is None for reason in step.reasons]).long()
            self.counted.drawn = 0
        self.calls = torch.stack(rows)

    def edits(self, distance: torch.Tensor, close: float, others: torch.Tensor) -> list[Edit]:
        """The edits of the last `steps`, arriving at the first step whose distance, [S, N], is at most `close`."""
        there = distance <= close
        first = self.calls.gather(0, there.long().argmax(dim=0, keepdim=True))[0]
        columns = zip(first.tolist(), there.any(dim=0).tolist(), self.calls[-1].tolist(), others.tolist(), strict=True)
        return [Edit(calls if met else None, spent, changed) for calls, met, spent, changed in columns]


def flips(task: Task) -> Done:
    """Flips of one attribute."""
    editor, judge = _models["flips"], _models["judge"]
    editor.rule, config = WAYS[task.way]
    run = sweep(editor, judge, config, task.what, samples=FLIPS, seed=task.seed)
    steps = settle(run.distance, config.certainty, closest=config.return_best)
    spec, scores = run.specs["judge"], run.scores("judge")
    held = [at for at, name in enumerate(spec.attributes) if name not in {task.what, *spec.siblings(task.what)}]
    moved = (at_steps(scores, steps[-1:])[0] - scores[0]).abs()[:, held]
    others = (moved > CHANGED).sum(dim=1)
    return Done(editor.edits(run.distance, config.certainty, others), run.curve("judge", steps).mds)


@torch.no_grad()
def poses(task: Task) -> Done:
    """Moves of all keypoints to another sample's, attributes held."""
    editor, judge = _models["poses"], _models["judge"]
    editor.rule, config = WAYS[task.way]
    latent = editor.generator.sample(2 * POSES, seed=task.seed)
    own, other = editor.predictor(editor.generator.synthesize(latent)).chunk(2)
    asked = torch.arange(own.shape[1]) >= len(editor.predictor.spec.attributes)
    target = Target(torch.where(asked, other, own), asked, torch.zeros_like(asked))
    steps = list(editor.steps(latent[:POSES], target, config))
    distance = torch.stack([step.distance for step in steps])
    chosen = settle(distance, config.tolerance, closest=config.return_best)[-1:]
    after = at_steps(torch.stack([step.images for step in steps]), chosen)[0]
    before, then = (judge.spec.scores(judge(images)) for images in (steps[0].images, after))
    others = ((then - before).abs() / 2 > CHANGED).sum(dim=1)
    return Done(editor.edits(distance, config.tolerance, others), None)


_models: dict[str, Any] = {}  # of a worker process


def _load() -> None:
    _models.update(
        flips=Watched(SGFEditor.from_pretrained("sgf-avatars-attributes")),
        poses=Watched(SGFEditor.from_pretrained("sgf-avatars-keypoints")),
        judge=load_predictor(("avatars-judge-attributes",)),
    )


def _do(task: Task) -> Done:
    return poses(task) if task.what == POSE else flips(task)


def summary(way: str, what: str, of: Mapping[Task, Done]) -> dict:
    """One way's figures over all seeds, and both sides' where both it and the paper's stepping arrive."""

    def done(name: str) -> Iterator[tuple[int, Done]]:
        return (
            (task.seed, one) for task, one in of.items() if task.way == name and (task.what == POSE) == (what == POSE)
        )

    mine, papers = ([edit for _, one in done(name) for edit in one.edits] for name in (way, PAPER))
    both = [pair for pair in zip(mine, papers, strict=True) if None not in (pair[0].arrival, pair[1].arrival)]
    row: dict = {
        "way": way,
        "what": what,
        "arrived": statistics.mean(edit.arrival is not None for edit in mine),
        "spent": statistics.mean(edit.spent for edit in mine),
        "both": len(both),
    }
    for side, edits in zip(("own", "papers"), zip(*both, strict=True), strict=True):
        row[f"calls_{side}"] = statistics.mean(edit.arrival for edit in edits)
        row[f"median_{side}"] = statistics.median(edit.arrival for edit in edits)
        row[f"others_{side}"] = statistics.mean(edit.others for edit in edits)
    areas = [[one.mds for at, one in done(way) if at == seed and one.mds is not None] for seed in SEEDS]
    if all(areas):
        means = [statistics.mean(one) for one in areas]
        row |= {"mds": statistics.mean(means), "mds_std": statistics.stdev(means)}
    return row


def measure(device: torch.device) -> Section:
    """Steps of all ways.

    Args:
        device: of no matter: where pictures are drawn does not change how many.
    """
    tasks = [Task(*one) for one in itertools.product(WAYS, (POSE, *ATTRIBUTES), SEEDS)]
    of = dict(zip(tasks, in_parallel(_do, tasks, workers=2, load=_load), strict=True))
    rows = [summary(way, what, of) for what in (FLIP, POSE) for way in WAYS]
    found = {(row["what"], row["way"]): row for row in rows}
    flip, paper = found[FLIP, OURS], found[FLIP, PAPER]
    lines = [_fewer(flip), _fewer(found[POSE, OURS])]
    lines.append(
        Line(
            "MDS by the judge",
            f"{flip['mds']:.3f} ± {flip['mds_std']:.3f}",
            f"{PAPER}: {paper['mds']:.3f} ± {paper['mds_std']:.3f}",
            flip["mds"] / paper["mds"],
            "no lower",
            flip["mds"] >= paper["mds"],
        )
    )
    return Section("Steps needed", lines, _text(rows), rows)


def _fewer(row: dict) -> Line:
    ratio = row["calls_papers"] / row["calls_own"]
    return Line(
        f"{row['what']}: pictures drawn to arrival, on the {row['both']} edits that both bring there",
        f"{row['calls_own']:.1f}",
        f"{PAPER}: {row['calls_papers']:.1f}",
        ratio,
        "at least 2 x fewer",
        ratio >= 2,
    )


def _text(rows: list[dict]) -> str:
    said = [
        f"{FLIPS} flips of each of {', '.join(ATTRIBUTES)}, and moves to {POSES} whole poses of other samples, with "
        f"{len(SEEDS)} seeds. Calls are pictures drawn after the one before the edit; those of all edits count "
        "failures in full. In brackets: the paper's stepping on the same edits, those that both complete.\n",
        "| edits | stepping | arrived | calls to arrival: mean | median | other attributes changed (judge) "
        "| calls of all edits | MDS (judge) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        pairs = " | ".join(
            f"{row[f'{key}_own']:.{digits}f} ({row[f'{key}_papers']:.{digits}f})"
            for key, digits in (("calls", 1), ("median", 1), ("others", 2))
        )
        mds = f"{row['mds']:.3f} ± {row['mds_std']:.3f}" if "mds" in row else ""
        said.append(f"| {row['what']} | {row['way']} | {row['arrived']:.0%} | {pairs} | {row['spent']:.1f} | {mds} |")
    return "\n".join(said)


if __name__ == "__main__":
    report(measure, __doc__)
