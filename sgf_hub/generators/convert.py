"""`convert`: a checkpoint of another project as a repo of ours, so that the original is needed once."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators.formats import open_checkpoint
from sgf_hub.generators.layers import check_label
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.sources import find
from sgf_hub.generators.stylegan.style_based import StyleBasedGenerator
from sgf_hub.hub.files import CONFIG, WEIGHTS, sha256
from sgf_hub.hub.kinds import of_role
from sgf_hub.hub.options import HubOptions
from sgf_hub.validation import read_json, short

SOURCE = "source.json"  # beside the weights: what they were converted from
_OURS = {CONFIG, WEIGHTS, SOURCE}


def convert(
    source: str | Path, out: str | Path, *, class_label: int | None = None, **hub: Any
) -> StyleBasedGenerator | ProGAN:
    """Write config.json, model.safetensors and source.json into a folder that `load_generator` reads.

    Weights are written in half precision where that changes none of them, else in single precision: a conversion keeps
    pictures to 1e-4 of their maximum, and rounded weights would not.

    Args:
        source: as for `load_generator`.
        out: the folder. It must be new, empty, or an earlier conversion, which is replaced as a whole.
        class_label: which class a conditional network is to draw; what is written draws that one alone.
        **hub: how it is fetched, as `HubOptions` has it.

    Returns:
        The generator, as read back from `out`.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if the source is damaged, or of a format that is not supported.
        BadValueError: if the folder holds something else, or cannot be written; or for a class that is not drawn.
    """
    folder = Path(out).resolve()
    _check_folder(folder)
    generator, made = _loaded(source, class_label, hub)
    halves = all(torch.equal(value.half().float(), value) for value in generator.state_dict().values())
    generator.saved_as = torch.float16 if halves else torch.float32
    part, old = (folder.with_name(f".{folder.name}.{what}") for what in ("part", "old"))
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        generator.save_pretrained(part)
        (part / SOURCE).write_text(json.dumps(made, indent=1) + "\n")
        # the folder comes into being as a whole; a kill leaves the earlier one, or none
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.rename(folder, old)
        os.rename(part, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise BadValueError(f"{str(out)!r} cannot be written ({error.strerror}): give another --out.") from None
    return type(generator).from_pretrained(folder)


def _check_folder(folder: Path) -> None:
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise BadValueError(f"{str(folder)!r} is no folder ({error.strerror}): give another --out.") from None
    if held and (SOURCE not in held or held - _OURS):
        strange = sorted(held - _OURS) or sorted(held)
        raise BadValueError(
            f"the folder {folder.name!r} holds {short(strange[0])}, and is no earlier conversion: give a new --out, or "
            f"empty it."
        )


def _loaded(
    source: str | Path, class_label: int | None, hub: Mapping[str, Any]
) -> tuple[StyleBasedGenerator | ProGAN, dict]:
    """A generator, and what source.json says of it."""
    found = find(source, HubOptions.of(hub))
    if found.kind == "checkpoint":
        checkpoint = open_checkpoint(found.path, class_label=class_label)
        made = _origin(found.path, checkpoint.format, checkpoint.notes)
        return checkpoint.generator(), made
    check_label(str(source), 0, class_label)  # a repo of ours draws one class, if any
    kinds = of_role("generator")
    kind = read_json(found.path / CONFIG).get("class") if found.kind == "folder" else "a diffusers pipeline"
    if not isinstance(kind, str) or kind not in kinds:
        raise CorruptFileError(
            f"{str(source)!r} holds {short(kind) if kind else 'a foreign model'}, which is not converted: "
            f"give a checkpoint of a GAN, or a {' or '.join(kinds)} of ours."
        )
    generator = kinds[kind].load().from_pretrained(source, **hub)
    return generator, _origin((generator.folder or found.path) / WEIGHTS, "a repo of sgf-hub", ())


def _origin(path: Path, format: str, notes: tuple[str, ...]) -> dict:
    return {"source": {"file": path.name, "sha256": sha256(path), "format": format, "notes": list(notes)}}
