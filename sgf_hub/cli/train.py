"""The commands that make a zoo: `sgf-hub train ...` and `sgf-hub sample-pairs`. All go on after a kill."""

import json
import re
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sgf_hub.cli.generators import ClassLabel, Revision, Token
from sgf_hub.errors import BadValueError

if TYPE_CHECKING:
    from sgf_hub.training.encoder import EncoderConfig

app = typer.Typer(no_args_is_help=True, help="Train generators, predictors and mappings.")

Out = Annotated[Path, typer.Option(help="The zoo folder to write into.")]
Runs = Annotated[Path, typer.Option(help="Folder of unfinished work; safe to delete when done.")]


@app.command()
def gan(
    world: Annotated[str, typer.Argument(help="What to learn to draw: 'avatars' or 'flowers'.")],
    architecture: Annotated[str, typer.Option(help="'stylegan2', or 'progan' for a generator in Z.")] = "stylegan2",
    recipe: Annotated[str, typer.Option(help="'guided' by an encoder, or 'adversarial' alone.")] = "guided",
    preset: Annotated[str, typer.Option(help="'cpu' or 'gpu'; 'finish' or 'toy' (guided only).")] = "cpu",
    images: Annotated[int | None, typer.Option(help="Real images to show in all; the preset's by default.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many (guided only).")] = None,
    portable: Annotated[
        bool, typer.Option(help="Write a small checkpoint alone, to go on from elsewhere (guided only).")
    ] = False,
    device: Annotated[str | None, typer.Option(help="'cpu' or 'cuda'; the preset's by default.")] = None,
    out: Out = Path("zoo"),
    runs: Runs = Path("runs"),
) -> None:
    """Train a generator on a drawn world, and with the guided recipe its encoder."""
    from sgf_hub.data.drawn import WORLDS

    _known("world", world, WORLDS)
    _known("--architecture", architecture, ("stylegan2", "progan"))
    _known("--recipe", recipe, ("guided", "adversarial"))
    _known("--preset", preset, ("cpu", "gpu", "finish", "toy") if recipe == "guided" else ("cpu", "gpu"))
    device = device or ("cuda" if preset == "gpu" else "cpu")
    _known("--device", device, ("cpu", "cuda"))
    if recipe == "guided":
        _guided(world, architecture, preset, images, minutes, portable, device, out, runs)
    elif minutes is not None or portable:
        raise BadValueError("--minutes and --portable are of the guided recipe: leave them out.")
    else:
        _adversarial(world, architecture, preset, images, device, out, runs)


def _guided(
    world: str,
    architecture: str,
    preset: str,
    images: int | None,
    minutes: float | None,
    portable: bool,
    device: str,
    out: Path,
    runs: Path,
) -> None:
    from sgf_hub.training.guided.checkpoints import resume
    from sgf_hub.training.guided.config import PRESETS, GuidedConfig
    from sgf_hub.training.guided.run import CHECKPOINT, claimed, export, feed, join_parts, pictures_of, train
    from sgf_hub.training.guided.training import GuidedTraining

    given: dict[str, Any] = {"images": images} if images is not None else {}
    config = GuidedConfig(world=world, architecture=architecture, **PRESETS[preset] | given)
    folder = runs / f"{world}-{architecture}-guided"
    with claimed(folder):
        state = GuidedTraining(config, device)
        join_parts(folder / CHECKPOINT)
        resume(state, folder / CHECKPOINT)
        pictures, held_out = pictures_of(config, folder)
        if state.shown < config.images:
            records = train(state, folder, pictures=pictures, held_out=held_out, minutes=minutes, small=portable)
            _show(records, "images", config.images, ("pixels", "perceptual", "samples", "images_per_second"))
        if portable:
            return
        state.fit_mixture(feed(state, pictures))
        report = export(state, out, typed())
        typer.echo(json.dumps(report))


