"""Our toy generators in the layouts of other projects: what `sgf_hub.generators.formats` must undo.

Written from the layouts' definitions and not from the readers: every weight is divided by the gain that the foreign
code multiplies it by.
"""

import math
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2

GOLDEN = Path(__file__).parent / "golden"
FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
MODULE_SOURCE = 'raise RuntimeError("code inside a pickle must never run")\n'


class Persistent:
    """A network as NVIDIA's persistence pickles it."""

    def __init__(self, class_name: str, **facts: Any) -> None:
        self.class_name, self.facts = class_name, facts
        self.tensors: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        self.modules: dict[str, Any] = {}

    def __reduce__(self) -> tuple:
        state = {
            "training": False,
            "_parameters": self.tensors,
            "_buffers": self.buffers,
            "_modules": self.modules,
            "_forward_hooks": OrderedDict(),
            **self.facts,
        }
        meta = {"type": "class", "version": 6, "module_src": MODULE_SOURCE, "class_name": self.class_name}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, ({**meta, "state": state},)


@contextmanager
def nvidias_modules() -> Iterator[None]:
    """While it lasts, a pickle may name NVIDIA's modules, which need not exist."""

    def _reconstruct_persistent_obj(meta: dict) -> None:
        raise RuntimeError("nothing in a file is called")

    fake = types.ModuleType("torch_utils.persistence")
    fake._reconstruct_persistent_obj = _reconstruct_persistent_obj
    _reconstruct_persistent_obj.__module__ = fake.__name__
    _reconstruct_persistent_obj.__qualname__ = _reconstruct_persistent_obj.__name__
    modules = {"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": fake}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def pickled(tree: Any) -> bytes:
    """The bytes of a pickle of NVIDIA's networks."""
    with nvidias_modules():
        return pickle.dumps(tree)


def nvidia(generator: StyleGAN2) -> Persistent:
    """G_ema of a StyleGAN2-ADA pickle."""

    def linear(layer: Any, *, rate: float = 1.0, activation: str = "linear") -> Persistent:
        gain = np.float64(rate / math.sqrt(layer.in_features))  # NumPy's, as in files
        made = Persistent("FullyConnectedLayer", activation=activation, weight_gain=gain, bias_gain=rate)
        made.tensors = {"weight": layer.weight / float(gain), "bias": layer.bias / rate}
        return made

    def conv(layer: Any) -> Persistent:
        made = Persistent("SynthesisLayer", activation="lrelu", conv_clamp=layer.clamp, use_noise=layer.noise)
        made.tensors = {"weight": layer.weight, "bias": layer.bias}
        made.buffers = {"resample_filter": FILTER}
        if layer.noise:
            made.tensors["noise_strength"], made.buffers["noise_const"] = layer.noise_strength, layer.noise_const
        made.modules = {"affine": linear(layer.affine)}
        return made

    mapping = Persistent("MappingNetwork", z_dim=generator.z_dim, w_dim=generator.latent_dim)
    mapping.buffers = {"w_avg": generator.w_avg}
    mapping.modules = {
        f"fc{i}": linear(layer, rate=0.01, activation="lrelu") for i, layer in enumerate(generator.mapping)
    }
    synthesis = Persistent("SynthesisNetwork", num_ws=generator.num_layers)
    for i, block in enumerate(generator.blocks):
        made = Persistent("SynthesisBlock", architecture="skip", resolution=4 << i)
        made.buffers = {"resample_filter": FILTER}
        if i == 0:
            made.tensors = {"const": block.const}
        else:
            made.modules["conv0"] = conv(block.conv0)
        rgb = Persistent("ToRGBLayer", conv_clamp=block.rgb.clamp, weight_gain=1 / math.sqrt(block.rgb.weight.shape[1]))
        rgb.tensors = {"weight": block.rgb.weight / rgb.facts["weight_gain"], "bias": block.rgb.bias}
        rgb.modules = {"affine": linear(block.rgb.affine)}
        made.modules |= {"conv1": conv(block.conv1), "torgb": rgb}
        synthesis.modules[f"b{4 << i}"] = made
    whole = Persistent("Generator", c_dim=0, img_channels=3, img_resolution=generator.resolution)
    whole.modules = {"synthesis": synthesis, "mapping": mapping}
    return whole


def rosinality(generator: StyleGAN2) -> dict:
    """A converted checkpoint, {g_ema, latent_avg}, of a generator with noise."""
    state: dict[str, Tensor] = {}

    def linear(name: str, layer: Any, rate: float = 1.0) -> None:
        state[f"{name}.weight"] = layer.weight * (math.sqrt(layer.in_features) / rate)
        state[f"{name}.bias"] = layer.bias / rate

    def modulated(name: str, layer: Any) -> None:
        state[f"{name}.conv.weight"] = layer.weight[None] * math.sqrt(layer.weight[0].numel())
        linear(f"{name}.conv.modulation", layer.affine)

    def styled(name: str, layer: Any, number: int) -> None:
        modulated(name, layer)
        state[f"{name}.noise.weight"] = layer.noise_strength[None]
        state[f"{name}.activate.bias"] = layer.bias
        state[f"noises.noise_{number}"] = layer.noise_const[None, None]
        if layer.up:
            state[f"{name}.conv.blur.kernel"] = 4 * FILTER

    for i, layer in enumerate(generator.mapping):
        linear(f"style.{i + 1}", layer, 0.01)
    state["input.input"] = generator.blocks[0].const[None]
    for i, block in enumerate(generator.blocks):
        if i > 0:
            styled(f"convs.{2 * i - 2}", block.conv0, 2 * i - 1)
            state[f"to_rgbs.{i - 1}.upsample.kernel"] = 4 * FILTER
        styled(f"convs.{2 * i - 1}" if i > 0 else "conv1", block.conv1, 2 * i)
        rgb = f"to_rgbs.{i - 1}" if i > 0 else "to_rgb1"
        modulated(rgb, block.rgb)
        state[f"{rgb}.bias"] = block.rgb.bias[None, :, None, None]
    return {"g_ema": state, "latent_avg": generator.w_avg}


