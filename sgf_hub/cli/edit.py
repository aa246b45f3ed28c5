"""The command `sgf-hub edit`: one picture with every step of its way, or the pictures of many seeds and a table."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from sgf_hub.cli.edit_many import edit_many
from sgf_hub.cli.evaluate import make_folder
from sgf_hub.cli.fit import GENERATOR_HELP, PREDICTOR_HELP, load_parts
from sgf_hub.errors import BadValueError, SpaceError

if TYPE_CHECKING:  # torch takes seconds to import: --help is shown without it
    from sgf_hub.editing.editor import EditConfig, SGFEditor
    from sgf_hub.types import Generator, Latent, Target


def edit(
    mapping: Annotated[str, typer.Argument(help="A zoo entry, a folder, or a Hub id.")],
    seed: Annotated[str | None, typer.Option(help="Of the picture to start from.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Of many: 0-99, or 3,5,10-20.")] = None,
    latent: Annotated[Path | None, typer.Option(help="Start from this saved latent instead.")] = None,
    wish: Annotated[list[str] | None, typer.Option("--set", help="name=1, name=0, or keypoint=x,y in [0, 1].")] = None,
    caption: Annotated[str | None, typer.Option(help="What to show, for a mapping of captions.")] = None,
    release: Annotated[list[str] | None, typer.Option(help="A name that need not be held.")] = None,
    stepping: Annotated[str, typer.Option(help="'ours', or 'paper' for Algorithm 1 as published.")] = "ours",
    steps: Annotated[int | None, typer.Option(help="At most so many steps.")] = None,
    layers: Annotated[str | None, typer.Option(help="Edit the layers first-last of the generator only: 0-5.")] = None,
    truncation: Annotated[float, typer.Option(help="Of the picture to start from.")] = 0.8,
    generator: Annotated[str | None, typer.Option(help=f"In place of the mapping's own. {GENERATOR_HELP}")] = None,
    predictor: Annotated[list[str] | None, typer.Option(help=f"In place of its own. {PREDICTOR_HELP}")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
) -> None:
    """Edit a picture; write before.png, after.png, steps.gif, latent.safetensors and trajectory.json.

    With --seeds, edit many: write results.csv, latents.safetensors, the folders before/ and after/, and sheet.png.
    """
    from sgf_hub.editing.batch import samples, seeds_of
    from sgf_hub.editing.editor import EditConfig, SGFEditor
    from sgf_hub.types import Latent, check_seed

    if [seed, seeds, latent].count(None) != 2:
        raise BadValueError("give either --seed or --latent or --seeds, to say which pictures to start from.")
    presets = {"ours": EditConfig.ours(), "paper": EditConfig()}
    if stepping not in presets:
        raise BadValueError(f"--stepping is {stepping!r}; choose 'ours' or 'paper'.")
    config = presets[stepping] if steps is None else replace(presets[stepping], max_steps=steps)
    pairs = [_wish(text) for text in wish or []]
    wishes: dict[str, Any] = dict(pairs)
    if len(wishes) < len(pairs):
        raise BadValueError("a name is wished for twice: give one --set a name.")
    start = Latent.load(latent) if latent is not None else None
    chosen = [] if start is not None else seeds_of(seeds) if seeds is not None else [check_seed(seed)]
    editor = SGFEditor.from_pretrained(mapping, **load_parts(generator, tuple(predictor or ())))
    sees: Any = editor.predictor
    if sees.spec.caption and wishes:
        raise BadValueError(f"{mapping} is edited by a sentence: give --caption in place of --set.")
    if caption is not None:
        if not sees.spec.caption:
            raise BadValueError(f"{mapping} takes no sentence: give --set name=value in place of --caption.")
        wishes = {"caption": caption}
    if start is None:
        start = samples(editor.generator, chosen[:1], truncation=truncation)
    if len(start) != 1:
        raise BadValueError(f"the latent file holds {len(start)} samples; this command edits one.")
    for name in wishes:
        sees.spec.index(name)  # a wish named "release" is no keyword of ours
    if layers is not None:
        config = replace(config, layers=_layers(layers, editor.generator, start))
    console = Console(stderr=True)
    with console.status("reading the picture"):
        target = sees.target(sees(editor.generator.synthesize(start)), release=release or (), **wishes)
        doubt = "" if caption is None else _doubt(sees.familiarity(caption))
    if doubt:
        typer.echo(doubt, err=True)
    make_folder(out)
    job = Job(mapping, editor, wishes, tuple(release or ()), config, out, console)
    if seeds is None:
        _edit_one(job, start, target)
    else:
        edit_many(job, chosen, truncation)


@dataclass(frozen=True)
class Job:
    """What is asked for, checked.

    Args:
        mapping: as it was named.
        editor: SGF with its generator and predictor.
        wishes: for every picture.
        release: names that need not be held.
        config: how to step.
        out: an existing folder.
        console: where progress is shown.
    """

    mapping: str
    editor: "SGFEditor"
    wishes: dict[str, Any]
    release: tuple[str, ...]
    config: "EditConfig"
    out: Path
    console: Console

    @property
    def sees(self) -> Any:
        """The editor's predictor."""
        return self.editor.predictor

    @property
    def caption(self) -> str | None:
        """The sentence, where the mapping is one of captions."""
        return self.wishes["caption"] if self.sees.spec.caption else None

    def read(self, c: Any) -> dict[str, str]:
        """The caption of a picture, where the mapping is one of captions."""
        return {} if self.caption is None else {"caption": self.sees.words(c)[0]}


def _edit_one(job: Job, start: "Latent", target: "Target") -> None:
    """Edit one picture, and keep its whole way."""
    from sgf_hub.data.pictures import save_gif, shown_side, to_pictures
    from sgf_hub.editing.batch import changes
    from sgf_hub.editing.editor import Trajectory

    editor, sees, caption, out = job.editor, job.sees, job.caption, job.out
    trajectory = Trajectory(job.config.return_best)
    with job.console.status("editing") as status:
        for step in editor.steps(start, target, job.config):
            trajectory.steps.append(step)
            progress = f"step {step.index}: distance {step.distance.item():.2f} (at most 1 is close)"
            status.update(escape("  ".join((progress, *job.read(step.c).values()))))
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
        summary["changed"] = changes(sees.spec, ends[0][0], ends[1][0], job.wishes)
    else:
        summary["caption"] = [job.read(c)["caption"] for c in ends]
        summary["similarity"] = [round(sees.similarity(c, caption).item(), 4) for c in ends]
    path = [
        {
            "step": s.index,
            "distance": round(s.distance.item(), 4),
            "c": [round(v, 4) for v in s.c[0].tolist()],
            **job.read(s.c),
        }
        for s in trajectory.steps
    ]
    asked = {} if caption is None else {"asked": caption}
    detail = {"mapping": job.mapping, "names": list(sees.spec.names), **asked, "path": path, **summary}
    (out / "trajectory.json").write_text(json.dumps(detail, indent=1))
    typer.echo(json.dumps(summary))
    if reason.value != "target reached":
        typer.echo(reason.advice, err=True)


def _layers(text: str, generator: "Generator", start: "Latent") -> tuple[int, int]:
    """A range such as "0-5", both ends in it, as `EditConfig.layers` has it."""
    from sgf_hub.types import short

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
        ""
        if near.known
        else (
            f"no picture is known to have such a caption (the nearest is {near.nearest!r}, with a similarity of "
            f"{near.similarity:.2f}): the edit tries, and may lead anywhere."
        )
    )
