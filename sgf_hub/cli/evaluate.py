"""The command `sgf-hub evaluate`: the paper's Table 1 and Figure 5 for a mapping and the methods it is set against."""

import json
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sgf_hub.cli.generators import Revision, Token
from sgf_hub.cli.measure import entry_folder, judge_of, keep
from sgf_hub.cli.train import typed
from sgf_hub.errors import BadValueError, SGFError, UnknownNameError
from sgf_hub.hub.options import HubOptions

# the paper's Table 1, and what is most entangled besides
ATTRIBUTES = ("male", "bald", "smile", "black_hair", "glasses", "beard")
_OF_FACES = ("male", "smile", "mouth_open", "dark_hair", "glasses", "hat", "beard", "long_hair", "facing_left")


def evaluate(
    mapping: Annotated[str, typer.Argument(help="A mapping: a zoo entry, a folder, or a Hub id.")],
    methods: Annotated[str, typer.Option(help="Names with commas between them, or 'all'.")] = "all",
    attributes: Annotated[str, typer.Option(help="Names with commas between them, 'all', or 'main'.")] = "main",
    samples: Annotated[int, typer.Option(help="Latents a seed.")] = 100,
    seeds: Annotated[int, typer.Option(help="Repeats with other latents.")] = 3,
    judge: Annotated[
        str, typer.Option(help="Heads that judge besides the steering predictor, with commas; 'none', or 'auto'.")
    ] = "auto",
    pairs: Annotated[
        Path | None, typer.Option(help="Pairs to fit baselines on; sampled under --out by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report; an interrupted one is continued.")] = Path("report"),
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Put the figures beside the weights: measured.json and README.md.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core by default.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing that an earlier run left.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Measure how disentangled edits are (MDS), method by method; write tables, curves and pictures."""
    from sgf_hub.evaluation.disentanglement.card import write_card as renew_card
    from sgf_hub.evaluation.disentanglement.methods import METHODS
    from sgf_hub.evaluation.disentanglement.report import write_report
    from sgf_hub.evaluation.disentanglement.summary import OBSERVERS
    from sgf_hub.evaluation.disentanglement.tasks import Plan, run
    from sgf_hub.mapping import SGFMapping
    from sgf_hub.validation import bounded

    bounded("--samples", samples, 1, 100_000)
    bounded("--seeds", seeds, 1, 1000)
    bounded("--workers", workers if workers is not None else 1, 1, 1024)
    for package, name in (("matplotlib", "matplotlib"), ("sklearn", "scikit-learn")):
        if find_spec(package) is None:
            raise SGFError(f"the report needs {name}: pip install 'sgf-hub[evaluate]'.")
    hub = HubOptions(revision=revision, token=token)
    loaded = SGFMapping.from_pretrained(mapping, **vars(hub))
    known = loaded.spec.attributes
    if not known:
        raise BadValueError(
            f"{mapping!r} knows no attributes; the score is of attribute edits: choose another mapping."
        )
    usual = _OF_FACES if set(_OF_FACES) <= set(known) else ATTRIBUTES
    main = ",".join(name for name in usual if name in known) or "all"
    chosen = _names("attribute", main if attributes == "main" else attributes, known)
    if write_card:
        entry_folder(mapping)
    plan = Plan(
        mapping=mapping,
        judge=_judge(judge, chosen, loaded.generator_name, hub.of_parts),
        methods=_names("method", methods, METHODS),
        attributes=chosen,
        samples=samples,
        seeds=seeds,
        out=out,
        pairs=pairs,
        hub=hub,
    )
    make_folder(out)
    opened = plan.open()
    if methods == "all":
        plan = replace(plan, methods=opened.suited)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", visible=False)
        for what, done, total in opened.fit(plan.methods):
            progress.update(bar, description=what, completed=done, total=total, visible=True)
        bar = progress.add_task("editing", total=len(plan.tasks))
        records = []
        for task, record in run(plan, workers=workers or os.cpu_count() or 1, fresh=fresh):
            records.append(record)
            progress.update(bar, advance=1, description=f"{task.method}, {task.attribute}")
            if not console.is_terminal:
                score = ", ".join(f"{name} {seen['mds']:.3f}" for name, seen in record["readings"].items())
                typer.echo(f"{len(records)}/{len(plan.tasks)} {' '.join(map(str, task))}: MDS {score}", err=True)
    results = write_report(plan, records, typed())
    if write_card:
        kept = {key: results[key] for key in ("command", "samples", "seeds", "attributes", "generator", "judge")}
        fitted = [f"{loaded.generator_name}-{method}" for method in plan.methods]  # those that are entries
        figures = {**kept, "figures": rounded(results["figures"])}
        keep(mapping, "evaluation", figures, by=(*plan.judge, *fitted), tell=False)
        renew_card(results, entry_folder(mapping))
    overall = {method: each["overall"] for method, each in results["figures"].items()}
    scores = {
        method: {name: round(part["mds"], 4) for name, part in parts.items() if name in OBSERVERS}
        for method, parts in overall.items()
    }
    typer.echo(json.dumps({"out": str(out), "mds": scores}))


def rounded(value: dict | float) -> dict | float:
    """Figures, to five decimals."""
    return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else round(value, 5)


def _names(what: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names out of a list with commas, or all that are known."""
    from sgf_hub.validation import nearest, short

    if text == "all":
        return known
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise BadValueError(f"no {what} is named: give one or more of {', '.join(known)}, or 'all'.")
    for name in names:
        if name not in known:
            raise UnknownNameError(f"{what} {short(name)} is unknown{nearest(name, known)}. Known: {', '.join(known)}.")
    return names


def _judge(text: str, attributes: tuple[str, ...], generator: str, hub: HubOptions) -> tuple[str, ...]:
    """The heads of the judge: those named, none, or the embedded one where it knows all the attributes."""
    from sgf_hub.hub.names import NAMESPACE, root
    from sgf_hub.predictors import load_predictor

    if text == "none":
        return ()
    automatic = text == "auto"
    try:
        heads = judge_of(generator) if automatic else tuple(filter(None, (name.strip() for name in text.split(","))))
    except BadValueError:  # somebody's own generator
        return ()
    if automatic and not all((root() / head.removeprefix(NAMESPACE + "/")).is_dir() for head in heads):
        return ()
    known = load_predictor(heads, **vars(hub)).spec.attributes
    unknown = [name for name in attributes if name not in known]
    if not unknown:
        return heads
    if automatic:
        return ()
    raise BadValueError(f"the judge {text!r} does not know {', '.join(unknown)}: choose another, or --judge none.")


def make_folder(folder: Path) -> None:
    """Make the folder of --out, or say why it cannot be one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadValueError(f"{folder} cannot be made a folder ({error.strerror}): give another --out.") from None
