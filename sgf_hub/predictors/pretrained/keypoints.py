"""`TransformersKeypoints`: keypoints of a ViTPose of transformers (Xu et al., 2022), the whole picture being its box.

What the repo's image processor does around the network is done here on tensors: the picture is warped into the
network's upright frame with a margin, and what the heatmaps show is taken back. Gradients pass.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.names import repo_name
from sgf_hub.hub.options import HubOptions
from sgf_hub.predictors.base import BasePredictor, check_images
from sgf_hub.predictors.head import MAX_NAMES
from sgf_hub.predictors.pretrained.preprocessing import read_preprocessing
from sgf_hub.predictors.pretrained.repos import architecture, fetch, labels_of, load_network, usable
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import read_json, short

KIND = "VitPoseForPoseEstimation"
_MARGIN = 1.25  # sides of the box that the network sees: what ViTPose is trained with
_SHARPNESS = 8  # power of a heatmap whose centre of mass is the point


class TransformersKeypoints(BasePredictor):
    """C of a ViTPose, float32, on the CPU, in evaluation mode; its weights take no gradient, images may.

    Its labels are the keypoints' names ("L_Eye" is "l_eye"), or "point_0", "point_1", ... where it has none.

    Args:
        source: a folder, a zoo entry's name, or a Hub id; in transformers' format, with safetensors.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the source.
        CorruptFileError: if it is no ViTPose, or a file is missing or damaged.
    """

    def __init__(self, source: str | Path, **hub: Any) -> None:
        super().__init__()
        folder = fetch(source, HubOptions.of(hub))
        config = read_json(folder / CONFIG)
        name = architecture(config)
        if name != KIND:
            raise CorruptFileError(
                f"{repo_name(folder)!r} holds a {short(name or 'foreign model')[1:-1]}; of transformers' models {KIND} "
                "gives keypoints that have names."
            )
        self.preprocessing = read_preprocessing(folder)
        with usable(folder, "a keypoint model"):
            self.network = _load(folder)
            backbone = self.network.config.backbone_config
            self.frame = tuple(backbone.image_size)  # height and width, pixels
            self.experts = backbone.num_experts > 1
            height, width = self.frame
            # of the picture's side: how much of the world the frame shows, the picture lying in its middle
            self.reach = (_MARGIN * max(1.0, width / height), _MARGIN * max(1.0, height / width))
            points = self(torch.zeros(1, 3, 32, 32)).shape[1] // 2
            names = labels_of(config, MAX_NAMES) or tuple(f"point_{i}" for i in range(points))
            if len(names) != points:
                raise BadValueError(f"it gives {points} keypoints and has {len(names)} labels.")
        self.spec = ConditionSpec(keypoints=names)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => [B, 2 K], x, y, x, y, ... in [0, 1] of the side; a point may leave the picture."""
        check_images(images)
        pixels = self.preprocessing.normalized(self._framed((images.to(self.preprocessing.scale) + 1) / 2))
        # a network of several experts keeps one for each data set; the first is COCO's, whole people
        index = {"dataset_index": torch.zeros(len(images), dtype=torch.long, device=images.device)}
        heatmaps = self.network(pixel_values=pixels, **(index if self.experts else {})).heatmaps
        points = centres(heatmaps)  # in [0, 1] of the frame
        return ((points - 0.5) * points.new_tensor(self.reach) + 0.5).flatten(1)

    def _framed(self, pixels: Tensor) -> Tensor:
        """Pictures in [0, 1] in the middle of black frames, as the repo's processor warps them: => [B, 3, H, W]."""
        side = pixels.shape[-1]
        x, y = (
            # pixels' numbers in the picture, whose middle is side / 2; grid_sample counts from -1 to 1
            (torch.linspace(-0.5, 0.5, size, device=pixels.device) * reach + 0.5) * side * 2 / max(side - 1, 1) - 1
            for size, reach in zip(reversed(self.frame), self.reach, strict=True)
        )
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return F.grid_sample(pixels, grid.expand(len(pixels), -1, -1, -1), align_corners=True)


def centres(heatmaps: Tensor) -> Tensor:
    """Where heatmaps [B, K, H, W] peak: [B, K, 2], (x, y) in [0, 1], 0 and 1 being the middles of the outer cells.

    ViTPose's heatmaps are Gaussians about the points. The centre of mass of a Gaussian to the eighth power is its own,
    to a fraction of a cell and whatever its height, while all that is lower hardly weighs; unlike the highest cell it
    has a gradient.
    """
    height, width = heatmaps.shape[-2:]
    mass = heatmaps.clamp_min(0)
    mass = (mass / mass.amax(dim=(-2, -1), keepdim=True).clamp_min(1e-6)) ** _SHARPNESS + 1e-12
    mass = mass / mass.sum(dim=(-2, -1), keepdim=True)
    x = mass.sum(dim=-2) @ torch.linspace(0, 1, width, device=mass.device, dtype=mass.dtype)
    y = mass.sum(dim=-1) @ torch.linspace(0, 1, height, device=mass.device, dtype=mass.dtype)
    return torch.stack([x, y], dim=-1)


def _load(folder: Path) -> Any:
    from transformers.models.vitpose.configuration_vitpose import VitPoseConfig
    from transformers.models.vitpose.modeling_vitpose import VitPoseForPoseEstimation

    config: Any = VitPoseConfig.from_pretrained(folder, local_files_only=True)
    sides = config.backbone_config.image_size
    if math.prod(sides) > 2**22:
        raise BadValueError(f"image_size is {short(sides)}; it must be a height and a width.")
    return load_network(VitPoseForPoseEstimation, folder, config)


__all__ = ["TransformersKeypoints", "centres"]
