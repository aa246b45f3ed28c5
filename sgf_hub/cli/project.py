"""The command `sgf-hub project`: a picture to the latent whose picture comes nearest."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sgf_hub.cli.fit import GENERATOR_HELP, load_generator_of
from sgf_hub.cli.generators import ClassLabel, Revision, Token
from sgf_hub.errors import BadValueError
from sgf_hub.hub.options import HubOptions
from sgf_hub.hub.user_code import is_code

if TYPE_CHECKING:
    from torch import Tensor

    from sgf_hub.inversion.projection import ProjectionConfig, ProjectionStep
    from sgf_hub.inversion.projector import Projector

_LARGEST = 512  # px of the square that a search looks at


def project(
    photo: Annotated[Path, typer.Argument(help="A PNG, JPEG, WebP, AVIF, BMP or GIF picture.")],
    generator: Annotated[str, typer.Option(help=f"{GENERATOR_HELP} Or an encoder.")] = "avatars-stylegan2",
    out: Annotated[Path, typer.Option(help="The latent to write; the picture of it goes beside it, as .png.")] = Path(
        "latent.safetensors"
    ),
    zoom: Annotated[float, typer.Option(help="Into the picture: 1 takes the largest square, 2 half its side.")] = 1.0,
    centre: Annotated[str, typer.Option(help="Of the square, x,y in [0, 1] of the width and the height.")] = "0.5,0.5",
    steps: Annotated[
        int | None, typer.Option(help="Of the search in W, or Z: 100 by default, 300 where there is no encoder.")
    ] = None,
    plus_steps: Annotated[
        int | None, typer.Option(help="Of the search in W+ that follows; 100 by default, 0 stays in W.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search's noise.")] = 0,
    class_label: ClassLabel = None,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Find the latent of a picture; write it, and the picture that the generator draws of it. Ctrl-C keeps the best."""
    from sgf_hub.data.photos import read_photo, squared, to_images
    from sgf_hub.data.pictures import shown_side, to_pictures
    from sgf_hub.inversion.projector import Projector

    if out.suffix != ".safetensors":
        raise BadValueError(f"--out is {str(out)!r}; give a name that ends in .safetensors.")
    picture = read_photo(photo)
    square = squared(picture, min(_LARGEST, *picture.size), zoom=zoom, centre=_centre(centre))
    hub = HubOptions(revision=revision, token=token)
    own = is_code(generator) or class_label is not None
    made = load_generator_of(generator, hub, class_label) if own else None
    projector = Projector.from_pretrained(generator, generator=made, **vars(hub))
    given = {"steps": steps, "plus_steps": plus_steps}
    config = replace(projector.config, seed=seed, **{key: value for key, value in given.items() if value is not None})
    if projector.encoder is None:
        typer.echo(
            f"{generator} has no encoder: the search begins at the nearest of some of its own pictures, and takes "
            f"longer, {projector.total(config)} steps.",
            err=True,
        )
    images = to_images(square)
    started = time.monotonic()
    last, stopped = _search(projector, images, config)
    if last is None:
        raise KeyboardInterrupt  # before there was anything to keep
    found = projector.outcome(images, last)
    seconds = time.monotonic() - started
    out.parent.mkdir(parents=True, exist_ok=True)
    found.latent.save(out, generator=projector.name)
    beside = out.with_suffix(".png")
    to_pictures(found.images, side=shown_side(found.images.shape[-1]))[0].save(beside)
    summary = {
        "similarity": round(found.similarity[0], 4),
        "expressible": found.expressible[0],
        "steps": last.index,
        "seconds": round(seconds, 1),
        "out": str(out),
        "picture": str(beside),
    }
    typer.echo(json.dumps({**summary, "stopped": True} if stopped else summary))
    if not found.expressible[0]:
        typer.echo(found.sentences[0], err=True)


def _search(
    projector: "Projector", images: "Tensor", config: "ProjectionConfig"
) -> "tuple[ProjectionStep | None, bool]":
    """The last step of a search under a progress bar, and whether Ctrl-C made it the last."""
    last: ProjectionStep | None = None
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("projecting", total=projector.total(config))
        try:
            for step in projector.steps(images, config):
                last = step
                progress.update(task, completed=step.index, description=f"distance {step.distance.item():.3f}")
        except KeyboardInterrupt:
            return last, True
    return last, False


def _centre(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise BadValueError(f"--centre is {text[:40]!r}; write two numbers, such as 0.5,0.4.") from None
    return x, y
