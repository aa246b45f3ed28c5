"""NVIDIA's pickles of StyleGAN2 (stylegan2-ada-pytorch, and those of the stylegan3 repository) and of StyleGAN3.

A pickle holds {G, D, G_ema, augment_pipe, training_set_kwargs}. Every network in it is the `__dict__` of a module,
beside the source text of its class, which is never looked at: what the class computes is known from its name, its plain
attributes and the names of its weights. Gains of equalised learning rates are such attributes (`weight_gain`,
`bias_gain`); convolutions are demodulated and have none.

A conditional network embeds its class and puts the embedding beside z, before the first layer of the mapping. Which
class is drawn is part of which generator it is, so that the embedding is a constant here: part of that layer's bias.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.checkpoint import (
    MOST_LEVELS,
    Checkpoint,
    Piece,
    UnsupportedError,
    check_filter,
    equalized,
    grey,
    highest,
    is_plain,
    named,
    side,
)
from sgf_hub.generators.formats.reader import Opaque
from sgf_hub.generators.layers import check_label, normalized
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.generators.stylegan.stylegan3 import StyleGAN3
from sgf_hub.validation import short

FORMAT, FORMAT3 = "an NVIDIA StyleGAN2-ADA pickle", "an NVIDIA StyleGAN3 pickle"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_LAYER = re.compile(r"synthesis\.(L(\d+)_\d+_\d+)\.weight")  # of StyleGAN3


def read(tree: Any, name: str, class_label: int | None = None) -> Checkpoint | None:
    """The generator G_ema of a pickle, or None if it is not one of NVIDIA's.

    Raises:
        UnsupportedError: for another network than a StyleGAN3, or a StyleGAN2 with RGB skips.
        CorruptFileError: if something is missing.
        BadValueError: for a class that the network does not draw.
    """
    networks = tree if isinstance(tree, Mapping) else {"G_ema": tree}
    if not any(_is_persistent(value) for value in networks.values()):
        return None
    if not _is_persistent(networks.get("G_ema")):
        held = ", ".join(key for key, value in named(networks) if _is_persistent(value))
        raise UnsupportedError(
            "an NVIDIA pickle",
            f"{name!r} holds {short(held)} and no G_ema, the averaged generator: give a pickle of a whole training.",
        )
    network = _Network(name, _unpacked(networks["G_ema"], name))
    classes = [network.parts.classes.get(path) for path in ("", "mapping", "synthesis")]
    if classes != ["Generator", "MappingNetwork", "SynthesisNetwork"]:
        raise network.refuse(
            f"holds NVIDIA's {short(classes[0])}, not a generator: StyleGAN2 and StyleGAN3 pickles are supported.",
            "an NVIDIA pickle",
        )
    _check_activations(network, r"mapping\.fc\d+")
    check_label(name, int(network.number("c_dim")), class_label)
    _fix_class(network, class_label or 0)
    alias_free = "SynthesisInput" in network.parts.classes.values()
    return (_stylegan3 if alias_free else _stylegan2)(network, class_label)


def _is_persistent(value: Any) -> bool:
    return isinstance(value, Opaque) and value.name == PERSISTENT


@dataclass(frozen=True)
class _Unpacked:
    """A network as plain data, by dotted paths."""

    classes: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


def _unpacked(root: Opaque, name: str) -> _Unpacked:
    """All modules under `root`, each visited once: a pickle may refer to one object from many places."""
    found, seen, waiting = _Unpacked(), set(), [("", root)]
    while waiting:
        path, module = waiting.pop()
        meta = module.args[0] if _is_persistent(module) and len(module.args) == 1 else None
        state = meta.get("state") if isinstance(meta, Mapping) else None
        if not isinstance(meta, Mapping) or not isinstance(state, Mapping) or id(module) in seen:
            raise CorruptFileError(
                f"{name!r} is no pickle as NVIDIA's code writes it: {short(path) or 'G_ema'} is odd."
            )
        seen.add(id(module))
        found.classes[path] = str(meta.get("class_name"))[:100]
        parts = {key: state.get(key) for key in ("_parameters", "_buffers", "_modules")}
        for kind, held in parts.items():
            for key, value in named(held):
                below = f"{path}.{key}" if path else key
                if kind == "_modules" and value is not None:
                    waiting.append((below, value))
                elif isinstance(value, Tensor):
                    found.tensors[below] = value
        for key, value in [*named(state), *named(state.get("_init_kwargs"))]:
            if is_plain(value):
                found.facts.setdefault(f"{path}.{key}" if path else key, value)
    return found


@dataclass(frozen=True)
class _Network:
    """An unpacked network, asked for facts about itself."""

    name: str
    parts: _Unpacked

    def number(self, key: str) -> float:
        """A plain finite number."""
        value = self.parts.facts.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
            raise CorruptFileError(f"{self.name!r} says {short(value)} for {key}, where a number is needed.")
        return float(value)

    def common(self, pattern: str) -> set:
        """The values of the facts whose path matches."""
        matches = re.compile(pattern).fullmatch
        return {value for key, value in self.parts.facts.items() if matches(key)}

    def refuse(self, reason: str, format: str = FORMAT) -> UnsupportedError:
        """A refusal, the file named."""
        return UnsupportedError(format, f"{self.name!r} {reason}")


def _check_activations(network: _Network, layers: str) -> None:
    if (found := network.common(layers + r"\.activation")) != {"lrelu"}:
        raise network.refuse(f"has the activations {short(sorted(map(str, found)))}: only 'lrelu' is supported.")


def _fix_class(network: _Network, label: int) -> None:
    """Put the embedding of a class into the bias of the mapping's first layer, in place of its columns there."""
    if network.number("c_dim") == 0:
        return
    tensors, first = network.parts.tensors, "mapping.fc0"
    z_dim, classes = int(network.number("z_dim")), int(network.number("c_dim"))
    weight, bias = tensors.get(f"{first}.weight"), tensors.get(f"{first}.bias")
    embed, offset = tensors.pop("mapping.embed.weight", None), tensors.pop("mapping.embed.bias", None)
    sizes = [list(one.shape) if one is not None else None for one in (weight, bias, embed, offset)]
    wide = len(embed) if embed is not None and embed.ndim == 2 else 0
    if not wide or sizes[0] is None or sizes != [[sizes[0][0], z_dim + wide], sizes[0][:1], [wide, classes], [wide]]:
        raise CorruptFileError(
            f"{network.name!r} says that it draws {classes} classes, and its mapping's first layers do not fit that."
        )
    assert weight is not None and bias is not None and embed is not None and offset is not None
    gains = {key: network.number(f"mapping.{key}_gain") for key in ("embed.weight", "embed.bias", "fc0.weight")}
    embedded = embed[:, label].float() * gains["embed.weight"] + offset.float() * gains["embed.bias"]
    constant = weight[:, z_dim:].float() @ normalized(embedded[None])[0] * gains["fc0.weight"]
    tensors[f"{first}.weight"] = weight[:, :z_dim]
    tensors[f"{first}.bias"] = bias.float() + constant / network.number(f"{first}.bias_gain")


