"""`Backbone`: a ResNet or ConvNeXtV2 of transformers as the part that several heads share.

The repo is in transformers' own format, so `ResNetBackbone.from_pretrained` reads it too (as does `AutoBackbone`, but
only from the Hub: it refuses a local folder). It is loaded here as strictly as our own modules are: built without
memory, held against the file's header, every weight accounted for.
"""

import copy
import tempfile
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub.files import CONFIG, WEIGHTS, read_weights, sha256
from sgf_hub.hub.module import shapes_only
from sgf_hub.hub.names import locate, repo_name
from sgf_hub.hub.options import HubOptions, PushOptions
from sgf_hub.predictors.base import check_images
from sgf_hub.predictors.resnet import plain_resnet
from sgf_hub.validation import bounded, read_json

# model_type of config.json -> transformers' module of that name, its config class and its backbone class
_ARCHITECTURES = {
    "resnet": ("ResNetConfig", "ResNetBackbone"),
    "convnextv2": ("ConvNextV2Config", "ConvNextV2Backbone"),
}


class Backbone(nn.Module):
    """Images to the last feature map of a transformers backbone.

    Args:
        network: a `ResNetBackbone` or `ConvNextV2Backbone`, whose config has an `image_size`.
        fingerprint: of its weights' file; "" for a network that is not from a file.

    Attributes:
        image_size: side in pixels of the pictures that the network reads; others are resized.
        channels: F, channels of the last feature map.
        side: S, its side.
    """

    folder: Path | None = None  # that it was loaded from

    def __init__(self, network: nn.Module, *, fingerprint: str = "") -> None:
        super().__init__()
        self.network = network
        self.fingerprint = fingerprint
        self.image_size: int = network.config.image_size  # type: ignore[assignment, union-attr]
        device = next(network.parameters()).device
        training = network.training
        with torch.no_grad():
            example = torch.zeros(1, 3, self.image_size, self.image_size, device=device)
            features = network.eval()(example).feature_maps[-1]  # in evaluation: leaves BatchNorm's averages alone
        network.train(training)
        self.channels, self.side = features.shape[1], features.shape[2]

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1], any R => [B, F, S, S].

        Raises:
            BadValueError: if the shape is not that of images.
        """
        check_images(images, square=False)
        images = resize(images, self.image_size)
        return self.network(images.contiguous(memory_format=torch.channels_last)).feature_maps[-1]

    def push_to_hub(self, repo_id: str, **push: Any) -> str:
        """Push it to the Hub in transformers' format, with its card, in one commit; see `HubModule.push_to_hub`."""
        from sgf_hub.hub.publishing.push import push_folder

        if self.folder is not None:  # as it is there: here its BatchNorm is folded
            return push_folder(self.folder, repo_id, PushOptions.of(push))
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / repo_id.rpartition("/")[2]
            copy.deepcopy(self.network).half().save_pretrained(folder)  # type: ignore[operator]
            return push_folder(folder, repo_id, PushOptions.of(push))


def resize(images: Tensor, size: int) -> Tensor:
    """Images at another side, antialiased where they shrink: [B, 3, R, R] => [B, 3, size, size]."""
    if images.shape[-2:] == (size, size):
        return images
    shrinks = min(images.shape[-2:]) > size
    return functional.interpolate(images, (size, size), mode="bilinear", antialias=shrinks)


