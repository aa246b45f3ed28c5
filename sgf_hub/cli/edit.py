"""The command `sgf-hub edit`: one picture with every step of its way, or the pictures of many seeds and a table."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from sgf_hub.cli.edit_results import EditJob, edit_many, edit_one
from sgf_hub.cli.evaluate import make_folder
from sgf_hub.cli.fit import GENERATOR_HELP, PREDICTOR_HELP, load_parts
from sgf_hub.cli.generators import ClassLabel, Revision, Token
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.validation import bounded, check_seed, short

DIRECTION_HELP = "In place of wishes, go along a direction: .npy, .pt, .npz or .safetensors, of InterFaceGAN or e4e."
STRENGTH_HELP = "How far along it in all, negative for back; by default 3 standard deviations of the latents."
HOLD_HELP = "A name that is held as firmly as a wish is met; the rest is held loosely."
CHOOSE_HELP = (
    "The result: 'balanced' for the step that best balances wish and rest (the default of 'tuned'), or 'arrived' for "
    "the one that the edit stopped at."
)
_DIRECTION_STEPS = 10
LATENT_HELP = "Start from a latent: a file of sgf-hub, or .npz, .npy or .pt of another inverter."

if TYPE_CHECKING:  # torch takes seconds to import: --help is shown without it
    from sgf_hub.baselines.direction import DirectionEditor
    from sgf_hub.editing.config import EditConfig
    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.editing.trajectory import Editor
    from sgf_hub.types import Generator, Latent


def edit(
    mapping: Annotated[str, typer.Argument(help="A zoo entry, a folder, or a Hub id.")],
    seed: Annotated[str | None, typer.Option(help="Of the picture to start from.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Of many: 0-99, or 3,5,10-20.")] = None,
    latent: Annotated[Path | None, typer.Option(help=LATENT_HELP)] = None,
    index: Annotated[int | None, typer.Option(help="Which of the latents in that file, from 0.")] = None,
    space: Annotated[str | None, typer.Option(help="Of that file, where its shape does not tell: z, w or w+.")] = None,
    wish: Annotated[list[str] | None, typer.Option("--set", help="name=1, name=0, or keypoint=x,y in [0, 1].")] = None,
    caption: Annotated[str | None, typer.Option(help="What to show, in English, for a mapping of captions.")] = None,
    release: Annotated[list[str] | None, typer.Option(help="A name that need not be held.")] = None,
    hold: Annotated[list[str] | None, typer.Option(help=HOLD_HELP)] = None,
    direction: Annotated[Path | None, typer.Option(help=DIRECTION_HELP)] = None,
    strength: Annotated[float | None, typer.Option(help=STRENGTH_HELP)] = None,
    stepping: Annotated[str, typer.Option(help="'tuned' (ours), or 'paper' for Algorithm 1 as published.")] = "tuned",
    choose: Annotated[str | None, typer.Option(help=CHOOSE_HELP)] = None,
    steps: Annotated[int | None, typer.Option(help="At most so many steps.")] = None,
    layers: Annotated[str | None, typer.Option(help="Edit the layers first-last of the generator only: 0-5.")] = None,
    truncation: Annotated[float, typer.Option(help="Of the picture to start from.")] = 0.8,
    generator: Annotated[str | None, typer.Option(help=f"In place of the mapping's own. {GENERATOR_HELP}")] = None,
    class_label: ClassLabel = None,
    predictor: Annotated[list[str] | None, typer.Option(help=f"In place of its own. {PREDICTOR_HELP}")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Edit a picture; write before.png, after.png, steps.gif, latent.safetensors and trajectory.json.

    With --seeds, edit many: write results.csv, latents.safetensors, the folders before/ and after/, and sheet.png.
    """
    import torch

    from sgf_hub.editing.batch import samples, seeds_of
    from sgf_hub.editing.config import EditRequest
    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.latents import read_latent

    if [seed, seeds, latent].count(None) != 2:
        raise BadValueError("give either --seed or --latent or --seeds, to say which pictures to start from.")
    if direction is None and strength is not None:
        raise BadValueError("--strength says how far along a direction: give --direction, or leave it out.")
    if direction is not None and (wish or caption or release or hold or choose or stepping != "tuned"):
        raise BadValueError(
            "--direction goes its own way: leave --set, --caption, --release, --hold, --choose and --stepping out."
        )
    pairs = [_wish(text) for text in wish or []]
    wishes: dict[str, Any] = dict(pairs)
    if len(wishes) < len(pairs):
        raise BadValueError("a name is wished for twice: give one --set a name.")
    if latent is None and (index is not None or space is not None):
        raise BadValueError("--index and --space say which latent of a file: give --latent, or leave them out.")
    chosen = [] if latent is not None else seeds_of(seeds) if seeds is not None else [check_seed(seed)]
    parts = load_parts(generator, tuple(predictor or ()), token, class_label)
    editor, config = SGFEditor.from_pretrained(mapping, revision=revision, token=token, **parts).preset(stepping)
    reader: Any = editor.predictor
    if reader.spec.caption and wishes:
        raise BadValueError(f"{mapping} is edited by a sentence: give --caption in place of --set.")
    if caption is not None:
        if not reader.spec.caption:
            raise BadValueError(f"{mapping} takes no sentence: give --set name=value in place of --caption.")
        wishes = {"caption": caption}
    request = EditRequest(wishes, tuple(release or ()), tuple(hold or ()))
    moving: Editor = editor
    asked: dict[str, Any] = {} if caption is None else {"asked": caption}
    if direction is not None:
        moving, config = _along(direction, strength, editor, steps or _DIRECTION_STEPS)
        asked = {"direction": direction.name, "strength": round(moving.step_size * config.max_steps, 4)}
    else:
        request.target(reader, torch.zeros(1, reader.spec.dimension))  # a mistake is told before anything is drawn
    if latent is not None:
        start = read_latent(latent, editor.generator, index=index, space=space)  # type: ignore[arg-type]
    else:
        start = samples(editor.generator, chosen[:1], truncation=truncation)
    config = replace(
        config,
        choose=choose or config.choose,  # type: ignore[arg-type]
        max_steps=config.max_steps if steps is None else steps,
        layers=None if layers is None else _layers(layers, editor.generator, start),
    )
    console = Console(stderr=True)
    if caption is not None:
        with console.status("reading the sentence"):
            found = reader.familiarity(caption)
        if not found.known:
            typer.echo(_doubt(found), err=True)
    make_folder(out)
    job = EditJob(mapping, moving, editor.mapping.generator_name, request, config, out, console, asked)
    if seeds is None:
        edit_one(job, start)
    else:
        edit_many(job, chosen, truncation)


