"""What is read of a face that the mesh has found: keypoints, measurements, gender. All share the mesh's one pass."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sgf_hub.errors import BadValueError
from sgf_hub.hub.module import HubModule
from sgf_hub.predictors.backbone import resize
from sgf_hub.predictors.faces.mesh import LANDMARKS, FaceReading
from sgf_hub.predictors.graph import GraphNetwork
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import names_of

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_BROWS, _SKIN = (70, 105, 107, 336, 334, 300), (50, 280, 151)  # of the mesh's points
_CLEAR = 0.8  # score of the typical face on a side: p = 0.9
_COLOUR_SIDE = 64  # px, at which colours are read; a point's is the mean of 5 x 5


class FaceKeypoints(HubModule):
    """K of the mesh's points; it has no weights.

    Args:
        backbone: name of the mesh's repo.
        keypoints: names out of `LANDMARKS`.

    Raises:
        BadValueError: for a name that is not there.
    """

    def __init__(self, *, backbone: str, keypoints: Sequence[str]) -> None:
        super().__init__()
        self.backbone = names_of("backbone", [backbone])[0]
        self.spec = ConditionSpec(keypoints=_known("keypoints", keypoints, LANDMARKS))
        self.numbers = [LANDMARKS[name] for name in self.spec.keypoints]

    def forward(self, reading: FaceReading) -> Tensor:
        """What the mesh sees => [B, 2 K], x, y, x, y, ... in [0, 1] of the side."""
        return reading.points[:, self.numbers, :2].flatten(1)


def _direction(reading: FaceReading) -> Tensor:
    """Where the nose points: [B, 3], of length 1; x to the right of the picture, y down, z away from the viewer."""
    return -reading.head[1][:, 2]


def _brows(reading: FaceReading) -> Tensor:
    return -reading.head[0][:, _BROWS, 1].mean(1)  # above the eyes, in distances of their outer corners


def _roll(reading: FaceReading) -> Tensor:
    across = reading.head[1][:, 0]
    return torch.atan2(across[:, 1], across[:, 0])


def _background(reading: FaceReading) -> Tensor:
    edges = resize(reading.images.float(), _COLOUR_SIDE)[:, :, : _COLOUR_SIDE * 2 // 3]
    return _luminance(torch.cat([edges[..., :4], edges[..., -4:]], dim=3).mean((2, 3)))


def _skin(reading: FaceReading) -> Tensor:
    blurred = functional.avg_pool2d(resize(reading.images.float(), _COLOUR_SIDE), 5, 1, 2, count_include_pad=False)
    at = 2 * reading.points[:, None, _SKIN, :2] - 1
    return _luminance(functional.grid_sample(blurred, at, align_corners=False, padding_mode="border").mean((2, 3)))


def _warmth(reading: FaceReading) -> Tensor:
    red, _, blue = reading.images.float().mean((2, 3)).unbind(1)
    return red - blue


def _luminance(colour: Tensor) -> Tensor:
    return colour @ colour.new_tensor(_LUMINANCE)


MEASURES: dict[str, Callable[[FaceReading], Tensor]] = {
    "brows_raised": _brows,
    "facing_left": lambda reading: -_direction(reading)[:, 0],
    "facing_up": lambda reading: -_direction(reading)[:, 1],
    "tilted_right": _roll,
    "bright_background": _background,
    "dark_skin": lambda reading: -_skin(reading),
    "warm_light": _warmth,
}
"""Attributes that need no labels: name to the quantity, [B], that grows with it. Left, right: of the picture."""


class FaceMeasures(HubModule):
    """Scores of attributes that are measured: tanh of a quantity in units in which half of all faces score beyond 0.8.

    Args:
        backbone: name of the mesh's repo.
        attributes: names out of `MEASURES`.

    Raises:
        BadValueError: for a name that is not there.
    """

    saved_as = torch.float32
    center: Tensor  # [A], the quantity whose score is 0
    scale: Tensor  # [A], of it

    def __init__(self, *, backbone: str, attributes: Sequence[str]) -> None:
        super().__init__()
        self.backbone = names_of("backbone", [backbone])[0]
        self.spec = ConditionSpec(attributes=_known("attributes", attributes, MEASURES))
        for name, value in (("center", 0.0), ("scale", 1.0)):
            self.register_buffer(name, torch.full((len(self.spec.attributes),), value))

    def quantities(self, reading: FaceReading) -> Tensor:
        """What is measured, [B, A], each in its own unit."""
        return torch.stack([MEASURES[name](reading) for name in self.spec.attributes], dim=1)

    def fit(self, quantities: Tensor) -> None:
        """Take middles and units from what was measured of many faces, [N, A]."""
        self.center = quantities.median(0).values
        self.scale = (quantities - self.center).abs().median(0).values / math.atanh(_CLEAR)

    def forward(self, reading: FaceReading) -> Tensor:
        """What the mesh sees => scores [B, A] in [-1, 1]."""
        return torch.tanh((self.quantities(reading) - self.center) / self.scale)


class FaceGender(GraphNetwork):
    """dlib's gender classifier (Cydral and King, 2024) on an upright chip of 32 px: one attribute, "male".

    Args:
        backbone: name of the mesh's repo.
        side: of the chip.
        nodes: see `GraphNetwork`.
        outputs: of the probabilities, female and male.

    Raises:
        BadValueError: if the graph has another number of outputs.
    """

    def __init__(self, *, backbone: str, side: int, nodes: Any, outputs: Any) -> None:
        super().__init__(side=side, nodes=nodes, outputs=outputs)
        if len(self.outputs) != 1:
            raise BadValueError(f"a gender classifier has one output, not {len(self.outputs)}.")
        self.backbone = names_of("backbone", [backbone])[0]
        self.spec = ConditionSpec(attributes=("male",))

    def forward(self, reading: FaceReading) -> Tensor:  # type: ignore[override]
        """What the mesh sees => the score 2 p - 1, [B, 1]."""
        mean = reading.images.new_tensor((122.782, 117.001, 104.298))[:, None, None]  # of dlib's `input_rgb_image`
        pixels = (chips(reading, self.side) + 1) * 127.5
        return 2 * super().forward((pixels - mean) / 256)[0][:, 1:] - 1


def chips(reading: FaceReading, side: int) -> Tensor:
    """Faces upright and of one size, as dlib's `get_face_chip_details` with a padding of 0.2 puts them.

    dlib fits the mean face's 68 points; here the centres of the eyes, which are .3754 of the side apart in it.

    Args:
        reading: of the pictures.
        side: in pixels.

    Returns:
        [B, 3, side, side] in [-1, 1].
    """
    points = reading.points[..., :2]
    right, left = points[:, [33, 133]].mean(1), points[:, [362, 263]].mean(1)  # the person's own
    across = (left - right) / 0.3754
    down = torch.stack([-across[:, 1], across[:, 0]], dim=1)
    center = (left + right) / 2 + (0.5 - 0.4929) * across + (0.5 - 0.301) * down
    axis = (torch.arange(side, device=points.device) + 0.5) * 2 / side - 1
    across, down, center = (one[:, None, None] for one in (across, down, 2 * center - 1))  # B, 1, 1, 2
    grid = center + axis[:, None] * across + axis[:, None, None] * down
    return functional.grid_sample(reading.images.float(), grid, align_corners=False, padding_mode="border")


def _known(what: str, given: Sequence[str], known: dict[str, Any]) -> tuple[str, ...]:
    names = names_of(what, given)
    unknown = sorted(set(names) - set(known))
    if not names or unknown:
        raise BadValueError(f"{what} must be some of {', '.join(known)}; {', '.join(unknown) or 'none'} given.")
    return names


__all__ = ["FaceGender", "FaceKeypoints", "FaceMeasures"]
