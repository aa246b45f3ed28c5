"""The commands `sgf-hub push`, `push-space` and `cards`: to the Hub, and what is read there first."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sgf_hub.cli.generators import Token
from sgf_hub.errors import BadValueError
from sgf_hub.hub.kinds import role_of
from sgf_hub.hub.options import PushOptions

if TYPE_CHECKING:
    from sgf_hub.hub.publishing.upload import Upload

Namespace = Annotated[str | None, typer.Option(help="Whose the repos are to be: you, or an organization.")]
Private = Annotated[bool, typer.Option("--private", help="Make new repos private.")]
Message = Annotated[str, typer.Option("--message", help="Of the commit.")]
Branch = Annotated[str | None, typer.Option("--revision", help="The branch to push to, made if need be.")]
PullRequest = Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be pushed, and push nothing.")]


def push(
    name: Annotated[str | None, typer.Argument(help="An entry of the embedded zoo, or a folder.")] = None,
    namespace: Namespace = None,
    private: Private = False,
    message: Message = PushOptions.commit_message,
    revision: Branch = None,
    create_pr: PullRequest = False,
    token: Token = None,
    dry_run: DryRun = False,
    everything: Annotated[bool, typer.Option("--all", help="The whole embedded zoo, and a Collection of it.")] = False,
) -> None:
    """Push a model to the Hub: weights, config, card and figures, in one commit. What is there already is not sent."""
    from sgf_hub.hub.publishing.push import COLLECTION, gather, plan, plan_all
    from sgf_hub.hub.publishing.upload import send

    if (name is None) != everything:
        raise BadValueError("give the name of one model or folder, or --all for the whole zoo.")
    options = PushOptions(commit_message=message, private=private, revision=revision, create_pr=create_pr, token=token)
    uploads = plan_all(namespace=namespace) if name is None else plan([name], namespace=namespace, token=token)
    for upload in uploads:
        for note in upload.notes:
            typer.echo(f"note: {note}", err=True)
    if dry_run:
        return _tell(uploads)
    pushed = []
    for upload in uploads:
        sent = send(upload, options)
        pushed.append({"repo": sent.repo_id, "url": sent.url, "commit": sent.commit})
        typer.echo(f"{sent.repo_id}: {'pushed' if sent.commit else 'nothing has changed'}", err=True)
    summary: dict = {"pushed": pushed}
    if everything:
        summary["collection"] = gather(uploads, options)
        typer.echo(f"{COLLECTION}: {len(uploads)} models", err=True)
    typer.echo(json.dumps(summary, indent=1))


def push_space(
    namespace: Namespace = None,
    name: Annotated[str, typer.Option(help="Of the Space.")] = "sgf-hub",
    private: Private = False,
    message: Message = PushOptions.commit_message,
    revision: Branch = None,
    create_pr: PullRequest = False,
    token: Token = None,
    dry_run: DryRun = False,
) -> None:
    """Push the demo to the Hub as a Space, with the embedded zoo in it."""
    from sgf_hub.hub.publishing.space import space_upload
    from sgf_hub.hub.publishing.upload import send, whoami

    options = PushOptions(commit_message=message, private=private, revision=revision, create_pr=create_pr, token=token)
    upload = space_upload(namespace or whoami(token), name)
    if dry_run:
        return _tell([upload])
    sent = send(upload, options)
    typer.echo(json.dumps({"pushed": [{"space": sent.repo_id, "url": sent.url, "commit": sent.commit}]}, indent=1))


def cards(
    names: Annotated[
        list[str] | None, typer.Argument(help="Entries of the zoo, or folders; the whole zoo else.")
    ] = None,
    strips: Annotated[bool, typer.Option("--strips", help="Draw the strips of pictures anew, too.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a card is not up to date.")] = False,
) -> None:
    """Write model cards: README.md, and the strip of pictures that it shows."""
    from sgf_hub.cli.measure import entry_folder
    from sgf_hub.evaluation.strip import draw_strip
    from sgf_hub.hub.kinds import kind_of
    from sgf_hub.hub.names import entries
    from sgf_hub.hub.publishing.cards import CARD, STRIP, fresh_card, write_card
    from sgf_hub.validation import read_json

    folders = [entry_folder(name) for name in names] if names else [entry.path for entry in entries()]
    for folder in folders:
        if check:
            if not (folder / CARD).is_file() or (folder / CARD).read_text("utf-8") != fresh_card(folder):
                raise BadValueError(f"the card of {folder.name} is not up to date: run `sgf-hub cards {folder.name}`.")
            continue
        shows = role_of(kind_of(read_json(folder / "config.json"))) in ("mapping", "generator")
        if shows and (strips or not (folder / STRIP).is_file()):
            draw_strip(folder)
        typer.echo(str(write_card(folder)))


def _tell(uploads: "list[Upload]") -> None:
    """What would be pushed."""
    planned = [{"repo": one.repo_id, "kind": one.kind, "bytes": sum(one.sizes.values()), "files": one.sizes}
            for one in uploads]  # fmt: skip
    typer.echo(json.dumps({"would push": planned}, indent=1))
