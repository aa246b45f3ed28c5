"""From a generator and a predictor to a mapping that edits: pairs, training, a check of the edits, pictures, a card.

Every stage goes on where a kill left it, and is skipped when it is done. Several processes (`accelerate launch`) share
the sampling and the training; the rest is done by the one that leads.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from sgf_hub.data.distributed import ALONE, Group, on_device
from sgf_hub.data.pairs import PairsInfo, load_pairs, sample_pairs
from sgf_hub.editing.editor import SGFEditor
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.evaluation.check import check, draw_preview, kinds
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.publishing.cards import PREVIEW
from sgf_hub.mapping import SGFMapping
from sgf_hub.training.mapping import PRESETS, MappingConfig, mapping_for, train
from sgf_hub.training.reconstruction import Descent
from sgf_hub.types import Generator, Latent, Predictor
from sgf_hub.validation import bounded, read_json

T = TypeVar("T")

_PROBE = 4  # pictures by which a generator and a predictor are known again
_FEW = 8  # pictures a stage's time is measured on


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Settings of one fit.

    Args:
        pairs: how many (z, c) to train on.
        truncation: psi of their latents.
        seed: of latents, weights and order.
        mapping: the training of F.
        samples: edits of each kind in the check.

    Raises:
        BadValueError: for a number out of range.
    """

    pairs: int = 200_000
    truncation: float = 0.8
    seed: int = 0
    mapping: MappingConfig = field(default_factory=lambda: PRESETS["fast"])
    samples: int = 24

    def __post_init__(self) -> None:
        bounded("pairs", self.pairs, 100, 10**9)
        bounded("truncation", self.truncation, 0.0, 1.0)
        bounded("samples", self.samples, 2, 10_000)


