"""The command `sgf-hub fit`: a mapping for anybody's GAN, from a generator and a predictor to a folder to push."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from sgf_hub.cli.generators import ClassLabel, Token
from sgf_hub.errors import BadValueError
from sgf_hub.hub.options import HubOptions
from sgf_hub.hub.user_code import from_code, is_code

if TYPE_CHECKING:
    from sgf_hub.data.distributed import Group
    from sgf_hub.fitting import Parts, Progress
    from sgf_hub.types import Generator, Predictor

GENERATOR_HELP = "A Hub id, folder, zoo entry, checkpoint file, or FILE.py:NAME in your own code."
PREDICTOR_HELP = "A Hub id, folder, zoo entry, or FILE.py:NAME; several are joined."
_STAGES = {"pairs": "sampling pairs", "mapping": "training F", "check": "checking edits"}


def fit(
    generator: Annotated[str, typer.Option(help=GENERATOR_HELP)],
    predictor: Annotated[list[str], typer.Option(help=PREDICTOR_HELP)],
    out: Annotated[Path, typer.Option(help="Folder for the mapping.")],
    class_label: ClassLabel = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="One of the paper's settings: ffhq-attributes, celebahq-attributes, anime-keypoints, flowers-caption."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="'fast', or 'paper' for the published training, which recipes take by default.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="How many to sample; 200,000 by default.")] = None,
    truncation: Annotated[float | None, typer.Option(help="Of their latents; 0.8 by default.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Steps of F's training; the preset's by default.")] = None,
    layers: Annotated[int | None, typer.Option(help="N; the paper's 15 in W and 6 in Z by default.")] = None,
    noise: Annotated[float | None, typer.Option(help="On z in training; the preset's by default.")] = None,
    samples: Annotated[int, typer.Option(help="Edits of each kind in the check at the end.")] = 24,
    seed: Annotated[int, typer.Option(help="Of latents, weights and order.")] = 0,
    runs: Annotated[Path, typer.Option(help="Folder of unfinished work; safe to delete when done.")] = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure shortly, say how long it will take.")] = False,
    revision: Annotated[str | None, typer.Option(help="Of the generator's Hub repo.")] = None,
    token: Token = None,
) -> None:
    """Fit a mapping to a generator and a predictor; a killed run goes on where it was.

    Writes config.json and model.safetensors, training.json, measured.json, preview.png and README.md. A checkpoint
    file is converted once, into a folder beside the mapping's. Under `accelerate launch` it runs in several processes.
    """
    from sgf_hub.cli.train import typed
    from sgf_hub.data.distributed import group
    from sgf_hub.fitting import FitConfig, check_folder, estimate
    from sgf_hub.fitting import fit as run
    from sgf_hub.training.mapping import PRESETS
    from sgf_hub.training.recipes import recipe as named_recipe
    from sgf_hub.validation import check_seed

    setting = None if recipe is None else named_recipe(recipe)
    chosen = preset or ("fast" if setting is None else "paper")
    if chosen not in PRESETS:
        raise BadValueError(f"--preset is {chosen!r}; choose {' or '.join(map(repr, PRESETS))}.")
    given: dict[str, Any] = {"iterations": iterations, "layers": layers, "noise": noise, "seed": check_seed(seed)}
    training = replace(PRESETS[chosen], **{key: value for key, value in given.items() if value is not None})
    sampling: dict[str, Any] = {} if setting is None else {"pairs": setting.pairs, "truncation": setting.truncation}
    sampling |= {k: v for k, v in {"pairs": pairs, "truncation": truncation}.items() if v is not None}
    config = FitConfig(**sampling, seed=seed, mapping=training, samples=samples)
    if out.exists() and not out.is_dir():
        raise BadValueError(f"{str(out)!r} is a file: give a folder for the mapping.")
    together = group()
    hub = HubOptions(revision=revision, token=token)
    parts = _parts(generator, tuple(predictor), hub, out, together, keep=not dry_run, class_label=class_label)
    if setting is not None and recipe is not None:
        setting.check(recipe, parts.generator, parts.predictor.spec)
    if dry_run:
        check_folder(out, parts)  # a fit does so by itself
        if together.leads:
            typer.echo(json.dumps(estimate(config, parts), indent=1))
        return
    work = runs / f"{out.resolve().name}-fit"
    _show(run(config, parts, work, out, command=typed(), group=together), quiet=not together.leads)
    if together.leads:
        _finish(out)


def load_parts(
    generator: str | None, predictor: tuple[str, ...], token: str | None, class_label: int | None = None
) -> dict[str, Any]:
    """What a user put in place of a mapping's own generator and predictor, as `SGFEditor.from_pretrained` takes it."""
    given: dict[str, Any] = {}
    if generator is not None:
        given["generator"] = load_generator_of(generator, HubOptions(token=token), class_label)
    elif class_label is not None:
        raise BadValueError("--class-label says what a --generator draws: give both, or neither.")
    if predictor:
        given["predictor"] = load_predictor_of(predictor, HubOptions(token=token))
    return given


