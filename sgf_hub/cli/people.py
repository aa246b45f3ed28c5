"""What people look at: `sgf-hub label`, labels from contact sheets, and `sgf-hub study summarise`, blind votes."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sgf_hub.cli.evaluate import make_folder
from sgf_hub.cli.generators import Revision, Token
from sgf_hub.errors import BadValueError

study = typer.Typer(no_args_is_help=True, help="The blind votes between methods (the paper's user study).")


def label(
    folder: Annotated[Path, typer.Argument(help="Of the sheets; it is made.")],
    generator: Annotated[str, typer.Option(help="Whose pictures: a zoo entry, a Hub id, a file.")] = "",
    attributes: Annotated[str, typer.Option(help="What to look for: names, with commas between.")] = "",
    first: Annotated[int, typer.Option(help="Seed of the first picture.")] = 5_000,
    count: Annotated[int, typer.Option(help="How many.")] = 1_000,
    out: Annotated[Path | None, typer.Option(help="Read the filled-in sheets, and write this table (.csv).")] = None,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Write sheets of 50 pictures with a text file beside each; or, with --out, make a table of the filled-in ones.

    In a text file a line is the name of an attribute and the numbers of the pictures that have it; the line "unclear"
    is for pictures of which nothing can be told.
    """
    from sgf_hub.data.labels import read_sheets, write_labels, write_sheets

    if out is not None:
        if out.suffix != ".csv":
            raise BadValueError(f"--out is {str(out)!r}; give a table's name, such as labels.csv.")
        labels = read_sheets(folder)
        make_folder(out.parent)
        write_labels(labels, out)
        shares = dict(zip(labels.attributes, (labels.values == 1).mean(0).round(4).tolist(), strict=True))
        typer.echo(json.dumps({"out": str(out), "pictures": len(labels), "shares": shares}))
        return
    if not generator or not attributes:
        raise BadValueError("give --generator and --attributes to write sheets, or --out to read filled-in ones.")
    if folder.exists() and not folder.is_dir():
        raise BadValueError(f"{str(folder)!r} is a file; give a folder for the sheets.")
    from sgf_hub.generators import load_generator

    names = [name.strip() for name in attributes.split(",")]
    drawing = load_generator(generator, revision=revision, token=token)
    made = write_sheets(drawing, names, folder, first=first, count=count)
    typer.echo(json.dumps({"folder": str(folder), "sheets": len(made)}))


@study.command()
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
