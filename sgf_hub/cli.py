"""The command `sgf-hub`: edit, look at the zoo, draw data, train, measure.

A mistake of the user's ends in one line on stderr and exit code 2; results are JSON on stdout.
"""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sgf_hub.errors import BadValueError, SGFError
from sgf_hub.evaluate_cli import evaluate
from sgf_hub.fit_cli import GENERATOR_HELP, PREDICTOR_HELP, fit, load_parts
from sgf_hub.generators_cli import convert, inspect
from sgf_hub.measure_cli import app as measure_app
from sgf_hub.publish_cli import cards, push, push_space
from sgf_hub.training.cli import app as train_app
from sgf_hub.training.cli import sample_pairs

_USAGE: type[Exception] = typer.BadParameter.__mro__[1]  # click's UsageError, which some versions of typer carry along
_STOPPED = 130  # exit code after Ctrl-C
_DISK = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Edit what a GAN draws, by wishes."
)
zoo_app = typer.Typer(no_args_is_help=True, help="The embedded models.")
data_app = typer.Typer(no_args_is_help=True, help="The drawn pictures that the embedded models learned from.")
app.add_typer(zoo_app, name="zoo")
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")
app.add_typer(measure_app, name="measure")
app.command("sample-pairs")(sample_pairs)
app.command("evaluate")(evaluate)
app.command("fit")(fit)
app.command("convert")(convert)
app.command("inspect")(inspect)
app.command("push")(push)
app.command("push-space")(push_space)
app.command("cards")(cards)


def main() -> None:
    """Run the command line."""
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = _STOPPED
    except SGFError as error:
        code = _refused(str(error))
    except _USAGE as error:
        code = _misused(error)
    except OSError as error:
        if error.errno not in _DISK:  # what is not the user's to mend is a bug of ours
            raise
        code = _refused(f"{str(error.filename or 'a file')[:100]!r} cannot be used: {error.strerror}.")
    if code == _STOPPED:
        typer.echo("sgf-hub: stopped; what fits, trains, samples or evaluates goes on with the same command.", err=True)
    raise SystemExit(code if isinstance(code, int) else 0)


def _refused(told: str) -> int:
    typer.echo(f"sgf-hub: {told}", err=True)
    return 2