@dataclass(frozen=True)
class Parts:
    """What a mapping is fitted to.

    Args:
        generator: G.
        predictor: C.
        generator_name: what the mapping's config calls it.
        predictor_names: likewise.
    """

    generator: Generator
    predictor: Predictor
    generator_name: str
    predictor_names: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a fit is.

    Args:
        stage: "pairs", "mapping" or "check".
        done: of `total`.
        total: pairs, iterations, or kinds of edit.
        figures: what is known by now.
    """

    stage: str
    done: int
    total: int
    figures: dict


def fit(
    config: FitConfig, parts: Parts, work: Path, out: Path, *, command: str = "", group: Group = ALONE
) -> Iterator[Progress]:
    """Fit a mapping, continuing what `work` holds.

    Args:
        config: the settings.
        parts: G and C.
        work: folder of unfinished work.
        out: folder for the mapping, its figures, preview and training record.
        command: what the user typed.
        group: the processes that work together; all of them call this.

    Yields:
        How far it is.

    Raises:
        BadValueError: if `work` holds a fit with other settings, or of a generator or predictor that has changed; or if
            `out` cannot be written, or holds something else.
        DegenerateMappingError: if F ignores c; nothing is written to `out` then.
    """
    check_folder(out, parts)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadValueError(f"{work} cannot be made a folder ({error.strerror}): give another --runs.") from None
    _recognize(parts, work / "parts.json", group)
    info = PairsInfo(
        parts.generator_name,
        parts.predictor_names,
        parts.generator.latent_space,
        parts.predictor.spec,
        config.truncation,
        config.seed,
        getattr(parts.generator, "class_label", None),
    )
    sampling = sample_pairs(parts.generator, parts.predictor, info, work / "pairs", count=config.pairs, group=group)
    for done in sampling:
        yield Progress("pairs", done, config.pairs, {})
    # an earlier fit of more pairs may have left some: the same settings give the same mapping
    pairs = load_pairs(work / "pairs").first(config.pairs)
    iterations = config.mapping.iterations
    for record in train(config.mapping, pairs, work / f"mapping-{config.pairs}", out, command=command, group=group):
        yield Progress("mapping", record["iteration"], iterations, record)
    if group.leads:
        editor = SGFEditor(on_device(SGFMapping.from_pretrained(out), group), parts.generator, parts.predictor)
        yield from _check(config, editor, work / "check.json", out, command)
    group.wait()


def check_folder(out: Path, parts: Parts) -> None:
    """Refuse, before a day of sampling, a folder that cannot be written, or that holds anything but an earlier fit.

    Raises:
        BadValueError: if it is so.
    """
    there = out.resolve()
    while not there.exists():
        there = there.parent
    try:
        held = sorted(path.name for path in out.iterdir() if path.name[0] != ".") if out.exists() else []
        with tempfile.TemporaryDirectory(prefix=".", dir=there):  # permissions alone say too little
            pass
    except OSError as error:
        raise BadValueError(f"{str(out)!r} cannot be written ({error.strerror}): give another --out.") from None
    if set(held) <= {WEIGHTS}:  # a kill may have left them alone
        return
    config = read_json(out / CONFIG) if CONFIG in held else {}
    found = tuple(config.get(key) for key in ("class", "generator", "predictor"))
    earlier = found == ("SGFMapping", parts.generator_name, list(parts.predictor_names))
    if not earlier or out.resolve().parent == zoo.root().resolve():
        raise BadValueError(
            f"the folder {str(out)!r} holds {held[0]!r}, and is no earlier fit of this generator and predictor: give a "
            "new --out, or empty it."
        )


def _check(config: FitConfig, editor: SGFEditor, kept: Path, out: Path, command: str) -> Iterator[Progress]:
    """Edits of each kind, the preview, and the figures beside the weights."""
    # figures of another mapping in the same folder are not taken over
    stamp = {"samples": config.samples, "mapping": asdict(config.mapping), "pairs": config.pairs}
    held = read_json(kept) if kept.exists() else {}
    rows = {row["name"]: row for row in held.get("rows", [])} if held.get("stamp") == stamp else {}
    every = kinds(editor)
    for number, name in enumerate(every):
        if name not in rows:
            rows[name] = asdict(check(editor, name, samples=config.samples))
            kept.write_text(json.dumps({"stamp": stamp, "rows": list(rows.values())}))
        yield Progress("check", number + 1, len(every), rows[name])
    draw_preview(editor, out / PREVIEW)
    measured = out / "measured.json"
    figures = read_json(measured) if measured.exists() else {}
    figures["fit"] = {"command": command, "samples": config.samples, "rows": [rows[name] for name in every]}
    measured.write_text(json.dumps(figures, indent=1) + "\n")


def _recognize(parts: Parts, path: Path, group: Group) -> None:
    """Write down what G and C make of a few latents, or refuse if it is not what is written there.

    A name says too little: the user's own generator may have been trained again since the pairs were sampled.
    """
    read = [round(value, 4) for value in _look(parts, _PROBE)[1].flatten()[:256].tolist()]
    group.wait()
    if path.exists():
        held = read_json(path).get("c")
        if not isinstance(held, list) or len(held) != len(read):
            raise CorruptFileError(f"{path} does not describe a fit: delete it to begin anew.")
        if max(abs(a - b) for a, b in zip(held, read, strict=True)) > 0.01:
            raise BadValueError(
                f"the generator or the predictor is another than the one that {path.parent} was begun with: delete "
                "that folder to begin anew, or give another --runs."
            )
    elif group.leads:
        path.write_text(json.dumps({"c": read}))
    group.wait()


@torch.no_grad()
def _look(parts: Parts, count: int) -> tuple[Latent, torch.Tensor]:
    latent = parts.generator.sample(count, seed=0)
    return latent, parts.predictor(parts.generator.synthesize(latent))


# -- how long will it take? -----------------------------------------------------------------------------------------


def estimate(config: FitConfig, parts: Parts) -> dict:
    """Seconds and megabytes that a fit will take on this machine, from a short measurement of every stage."""
    seconds, (latent, c) = _timed(lambda: _look(parts, _FEW))
    spec, size = parts.predictor.spec, latent.data.shape[1]
    info = PairsInfo(parts.generator_name, parts.predictor_names, latent.space, spec, config.truncation, config.seed)
    mapping = mapping_for(config.mapping, info, size)
    batch = config.mapping.batch
    descent = Descent(mapping, torch.randn(batch, size), torch.randn(batch, c.shape[1]), 0.0)
    training = _timed(lambda: descent.step(torch.arange(batch), None, batch * size))[0] * config.mapping.iterations
    pairs = seconds / _FEW * config.pairs
    edits = (len(spec.attributes) + bool(spec.keypoints) + bool(spec.caption)) * config.samples
    checking = edits * 12 * seconds / _FEW * 1.2  # steps an edit, and the field's share of one
    weights = sum(parameter.numel() for parameter in mapping.parameters())
    disk = (config.pairs * (size + c.shape[1]) * 4 + weights * (2 + 3 * 4)) / 2**20
    return {
        "seconds": {"pairs": round(pairs), "mapping": round(training), "check": round(checking)},
        "seconds_in_all": round(pairs + training + checking),
        "disk_megabytes": round(disk, 1),
    }


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of the second run, and what it gave."""
    work()
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
