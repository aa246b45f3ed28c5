"""`sgf-hub label`: label a generator's pictures by eye, from contact sheets."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sgf_hub.cli.evaluate import make_folder
from sgf_hub.cli.generators import Revision, Token
from sgf_hub.errors import BadValueError


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