def build_network(config: dict[str, Any]) -> nn.Module:
    """A transformers backbone with random weights, from the content of a config.json.

    Args:
        config: `model_type` ("resnet" or "convnextv2"), `image_size`, and what transformers' config takes.

    Raises:
        BadValueError: for another architecture, or for sizes out of range.
    """
    check_sizes(config)
    kind = config["model_type"]
    # The modules by name: transformers' package imports every architecture's auto class, which takes seconds more.
    config_class, network_class = _ARCHITECTURES[kind]
    configuration = import_module(f"transformers.models.{kind}.configuration_{kind}")
    modeling = import_module(f"transformers.models.{kind}.modeling_{kind}")
    try:
        settings = getattr(configuration, config_class)
        check_keys(config, settings, also=("image_size", "out_features", "out_indices", "stage_names"))
        return getattr(modeling, network_class)(settings.from_dict(dict(config)))
    except SGFError:
        raise
    except (StrictDataclassError, TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadValueError(f"transformers cannot build this {kind}: {reason}") from None


def check_sizes(config: dict[str, Any]) -> None:
    """Raise a BadValueError for a config.json of another architecture, or with sizes out of range."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in _ARCHITECTURES:
        raise BadValueError(f"model_type is {kind!r}; a backbone is one of {', '.join(_ARCHITECTURES)}.")
    bounded("image_size", config.get("image_size"), 8, 1024)
    for key, most in (("hidden_sizes", 8192), ("depths", 64)):
        values = config.get(key)
        if not isinstance(values, (list, tuple)) or not 1 <= len(values) <= 8:
            raise BadValueError(f"{key} is {values!r}; it must be a list of 1 to 8 numbers, one a stage.")
        for value in values:
            bounded(key, value, 1, most)


# what transformers writes into every config, now or in former versions
_EVERYWHERE = ("model_type", "_name_or_path", "torch_dtype", "tie_word_embeddings", "return_dict", "use_cache",
               "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")  # fmt: skip


def check_keys(config: dict[str, Any], settings: Any, *, also: tuple[str, ...] = ()) -> None:
    """Raise a BadValueError for keys that transformers would keep and ignore, or a config of a newer transformers.

    Args:
        config: content of a config.json.
        settings: transformers' config class for it.
        also: keys that are known besides.
    """
    from transformers import __version__

    written = str(config.get("transformers_version"))
    major = written.partition(".")[0]
    if major.isdecimal() and int(major) > int(__version__.partition(".")[0]):
        raise BadValueError(
            f"it was written by transformers {written[:20]}, and {__version__} is installed: upgrade transformers."
        )
    known = {*settings().to_dict(), *(field.name for field in fields(settings)), *_EVERYWHERE, *also}
    unknown = sorted(set(config) - known)
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise BadValueError(f"unknown {', '.join(key[:100] for key in unknown[:5])}{more}.")


def load_backbone(source: str | Path, **hub: Any) -> Backbone:
    """Load a backbone for reading: float32, on the CPU, in evaluation mode, BatchNorm folded into the convolutions.

    Args:
        source: a folder, a zoo entry's name, or a Hub id.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if a file is missing, damaged, or of another kind of model.
    """
    folder = locate(str(source), HubOptions.of(hub), files=(CONFIG, WEIGHTS))
    config = read_json(folder / CONFIG)
    try:
        with shapes_only():
            check_sizes(config)
            network: nn.Module | None = plain_resnet(config)  # reads pictures of any size
            if network is None:
                network = build_network(config)
                Backbone(network)  # shapes only: does the network read a picture of image_size at all?
    except (SGFError, TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CorruptFileError(f"{CONFIG} of {repo_name(folder)!r} is not usable as a backbone: {reason}") from None
    weights = read_weights(folder / WEIGHTS, network.state_dict(), repo_name(folder))
    network.load_state_dict(weights, strict=True, assign=True)
    network = fold_batchnorm(network.eval().requires_grad_(False))
    # channels_last and folded: 3.0 ms => 2.0 ms a picture of 128 px (a plain float32 ResNet takes 4.6 ms)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    backbone = Backbone(network, fingerprint=fingerprint(folder / WEIGHTS)).eval()
    backbone.folder = folder
    return backbone


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """Fold each BatchNorm of a transformers ResNet into the convolution before it, in place; others are left alone."""
    for module in network.modules():
        convolution, normalization = getattr(module, "convolution", None), getattr(module, "normalization", None)
        if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
            module.convolution = fuse_conv_bn_eval(convolution, normalization)
            module.normalization = nn.Identity()
    return network


def fingerprint(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256."""
    return sha256(path)[:16]