def _adversarial(
    world: str, architecture: str, preset: str, images: int | None, device: str, out: Path, runs: Path
) -> None:
    import numpy as np

    from sgf_hub.data.drawn import drawn
    from sgf_hub.data.pictures import sheet
    from sgf_hub.training.adversarial.progan import ProGANTraining
    from sgf_hub.training.adversarial.stylegan2 import StyleGAN2Training
    from sgf_hub.training.adversarial.training import GANTraining, train

    kinds: dict[str, type[GANTraining]] = {"stylegan2": StyleGAN2Training, "progan": ProGANTraining}
    kind = kinds[architecture]
    config = kind.presets.get(f"{preset}-{world}", kind.presets[preset])
    if images is not None:
        config = replace(config, images=images)
    # the first generator's runs were named before there was a second
    folder = runs / f"{world}-{'gan' if architecture == 'stylegan2' else architecture}-{preset}"
    state = kind(config, device)
    state.resume(folder / "checkpoint.pt")
    if state.shown < config.images:
        labelled = drawn(world, folder, config.pictures, seed=config.seed, resolution=config.resolution)
        pictures = np.array(labelled.images)  # in memory: pages mapped from disk are dropped and read again, slowly
        records = train(state, folder, pictures=pictures)
        _show(records, "images", config.images, ("loss_d", "loss_g", "images_per_second"))
    target = out / f"{world}-{architecture}"
    generator = state.average.cpu().eval()
    generator.save_pretrained(target)
    sheet(generator.synthesize(generator.sample(96, seed=1))).save(target / "samples.png")
    _report(target, config, images_shown=state.shown, seconds=round(state.seconds))


