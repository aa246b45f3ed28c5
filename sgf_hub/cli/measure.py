"""The commands `sgf-hub measure ...`: figures of the zoo, written beside its weights and gathered into one page."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sgf_hub.cli.generators import Revision, Token
from sgf_hub.errors import BadValueError, UnknownNameError
from sgf_hub.hub.options import HubOptions

if TYPE_CHECKING:
    from sgf_hub.mapping import SGFMapping

app = typer.Typer(no_args_is_help=True, help="Measure generators, mappings and edits.")
JUDGES = {
    "avatars": ("sgf-hub/avatars-judge-attributes", "sgf-hub/avatars-judge-keypoints"),
    "faces": ("sgf-hub/faces-judge-attributes",),
}
"""Who measures edits of a world's generators, which are named after it."""
Steppings = Annotated[str, typer.Option(help="'tuned', 'arrived', 'unconstrained' and 'paper', with commas between.")]
FLOWER_JUDGE = "sgf-hub/flowers-judge-attributes"


@app.command()
def generator(
    name: Annotated[str, typer.Argument(help="A zoo entry, named after its world.")] = "avatars-stylegan2",
    samples: Annotated[int, typer.Option(help="Pictures in each set.")] = 5_000,
    seeds: Annotated[int, typer.Option(help="Repeats.")] = 3,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Frechet distance of its pictures to drawn ones, and how often each attribute is sampled and drawn."""
    from importlib import import_module

    import torch

    from sgf_hub.data.drawn import WORLDS
    from sgf_hub.evaluation.edits import mean_and_spread
    from sgf_hub.generators import load_generator
    from sgf_hub.hub.names import root
    from sgf_hub.predictors import load_backbone, load_predictor
    from sgf_hub.predictors.frechet import attribute_shares, features, frechet_distance

    world = name.rstrip("/").rsplit("/", 1)[-1].split("-")[0]
    if world not in WORLDS:
        raise BadValueError(f"{name!r} is not named after a drawn world: its name begins with {' or '.join(WORLDS)}.")
    sample_batch = import_module(f"sgf_hub.data.{world}").sample_batch
    _enough(samples, seeds)
    made = load_generator(name, revision=revision, token=token)
    backbone = load_backbone(f"sgf-hub/{world}-judge-backbone", token=token)

    def drawn(seed: int) -> torch.Tensor:
        images = torch.from_numpy(sample_batch(samples, seed=seed, resolution=made.resolution, workers=2).images)
        return features(backbone, (part.float() / 127.5 - 1 for part in images.split(256)))

    def pictures(seed: int, truncation: float, side: int | None = None) -> Iterator[torch.Tensor]:
        latents = made.sample(samples, seed=seed, truncation=truncation)
        for i in range(0, samples, 256):
            yield made.synthesize(latents[i : i + 256], resolution=side)

    rows = []
    for seed in range(seeds):
        real = drawn(700_000 + seed)
        row = {"drawn_to_drawn": frechet_distance(real, drawn(800_000 + seed))}
        for truncation in (1.0, 0.8):
            made_features = features(backbone, pictures(seed, truncation))
            row[f"generated_truncation_{truncation:g}"] = frechet_distance(real, made_features)
        if made.resolution > 64:  # what an early exit draws
            row["generated_64px"] = frechet_distance(real, features(backbone, pictures(seed, 1.0, 64)))
        rows.append(row)
    reader = f"{world}-attributes" if (root() / f"{world}-attributes").is_dir() else None
    shares = attribute_shares(
        load_predictor([f"sgf-hub/{world}-judge-attributes"], token=token),
        load_predictor([f"sgf-hub/{reader}"], token=token) if reader else None,
        torch.from_numpy(sample_batch(20_000, seed=700_000, resolution=32, workers=2).attributes),
        pictures(0, 1.0),
    )
    figures = {"samples": samples, "seeds": seeds, **mean_and_spread(rows), "attributes": shares}
    keep(name, "generator", figures, by=(f"{world}-judge-attributes", *filter(None, [reader])))


@app.command()
def edits(
    name: Annotated[str, typer.Argument(help="A mapping of the zoo.")],
    samples: Annotated[int, typer.Option(help="Latents.")] = 100,
    seeds: Annotated[int, typer.Option(help="Repeats with other latents.")] = 3,
    steppings: Steppings = "tuned,unconstrained,paper",
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Flip every attribute (or move all keypoints): the paper's stepping, ours, and ours without the constraint."""
    from sgf_hub.evaluation.edits import measure_in_parallel

    _enough(samples, seeds)
    hub = HubOptions(revision=revision, token=token)
    judge, rows, ways = judge_of(_taken(name, hub, captions=False).generator_name), [], _steppings(steppings)
    workers = os.cpu_count() or 1
    for row in measure_in_parallel(name, judge, hub, steppings=ways, samples=samples, seeds=seeds, workers=workers):
        rows.append(row)
        typer.echo(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), err=True)
    keep(name, "edits", {"samples": samples, "seeds": seeds, "steppings": ",".join(ways), "rows": rows}, by=judge)