def gan_zoo(generator: ProGAN) -> dict:
    """{config, netG, avgG} of pytorch_GAN_zoo; its config as a dict."""
    state: dict[str, Tensor] = {}

    def layer(name: str, found: Any) -> None:
        gain = math.sqrt(2 / found.weight[0].numel())
        state[f"{name}.module.weight"], state[f"{name}.module.bias"] = found.weight / gain, found.bias / gain

    layer("formatLayer", generator.first)
    layer("groupScale0.0", generator.blocks[0].conv1)
    for i, block in enumerate(generator.blocks[1:]):
        layer(f"scaleLayers.{i}.0", block.conv0)
        layer(f"scaleLayers.{i}.1", block.conv1)
    for i, rgb in enumerate(generator.rgb):
        layer(f"toRGBLayers.{i}", rgb)
    config = {"alpha": 1 - generator.fade, "leakyReluLeak": 0.2, "lossCriterion": "WGANGP", "categoryVectorDim": 0}
    return {"config": config, "netG": {key: value + 1 for key, value in state.items()}, "avgG": state}


def genforce(generator: ProGAN, *, fused: bool = False) -> dict:
    """A state dict of genforce, plain or fused."""
    state: dict[str, Tensor] = {"lod": torch.zeros(())}

    def layer(name: str, found: Any, gain: float = math.sqrt(2)) -> None:
        state[f"{name}.conv.weight"] = found.weight * (math.sqrt(found.weight[0].numel()) / gain)
        state[f"{name}.wscale.bias"] = found.bias

    dense = generator.first.weight.unflatten(0, (-1, 4, 4)).permute(0, 3, 1, 2).flip(2, 3)
    state["layer0.conv.weight"] = dense * math.sqrt(16 * generator.latent_dim / 2)
    state["layer0.wscale.bias"] = generator.first.bias[::16]
    for i, block in enumerate(generator.blocks):
        if i > 0:
            layer(f"layer{2 * i}", block.conv0)
        layer(f"layer{2 * i + 1}", block.conv1)
        layer(f"output{i}", generator.rgb[i], 1.0)
    return fuse(state) if fused else state


def genforce2(generator: StyleGAN2, *, old: bool = False) -> dict:
    """A StyleGAN2 of genforce, {generator, generator_smooth}; `old` as its first files were."""
    state: dict[str, Tensor] = {}
    fc = "fc." if old else ""

    def dense(name: str, layer: Any, rate: float = 1.0, offset: float = 0.0) -> None:
        state[f"{name}.{fc}weight"] = layer.weight * (math.sqrt(layer.in_features) / rate)
        state[f"{name}.bias"] = (layer.bias - offset) / rate

    def kernel(name: str, layer: Any, *, up: bool = False) -> None:
        weight = layer.weight * math.sqrt(layer.weight[0].numel())
        weight = weight.flip(2, 3) if up else weight
        state[f"{name}.weight"] = weight.permute(2, 3, 1, 0).contiguous() if old else weight
        state[f"{name}.bias"] = layer.bias
        dense(f"{name}.style", layer.affine, offset=1.0)

    def conv(number: int, layer: Any, *, up: bool = False) -> None:
        name = f"synthesis.layer{number}"
        kernel(name, layer, up=up)
        if layer.noise:
            state[f"{name}.noise_strength"] = layer.noise_strength
            state[f"{name}.noise"] = layer.noise_const[None, None]
        if up:
            state[f"{name}.filter.kernel"] = 4 * FILTER[None, None]

    for i, layer in enumerate(generator.mapping):
        dense(f"mapping.dense{i}", layer, 0.01)
    state["truncation.w_avg"] = generator.w_avg
    state["synthesis.early_layer.const"] = generator.blocks[0].const[None]
    for i, block in enumerate(generator.blocks):
        if i > 0:
            conv(2 * i - 1, block.conv0, up=True)
        conv(2 * i, block.conv1)
        kernel(f"synthesis.output{i}", block.rgb)
    state["synthesis.upsample.kernel"] = 4 * FILTER[None, None]
    return {"generator": {key: value + 1 for key, value in state.items()}, "generator_smooth": state}


def fuse(state: dict) -> dict:
    """A plain state dict of genforce in the fused layout: the kernel of a transposed convolution, mirrored."""
    fused = {}
    for key, value in state.items():
        if key.endswith(".conv.weight") and key.startswith("layer") and int(key[5:].split(".")[0]) in range(2, 99, 2):
            fused[key.replace(".conv.weight", ".weight")] = value.flip(2, 3).permute(2, 3, 1, 0).contiguous()
        else:
            fused[key] = value
    return fused


def even_first_bias(generator: ProGAN) -> ProGAN:
    """With one offset a channel in the first layer, as genforce's layout has."""
    generator.first.bias.copy_(generator.first.bias[::16].repeat_interleave(16))
    return generator


def write(path: Path, tree: Any) -> Path:
    """A file: a plain pickle for NVIDIA's networks, a torch file for the rest."""
    if isinstance(tree, dict) and any(isinstance(value, Persistent) for value in tree.values()):
        path.write_bytes(pickled(tree))
    else:
        torch.save(tree, path)
    return path
