"""`inspect`: what a source is, told from its names and shapes alone: nothing is built in memory, and nothing is run."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from sgf_hub.errors import CorruptFileError, SGFError
from sgf_hub.generators.sources import INDEX, Found, find
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.kinds import of_role
from sgf_hub.hub.module import HubModule, shapes_only
from sgf_hub.hub.names import repo_name
from sgf_hub.hub.options import HubOptions
from sgf_hub.validation import read_json, short

_UNET = "unet/config.json"
_CHANNELS = {1: "1, drawn as three equal colours", 3: "3", 4: "4, with alpha"}
_FITTED = "once a mapping is fitted to it: sgf-hub fit"


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a source is.

    Args:
        source: as it was given.
        format: what wrote it.
        architecture: the class that it is loaded as, or the name that it gives itself.
        resolution: R, side of its pictures.
        latent_space: "z" or "w".
        latent_dim: D.
        layers: of synthesis, which are the rows of a w+ latent; of a mapping, its N.
        channels: of its pictures: "1, drawn as three equal colours", "3", or "4, with alpha".
        classes: how many a conditional network draws; None for one without.
        parameters: numbers in its weights.
        size: of its files, in bytes.
        loadable: whether it can be loaded, as far as names and shapes tell.
        reason: why not.
        editable: what edits it: mappings of the zoo, or what is needed for one.
        notes: what a user should know besides.
    """

    source: str
    format: str
    architecture: str | None = None
    resolution: int | None = None
    latent_space: str | None = None
    latent_dim: int | None = None
    layers: int | None = None
    channels: str | None = None
    classes: int | None = None
    parameters: int | None = None
    size: int = 0
    loadable: bool = True
    reason: str = ""
    editable: str | None = None
    notes: tuple[str, ...] = ()


def inspect(source: str | Path, **hub: Any) -> Description:
    """What `source` is, and whether it can be loaded.

    Args:
        source: as for `load_generator`; a mapping, too.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if a folder holds no model, or several.
    """
    options = HubOptions.of(hub)
    found = find(source, options)
    if found.kind == "checkpoint":
        return _checkpoint(str(source), found)
    if found.kind == "diffusers":
        return _diffusers(str(source), found, options)
    return _folder(str(source), found, options)


def _checkpoint(source: str, found: Found) -> Description:
    from sgf_hub.generators.formats import UnsupportedError, open_checkpoint

    size = found.path.stat().st_size
    try:
        checkpoint = open_checkpoint(found.path, tensors=False)
    except UnsupportedError as error:
        return Description(source=source, format=error.format, size=size, loadable=False, reason=str(error))
    except CorruptFileError as error:
        return Description(source=source, format="unknown", size=size, loadable=False, reason=str(error))
    facts = _facts(checkpoint.blank()) | ({"channels": _CHANNELS[1]} if checkpoint.grey else {})
    return Description(
        source=source,
        format=checkpoint.format,
        size=size,
        classes=checkpoint.classes or None,
        editable=_FITTED,
        notes=checkpoint.notes,
        **facts,
    )


