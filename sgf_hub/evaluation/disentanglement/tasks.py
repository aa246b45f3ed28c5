"""An evaluation as tasks, one a method, attribute and seed: run on all cores, kept one by one, resumed after a kill.

A finished task is one line of `tasks.jsonl`, with a fingerprint of all that it depends on: the weights of every model,
the method's settings, the number of samples. A line with another fingerprint is not reused.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from sgf_hub.evaluation.disentanglement.evaluate import Evaluation, evaluate_flip
from sgf_hub.evaluation.disentanglement.measures.reference import Reference
from sgf_hub.evaluation.disentanglement.methods import Methods, digests
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.predictors import load_predictor
from sgf_hub.types import Predictor

PICTURES = 16  # samples whose edits are kept as latents, of every task
_VERSION = 3  # of what is measured; raised when the same models would give other figures


class Task(NamedTuple):
    """One method's edits of one attribute of one seed's samples."""

    method: str
    attribute: str
    seed: int

    @property
    def _name(self) -> str:
        return f"{self.method}-{self.attribute}-{self.seed}.safetensors"

    def files(self, out: Path) -> tuple[Path, Path]:
        """Under the evaluation's folder: the first results' latents, and what `measures.together` needs."""
        return out / "latents" / self._name, out / "edited" / self._name


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an evaluation does.

    Args:
        mapping: name of the mapping; its config names the generator and the predictor.
        judge: repos of the judge's heads; none for an evaluation by the predictor alone.
        methods: names, see `methods.METHODS`.
        attributes: which are flipped.
        samples: latents a seed.
        seeds: how many sets of latents.
        out: folder of the results.
        pairs: folder of pairs to fit baselines on; sampled if None.
        hub: how the mapping is fetched.
    """

    mapping: str
    judge: tuple[str, ...]
    methods: tuple[str, ...]
    attributes: tuple[str, ...]
    samples: int
    seeds: int
    out: Path
    pairs: Path | None = None
    hub: HubOptions = HUB_DEFAULTS

    @property
    def tasks(self) -> list[Task]:
        """All tasks; a kill loses the last seed first, so that what is there covers every method."""
        return [Task(m, a, s) for s in range(self.seeds) for a in self.attributes for m in self.methods]

    def open(self) -> Methods:
        """The methods' editors."""
        return Methods(self.mapping, self.out, self.pairs, self.hub)


def run(plan: Plan, *, workers: int, fresh: bool = False) -> Iterator[tuple[Task, dict]]:
    """Do what is not yet done.

    Args:
        plan: what to do; its baselines are fitted already (`Methods.fit`).
        workers: processes.
        fresh: do all of it again.

    Yields:
        Every task of the plan and its record (`Result` as JSON): first those that were there, then the others as they
        finish.
    """
    marks = fingerprints(plan)
    path = plan.out / "tasks.jsonl"
    for folder in plan.tasks[0].files(plan.out):
        folder.parent.mkdir(parents=True, exist_ok=True)
    lines = [] if fresh else _lines(path)
    done = {Task(*line["task"]): line["result"] for line in lines if line["mark"] == marks.get(line["task"][0])}
    done = {
        task: done[task] for task in plan.tasks if task in done and all(file.is_file() for file in task.files(plan.out))
    }
    rest = [task for task in plan.tasks if task not in done]
    # a task that is done again leaves its files first: the line of the former ones must not speak for them
    _write(path, [line for line in lines if Task(*line["task"]) not in rest])
    yield from done.items()
    if not rest:
        return
    reference(plan, plan.open())
    records = in_parallel(partial(_do, plan=plan), rest, workers=workers, load=_load, arguments=(plan,))
    with path.open("a") as file:
        for task, record in zip(rest, records, strict=True):
            file.write(json.dumps({"task": task, "mark": marks[task.method], "result": record}) + "\n")
            file.flush()
            yield task, record


def fingerprints(plan: Plan) -> dict[str, str]:
    """Method to a digest of all that its figures depend on."""
    methods = plan.open()
    shared = {"version": [_VERSION, version("sgf-hub")], "models": models(plan, methods), "samples": plan.samples}
    found = {}
    for name in plan.methods:
        text = json.dumps([shared, name, methods.settings(name), methods.mark(name)], sort_keys=True)
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def models(plan: Plan, methods: Methods) -> dict[str, str]:
    """Every repo that takes part, to a digest of its configuration and weights."""
    return methods.models | digests([], plan.judge, plan.hub.of_parts)


def reference(plan: Plan, methods: Methods) -> Reference:
    """Unedited samples as the judge sees them, or the predictor where there is none; drawn once a folder."""
    text = json.dumps([_VERSION, version("sgf-hub"), models(plan, methods)], sort_keys=True)
    mark, path = hashlib.sha256(text.encode()).hexdigest()[:16], plan.out / "reference.safetensors"
    found = Reference.load(path, mark)
    if found is None:
        found = Reference.of(methods.sgf, _judge(plan) or methods.sgf.predictor)
        part = path.with_suffix(".part")
        found.save(part, mark)
        os.replace(part, path)
    return found


def _judge(plan: Plan) -> Predictor | None:
    return load_predictor(plan.judge, **vars(plan.hub.of_parts)) if plan.judge else None


_loaded: dict[str, Any] = {}  # of a worker process


def _load(plan: Plan) -> None:
    methods = plan.open()
    _loaded.update(methods=methods, judge=_judge(plan), reference=reference(plan, methods))


def _do(task: Task, plan: Plan) -> dict:
    methods: Methods = _loaded["methods"]
    evaluation = evaluate_flip(
        methods.editor(task.method),
        _loaded["judge"],
        methods.config(task.method),
        task.attribute,
        _loaded["reference"],
        samples=plan.samples,
        seed=task.seed,
    )
    _keep(evaluation, *task.files(plan.out))
    return json.loads(json.dumps({"method": task.method, **asdict(evaluation.result)}))


def _keep(evaluation: Evaluation, latents: Path, edited: Path) -> None:
    for path, write in ((latents, evaluation.after[:PICTURES].save), (edited, evaluation.edited.save)):
        part = path.with_suffix(".part")
        write(part)
        os.replace(part, path)


def _lines(path: Path) -> list[dict]:
    """The finished tasks; a line that a kill tore is none."""
    found = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.keys() == {"task", "mark", "result"}:
            found.append(line)
    return found


def _write(path: Path, lines: list[dict]) -> None:
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.replace(part, path)