def _misused(error: Any) -> int:
    """Tell what is wrong with a command line; or show the help, where nothing was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    command = error.ctx.command_path if error.ctx else "sgf-hub"
    return _refused(f"{' '.join(error.format_message().split()).rstrip('.')}; see `{command} --help`.")


@app.command()
def edit(
    mapping: Annotated[str, typer.Argument(help="A zoo entry, a folder, or a Hub id.")],
    seed: Annotated[str | None, typer.Option(help="Of the picture to start from.")] = None,
    latent: Annotated[Path | None, typer.Option(help="Start from this saved latent instead.")] = None,
    wish: Annotated[list[str] | None, typer.Option("--set", help="name=1, name=0, or keypoint=x,y in [0, 1].")] = None,
    caption: Annotated[str | None, typer.Option(help="What to show, for a mapping of captions.")] = None,
    release: Annotated[list[str] | None, typer.Option(help="A name that need not be held.")] = None,
    stepping: Annotated[str, typer.Option(help="'ours', or 'paper' for Algorithm 1 as published.")] = "ours",
    steps: Annotated[int | None, typer.Option(help="At most so many steps.")] = None,
    truncation: Annotated[float, typer.Option(help="Of the picture to start from.")] = 0.8,
    generator: Annotated[str | None, typer.Option(help=f"In place of the mapping's own. {GENERATOR_HELP}")] = None,
    predictor: Annotated[list[str] | None, typer.Option(help=f"In place of its own. {PREDICTOR_HELP}")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
) -> None:
    """Edit a picture; write before.png, after.png, steps.gif, latent.safetensors and trajectory.json."""
    from dataclasses import replace

    from sgf_hub.editor import EditConfig, SGFEditor, Trajectory
    from sgf_hub.pictures import save_gif, shown_side, to_pictures
    from sgf_hub.types import Latent

    if (seed is None) == (latent is None):
        raise BadValueError("give either --seed or --latent, to say which picture to start from.")
    presets = {"ours": EditConfig.ours(), "paper": EditConfig()}
    if stepping not in presets:
        raise BadValueError(f"--stepping is {stepping!r}; choose 'ours' or 'paper'.")
    config = presets[stepping] if steps is None else replace(presets[stepping], max_steps=steps)
    pairs = [_wish(text) for text in wish or []]
    wishes: dict[str, Any] = dict(pairs)
    if len(wishes) < len(pairs):
        raise BadValueError("a name is wished for twice: give one --set a name.")
    start = Latent.load(latent) if latent is not None else None
    editor = SGFEditor.from_pretrained(mapping, **load_parts(generator, tuple(predictor or ())))
    sees: Any = editor.predictor
    if sees.spec.caption and wishes:
        raise BadValueError(f"{mapping} is edited by a sentence: give --caption in place of --set.")
    if caption is not None:
        if not sees.spec.caption:
            raise BadValueError(f"{mapping} takes no sentence: give --set name=value in place of --caption.")
        wishes = {"caption": caption}
    if start is None:
        start = editor.generator.sample(1, seed=_seed(seed), truncation=truncation)
    if len(start) != 1:
        raise BadValueError(f"the latent file holds {len(start)} samples; this command edits one.")
    for name in wishes:
        sees.spec.index(name)  # a wish named "release" is no keyword of ours
    console = Console(stderr=True)
    with console.status("reading the picture"):
        c0 = sees(editor.generator.synthesize(start))
        target = sees.target(c0, release=release or (), **wishes)
        doubt = "" if caption is None else _doubt(sees.familiarity(caption))
    if doubt:
        typer.echo(doubt, err=True)
    _make_folder(out)

    def read(c: Any) -> dict[str, str]:
        return {} if caption is None else {"caption": sees.words(c)[0]}

    trajectory = Trajectory(config.return_best)
    with console.status("editing") as status:
        for step in editor.steps(start, target, config):
            trajectory.steps.append(step)
            progress = f"step {step.index}: distance {step.distance.item():.2f} (at most 1 is close)"
            status.update(escape("  ".join((progress, *read(step.c).values()))))
    result, reason = trajectory.result, trajectory.reasons[0]
    assert reason is not None
    side = shown_side(result.images.shape[-1])
    frames = [to_pictures(step.images, side=side)[0] for step in trajectory.steps[: trajectory.chosen[0] + 1]]
    frames[0].save(out / "before.png")
    frames[-1].save(out / "after.png")
    save_gif(frames, out / "steps.gif")
    result.latent.save(out / "latent.safetensors", generator=editor.mapping.generator_name)
    summary: dict[str, Any] = {
        "stop_reason": reason.value,
        "steps": trajectory.taken()[0],
        "distance": round(result.distance.item(), 4),
    }
    ends = trajectory.steps[0].c, result.c
    if caption is None:
        summary["changed"] = changes(sees.spec, ends[0][0], ends[1][0], wishes)
    else:
        summary["caption"] = [read(c)["caption"] for c in ends]
        summary["similarity"] = [round(sees.similarity(c, caption).item(), 4) for c in ends]
    path = [
        {
            "step": s.index,
            "distance": round(s.distance.item(), 4),
            "c": [round(v, 4) for v in s.c[0].tolist()],
            **read(s.c),
        }
        for s in trajectory.steps
    ]
    asked = {} if caption is None else {"asked": caption}
    detail = {"mapping": mapping, "names": list(sees.spec.names), **asked, "path": path, **summary}
    (out / "trajectory.json").write_text(json.dumps(detail, indent=1))
    typer.echo(json.dumps(summary))
    if reason.value != "target reached":
        typer.echo(reason.advice, err=True)


def changes(spec, before, after, wishes) -> dict:  # noqa: ANN001
    """What an edit changed: every wish, and whatever else moved visibly; {name: [from, to]}.

    Attributes are probabilities, and count as moved from 0.5 on (the paper's threshold); keypoints are (x, y), and
    count from 3% of the side on.
    """
    moved: dict[str, list] = {}
    for name in spec.attributes:
        where = spec.index(name)
        pair = [round((c[where].item() + 1) / 2, 3) for c in (before, after)]
        if name in wishes or abs(pair[1] - pair[0]) > 0.5:
            moved[name] = pair
    for name in spec.keypoints:
        where = spec.index(name)
        if name in wishes or (before[where] - after[where]).norm() > 0.03:
            moved[name] = [[round(v, 4) for v in c[where].tolist()] for c in (before, after)]
    return moved


@zoo_app.command("list")
def zoo_list(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """What is in the embedded zoo."""
    from sgf_hub.zoo import entries

    found = entries()
    if as_json:
        rows = [{"name": e.name, "kind": e.kind, "bytes": e.size, "path": str(e.path)} for e in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("name", "kind", "size")
    for entry in found:
        table.add_row(entry.name, entry.kind, f"{entry.size / 2**20:.1f} MB")
    Console().print(table)


Count = Annotated[int, typer.Option(help="How many pictures.")]
Sheet = Annotated[Path, typer.Option(help="The picture to write.")]
SheetSeed = Annotated[str, typer.Option(help="Of the pictures.")]
Side = Annotated[int, typer.Option(help="Side of one picture, in pixels.")]


@data_app.command("avatars")
def data_avatars(
    count: Count = 40, out: Sheet = Path("sheet.png"), seed: SheetSeed = "0", resolution: Side = 128
) -> None:
    """Draw a sheet of avatars."""
    from sgf_hub.datasets import avatars

    _draw_sheet(avatars.sheet, "faces", count, out, seed, resolution)


@data_app.command("flowers")
def data_flowers(
    count: Count = 40, out: Sheet = Path("sheet.png"), seed: SheetSeed = "0", resolution: Side = 128
) -> None:
    """Draw a sheet of flowers, and tell a caption of each."""
    from sgf_hub.datasets import flowers

    def caption(index: int) -> str:
        at = (_seed(seed), index)
        return flowers.captions(flowers.sample(at), at, count=1)[0]

    _draw_sheet(flowers.sheet, "flowers", count, out, seed, resolution, caption)


def _draw_sheet(
    sheet: Callable[..., Any], what: str, count: int, out: Path, seed: str, resolution: int,
    caption: Callable[[int], str] | None = None,
) -> None:  # fmt: skip
    from PIL import Image

    if out.suffix.lower() not in Image.registered_extensions():
        raise BadValueError(f"--out is {str(out)!r}; give a picture's name, such as sheet.png.")
    if not 1 <= count <= 10_000:
        raise BadValueError(f"--count is {count}; it must be from 1 to 10000.")
    if count * resolution**2 > 2**28:
        raise BadValueError(f"{count} {what} of {resolution} px make too large a sheet: ask for fewer or smaller ones.")
    picture = Image.fromarray(sheet(count, seed=_seed(seed), resolution=resolution))
    _make_folder(out.parent)
    picture.save(out)
    told = {"captions": [caption(index) for index in range(count)]} if caption else {}
    typer.echo(json.dumps({"out": str(out), what: count, **told}))


def _wish(text: str) -> tuple[str, float | list[float]]:
    name, equals, value = text.partition("=")
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if not name or not equals or not numbers:
        raise BadValueError(f"--set {text!r} is not a wish: write name=1, name=0, or keypoint=x,y.")
    return name, numbers[0] if len(numbers) == 1 else numbers


def _doubt(near: Any) -> str:
    """What to say of a sentence that pictures' captions are not known to say."""
    return (
        ""
        if near.known
        else (
            f"no picture is known to have such a caption (the nearest is {near.nearest!r}, with a similarity of "
            f"{near.similarity:.2f}): the edit tries, and may lead anywhere."
        )
    )


def _seed(text: str | None) -> int:
    from sgf_hub.types import check_seed

    return check_seed(text)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadValueError(f"{folder} cannot be made a folder ({error.strerror}): give another --out.") from None
