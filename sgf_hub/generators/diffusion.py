"""`DiffusionGenerator`: a consistency model (Song et al., 2023) of diffusers, drawn in one step: z is the noise.

A consistency model maps noise straight to a picture, so that it is a generator like a GAN: z is the starting noise,
flattened, [B, 3 R R]. Only its network is taken from diffusers; the one step that its pipeline would take is below.
"""

import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.generators.custom import CustomGenerator
from sgf_hub.generators.layers import check_label
from sgf_hub.hub.download import listing
from sgf_hub.hub.files import read_weights, shards_of
from sgf_hub.hub.module import shapes_only
from sgf_hub.hub.names import embedded, locate, repo_name
from sgf_hub.hub.options import HubOptions
from sgf_hub.validation import bounded, read_json, short

INDEX = "model_index.json"
_PIPELINE, _NETWORK, _SCHEDULER = "ConsistencyModelPipeline", "UNet2DModel", "CMStochasticIterativeScheduler"
_NETWORK_CONFIG, _SCHEDULER_CONFIG = "unet/config.json", "scheduler/scheduler_config.json"
_UNET, _WEIGHTS = "unet/", "diffusion_pytorch_model"
# as diffusers writes them: whole or in parts (then there is an index), and in another precision
_WHOLE = re.compile(rf"{_UNET}{_WEIGHTS}(\.fp16|\.bf16)?\.safetensors")
_PARTED = re.compile(rf"{_UNET}{_WEIGHTS}\.safetensors\.index(\.fp16|\.bf16)?\.json")
_PICKLED = re.compile(rf"{_UNET}{_WEIGHTS}.*\.bin")


class OneStep(nn.Module):
    """f(x, sigma_max) of Song et al., 2023, Eq. 5: noise to a picture by one pass of the network.

    Args:
        network: diffusers' `UNet2DModel`.
        sigma_max: standard deviation of the noise that the network starts from.
        sigma_min: that of the noise at which it gives back what it was given.
        sigma_data: that of the pictures.
        clip: whether the pictures are clipped to [-1, 1].
        class_label: of what is drawn, for a network of several classes.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        sigma_max: float = 80.0,
        sigma_min: float = 0.002,
        sigma_data: float = 0.5,
        clip: bool = True,
        class_label: int | None = None,
    ) -> None:
        super().__init__()
        self.network, self.clip, self.class_label = network, clip, class_label
        above, data = sigma_max - sigma_min, sigma_data**2
        self.sigma, self.time = sigma_max, 250 * math.log(sigma_max)
        self.c_in = (sigma_max**2 + data) ** -0.5
        self.c_skip = data / (above**2 + data)
        self.c_out = sigma_data * above * self.c_in

    def forward(self, noise: Tensor) -> Tensor:
        """N(0, 1), [B, 3, R, R] => pictures [B, 3, R, R] in [-1, 1]."""
        x = noise * self.sigma
        time = torch.full((len(x),), self.time, device=x.device)
        label = None if self.class_label is None else torch.full((len(x),), self.class_label, device=x.device)
        given = self.network(x * self.c_in, time, class_labels=label, return_dict=False)[0]
        picture = self.c_skip * x + self.c_out * given
        return picture.clamp(-1, 1) if self.clip else picture


class DiffusionGenerator(CustomGenerator):
    """G of a consistency model: z [B, C R R] is the starting noise, N(0, 1), of C channels.

    Args:
        network: noise [B, C, R, R] => pictures in one step.
        resolution: R.
        channels: C; 1 is drawn as three equal colours, 4 has alpha.
    """

    def __init__(self, network: OneStep, *, resolution: int, channels: int = 3) -> None:
        side = bounded("sample_size", resolution, 8, 1024)
        shape = (channels, side, side)
        super().__init__(network, latent_dim=channels * side**2, latent_shape=shape, resolution=side)
        self.class_label = network.class_label
        self._checked = True  # what is read below was

    @classmethod
    def from_pretrained(cls, source: str | Path, *, class_label: int | None = None, **hub: Any) -> Self:
        """Load a repo in diffusers' format: float32, on the CPU, in evaluation mode.

        Args:
            source: a folder or a Hub id, of a `ConsistencyModelPipeline`.
            class_label: which class to draw, for a model of several.
            **hub: how it is fetched, as `HubOptions` has it.

        Raises:
            UnknownNameError: if nothing answers to the name.
            CorruptFileError: if it is another pipeline, or a file is missing or damaged.
            BadValueError: if the class label is missing, out of range, or not of use.
            SGFError: if diffusers is not installed.
        """
        options = HubOptions.of(hub)
        name = str(source)
        _check_pipeline(locate(name, options, files=(INDEX,)))
        kind = _network_class()
        folder = locate(name, options, files=(INDEX, _NETWORK_CONFIG, _SCHEDULER_CONFIG))
        config = read_json(folder / _NETWORK_CONFIG)
        check_label(folder.name, classes_of(config), class_label)
        if class_label is None and (classes := classes_of(config)):
            raise BadValueError(f"{folder.name!r} draws {classes} classes: say which, class_label=0 to {classes - 1}.")
        try:
            channels, side = checked_shape(config)
            sigmas = _sigmas(read_json(folder / _SCHEDULER_CONFIG))
            with shapes_only():
                network = kind.from_config(config)
                step = OneStep(network, class_label=class_label, **sigmas)
                drawn = list(step(torch.zeros(1, channels, side, side)).shape)
            if drawn != [1, channels, side, side]:
                raise BadValueError(f"it draws {drawn}, not pictures [1, {channels}, {side}, {side}].")
        except (SGFError, TypeError, ValueError, RuntimeError, LookupError, AttributeError, ArithmeticError) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise CorruptFileError(f"{repo_name(folder)!r} is not usable as a generator: {reason}") from None
        network.load_state_dict(_weights(name, folder, options, network.state_dict()), strict=True, assign=True)
        return cls(step, resolution=side, channels=channels)


def weight_files(name: str, folder: Path, hub: HubOptions) -> str:
    """The file of the network's weights, or their index, in whatever precision; single precision goes first.

    Raises:
        CorruptFileError: if there is none that is read.
    """
    local = Path(name).is_dir() or embedded(name)
    held = [f"{_UNET}{path.name}" for path in (folder / _UNET).glob("*")] if local else listing(name, hub)
    found = [file for pattern in (_WHOLE, _PARTED) for file in sorted(held, key=len) if pattern.fullmatch(file)]
    if found:
        return min(found, key=lambda file: "16." in file)
    pickled = [file for file in held if _PICKLED.fullmatch(file)]
    if pickled:
        raise CorruptFileError(
            f"{repo_name(folder)!r} holds {pickled[0]}, a pickle, and of weights only safetensors are read: save the "
            "pipeline again, save_pretrained(folder, safe_serialization=True)."
        )
    raise CorruptFileError(f"{repo_name(folder)!r} lacks {_UNET}{_WEIGHTS}.safetensors: it is not a complete model.")


def _weights(name: str, folder: Path, hub: HubOptions, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights, of one file or several."""
    first = weight_files(name, folder, hub)
    path = locate(name, hub, files=(first,)) / first
    if not _PARTED.fullmatch(first):
        return read_weights(path, expected, folder.name)
    shards = shards_of(path)
    here = locate(name, hub, files=tuple(f"{_UNET}{shard}" for shard in shards))
    stray = [key for keys in shards.values() for key in keys if key not in expected]
    missing = expected.keys() - {key for keys in shards.values() for key in keys}
    if stray or missing:
        what = f"unexpected {short(stray[0])}" if stray else f"missing {sorted(missing)[0]}"
        raise CorruptFileError(f"{path.name} of {folder.name!r} does not fit its config: {what}.")
    weights: dict[str, Tensor] = {}
    for shard, keys in shards.items():
        weights |= read_weights(here / _UNET / shard, {key: expected[key] for key in keys}, folder.name)
    return weights


