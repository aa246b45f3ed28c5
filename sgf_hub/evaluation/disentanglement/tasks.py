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
from sgf_hub.evaluation.disentanglement.methods import Methods, digests
from sgf_hub.evaluation.pool import in_parallel
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.predictors import load_predictor

PICTURES = 16  # samples whose edits are kept as latents, of every task
_VERSION = 2  # of what is measured; raised when the same models would give other figures


class Task(NamedTuple):
    """One method's edits of one attribute of one seed's samples."""

    method: str
    attribute: str
    seed: int

    @property
    def latents(self) -> str:
        """The file of the first results' latents."""
        return f"{self.method}-{self.attribute}-{self.seed}.safetensors"


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
    path, latents = plan.out / "tasks.jsonl", plan.out / "latents"
    latents.mkdir(parents=True, exist_ok=True)
    lines = [] if fresh else _lines(path)
    done = {Task(*line["task"]): line["result"] for line in lines if line["mark"] == marks.get(line["task"][0])}
    done = {task: done[task] for task in plan.tasks if task in done and (latents / task.latents).is_file()}
    _write(path, lines)
    yield from done.items()
    rest = [task for task in plan.tasks if task not in done]
    if not rest:
        return
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


_loaded: dict[str, Any] = {}  # of a worker process


def _load(plan: Plan) -> None:
    _loaded.update(
        methods=plan.open(), judge=load_predictor(plan.judge, **vars(plan.hub.of_parts)) if plan.judge else None
    )


def _do(task: Task, plan: Plan) -> dict:
    methods: Methods = _loaded["methods"]
    evaluation = evaluate_flip(
        methods.editor(task.method),
        _loaded["judge"],
        methods.config(task.method),
        task.attribute,
        samples=plan.samples,
        seed=task.seed,
    )
    _keep(evaluation, plan.out / "latents" / task.latents)
    return json.loads(json.dumps({"method": task.method, **asdict(evaluation.result)}))


def _keep(evaluation: Evaluation, path: Path) -> None:
    part = path.with_suffix(".part")
    evaluation.after[:PICTURES].save(part)
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
