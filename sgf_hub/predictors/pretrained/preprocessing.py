"""What a transformers repo's image processor does to pictures, done on tensors: batched, and with gradients.

transformers' own processors go through PIL, one picture at a time, or need torchvision. Theirs and ours agree to the
rounding of pixels to whole numbers, which PIL does after resizing.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub.names import repo_name
from sgf_hub.predictors.pretrained.repos import PREPROCESSOR, PROCESSOR
from sgf_hub.validation import bounded, read_json, short

# processors that resize, crop, rescale and normalise, and nothing else; two more are treated below
_PLAIN = (
    "Beit", "Bit", "Blip", "CLIP", "DeiT", "MobileNetV1", "MobileNetV2", "Pvt", "Segformer", "Siglip", "ViT", "VitPose",
)  # fmt: skip
_KNOWN = (*_PLAIN, "ConvNext", "EfficientNet")
_MODES = {0: "nearest-exact", 1: "bicubic", 2: "bilinear", 3: "bicubic"}  # of PIL's numbers; 1, Lanczos, nearly
_WHOLE = 384  # pixels from which ConvNext's processor crops no margin


class Preprocessing(nn.Module):
    """Images [B, 3, R, R] in [-1, 1] => what a network reads, [B, 3, H, W].

    Args:
        size: height and width to resize to; None to leave the size alone.
        mode: of interpolation, as PyTorch calls it.
        crop: height and width of the middle that is kept, black where it is larger; None for all.
        scale: of each colour, pictures being in [0, 1].
        shift: what is added then.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        *,
        size: tuple[int, int] | None,
        mode: str,
        crop: tuple[int, int] | None,
        scale: list[float],
        shift: list[float],
    ) -> None:
        super().__init__()
        self.size, self.mode, self.crop = size, mode, crop
        for name, values in (("scale", scale), ("shift", shift)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Resized, cropped and normalised."""
        x = (images.to(self.scale) + 1) / 2
        if self.size is not None and x.shape[-2:] != self.size:
            smooth = self.mode != "nearest-exact"
            for size in ((x.shape[-2], self.size[1]), self.size):  # antialiased, and clipped between, as PIL does it
                x = F.interpolate(x, size, mode=self.mode, antialias=smooth).clamp(0, 1)
        if self.crop is not None:
            x = _middle(x, self.crop)
        return self.normalized(x)

    def normalized(self, x: Tensor) -> Tensor:
        """Pixels in [0, 1] => in the network's units."""
        return x * self.scale + self.shift


def _middle(x: Tensor, crop: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] => the middle of it, or it in the middle of black, rounded as transformers does."""
    pads = []
    for have, want in zip(reversed(x.shape[-2:]), reversed(crop), strict=True):
        before = -((have - want) // 2)
        pads += [before, want - have - before]
    return F.pad(x, pads)


def read_preprocessing(folder: Path) -> Preprocessing:
    """The preprocessing that a repo's preprocessor_config.json describes, for square pictures.

    Raises:
        CorruptFileError: if there is none, or it describes something else or nonsense.
    """
    file = PREPROCESSOR if (folder / PREPROCESSOR).is_file() else PROCESSOR
    if not (folder / file).is_file():
        raise CorruptFileError(
            f"{repo_name(folder)!r} lacks {PREPROCESSOR}: it does not say how its network reads pictures."
        )
    settings = read_json(folder / file)
    settings = settings.get("image_processor", settings)
    try:
        if not isinstance(settings, dict):
            raise BadValueError("it describes no image processor.")
        return _preprocessing(settings)
    except (SGFError, TypeError, ArithmeticError) as error:
        raise CorruptFileError(f"{file} of {repo_name(folder)!r} is not usable: {error}") from None


def _preprocessing(settings: dict[str, Any]) -> Preprocessing:
    written = settings.get("image_processor_type") or settings.get("feature_extractor_type") or "ViTImageProcessor"
    kind = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", str(written))
    if kind not in _KNOWN:
        raise BadValueError(f"{short(written)} is none of the image processors known here: {', '.join(_KNOWN)}.")
    size = _size("size", settings.get("size")) if settings.get("do_resize", kind != "VitPose") else None
    crop = _size("crop_size", settings.get("crop_size")) if settings.get("do_center_crop", False) else None
    if kind == "ConvNext" and size is not None and size[0] < _WHOLE:
        share = bounded("crop_pct", settings.get("crop_pct") or 224 / 256, 0.1, 1.0)
        crop, size = size, (int(size[0] / share),) * 2
    resample = settings.get("resample", 2)
    if type(resample) is not int or resample not in _MODES:
        raise BadValueError(f"resample is {short(resample)}; it must be one of {', '.join(map(str, _MODES))}.")
    scale, shift = _normalization(settings, twice=kind == "EfficientNet" and settings.get("include_top", True))
    return Preprocessing(size=size, mode=_MODES[resample], crop=crop, scale=scale, shift=shift)


def _size(key: str, size: Any) -> tuple[int, int]:
    """Height and width, of a square picture whose size is written in any of transformers' ways."""
    given = size
    if isinstance(size, dict):
        side = size.get("shortest_edge")
        size = (size.get("height", side), size.get("width", side))
    elif isinstance(size, int):
        size = (size, size)
    if not isinstance(size, tuple):
        raise BadValueError(f"{key} is {short(given)}; it must be a side, or a height and a width.")
    return bounded(key, size[0], 8, 2048), bounded(key, size[1], 8, 2048)


def _normalization(settings: dict[str, Any], *, twice: bool) -> tuple[list[float], list[float]]:
    """Scale and shift of each colour, of pixels in [0, 1]: x => (255 factor x - offset - mean) / std."""
    factor = bounded("rescale_factor", settings.get("rescale_factor", 1 / 255), 0.0, 1.0)
    factor = 255.0 * factor if settings.get("do_rescale", True) else 255.0
    offset = 1.0 if settings.get("rescale_offset", False) else 0.0
    mean, std = [0.0] * 3, [1.0] * 3
    if settings.get("do_normalize", True):
        mean = _three("image_mean", settings.get("image_mean"), -1e3)
        std = _three("image_std", settings.get("image_std"), 1e-3)
    scale = [factor / s for s in std]
    shift = [-(offset + m) / s for m, s in zip(mean, std, strict=True)]
    if twice:  # EfficientNet's processor divides by the deviation once more
        scale, shift = ([value / s for value, s in zip(part, std, strict=True)] for part in (scale, shift))
    return scale, shift


def _three(key: str, values: Any, low: float) -> list[float]:
    if isinstance(values, (int, float)):
        values = [values] * 3
    if not isinstance(values, list) or len(values) != 3:
        raise BadValueError(f"{key} is {short(values)}; it must be three numbers.")
    return [float(bounded(key, value, low, 1e3)) for value in values]


__all__ = ["Preprocessing", "read_preprocessing"]