@app.command()
def frechet(
    name: Annotated[str, typer.Argument(help="A mapping of attributes of the zoo.")],
    samples: Annotated[int, typer.Option(help="Pictures in each set.")] = 2_000,
    seeds: Annotated[int, typer.Option(help="Repeats with other latents.")] = 3,
    steppings: Steppings = "tuned,unconstrained,paper",
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Frechet distance of edited pictures to unedited ones, any and such as have what was asked, and between those."""
    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.evaluation.edits import mean_and_spread, measured_with
    from sgf_hub.evaluation.frechet import edited_frechet
    from sgf_hub.predictors import load_backbone

    _enough(samples, seeds)
    hub = HubOptions(revision=revision, token=token)
    judge = judge_of(_taken(name, hub, captions=False).generator_name)
    backbone = load_backbone(judge[0].replace("-attributes", "-backbone"), token=token)
    editor, rows = SGFEditor.from_pretrained(name, **vars(hub)), []
    ways = _steppings(steppings)
    for stepping in ways:
        with_it, config = measured_with(editor, stepping)
        found = [edited_frechet(with_it, backbone, config, samples=samples, seed=2000 + seed) for seed in range(seeds)]
        figures = mean_and_spread([asdict(one) for one in found])
        rows.append({"stepping": stepping, **figures})
        typer.echo(json.dumps(rows[-1]), err=True)
    keep(name, "frechet", {"samples": samples, "seeds": seeds, "steppings": ",".join(ways), "rows": rows}, by=judge)


@app.command()
def captions(
    name: Annotated[str, typer.Argument(help="A mapping of captions of flowers.")] = "sgf-flowers-captions",
    samples: Annotated[int, typer.Option(help="Flowers for each kind of sentence.")] = 100,
    seeds: Annotated[int, typer.Option(help="Repeats with other flowers.")] = 3,
    steppings: Annotated[str, typer.Option(help="'tuned' and 'paper', with a comma between.")] = "tuned,paper",
    write_card: Annotated[bool, typer.Option("--write-card", help="Put the figures into the model card, too.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Edit flowers by eight kinds of sentence, with the paper's stepping and ours, and random sampling beside them."""
    from sgf_hub.editing.editor import PRESETS
    from sgf_hub.evaluation.captions import measure_captions
    from sgf_hub.evaluation.disentanglement.card import write_captions_card
    from sgf_hub.validation import read_json

    _enough(samples, seeds)
    hub = HubOptions(revision=revision, token=token)
    _taken(name, hub, captions=True)
    rows, ways = [], _steppings(steppings, PRESETS)
    workers = os.cpu_count() or 1
    for row in measure_captions(name, FLOWER_JUDGE, hub, steppings=ways, samples=samples, seeds=seeds, workers=workers):
        rows.append(row)
        typer.echo(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), err=True)
    figures = {"samples": samples, "seeds": seeds, "steppings": ",".join(ways), "rows": rows}
    keep(name, "captions", figures, by=[FLOWER_JUDGE])
    if write_card:
        write_captions_card(read_json(entry_folder(name) / "measured.json")["captions"], entry_folder(name))


