"""`sgf-hub zoo`: what is in the embedded zoo, what of it is stale, and making it anew."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="The embedded models.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def zoo_list(as_json: AsJson = False) -> None:
    """What is in the embedded zoo."""
    from sgf_hub.hub.names import entries

    found = entries()
    if as_json:
        rows = [{"name": e.name, "kind": e.kind, "bytes": e.size, "path": str(e.path)} for e in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("name", "kind", "size")
    for entry in found:
        table.add_row(entry.name, entry.kind, f"{entry.size / 2**20:.1f} MB")
    Console().print(table)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Which entries are made, missing, or stale: made from others that were made anew since."""
    from sgf_hub.hub.names import root
    from sgf_hub.training.zoo import Zoo

    states = Zoo(root(), root().parent).states()
    if as_json:
        rows = [{"writes": s.step.writes, "status": s.status, "why": s.why} for s in states]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("entries", "status", "why")
    for state in states:
        table.add_row("\n".join(state.step.writes), state.status, state.why)
    Console().print(table)


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Entries; all by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be run, and how long it takes.")] = False,
) -> None:
    """Make what is missing or stale, in order, and what is made from it; a killed build goes on where it was."""
    from sgf_hub.hub.names import root
    from sgf_hub.training.zoo import Zoo

    zoo = Zoo(root(), root().parent)
    if dry_run:
        wanted = zoo.wanted(names or ())
        rows = [{"writes": s.step.writes, "why": s.why, "run": s.step.run, "minutes": s.step.minutes} for s in wanted]
        typer.echo(json.dumps({"steps": rows, "minutes": sum(s.step.minutes for s in wanted)}, indent=1))
        return
    for step, commands in zoo.build(names or ()):
        typer.echo(f"{', '.join(step.writes)}: {'; '.join(commands)}", err=True)
    typer.echo(json.dumps({"made": [state.step.name for state in zoo.states() if state.status == "made"]}))
