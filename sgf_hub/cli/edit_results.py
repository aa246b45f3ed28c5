"""What `sgf-hub edit` writes: one picture with every step of its way, or the pictures of many seeds and a table."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sgf_hub.cli.evaluate import make_folder

if TYPE_CHECKING:  # torch takes seconds to import: --help is shown without it
    from sgf_hub.editing.changes import Ends
    from sgf_hub.editing.config import EditConfig, EditRequest
    from sgf_hub.editing.trajectory import Editor, EditStep, Trajectory
    from sgf_hub.types import Latent

_ON_SHEET, _IN_ROW = 24, 4  # pairs of pictures


@dataclass(frozen=True)
class EditJob:
    """What is asked for, checked.

    Args:
        mapping: as it was named.
        editor: with its generator and predictor.
        generator_name: its repo.
        request: for every picture; without a wish where a direction says where to go.
        config: when an edit stops, what it moves.
        out: an existing folder.
        console: where progress is shown.
        asked: what trajectory.json tells of it beside the mapping: a sentence, or a direction.
    """

    mapping: str
    editor: "Editor"
    generator_name: str
    request: "EditRequest"
    config: "EditConfig"
    out: Path
    console: Console
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def predictor(self) -> Any:
        """The editor's."""
        return self.editor.predictor

    @property
    def caption(self) -> Any:
        """The sentence, where the mapping is one of captions."""
        return self.request.wishes.get("caption") if self.predictor.spec.caption else None

    def distance(self, step: "EditStep", sample: int = 0) -> dict[str, float]:
        """How far a sample of a step is from what was asked, where something was."""
        return {"distance": round(step.distance[sample].item(), 4)} if self.request.wishes else {}

    def changes(self, before: Any, after: Any) -> dict[str, dict[str, list]]:
        """What an edit changed between two pictures' c, [C] each: {name: [from, to]}, of attributes and of keypoints.

        `changed` are the wishes, and whatever else moved visibly; `excluded` are attributes that had to change, since
        they exclude one that was asked for.
        """
        from sgf_hub.editing.changes import changes, moved_points

        spec, request = self.predictor.spec, self.request
        found = changes(spec, before, after, request.wishes, request.release)
        changed = _rounded({**found.asked, **found.others, **found.freed})
        asked = [name for name in spec.keypoints if name in request.wishes]
        for name in dict.fromkeys((*asked, *moved_points(spec, before, after))):
            changed[name] = [[round(v, 4) for v in c[spec.index(name)].tolist()] for c in (before, after)]
        return {"changed": changed, "excluded": _rounded(found.excluded)}

    def read(self, c: Any) -> dict[str, str]:
        """The caption of a picture, where the mapping is one of captions."""
        return {} if self.caption is None else {"caption": self.predictor.words(c)[0]}


def _rounded(ends: "Ends") -> dict[str, list]:
    return {name: [round(p, 3) for p in pair] for name, pair in ends.items()}


def edit_one(job: EditJob, start: "Latent") -> None:
    """Edit one picture; write before.png, after.png, steps.gif, latent.safetensors and trajectory.json.

    Args:
        job: what to do.
        start: its latent.
    """
    from sgf_hub.data.pictures import save_gif, shown_side, to_pictures
    from sgf_hub.editing.trajectory import Trajectory

    editor, predictor, caption, out = job.editor, job.predictor, job.caption, job.out
    trajectory = Trajectory(predictor.spec, job.config)
    with job.console.status("editing") as status:
        for step in editor.steps(start, job.request, job.config):
            trajectory.add(step)
            progress = f"distance {step.distance.item():.2f} (at most 1 is close)" * bool(job.request.wishes)
            status.update(escape("  ".join((f"step {step.index}", progress, *job.read(step.c).values()))))
    result, reason = trajectory.result, trajectory.reasons[0]
    assert reason is not None
    side = shown_side(result.images.shape[-1])
    frames = [to_pictures(step.images, side=side)[0] for step in trajectory.steps[: trajectory.chosen[0] + 1]]
    frames[0].save(out / "before.png")
    frames[-1].save(out / "after.png")
    save_gif(frames, out / "steps.gif")
    result.latent.save(out / "latent.safetensors", generator=job.generator_name)
    summary: dict[str, Any] = {
        "stop_reason": reason.value,
        "step": trajectory.chosen[0],
        "steps": trajectory.taken[0],
        **job.distance(result),
        **_outlyingness(result),
    }
    ends = trajectory.first.c, result.c
    if caption is None:
        summary.update(job.changes(ends[0][0], ends[1][0]))
    else:
        summary["caption"] = [job.read(c)["caption"] for c in ends]
        summary["similarity"] = [round(predictor.similarity(c, caption).item(), 4) for c in ends]
    path = [
        {
            "step": s.index,
            **job.distance(s),
            **_outlyingness(s),
            "c": [round(v, 4) for v in s.c[0].tolist()],
            **job.read(s.c),
        }
        for s in trajectory.steps
    ]
    detail = {"mapping": job.mapping, "names": list(predictor.spec.names), **job.asked, "path": path, **summary}
    (out / "trajectory.json").write_text(json.dumps(detail, indent=1))
    typer.echo(json.dumps(summary))
    if job.request.wishes and reason.value != "target reached":
        typer.echo(reason.advice, err=True)