def _facts(network: Any) -> dict[str, Any]:
    """What a generator or mapping of ours says of itself."""
    layers = getattr(network, "layers", None)  # of a mapping
    if layers is None:
        layers = getattr(network, "num_layers", None) or (
            2 * len(network.blocks) if hasattr(network, "blocks") else None
        )
    drawn = hasattr(network, "resolution")
    return {
        "architecture": type(network).__name__,
        "resolution": getattr(network, "resolution", None),
        "latent_space": network.latent_space,
        "latent_dim": network.latent_dim,
        "layers": layers,
        "channels": _CHANNELS[getattr(network, "image_channels", 3)] if drawn else None,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def _folder(source: str, found: Found, hub: HubOptions) -> Description:
    """A repo with a config.json: a generator or mapping of ours, or something else, which is named."""
    kinds = of_role("generator") | of_role("mapping")
    config = read_json(found.path / CONFIG)
    kind = config.get("class")
    try:
        folder = zoo.locate(source, hub, files=(CONFIG, WEIGHTS))
    except CorruptFileError as error:
        name = kind if isinstance(kind, str) else None
        return Description(source=source, format="sgf-hub", architecture=name, loadable=False, reason=str(error))
    size = sum((folder / file).stat().st_size for file in (CONFIG, WEIGHTS))
    if not isinstance(kind, str) or kind not in kinds:
        held = str(kind or config.get("model_type") or "foreign model")[:100]
        return Description(
            source=source,
            format="sgf-hub" if kind else "a repo of another library",
            architecture=held,
            parameters=_count(folder / WEIGHTS),
            size=size,
            loadable=False,
            reason=f"{source!r} holds {held}, which is neither a generator nor a mapping.",
        )
    facts: dict[str, Any] = {"architecture": kind}
    try:
        network = _blank(kinds[kind].load(), config, folder)
        facts = _facts(network)
        _check_shapes(folder / WEIGHTS, network, folder.name)
    except SGFError as error:
        return Description(source=source, format="sgf-hub", size=size, loadable=False, reason=str(error), **facts)
    editable = None if hasattr(network, "spec") else _edited_by(folder.name)
    return Description(
        source=source, format="sgf-hub", size=size, editable=editable, notes=_mapping_notes(network), **facts
    )


def _blank(kind: type[HubModule], config: dict, folder: Path) -> Any:
    """The network that a config.json describes, without memory."""
    arguments = kind._checked_config(config, folder.name)
    try:
        with shapes_only():
            return kind(**arguments)
    except (TypeError, ValueError, RuntimeError, OverflowError, ArithmeticError, LookupError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptFileError(f"{CONFIG} of {repo_name(folder)!r} is not usable: {reason}") from None


def _edited_by(name: str) -> str:
    """The mappings of the zoo whose config names a generator."""
    mappings = [one for one in zoo.entries() if one.kind in of_role("mapping")]
    fitting = [one.name for one in mappings if str(one.config.get("generator")).rpartition("/")[2] == name]
    return f"by {', '.join(fitting)}" if fitting else _FITTED


def _mapping_notes(network: Any) -> tuple[str, ...]:
    if not hasattr(network, "spec"):
        return ()
    spec = network.spec
    counts = {"attributes": len(spec.attributes), "keypoints": len(spec.keypoints), "caption components": spec.caption}
    conditions = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return (f"edits {network.generator_name} by {conditions}, read by {', '.join(network.predictor_names)}",)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes in a safetensors file, of which only the header is read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path.name} cannot be read as safetensors ({error}): fetch it again.") from None


def _check_shapes(path: Path, network: Any, name: str) -> None:
    from sgf_hub.generators.formats.checkpoint import few, misfits

    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    problems = misfits(_shapes(path), wanted)
    if problems:
        raise CorruptFileError(f"{path.name} of {name!r} does not fit its config: {few(problems)}.")


def _count(path: Path) -> int | None:
    """Numbers in a safetensors file, if it is one."""
    try:
        return sum(math.prod(shape) for shape in _shapes(path).values())
    except CorruptFileError:
        return None


def _diffusers(source: str, found: Found, hub: HubOptions) -> Description:
    """A pipeline of diffusers, by its JSON files; its weights are looked at where they are already here."""
    from sgf_hub.generators import diffusion

    kind = read_json(found.path / INDEX).get("_class_name")
    facts: dict[str, Any] = {"format": "diffusers", "architecture": short(kind).strip("'") if kind else None}
    facts["size"] = sum(file.stat().st_size for file in found.path.rglob("*") if file.is_file())
    try:
        folder = zoo.locate(source, hub, files=(INDEX, _UNET))
        diffusion._check_pipeline(folder)
        config = read_json(folder / _UNET)
        channels, side = diffusion.checked_shape(config)
        weights = folder / diffusion.weight_files(source, folder, hub)
        if weights.suffix == ".safetensors" and weights.is_file():
            facts["parameters"] = _count(weights)
        facts |= {"classes": diffusion.classes_of(config) or None, "channels": _CHANNELS[channels]}
    except SGFError as error:
        return Description(source=source, loadable=False, reason=str(error), **facts)
    except (LookupError, TypeError):
        reason = f"{_UNET} of {source!r} describes no network of diffusers."
        return Description(source=source, loadable=False, reason=reason, **facts)
    return Description(
        source=source, resolution=side, latent_space="z", latent_dim=channels * side**2, editable=_FITTED, **facts
    )
