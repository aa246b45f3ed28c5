"""`sgf-hub edit --seeds`: the files and the table that come of many edits."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sgf_hub.cli.evaluate import make_folder

if TYPE_CHECKING:  # torch takes seconds to import: --help is shown without it
    from sgf_hub.cli.edit import Job
    from sgf_hub.editing.batch import Outcome
    from sgf_hub.types import Latent

_ON_SHEET, _IN_ROW = 24, 4  # pairs of pictures


def edit_many(job: "Job", seeds: list[int], truncation: float) -> None:
    """Edit the pictures of seeds; write results.csv, latents.safetensors, before/, after/ and sheet.png.

    Args:
        job: what to do with each.
        seeds: of the pictures.
        truncation: of the sampling.
    """
    from sgf_hub.data.pictures import told_sheet
    from sgf_hub.editing.batch import edit_seeds

    results = _Results(job)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    batches = edit_seeds(job.editor, seeds, job.wishes, job.config, release=job.release, truncation=truncation)
    try:
        with Progress(*columns, console=job.console, disable=not job.console.is_terminal) as progress:
            bar = progress.add_task("editing", total=len(seeds))
            for chosen, outcome in batches:
                done = len(results.rows) + len(chosen) - outcome.moving
                progress.update(bar, completed=done, description=f"editing, step {outcome.step}")
                if not outcome.moving:
                    results.add(chosen, outcome)
                    if not job.console.is_terminal:
                        typer.echo(f"{done}/{len(seeds)} pictures edited", err=True)
    finally:  # what is done is kept, whatever becomes of the rest
        results.save()
    told_sheet(results.shown).save(job.out / "sheet.png")
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

    job: "Job"
    rows: list[dict[str, Any]] = field(default_factory=list)
    latents: list["Latent"] = field(default_factory=list)
    shown: list[list[tuple[str, Any]]] = field(default_factory=list)

    def add(self, seeds: Sequence[int], outcome: "Outcome") -> None:
        """Take in a batch that has come to its end, and write its pictures."""
        from sgf_hub.data.pictures import to_pictures

        before, result, out = outcome.before, outcome.result, self.job.out
        self.latents.append(result.latent)
        columns = (self._changes if self.job.caption is None else self._captions)(before.c, result.c)
        pictures = {"before": to_pictures(before.images), "after": to_pictures(result.images)}
        for folder in pictures:
            make_folder(out / folder)
        for at, (seed, reason) in enumerate(zip(seeds, result.reasons, strict=True)):
            told = reason.value if reason else ""
            measured = {"steps": outcome.taken[at], "distance": round(result.distance[at].item(), 4)}
            self.rows.append({"seed": seed, "stop_reason": told, **measured, **columns[at]})
            for folder, every in pictures.items():
                every[at].save(out / folder / f"{seed}.png")
            if len(self.rows) <= _ON_SHEET:
                if len(self.rows) % _IN_ROW == 1:
                    self.shown.append([])
                self.shown[-1] += [(str(seed), pictures["before"][at]), (told, pictures["after"][at])]

    def _changes(self, before: Any, after: Any) -> list[dict[str, Any]]:
        """Each asked name before and after, and what else changed."""
        from sgf_hub.editing.batch import changes

        job, rows = self.job, []
        for c0, c1 in zip(before, after, strict=True):
            moved = changes(job.sees.spec, c0, c1, job.wishes)
            row: dict[str, Any] = {}
            for name in job.wishes:
                for when, value in zip(("before", "after"), moved[name], strict=True):
                    if name in job.sees.spec.attributes:
                        row[f"{name}_{when}"] = value
                    else:
                        row[f"{name}.x_{when}"], row[f"{name}.y_{when}"] = value
            others = [name for name in moved if name not in job.wishes and name not in job.release]
            rows.append({**row, "others_changed": len(others), "which_others": " ".join(others)})
        return rows

    def _captions(self, before: Any, after: Any) -> list[dict[str, Any]]:
        """The caption before and after, and how near it is to what was asked for."""
        sees = self.job.sees
        table: dict[str, list] = {}
        for when, c in (("before", before), ("after", after)):
            table[f"caption_{when}"] = sees.words(c)
            table[f"similarity_{when}"] = [round(one, 4) for one in sees.similarity(c, self.job.caption).tolist()]
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
        every.save(self.job.out / "latents.safetensors", generator=self.job.editor.mapping.generator_name)

    def summary(self) -> dict[str, Any]:
        """The line that is printed."""
        reasons = Counter(row["stop_reason"] for row in self.rows)
        means = ("steps", "others_changed", "similarity_before", "similarity_after")
        return {
            "edits": len(self.rows),
            "reached": round(reasons["target reached"] / len(self.rows), 4),
            "stop_reasons": dict(reasons),
            **{
                f"mean_{name}": round(sum(row[name] for row in self.rows) / len(self.rows), 4)
                for name in means
                if name in self.rows[0]
            },
        }