def _mapping(network: _Network) -> tuple[dict[str, Piece], dict[str, Any]]:
    """Where the mapping network is found, and its sizes."""
    name, tensors = network.name, network.parts.tensors
    layers = highest(tensors, "mapping.fc") + 1
    pieces: dict[str, Piece] = {}
    for i in range(layers):
        pieces |= _linear(network, f"mapping.{i}", f"mapping.fc{i}")
    if "mapping.w_avg" in tensors:
        pieces["w_avg"] = Piece("mapping.w_avg")
    return pieces, {
        "latent_dim": side(name, tensors, f"mapping.fc{max(layers - 1, 0)}.weight", 0, dims=2),
        "z_dim": side(name, tensors, "mapping.fc0.weight", 1, dims=2),
        "mapping_layers": layers,
        "mapping_width": side(name, tensors, "mapping.fc0.weight", 0, dims=2) if layers > 1 else None,
    }


def _clamp(network: _Network, layers: str) -> Any:
    clamps = network.common(layers + r"\.conv_clamp")
    if len(clamps) > 1:
        raise network.refuse(f"clamps its layers differently ({short(clamps)}): only one bound for all is supported.")
    return clamps.pop() if clamps else None


def _stylegan2(network: _Network, class_label: int | None) -> Checkpoint:
    name, tensors = network.name, network.parts.tensors
    architecture = network.common(r"synthesis\.b\d+\.architecture")
    if architecture != {"skip"}:
        names = " and ".join(str(one) for one in sorted(map(str, architecture)))
        raise network.refuse(f"has synthesis blocks of architecture {short(names)}: only 'skip' is supported.")
    _check_activations(network, r"synthesis\.b\d+\.conv\d")
    sides = [4 << i for i in range(MOST_LEVELS) if any(key.startswith(f"synthesis.b{4 << i}.") for key in tensors)]
    levels = max(len(sides), 1)
    channels = [side(name, tensors, f"synthesis.b{4 << i}.conv1.weight", 0, dims=4) for i in range(levels)]
    colours = side(name, tensors, "synthesis.b4.torgb.weight", 0, dims=4)
    noise = any(key.endswith(".noise_const") for key in tensors)
    pieces, sizes = _mapping(network)
    for i in range(levels):
        ours, theirs = f"blocks.{i}", f"synthesis.b{4 << i}"
        if i == 0:
            pieces[f"{ours}.const"] = Piece(f"{theirs}.const")
        for conv in ("conv0", "conv1")[i == 0 :]:
            pieces |= _linear(network, f"{ours}.{conv}.affine", f"{theirs}.{conv}.affine")
            for part in ("weight", "bias", *(("noise_const", "noise_strength") if noise else ())):
                pieces[f"{ours}.{conv}.{part}"] = Piece(f"{theirs}.{conv}.{part}")
        pieces |= _rgb(network, f"{ours}.rgb", f"{theirs}.torgb", network.number(f"{theirs}.torgb.weight_gain"))
    filters = [key for key in tensors if key.endswith(".resample_filter")]
    for key in filters:
        check_filter(name, FORMAT, tensors, key, gain=1.0)
    return Checkpoint(
        name=name,
        format=FORMAT,
        kind=StyleGAN2,
        config={
            "resolution": 4 << (levels - 1),
            **sizes,
            "channels": channels,
            "noise": noise,
            "clamp": _clamp(network, r"synthesis\.b\d+\.(conv\d|torgb)"),
            "image_channels": 3 if colours == 1 else colours,
            "class_label": class_label,
        },
        pieces=pieces,
        tensors=tensors,
        spare=frozenset(filters),
        notes=_notes(pieces),
        classes=int(network.number("c_dim")),
    )


