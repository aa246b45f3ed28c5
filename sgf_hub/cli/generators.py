"""`sgf-hub convert`, `inspect` and `fetch`: what others trained, and what a source is."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sgf_hub.errors import BadValueError

Source = Annotated[
    str,
    typer.Argument(help="A checkpoint file, a folder, a zoo entry, or a Hub id (owner/name, owner/name/file.pkl)."),
]
ClassLabel = Annotated[int | None, typer.Option(help="Which class to draw, for a network of several.")]
Revision = Annotated[str | None, typer.Option(help="Of the named Hub repo: a branch, a tag, or a commit.")]
Token = Annotated[str | None, typer.Option(help="Of the Hub; the one that is logged in by default.")]


def convert(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder to write; new, empty, or an earlier conversion.")],
    revision: Revision = None,
    class_label: ClassLabel = None,
    token: Token = None,
) -> None:
    """Convert a GAN of another project to safetensors, so that its checkpoint is needed once."""
    from sgf_hub.generators import convert as run

    with Console(stderr=True).status("converting"):
        generator = run(source, out, class_label=class_label, revision=revision, token=token)
    made = json.loads((out / "source.json").read_text())
    size = sum(file.stat().st_size for file in out.iterdir())
    typer.echo(json.dumps({"out": str(out), "class": type(generator).__name__, "bytes": size, **made}))


def inspect(
    source: Source,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Tell what a generator or mapping is, and whether it can be loaded, without building or running it."""
    from sgf_hub.generators import inspect as run

    description = run(source, revision=revision, token=token)
    if as_json:
        typer.echo(json.dumps(asdict(description), indent=1))
        return
    rows = {
        "source": description.source,
        "format": description.format,
        "architecture": description.architecture,
        "resolution": description.resolution and f"{description.resolution} px",
        "latent space": description.latent_space
        and f"{description.latent_space.upper()}, {description.latent_dim} dimensions",
        "layers": description.layers,
        "channels": description.channels,
        "classes": description.classes
        and f"{description.classes}: say which with --class-label 0 to {description.classes - 1}",
        "parameters": description.parameters and f"{description.parameters:,}",
        "size": f"{description.size / 2**20:.1f} MB",
        "can be loaded": "yes" if description.loadable else f"no: {description.reason}",
        "can be edited": description.editable,
        "notes": "; ".join(description.notes),
    }
    table = Table(show_header=False)
    for name, value in rows.items():
        if value not in (None, ""):
            table.add_row(name, escape(str(value)))
    Console().print(table)


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Entries of the zoo; all that are fetched by default.")
    ] = None,
) -> None:
    """Fetch what is not part of the zoo, check it, and convert it; what is here already stays."""
    from sgf_hub.hub.names import NAMESPACE, entries, locate

    known = {entry.name: entry for entry in entries() if entry.fetched}
    for name in names or known:
        bare = name.removeprefix(NAMESPACE + "/")
        if bare not in known:
            raise BadValueError(f"{name!r} is not fetched; what is: {', '.join(known) or 'nothing'}.")
        locate(bare, files=("config.json", "model.safetensors"))
        typer.echo(json.dumps({"name": bare, "bytes": known[bare].size}))