def _along(path: Path, strength: float | None, editor: "SGFEditor", steps: int) -> "tuple[DirectionEditor, EditConfig]":
    """The editor that goes along a file's direction in so many equal steps, and its settings."""
    from sgf_hub.baselines.direction import DirectionEditor
    from sgf_hub.editing.config import EditConfig

    config = EditConfig.paper(max_steps=steps, tolerance=0.0)
    made = DirectionEditor.read(path, editor.generator, editor.predictor)
    whole = 3 * made.spread if strength is None else bounded("--strength", strength, -1e4, 1e4)
    made.step_size = whole / steps
    return made, config


def _layers(text: str, generator: "Generator", start: "Latent") -> tuple[int, int]:
    """A range such as "0-5", both ends in it, as `EditConfig.layers` has it."""
    if start.space == "z":
        raise SpaceError("--layers is for generators in 'w'; this one draws from 'z', which has no layers.")
    to_w_plus: Callable[[Any], Any] = generator.to_w_plus  # type: ignore[attr-defined]
    count = (start if start.space == "w+" else to_w_plus(start)).data.shape[1]
    first, dash, last = text.partition("-")
    ends = [int(end) for end in (first, last if dash else first) if end.isascii() and end.isdigit() and len(end) < 6]
    if len(ends) != 2 or not ends[0] <= ends[1] < count:
        raise BadValueError(f"--layers is {short(text)}; give a range within 0-{count - 1}, such as 0-{count // 2}.")
    return ends[0], ends[1] + 1


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
        f"no picture is known to have such a caption (the nearest is {near.nearest!r}, with a similarity of "
        f"{near.similarity:.2f}): the edit tries, and may lead anywhere; write in that one's language and words."
    )