def _stylegan3(network: _Network, class_label: int | None) -> Checkpoint:
    name, tensors, number = network.name, network.parts.tensors, network.number
    layers = dict(sorted((int(found[2]), found[1]) for found in map(_LAYER.fullmatch, tensors) if found))
    count = len(layers) - 1  # the last one is to RGB
    if count < 3 or list(layers) != list(range(count + 1)):
        raise CorruptFileError(f"{name!r} lacks layers of a StyleGAN3: it is truncated, or not a whole generator.")
    convs, last = [f"synthesis.{layers[i]}" for i in range(count)], f"synthesis.{layers[count]}"
    radial = network.parts.facts.get("synthesis.use_radial_filters") is True
    given = {
        ours: number(f"synthesis.{theirs}") if f"synthesis.{theirs}" in network.parts.facts else default
        for ours, theirs, default in (
            ("first_cutoff", "first_cutoff", 2.0),
            ("first_stopband", "first_stopband", 2**2.1),
            ("last_stopband", "last_stopband_rel", 2**0.3),
        )
    }
    colours = side(name, tensors, f"{last}.weight", 0, dims=4)
    pieces, sizes = _mapping(network)
    pieces |= {
        "input.frequencies": Piece("synthesis.input.freqs"),
        "input.phases": Piece("synthesis.input.phases"),
        "input.transform": Piece("synthesis.input.transform"),
    }
    width = side(name, tensors, "synthesis.input.weight", 0, dims=2)
    pieces["input.weight"] = Piece("synthesis.input.weight", equalized(width))
    pieces |= _linear(network, "input.affine", "synthesis.input.affine")
    for i, theirs in enumerate(convs):
        pieces |= _linear(network, f"convs.{i}.affine", f"{theirs}.affine")
        pieces |= {f"convs.{i}.{part}": Piece(f"{theirs}.{part}") for part in ("weight", "bias")}
        pieces[f"convs.{i}.magnitude"] = Piece(f"{theirs}.magnitude_ema")
    pieces |= _rgb(network, "rgb", last, equalized(side(name, tensors, f"{last}.weight", 1, dims=4)))
    pieces["rgb.magnitude"] = Piece(f"{last}.magnitude_ema")
    checkpoint = Checkpoint(
        name=name,
        format=FORMAT3,
        kind=StyleGAN3,
        config={
            "resolution": int(number("synthesis.img_resolution")),
            **sizes,
            "channels": [side(name, tensors, f"{theirs}.weight", 0, dims=4) for theirs in convs],
            "kernel": side(name, tensors, f"{convs[0]}.weight", 3, dims=4),
            "radial": radial,
            "critical": int(number("synthesis.num_critical")),
            "output_scale": number("synthesis.output_scale"),
            "clamp": _clamp(network, r"synthesis\.L\d+_\d+_\d+"),
            "image_channels": 3 if colours == 1 else colours,
            "class_label": class_label,
            **given,
        },
        pieces=pieces,
        tensors=tensors,
        spare=frozenset(key for key in tensors if key.endswith(("up_filter", "down_filter"))),
        notes=_notes(pieces),
        classes=int(number("c_dim")),
    )
    blank = checkpoint.blank()
    assert isinstance(blank, StyleGAN3)
    _check_filters(network, blank, convs)
    return checkpoint