def load_generator_of(source: str, hub: HubOptions, class_label: int | None = None) -> "Generator":
    """G by name, or out of the user's code."""
    from sgf_hub.generators import load_generator
    from sgf_hub.types import Generator

    if is_code(source):
        if class_label is not None:
            raise BadValueError(
                f"{source!r} is your own code, which says itself what it draws: leave --class-label out."
            )
        return from_code(source, Generator, "wrap it, CustomGenerator(your_model, latent_dim=...)")
    return load_generator(source, class_label=class_label, **vars(hub))


def load_predictor_of(sources: tuple[str, ...], hub: HubOptions) -> "Predictor":
    """C by names, or out of the user's code."""
    from sgf_hub.predictors import join, load_predictor
    from sgf_hub.types import Predictor

    if not any(map(is_code, sources)):
        return load_predictor(list(sources), **vars(hub))
    hint = "wrap it, CustomPredictor(your_model, attributes=[...])"
    loaded = [
        from_code(one, Predictor, hint) if is_code(one) else load_predictor([one], **vars(hub)) for one in sources
    ]
    return loaded[0] if len(loaded) == 1 else join(loaded)


def _parts(
    generator: str,
    predictor: tuple[str, ...],
    hub: HubOptions,
    out: Path,
    group: "Group",
    *,
    keep: bool,
    class_label: int | None = None,
) -> "Parts":
    """G and C, on the group's device; a checkpoint file is converted first, beside `out`, if it is to be kept."""
    from sgf_hub.data.distributed import on_device
    from sgf_hub.fitting import Parts

    if not predictor:
        raise BadValueError("no predictor was given: name at least one with --predictor.")
    if keep and os.path.isfile(generator):
        folder = out.resolve().with_name(f"{out.resolve().name}-generator")
        if group.leads:
            _convert(generator, folder, class_label)
        group.wait()
        generator = str(folder)
    made, sees = load_generator_of(generator, hub, class_label), load_predictor_of(predictor, hub.of_parts)
    names = tuple(_name(one, out) for one in predictor)
    return Parts(on_device(made, group), on_device(sees, group), _name(generator, out), names)


def _convert(generator: str, folder: Path, class_label: int | None) -> None:
    """A checkpoint file as a folder, unless it is there already."""
    from sgf_hub.generators.convert import SOURCE, convert
    from sgf_hub.hub.files import sha256
    from sgf_hub.validation import read_json

    if not (folder / SOURCE).is_file():  # whatever else is in there, convert refuses
        convert(generator, folder, class_label=class_label)
        return
    made = read_json(folder / SOURCE).get("source")
    if not isinstance(made, dict) or made.get("sha256") != sha256(Path(generator)):
        raise BadValueError(
            f"{folder.name!r}, beside --out, was converted from another checkpoint than {Path(generator).name!r}: "
            "give another --out, or delete it."
        )


def _name(source: str, out: Path) -> str:
    """What a mapping's config calls a generator or predictor: a Hub id, a folder beside it, or a path."""
    from sgf_hub.hub.names import NAMESPACE, entries

    if is_code(source):
        return source
    if not os.path.isdir(source):
        return f"{NAMESPACE}/{source}" if source in {entry.name for entry in entries()} else source
    folder = Path(source).resolve()
    return folder.name if folder.parent == out.resolve().parent else source


def _show(progress: "Iterator[Progress]", *, quiet: bool) -> None:
    """A bar a stage, with the time left; or a line now and then where there is no terminal."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal
    tasks: dict[str, Any] = {}
    last_report = time.monotonic()
    with Bars(*columns, TimeRemainingColumn(), console=console, disable=silent) as bars:
        for at in progress:
            new = at.stage not in tasks
            if new:
                tasks[at.stage] = bars.add_task(_STAGES[at.stage], total=at.total)
            bars.update(tasks[at.stage], completed=at.done)
            if (
                not quiet
                and not console.is_terminal
                and (new or at.done == at.total or time.monotonic() - last_report > 30)
            ):
                last_report = time.monotonic()
                typer.echo(f"{_STAGES[at.stage]}: {at.done} of {at.total}", err=True)


def _finish(out: Path) -> None:
    """The card, and what the user reads."""
    from sgf_hub.hub.publishing.cards import PREVIEW, write_card
    from sgf_hub.validation import read_json

    rows = read_json(out / "measured.json")["fit"]["rows"]
    write_card(out)
    reached = sum(row["reached"] for row in rows) / len(rows)
    typer.echo(json.dumps({"out": str(out), "reached": round(reached, 4), "preview": str(out / PREVIEW)}))