def _check_pipeline(folder: Path) -> None:
    """Refuse other pipelines, by name, before anything large is fetched."""
    index = read_json(folder / INDEX)
    kind = index.get("_class_name")
    if kind != _PIPELINE:
        held = short(kind).strip("'") if kind else "foreign model"
        raise CorruptFileError(
            f"{repo_name(folder)!r} holds a {held}; of diffusers' pipelines only {_PIPELINE} draws a picture in one "
            "step."
        )
    for part, wanted in (("unet", "UNet2DModel"), ("scheduler", "CMStochasticIterativeScheduler")):
        if index.get(part) != ["diffusers", wanted]:
            given = short(index.get(part))
            raise CorruptFileError(f"the {part} of {repo_name(folder)!r} is {given}; it must be diffusers' {wanted}.")


def _network_class() -> Any:
    try:
        return import_module("diffusers.models.unets.unet_2d").UNet2DModel
    except ModuleNotFoundError:
        raise SGFError("a generator in diffusers' format needs diffusers: pip install 'sgf-hub[diffusion]'.") from None


def classes_of(config: dict[str, Any]) -> int:
    """How many classes a network draws; 0 for one without."""
    classes = config.get("num_class_embeds")
    return classes if type(classes) is int and classes > 0 else 0


def checked_shape(config: dict[str, Any]) -> tuple[int, int]:
    """C and R; and what diffusers would not end on by itself is refused."""
    channels = config.get("in_channels", 3)
    if channels not in (1, 3, 4) or config.get("out_channels", 3) != channels:
        raise BadValueError(
            f"in_channels and out_channels are {short(channels)} and {short(config.get('out_channels', 3))}; both must "
            "be 3, 1, or 4 with alpha."
        )
    bounded("layers_per_block", config.get("layers_per_block", 2), 1, 64)
    if len(config["block_out_channels"]) > 16:
        raise BadValueError("block_out_channels must be a list of at most 16 numbers.")
    return channels, bounded("sample_size", config["sample_size"], 8, 1024)


def _sigmas(config: dict[str, Any]) -> dict[str, Any]:
    """What `OneStep` takes out of a scheduler's config."""
    known = {"sigma_max": 80.0, "sigma_min": 0.002, "sigma_data": 0.5}
    sigmas: dict[str, Any] = {key: bounded(key, config.get(key, value), 1e-6, 1e6) for key, value in known.items()}
    return {**sigmas, "clip": config.get("clip_denoised", True) is True}


__all__ = ["DiffusionGenerator", "OneStep"]