def _check_filters(network: _Network, blank: StyleGAN3, convs: list[str]) -> None:
    """Refuse a network whose layers sample or filter otherwise than those that its settings describe."""
    for conv, theirs in zip(blank.convs, convs, strict=True):
        for key in ("up_filter", "down_filter"):
            taps = network.parts.tensors.get(f"{theirs}.{key}")
            gain = conv.up if key == "up_filter" else 1
            wanted = getattr(conv, key) / gain
            if (
                taps is None
                or taps.shape != wanted.shape
                or not (taps.is_meta or torch.allclose(taps, wanted, atol=1e-5))
            ):
                raise network.refuse(
                    f"filters otherwise than its settings say ({theirs}.{key}): only the paper's schedule of layers is "
                    f"supported.",
                    FORMAT3,
                )
        sides = [network.number(f"{theirs}.{key}_factor") for key in ("up", "down")]
        if sides != [conv.up, conv.down]:
            raise network.refuse(f"samples otherwise than its settings say ({theirs}): this is not supported.", FORMAT3)


def _notes(pieces: dict[str, Piece]) -> tuple[str, ...]:
    return () if "w_avg" in pieces else ("the mean w is that of 10,000 draws: the file holds none",)


def _rgb(network: _Network, ours: str, theirs: str, gain: float) -> dict[str, Piece]:
    """The last layer; without demodulation the gain of its weight matters, which the original puts on the style."""
    weight, bias = Piece(f"{theirs}.weight", gain), Piece(f"{theirs}.bias")
    if side(network.name, network.parts.tensors, f"{theirs}.weight", 0, dims=4) == 1:
        weight, bias = grey(network.parts.tensors, weight), grey(network.parts.tensors, bias)
    return {f"{ours}.weight": weight, f"{ours}.bias": bias} | _linear(network, f"{ours}.affine", f"{theirs}.affine")


def _linear(network: _Network, ours: str, theirs: str) -> dict[str, Piece]:
    """A fully connected layer, with the gains that it is run with."""
    return {
        f"{ours}.{part}": Piece(f"{theirs}.{part}", network.number(f"{theirs}.{part}_gain"))
        for part in ("weight", "bias")
    }
