"""`FaceMesh`: MediaPipe's face mesh (Kartynnik et al., 2019) as the part that several heads share.

The network is fetched as TensorFlow Lite and run by PyTorch (`predictors/graph.py`). It is a black box here: nothing
is trained through it, and a surrogate field needs no gradient of it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.predictors.base import check_images
from sgf_hub.predictors.graph import GraphNetwork

MARGIN = 1 / 8
"""Of the picture's side, that is added all round: the mesh knows faces with some air about them."""

_AT_ONCE = 16  # pictures: more do not fit into a core's cache

LEAST_FACE = -3.0
"""Log-odds of a face below which there is none: 97% of the faces of `faces-dcgan` that a person makes out lie above,
and 41% of those that one does not."""

LANDMARKS = {
    "left_eye_outer": 33, "left_eye_inner": 133, "right_eye_inner": 362, "right_eye_outer": 263,
    "left_eye_top": 159, "left_eye_bottom": 145, "right_eye_top": 386, "right_eye_bottom": 374,
    "left_brow_outer": 70, "left_brow_mid": 105, "left_brow_inner": 107,
    "right_brow_inner": 336, "right_brow_mid": 334, "right_brow_outer": 300,
    "nose_bridge": 168, "nose_tip": 1, "nose_left": 98, "nose_right": 327,
    "mouth_left": 61, "mouth_right": 291, "lip_top": 0, "lip_bottom": 17, "lip_top_inner": 13, "lip_bottom_inner": 14,
    "chin": 152, "forehead": 10, "jaw_left": 172, "jaw_right": 397, "cheek_left": 234, "cheek_right": 454,
}  # fmt: skip
"""Of the 468 points those that are conditions: name to number. Left and right are the picture's, as in the drawn faces,
and names are the same where the points are."""


@dataclass(frozen=True)
class FaceReading:
    """What the mesh sees.

    Args:
        images: [B, 3, R, R] in [-1, 1].
        points: [B, 468, 3]; x and y in [0, 1] of the image's side, z (depth, towards the viewer negative) in the same
            unit.
        face: logit of the probability that there is a face, [B].
    """

    images: Tensor
    points: Tensor
    face: Tensor

    @cached_property
    def head(self) -> tuple[Tensor, Tensor]:
        """The points as seen from the front, and how the head is turned (`in_head`)."""
        return in_head(self.points)

    @property
    def found(self) -> Tensor:
        """Where there is a face, a mask [B]."""
        return self.face > LEAST_FACE


class FaceMesh(GraphNetwork):
    """Images to a `FaceReading`.

    Args:
        side: of what the network reads, 192.
        nodes: see `GraphNetwork`.
        outputs: of the points, [B, 1404], and of the face's logit.

    Raises:
        BadValueError: if the graph has other outputs.
    """

    fingerprint = ""  # its weights are held against a hash when they are fetched

    def __init__(self, *, side: int, nodes: Any, outputs: Any) -> None:
        super().__init__(side=side, nodes=nodes, outputs=outputs)
        if len(self.outputs) != 2:
            raise BadValueError(f"a face mesh gives points and a logit, not {len(self.outputs)} outputs.")

    def forward(self, images: Tensor) -> FaceReading:  # type: ignore[override]
        """[B, 3, R, R] in [-1, 1], any R => what is seen."""
        check_images(images)
        border = round(images.shape[-1] * MARGIN)
        framed = F.pad(images.float() / 2 + 0.5, (border,) * 4).contiguous(memory_format=torch.channels_last)
        size = (self.side, self.side)
        parts = [
            super(FaceMesh, self).forward(F.interpolate(some, size, mode="bilinear", align_corners=False))
            for some in framed.split(_AT_ONCE)
        ]
        points, face = (torch.cat(several) for several in zip(*parts, strict=True))
        share = border / images.shape[-1]
        points = points.flatten(1).unflatten(1, (-1, 3)) * ((1 + 2 * share) / self.side)
        return FaceReading(images, points - points.new_tensor([share, share, 0]), face.reshape(-1))


def in_head(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points as seen from the front, and how the head is turned.

    Args:
        points: [B, 468, 3].

    Returns:
        [B, 468, 3], with the middle between the eyes at 0, the distance of their outer corners 1, and axes to the
        person's left, down to the chin, and backwards; and those three axes in the picture, [B, 3, 3].
    """
    across = F.normalize(points[:, 263] - points[:, 33], dim=1)
    down = points[:, 152] - points[:, 10]
    down = F.normalize(down - (down * across).sum(1, keepdim=True) * across, dim=1)
    axes = torch.stack([across, down, torch.linalg.cross(across, down)], dim=1)
    center = points[:, [33, 133, 362, 263]].mean(dim=1, keepdim=True)
    size = (points[:, 263] - points[:, 33]).norm(dim=1).clamp_min(1e-3)
    return torch.einsum("bij,bkj->bki", axes, points - center) / size[:, None, None], axes


__all__ = ["LANDMARKS", "FaceMesh", "FaceReading", "in_head"]
