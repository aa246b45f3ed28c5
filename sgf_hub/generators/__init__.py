"""Generators: latent to image. `load_generator` gives one by name, whoever made it."""

from pathlib import Path
from typing import Any

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators.convert import convert
from sgf_hub.generators.describe import Description, inspect
from sgf_hub.generators.sources import find
from sgf_hub.hub.kinds import of_role
from sgf_hub.hub.options import HubOptions
from sgf_hub.types import Generator
from sgf_hub.validation import read_json, short


def load_generator(source: str | Path, *, class_label: int | None = None, **hub: Any) -> Generator:
    """The generator that `source` names, in float32, on the CPU, in evaluation mode.

    Args:
        source: a folder of ours or of diffusers, an entry of the embedded zoo, a checkpoint file of another project
            (docs/formats.md), a Hub id "owner/name", or one file of a Hub repo, "owner/name/file.pkl".
        class_label: which class a conditional network draws: it is part of which generator it is.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if it is not a generator, damaged, or of a format that is not supported.
        BadValueError: if the class label is missing, out of range, or of no use.
    """
    found = find(source, HubOptions.of(hub))
    if found.kind == "checkpoint":
        from sgf_hub.generators.formats import open_checkpoint

        return open_checkpoint(found.path, class_label=class_label).generator()
    if found.kind == "diffusers":
        from sgf_hub.generators.diffusion import DiffusionGenerator

        return DiffusionGenerator.from_pretrained(source, class_label=class_label, **hub)
    kinds = of_role("generator")
    kind = read_json(found.path / "config.json").get("class")
    if not isinstance(kind, str) or kind not in kinds:
        held = short(kind) if kind else "a foreign model"
        raise CorruptFileError(f"{str(source)!r} holds {held}, not a generator: {', '.join(kinds)}.")
    generator = kinds[kind].load().from_pretrained(source, **hub)
    fixed = getattr(generator, "class_label", None)
    if class_label not in (None, fixed):
        what = "draws no classes" if fixed is None else f"was converted to draw class {fixed}"
        raise BadValueError(f"{str(source)!r} {what}: leave class_label out, or give the original file.")
    return generator


__all__ = ["Description", "convert", "inspect", "load_generator"]