def _outlyingness(step: "EditStep", sample: int = 0) -> dict[str, float]:
    """How far out of the latents' distribution a sample of a step is, where that is known."""
    return {} if step.outlyingness is None else {"outlyingness": round(step.outlyingness[sample].item(), 4)}


def edit_many(job: EditJob, seeds: list[int], truncation: float) -> None:
    """Edit the pictures of seeds; write results.csv, latents.safetensors, before/, after/ and sheet.png.

    Args:
        job: what to do with each.
        seeds: of the pictures.
        truncation: of the sampling.
    """
    from sgf_hub.data.pictures import labelled_sheet
    from sgf_hub.editing.batch import edit_seeds

    results = _Results(job)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    batches = edit_seeds(job.editor, seeds, job.request, job.config, truncation=truncation)
    try:
        with Progress(*columns, console=job.console, disable=not job.console.is_terminal) as progress:
            bar = progress.add_task("editing", total=len(seeds))
            for chosen, trajectory in batches:
                moving = trajectory.reasons.count(None)
                done = len(results.rows) + len(chosen) - moving
                progress.update(bar, completed=done, description=f"editing, step {trajectory.result.index}")
                if not moving:
                    results.add(chosen, trajectory)
                    if not job.console.is_terminal:
                        typer.echo(f"{done}/{len(seeds)} pictures edited", err=True)
    finally:  # what is done is kept, whatever becomes of the rest
        results.save()
    labelled_sheet(results.shown).save(job.out / "sheet.png")
    typer.echo(json.dumps(results.summary()))


@dataclass
class _Results:
    """What came of many edits, and the files of it.

    Args:
        job: what was asked for.
        rows: of the table.
        latents: of every batch.
        shown: rows of the sheet.
    """

    job: EditJob
    rows: list[dict[str, Any]] = field(default_factory=list)
    latents: list["Latent"] = field(default_factory=list)
    shown: list[list[tuple[str, Any]]] = field(default_factory=list)

    def add(self, seeds: Sequence[int], trajectory: "Trajectory") -> None:
        """Take in a batch that has come to its end, and write its pictures."""
        from sgf_hub.data.pictures import to_pictures

        before, result, out = trajectory.first, trajectory.result, self.job.out
        self.latents.append(result.latent)
        columns = (self._changes if self.job.caption is None else self._captions)(before.c, result.c)
        pictures = {"before": to_pictures(before.images), "after": to_pictures(result.images)}
        for folder in pictures:
            make_folder(out / folder)
        for at, (seed, reason) in enumerate(zip(seeds, result.reasons, strict=True)):
            ended = reason.value if reason else ""
            measured = {
                "step": trajectory.chosen[at],
                "steps": trajectory.taken[at],
                **self.job.distance(result, at),
                **_outlyingness(result, at),
            }
            self.rows.append({"seed": seed, "stop_reason": ended, **measured, **columns[at]})
            for folder, every in pictures.items():
                every[at].save(out / folder / f"{seed}.png")
            if len(self.rows) <= _ON_SHEET:
                if len(self.rows) % _IN_ROW == 1:
                    self.shown.append([])
                self.shown[-1] += [(str(seed), pictures["before"][at]), (ended, pictures["after"][at])]

    def _changes(self, before: Any, after: Any) -> list[dict[str, Any]]:
        """Each asked name before and after, and what else changed."""
        job, rows = self.job, []
        for c0, c1 in zip(before, after, strict=True):
            moved = job.changes(c0, c1)["changed"]
            row: dict[str, Any] = {}
            for name in job.request.wishes:
                for when, value in zip(("before", "after"), moved[name], strict=True):
                    if name in job.predictor.spec.attributes:
                        row[f"{name}_{when}"] = value
                    else:
                        row[f"{name}.x_{when}"], row[f"{name}.y_{when}"] = value
            others = [name for name in moved if name not in job.request.wishes and name not in job.request.release]
            rows.append({**row, "others_changed": len(others), "which_others": " ".join(others)})
        return rows

    def _captions(self, before: Any, after: Any) -> list[dict[str, Any]]:
        """The caption before and after, and how near it is to what was asked for."""
        predictor = self.job.predictor
        table: dict[str, list] = {}
        for when, c in (("before", before), ("after", after)):
            table[f"caption_{when}"] = predictor.words(c)
            table[f"similarity_{when}"] = [round(one, 4) for one in predictor.similarity(c, self.job.caption).tolist()]
        return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]

    def save(self) -> None:
        """Write the table and the latents, in the same order."""
        import torch

        from sgf_hub.types import Latent

        if not self.rows:
            return
        with (self.job.out / "results.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        every = Latent(torch.cat([one.data for one in self.latents]), self.latents[0].space)
        every.save(self.job.out / "latents.safetensors", generator=self.job.generator_name)

    def summary(self) -> dict[str, Any]:
        """The line that is printed."""
        reasons = Counter(row["stop_reason"] for row in self.rows)
        means = ("steps", "others_changed", "similarity_before", "similarity_after")
        return {
            "edits": len(self.rows),
            **({"reached": round(reasons["target reached"] / len(self.rows), 4)} if self.job.request.wishes else {}),
            "stop_reasons": dict(reasons),
            **{
                f"mean_{name}": round(sum(row[name] for row in self.rows) / len(self.rows), 4)
                for name in means
                if name in self.rows[0]
            },
        }
