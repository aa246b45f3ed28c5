"""The command `sgf-hub study summarise`: what voters preferred, with what certainty."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The blind votes between methods (the paper's user study).")


@app.command()
def summarise(
    paths: Annotated[list[Path], typer.Argument(help="Files of votes (.jsonl), or folders of them: a dataset repo's.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """Count votes by pair of methods, with Wilson's 95 % interval; votes that could not tell stand beside."""
    from rich.console import Console
    from rich.table import Table

    from sgf_hub.evaluation.user_study import read, rows, tally

    box = read(paths)
    if box.remark:
        typer.echo(f"sgf-hub: {box.remark}", err=True)
    found = rows(tally(box.votes))
    if as_json:
        typer.echo(json.dumps({"votes": len(box.votes), "damaged": box.damaged, "pairs": found}, indent=1))
        return
    titles = ("first", "second", "wish", "votes", "first won", "second won", "cannot tell", "share", "95 % interval")
    table = Table(*titles)
    for row in found:
        for wish, one in (("all", row), *row["wishes"].items()):
            numbers = (one["wins"] + one["losses"] + one["ties"], one["wins"], one["losses"], one["ties"])
            share = "-" if one["share"] is None else f"{one['share']:.3f}"
            interval = "-" if one["share"] is None else "{:.3f} to {:.3f}".format(*one["interval"])
            ends = wish == list(row["wishes"])[-1]
            table.add_row(row["first"], row["second"], wish, *map(str, numbers), share, interval, end_section=ends)
    Console(width=max(Console().width, 110)).print(table)
    typer.echo(f"{len(box.votes)} votes. The share is the first method's among the votes that chose one.")
