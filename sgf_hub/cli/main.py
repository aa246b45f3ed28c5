"""The command `sgf-hub`: edit, look at the zoo, draw data, train, measure.

A mistake of the user's ends in one line on stderr and exit code 2; results are JSON on stdout.
"""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sgf_hub.cli.edit import edit
from sgf_hub.cli.evaluate import evaluate, make_folder
from sgf_hub.cli.fit import fit
from sgf_hub.cli.generators import convert, fetch, inspect
from sgf_hub.cli.measure import app as measure_app
from sgf_hub.cli.people import label
from sgf_hub.cli.people import study as study_app
from sgf_hub.cli.project import project
from sgf_hub.cli.publish import cards, push, push_space
from sgf_hub.cli.train import app as train_app
from sgf_hub.cli.train import sample_pairs
from sgf_hub.cli.zoo import app as zoo_app
from sgf_hub.errors import BadValueError, SGFError

_USAGE: type[Exception] = typer.BadParameter.__mro__[1]  # click's UsageError, which some versions of typer carry along
_STOPPED = 130  # exit code after Ctrl-C
_DISK = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Edit what a GAN draws, by wishes."
)
data_app = typer.Typer(no_args_is_help=True, help="The drawn pictures that the embedded models learned from.")
app.add_typer(zoo_app, name="zoo")
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")
app.add_typer(measure_app, name="measure")
app.add_typer(study_app, name="study")
app.command("edit")(edit)
app.command("sample-pairs")(sample_pairs)
app.command("evaluate")(evaluate)
app.command("fit")(fit)
app.command("project")(project)
app.command("convert")(convert)
app.command("inspect")(inspect)
app.command("fetch")(fetch)
app.command("label")(label)
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


def _refused(sentence: str) -> int:
    typer.echo(f"sgf-hub: {sentence}", err=True)
    return 2


def _misused(error: Any) -> int:
    """Tell what is wrong with a command line; or show the help, where nothing was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    command = error.ctx.command_path if error.ctx else "sgf-hub"
    return _refused(f"{' '.join(error.format_message().split()).rstrip('.')}; see `{command} --help`.")


Count = Annotated[int, typer.Option(help="How many pictures.")]
Sheet = Annotated[Path, typer.Option(help="The picture to write.")]
SheetSeed = Annotated[str, typer.Option(help="Of the pictures.")]
Side = Annotated[int, typer.Option(help="Side of one picture, in pixels.")]


@data_app.command("avatars")
def data_avatars(
    count: Count = 40, out: Sheet = Path("sheet.png"), seed: SheetSeed = "0", resolution: Side = 128
) -> None:
    """Draw a sheet of avatars."""
    from sgf_hub.data import avatars

    _draw_sheet(avatars.sheet, "faces", count, out, seed, resolution)


@data_app.command("flowers")
def data_flowers(
    count: Count = 40, out: Sheet = Path("sheet.png"), seed: SheetSeed = "0", resolution: Side = 128
) -> None:
    """Draw a sheet of flowers, and tell a caption of each."""
    from sgf_hub.data import flowers
    from sgf_hub.validation import check_seed

    def caption(index: int) -> str:
        at = (check_seed(seed), index)
        return flowers.captions(flowers.sample(at), at, count=1)[0]

    _draw_sheet(flowers.sheet, "flowers", count, out, seed, resolution, caption)


def _draw_sheet(
    sheet: Callable[..., Any], what: str, count: int, out: Path, seed: str, resolution: int,
    caption: Callable[[int], str] | None = None,
) -> None:  # fmt: skip
    from PIL import Image

    from sgf_hub.validation import check_seed

    if out.suffix.lower() not in Image.registered_extensions():
        raise BadValueError(f"--out is {str(out)!r}; give a picture's name, such as sheet.png.")
    if not 1 <= count <= 10_000:
        raise BadValueError(f"--count is {count}; it must be from 1 to 10000.")
    if count * resolution**2 > 2**28:
        raise BadValueError(f"{count} {what} of {resolution} px make too large a sheet: ask for fewer or smaller ones.")
    picture = Image.fromarray(sheet(count, seed=check_seed(seed), resolution=resolution))
    make_folder(out.parent)
    picture.save(out)
    more = {"captions": [caption(index) for index in range(count)]} if caption else {}
    typer.echo(json.dumps({"out": str(out), what: count, **more}))