@app.command()
def sentences(
    name: Annotated[str, typer.Argument(help="A mapping of captions of flowers.")] = "sgf-flowers-captions",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("docs/sentences.png"),
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Draw the paper's Figure 7: flowers edited by target captions, and by captions composed of the same words."""
    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.evaluation.sentences import draw_sentences

    hub = HubOptions(revision=revision, token=token)
    _taken(name, hub, captions=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    edits = draw_sentences(SGFEditor.from_pretrained(name, **vars(hub)), out)
    typer.echo(json.dumps({"out": str(out), "edits": edits}, indent=1))


@app.command()
def projection(
    name: Annotated[str, typer.Argument(help="An encoder of a drawn world's generator.")] = "avatars-stylegan2-encoder",
    samples: Annotated[int, typer.Option(help="Held-out drawn pictures.")] = 50,
    seeds: Annotated[int, typer.Option(help="Repeats with other pictures.")] = 3,
    edited: Annotated[int, typer.Option(help="Projected pictures of which every attribute is flipped.")] = 10,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Project held-out pictures (encoder alone, W, W+), pictures that are of no world, and edit what was found."""
    import torch

    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.evaluation.projection import measure_edits_after, measure_out_of_domain, measure_projection
    from sgf_hub.inversion.projection import ProjectionConfig
    from sgf_hub.inversion.projector import Projector
    from sgf_hub.predictors import load_predictor

    if samples < 2 or seeds < 1 or edited < 1:
        raise BadValueError("--samples is at least 2, --seeds and --edited at least 1.")
    projector = Projector.from_pretrained(name, revision=revision, token=token)
    config = ProjectionConfig()
    editor = SGFEditor.from_pretrained("sgf-hub/sgf-avatars-attributes", generator=projector.generator, token=token)
    judge, world = load_predictor(JUDGES["avatars"], token=token), "avatars"
    parts = {
        "rows": measure_projection(projector, judge, world=world, samples=samples, seeds=seeds, config=config),
        "out_of_domain": measure_out_of_domain(projector, world=world, samples=min(samples, 20), config=config),
        "edits": measure_edits_after(projector, editor, world=world, samples=edited, config=config),
    }
    figures: dict[str, list[dict]] = {}
    for part, rows in parts.items():
        figures[part] = []
        for row in rows:
            figures[part].append(row)
            typer.echo(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), err=True)
    settings = {"samples": samples, "seeds": seeds, "edited": edited, "threads": torch.get_num_threads()}
    keep(name, "projection", {**settings, **figures}, by=(*JUDGES["avatars"], "sgf-avatars-attributes"))


@app.command()
def page(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/measured.md"),
    readme: Annotated[Path, typer.Option(help="Whose block between the 'measured' marks to renew.")] = Path(
        "README.md"
    ),
) -> None:
    """Gather all figures of the zoo into one page, and the main ones into the README."""
    from sgf_hub.evaluation.page import full_page, headline, renew_block

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(full_page())
    renew_block(readme, headline())
    typer.echo(json.dumps({"out": str(out), "readme": str(readme)}))


def _enough(samples: int, seeds: int) -> None:
    """Refuse counts of which there is no spread, or nothing at all."""
    if samples < 2 or seeds < 1:
        raise BadValueError("--samples is at least 2 and --seeds at least 1.")


def _steppings(text: str, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Names out of a list with commas, of `known`, by default of those that are measured."""
    from sgf_hub.evaluation.edits import STEPPINGS

    known = tuple(known) or STEPPINGS
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))
    if not names or not set(names) <= set(known):
        raise BadValueError(f"--steppings is {text!r}; give some of {', '.join(known)}, with commas between.")
    return names


def judge_of(generator: str) -> tuple[str, ...]:
    """The heads that judge edits of a generator.

    Raises:
        BadValueError: if it is of no world that has a judge.
    """
    world = generator.rpartition("/")[2].partition("-")[0]
    if world not in JUDGES:
        raise BadValueError(f"{generator!r} has no judge: its name begins with {' or '.join(JUDGES)}.")
    return JUDGES[world]


def _taken(name: str, hub: HubOptions, *, captions: bool) -> "SGFMapping":
    """The mapping of that name; one of the other kind of condition is refused."""
    from sgf_hub.mapping import SGFMapping

    mapping = SGFMapping.from_pretrained(name, **vars(hub))
    if bool(mapping.spec.caption) != captions:
        wanted, command = ("captions", "measure edits") if captions else ("attributes or keypoints", "measure captions")
        raise BadValueError(f"{name!r} is no mapping of {wanted}: measure it with `sgf-hub {command}`.")
    return mapping


def keep(name: str, part: str, figures: dict, *, by: Iterable[str] = (), tell: bool = True) -> None:
    """Write figures into the entry's measured.json, beside those of other commands, and to stdout (`tell`).

    With them go the fingerprints of the weights that they speak of. Rows of other steppings stay where those, samples
    and seeds are the same.

    Args:
        name: of the entry.
        part: of its measured.json.
        figures: what was measured.
        by: entries that it was measured with, such as a judge's heads.
        tell: whether to print them.
    """
    from sgf_hub.hub.provenance import weights_behind
    from sgf_hub.validation import read_json

    path = entry_folder(name) / "measured.json"
    held = read_json(path) if path.exists() else {}
    before = held.get(part, {})
    figures = {"weights": weights_behind([path.parent.name, *by]), **figures}
    if "steppings" in figures and all(before.get(key) == figures[key] for key in ("samples", "seeds", "weights")):
        now = figures["steppings"].split(",")  # others, measured alike, stay
        rows = [row for row in before["rows"] if row["stepping"] not in now] + figures["rows"]
        figures = figures | {"steppings": ",".join(dict.fromkeys(row["stepping"] for row in rows)), "rows": rows}
    command = f"sgf-hub measure {part} {name} --samples {figures['samples']} --seeds {figures['seeds']}"
    if "steppings" in figures:
        command += f" --steppings {figures['steppings']}"
    held[part] = {"command": command, **figures}
    path.write_text(json.dumps(held, indent=1) + "\n")
    if tell:
        typer.echo(json.dumps({part: held[part]}))


def entry_folder(name: str) -> Path:
    """The folder of a mapping or generator whose figures are kept: a zoo entry's, or any other.

    Raises:
        UnknownNameError: if the name is neither.
    """
    from sgf_hub.hub.names import NAMESPACE, root

    for folder in (root() / name.removeprefix(NAMESPACE + "/"), Path(name)):
        if folder.is_dir():
            return folder
    raise UnknownNameError(f"{name!r} is not in the embedded zoo and not a folder: figures are kept beside weights.")
