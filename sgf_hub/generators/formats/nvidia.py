"""NVIDIA's pickles of StyleGAN2 (stylegan2-ada-pytorch, and StyleGAN2 networks of the stylegan3 repository).

A pickle holds {G, D, G_ema, augment_pipe, training_set_kwargs}. Every network in it is the `__dict__` of a module,
beside the source text of its class, which is never looked at: what the class computes is known from its name, its plain
attributes and the names of its weights. Gains of equalised learning rates are such attributes (`weight_gain`,
`bias_gain`); convolutions are demodulated and have none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.checkpoint import (
    MOST_LEVELS,
    Checkpoint,
    Piece,
    UnsupportedError,
    check_filter,
    highest,
    is_plain,
    named,
    side,
)
from sgf_hub.generators.formats.reader import Opaque
from sgf_hub.generators.stylegan2 import StyleGAN2
from sgf_hub.validation import short

FORMAT = "an NVIDIA StyleGAN2-ADA pickle"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_ALIAS_FREE = re.compile(r"synthesis\.(input\.freqs|L\d+_\d+_\d+\.)")  # StyleGAN3's layers


def read(tree: Any, name: str) -> Checkpoint | None:
    """The generator G_ema of a pickle, or None if it is not one of NVIDIA's.

    Raises:
        UnsupportedError: for another network than an unconditional StyleGAN2 with RGB skips.
        CorruptFileError: if something is missing.
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
    _refuse_others(network)
    return _stylegan2(network)


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
        for key, value in named(state):
            if is_plain(value):
                found.facts[f"{path}.{key}" if path else key] = value
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


def _refuse_others(network: _Network) -> None:
    """What is recognised and not supported."""
    parts = network.parts
    if "SynthesisInput" in parts.classes.values() or any(_ALIAS_FREE.match(key) for key in parts.tensors):
        raise network.refuse(
            "is a StyleGAN3 network, whose alias-free layers sgf-hub does not have: StyleGAN2 pickles are supported; "
            "wrap this one in a CustomGenerator together with NVIDIA's own code.",
            "an NVIDIA StyleGAN3 pickle",
        )
    classes = [parts.classes.get(path) for path in ("", "mapping", "synthesis")]
    if classes != ["Generator", "MappingNetwork", "SynthesisNetwork"]:
        raise network.refuse(
            f"holds NVIDIA's {short(classes[0])}, not a StyleGAN2 generator: StyleGAN2 pickles are supported.",
            "an NVIDIA pickle",
        )
    if network.number("c_dim") > 0:
        raise network.refuse(
            f"is class-conditional ({network.number('c_dim'):.0f} classes): only networks without classes are "
            f"supported; wrap this one, with its class fixed, in a CustomGenerator."
        )
    architecture = network.common(r"synthesis\.b\d+\.architecture")
    if architecture != {"skip"}:
        names = " and ".join(str(one) for one in sorted(map(str, architecture)))
        raise network.refuse(f"has synthesis blocks of architecture {short(names)}: only 'skip' is supported.")
    for what, wanted in ((r"synthesis\.b\d+\.conv\d", "lrelu"), (r"mapping\.fc\d+", "lrelu")):
        if (found := network.common(what + r"\.activation")) != {wanted}:
            raise network.refuse(f"has the activations {short(sorted(map(str, found)))}: only 'lrelu' is supported.")
    if network.number("img_channels") != 3:
        raise network.refuse(f"draws {network.number('img_channels'):.0f} channels: only RGB pictures are supported.")


def _stylegan2(network: _Network) -> Checkpoint:
    name, tensors = network.name, network.parts.tensors
    sides = [4 << i for i in range(MOST_LEVELS) if any(key.startswith(f"synthesis.b{4 << i}.") for key in tensors)]
    levels = max(len(sides), 1)
    channels = [side(name, tensors, f"synthesis.b{4 << i}.conv1.weight", 0, dims=4) for i in range(levels)]
    layers = highest(tensors, "mapping.fc") + 1
    latent_dim = side(name, tensors, f"mapping.fc{max(layers - 1, 0)}.weight", 0, dims=2)
    clamps = network.common(r"synthesis\.b\d+\.(conv\d|torgb)\.conv_clamp")
    if len(clamps) > 1:
        raise network.refuse(f"clamps its layers differently ({short(clamps)}): only one bound for all is supported.")
    clamp = clamps.pop() if clamps else None
    noise = any(key.endswith(".noise_const") for key in tensors)
    pieces: dict[str, Piece] = {}
    for i in range(layers):
        pieces |= _linear(network, f"mapping.{i}", f"mapping.fc{i}")
    if "mapping.w_avg" in tensors:
        pieces["w_avg"] = Piece("mapping.w_avg")
    for i in range(levels):
        ours, theirs = f"blocks.{i}", f"synthesis.b{4 << i}"
        if i == 0:
            pieces[f"{ours}.const"] = Piece(f"{theirs}.const")
        for conv in ("conv0", "conv1")[i == 0 :]:
            pieces |= _linear(network, f"{ours}.{conv}.affine", f"{theirs}.{conv}.affine")
            for part in ("weight", "bias", *(("noise_const", "noise_strength") if noise else ())):
                pieces[f"{ours}.{conv}.{part}"] = Piece(f"{theirs}.{conv}.{part}")
        # without demodulation the gain of this weight matters; the original puts it on the style
        pieces |= _linear(network, f"{ours}.rgb.affine", f"{theirs}.torgb.affine")
        pieces[f"{ours}.rgb.weight"] = Piece(f"{theirs}.torgb.weight", network.number(f"{theirs}.torgb.weight_gain"))
        pieces[f"{ours}.rgb.bias"] = Piece(f"{theirs}.torgb.bias")
    filters = [key for key in tensors if key.endswith(".resample_filter")]
    for key in filters:
        check_filter(name, FORMAT, tensors, key, gain=1.0)
    between = side(name, tensors, "mapping.fc0.weight", 0, dims=2) if layers > 1 else latent_dim
    return Checkpoint(
        name=name,
        format=FORMAT,
        kind=StyleGAN2,
        config={
            "resolution": 4 << (levels - 1),
            "latent_dim": latent_dim,
            "z_dim": side(name, tensors, "mapping.fc0.weight", 1, dims=2),
            "mapping_layers": layers,
            "mapping_width": between,
            "channels": channels,
            "noise": noise,
            "clamp": clamp,
        },
        pieces=pieces,
        tensors=tensors,
        spare=frozenset(filters),
        notes=() if "w_avg" in pieces else ("the mean w is that of 10,000 draws: the file holds none",),
    )


def _linear(network: _Network, ours: str, theirs: str) -> dict[str, Piece]:
    """A fully connected layer, with the gains that it is run with."""
    return {
        f"{ours}.{part}": Piece(f"{theirs}.{part}", network.number(f"{theirs}.{part}_gain"))
        for part in ("weight", "bias")
    }