@app.command()
def predictor(
    preset: Annotated[str, typer.Argument(help="'avatars', 'faces', one of them with '-judge', or 'flowers-judge'.")],
    out: Out = Path("zoo"),
    runs: Runs = Path("runs"),
) -> None:
    """Train a backbone and its heads on drawn pictures, or on a generator's that were labelled (`sgf-hub label`)."""
    from sgf_hub.training.readers.predictors import PRESETS, train_predictor

    _known("preset", preset, tuple(PRESETS))
    config = PRESETS[preset]
    records = train_predictor(config, out=out, run=runs / f"{preset}-predictor", command=typed())
    _show(records, "step", -(-config.images // config.batch), ("attribute_loss", "keypoint_error", "accuracy"))


@app.command()
def measures(
    name: Annotated[str, typer.Argument(help="Name of the zoo entry to write.")] = "faces-measures",
    generator: Annotated[str, typer.Option(help="Repo of a generator of faces.")] = "sgf-hub/faces-dcgan",
    count: Annotated[int, typer.Option(help="Faces to measure.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the faces.")] = 77,
    out: Out = Path("zoo"),
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Measure a generator's faces on their landmarks, for what needs no labels: pose, brows, light and skin."""
    from sgf_hub.generators import load_generator
    from sgf_hub.training.readers.measures import train_measures

    made = load_generator(generator, revision=revision, token=token)
    report = train_measures(made, out / name, count=count, seed=seed, command=typed())
    typer.echo(json.dumps(report))


@app.command()
def captioner(
    preset: Annotated[str, typer.Argument(help="'flowers'.")],
    out: Out = Path("zoo"),
    runs: Runs = Path("runs"),
) -> None:
    """Train a captioner on drawn pictures and their captions."""
    from sgf_hub.training.readers.captioner import PRESETS, train_captioner

    _known("preset", preset, tuple(PRESETS))
    config = PRESETS[preset]
    records = train_captioner(config, out=out, run=runs / config.repo, command=typed())
    _show(records, "step", -(-config.images // config.batch), ("word_loss", "label_loss"))


@app.command()
def encoder(
    generator: Annotated[
        str, typer.Argument(help="A generator with W: a zoo entry, a checkpoint file, a folder, or a Hub id.")
    ] = "avatars-stylegan2",
    images: Annotated[int | None, typer.Option(help="Pictures to show in all; 72,000 by default.")] = None,
    out: Out = Path("zoo"),
    runs: Runs = Path("runs"),
) -> None:
    """Train an encoder, which guesses the latents of pictures, and say what its generator can express.

    A file or a folder is converted into a folder beside the encoder's.
    """
    from sgf_hub.training.encoder import PRESETS, train_encoder

    config = PRESETS.get(generator) or _encoder_of(generator, out)
    if images is not None:
        config = replace(config, images=images)
    records = train_encoder(config, out=out, run=runs / config.repo, command=typed())
    _show(records, "step", config.steps, ("perceptual", "pixels", "perceptual_error"))
    typer.echo((out / config.repo / "training.json").read_text())


def _encoder_of(generator: str, out: Path) -> "EncoderConfig":
    """How an encoder of a generator of anybody's is trained."""
    from sgf_hub.data.drawn import WORLDS
    from sgf_hub.generators.convert import convert
    from sgf_hub.hub.names import embedded
    from sgf_hub.inversion.projector import backbones_for
    from sgf_hub.training.encoder import EncoderConfig

    name, (backbone, judge) = generator.rstrip("/"), backbones_for(generator)
    if (local := Path(generator)).exists():
        name = local.resolve().stem if local.is_file() else local.resolve().name
        if (out / name).resolve() != local.resolve():
            convert(generator, out / name)
    world = name.partition("-")[0] if embedded(generator) else None
    return EncoderConfig(generator=name, world=world if world in WORLDS else None, backbone=backbone, judge=judge)


@app.command()
def mapping(
    name: Annotated[str, typer.Argument(help="Name of the zoo entry to write, such as sgf-avatars-attributes.")],
    pairs: Annotated[Path, typer.Option(help="Folder written by sample-pairs.")],
    preset: Annotated[str, typer.Option(help="'fast', or 'paper' for the published recipe.")] = "fast",
    condition: Annotated[str, typer.Option(help="Part of c to use: 'all', 'attributes' or 'keypoints'.")] = "all",
    layers: Annotated[int | None, typer.Option(help="N; the paper's 15 in W and 6 in Z by default.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Steps; the preset's by default.")] = None,
    noise: Annotated[float | None, typer.Option(help="On z in training; the preset's by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and noise.")] = 0,
    out: Out = Path("zoo"),
    runs: Runs = Path("runs"),
) -> None:
    """Train F on sampled pairs; under `accelerate launch`, in several processes."""
    from sgf_hub.data.distributed import group
    from sgf_hub.data.pairs import load_pairs, select
    from sgf_hub.training.mapping import PRESETS, train

    _known("--preset", preset, tuple(PRESETS))
    _known("--condition", condition, ("all", "attributes", "keypoints"))
    given: dict[str, Any] = {"layers": layers, "iterations": iterations, "noise": noise, "seed": seed}
    config = replace(PRESETS[preset], **{key: value for key, value in given.items() if value is not None})
    data = load_pairs(pairs)
    data = select(data, attributes=condition != "keypoints", keypoints=condition != "attributes")
    together = group()
    records = train(config, data, runs / f"{name}-{preset}", out / name, command=typed(), group=together)
    _show(records, "iteration", config.iterations, ("loss",), quiet=not together.leads)
    if together.leads:
        typer.echo((out / name / "training.json").read_text())


@app.command()
def baselines(
    mapping: Annotated[str, typer.Argument(help="The mapping to compare with, such as sgf-avatars-attributes.")],
    pairs: Annotated[Path, typer.Option(help="Folder written by sample-pairs.")],
    methods: Annotated[str, typer.Option(help="Names with commas between them, or 'all'.")] = "all",
    seed: Annotated[int, typer.Option(help="Of splits and samples.")] = 0,
    out: Out = Path("zoo"),
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Fit what the methods to compare with need to a mapping's generator and predictor: InterFaceGAN's boundaries,
    GANSpace's components, LACE's classifiers, and StyleSpace's channels where there are styles.
    """
    from sgf_hub.baselines import FITTED, check_method, fit, fitted_name, suits
    from sgf_hub.data.pairs import load_pairs, select
    from sgf_hub.editing.editor import SGFEditor

    editor = SGFEditor.from_pretrained(mapping, revision=revision, token=token)
    data = load_pairs(pairs)
    if not editor.predictor.spec.keypoints:
        data = select(data, keypoints=False)
    name = editor.mapping.generator_name
    suited = [kind for kind in FITTED if suits(kind, editor.generator)]
    kinds = suited if methods == "all" else methods.split(",")
    for kind in kinds:
        _known("the method", kind, tuple(FITTED))
        check_method(kind, editor.generator, name)
    for kind in kinds:
        start = time.monotonic()
        with Console(stderr=True).status(f"fitting {kind}"):
            fitted = fit(kind, editor.generator, editor.predictor, data, generator_name=name, seed=seed)
        fitted.save_pretrained(out / fitted_name(name, kind))
        figures = {"pairs": len(data.z), "seed": seed, "seconds": round(time.monotonic() - start)}
        made = {"command": typed(), **figures, "measured": fitted.measured()}
        (out / fitted_name(name, kind) / "training.json").write_text(json.dumps(made, indent=1) + "\n")
        typer.echo(json.dumps({"out": str(out / fitted_name(name, kind)), **made}))


@app.command()
def captions(
    name: Annotated[str, typer.Argument(help="Name of the zoo entry to write, such as flowers-captions.")],
    generator: Annotated[str, typer.Option(help="Repo of the generator.")] = "sgf-hub/flowers-stylegan2",
    captioner: Annotated[str, typer.Option(help="Repo of the captioner.")] = "sgf-hub/flowers-captioner",
    count: Annotated[int, typer.Option(help="Pictures to caption.")] = 20_000,
    components: Annotated[int, typer.Option(help="Components of a caption's embedding in c.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the pictures; not that of the pairs.")] = 77,
    out: Out = Path("zoo"),
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Fit the predictor of captions: caption a generator's pictures, and embed what they are said to show."""
    from sgf_hub.generators import load_generator
    from sgf_hub.training.readers.captions import CaptionsConfig, train_captions

    config = CaptionsConfig(count=count, components=components, seed=seed)
    made = load_generator(generator, revision=revision, token=token)
    records = train_captions(config, made, out / name, captioner=captioner, command=typed())
    _show(records, "pictures", count, ("embedded",))
    typer.echo((out / name / "training.json").read_text())


def sample_pairs(
    out: Annotated[Path, typer.Option(help="Folder for the pairs.")],
    generator: Annotated[str, typer.Option(help="Repo of the generator.")] = "sgf-hub/avatars-stylegan2",
    class_label: ClassLabel = None,
    predictor: Annotated[list[str] | None, typer.Option(help="Repos of the heads, attributes first.")] = None,
    count: Annotated[int, typer.Option(help="How many pairs.")] = 200_000,
    truncation: Annotated[float, typer.Option(help="Of the latents.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Of the latents.")] = 0,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Sample (z, c) pairs to train a mapping on; under `accelerate launch`, in several processes."""
    from sgf_hub.data.distributed import group, on_device
    from sgf_hub.data.pairs import PairsInfo
    from sgf_hub.data.pairs import sample_pairs as sample
    from sgf_hub.generators import load_generator
    from sgf_hub.predictors import load_predictor

    heads = tuple(predictor or ("sgf-hub/avatars-attributes", "sgf-hub/avatars-keypoints"))
    together = group()
    made = on_device(load_generator(generator, class_label=class_label, revision=revision, token=token), together)
    sees = on_device(load_predictor(heads, token=token), together)
    info = PairsInfo(generator, heads, made.latent_space, sees.spec, truncation, seed, class_label)
    records = ({"pairs": n} for n in sample(made, sees, info, out, count=count, group=together))
    _show(records, "pairs", count, (), quiet=not together.leads)
    if together.leads:
        typer.echo(json.dumps({"pairs": count, "out": str(out)}))


def _known(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadValueError(f"{what} is {value!r}; choose {' or '.join(map(repr, choices))}.")


def _show(records: Iterator[dict], counter: str, total: int, figures: tuple[str, ...], *, quiet: bool = False) -> None:
    """Run a training to its end under a progress bar, or with a line now and then where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal
    ) as progress:
        task, last_report = progress.add_task(counter, total=total), time.monotonic()
        for record in records:
            text = " ".join(f"{key} {record[key]:.4g}" for key in figures if key in record)
            progress.update(task, completed=record.get(counter, 0), description=f"{counter} {text}")
            if not quiet and not progress.console.is_terminal and time.monotonic() - last_report > 30:
                last_report = time.monotonic()
                typer.echo(f"{counter} {record.get(counter)} of {total} {text}", err=True)


def typed() -> str:
    """What the user typed, without the path of the program, and without a token: it is written into files."""
    return re.sub(r" --token(=| )\S+", "", shlex.join(["sgf-hub", *sys.argv[1:]]))


def _report(folder: Path, config: object, **figures: object) -> None:
    made = {"command": typed(), "config": vars(config), **figures}
    (folder / "training.json").write_text(json.dumps(made, indent=1) + "\n")
    typer.echo(json.dumps(made))
