"""`FaceMesh`: MediaPipe's face mesh (Kartynnik et al., 2019) as the part that several heads share.

The network is fetched as TensorFlow Lite and run by PyTorch (`predictors/graph.py`). It is a black box here: nothing
is trained through it, and a surrogate field needs no gradient of it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.predictors.graph import GraphNetwork
from sgf_hub.predictors.base import check_images

MARGIN = 1 / 8
"""Of the picture's side, that is added all round: the mesh knows faces with some air about them."""

LANDMARKS = {
    "right_eye_outer": 33, "right_eye_inner": 133, "left_eye_inner": 362, "left_eye_outer": 263,
    "right_eyelid_upper": 159, "right_eyelid_lower": 145, "left_eyelid_upper": 386, "left_eyelid_lower": 374,
    "right_brow_outer": 70, "right_brow_middle": 105, "right_brow_inner": 107,
    "left_brow_inner": 336, "left_brow_middle": 334, "left_brow_outer": 300,
    "nose_bridge": 168, "nose_tip": 1, "right_nostril": 98, "left_nostril": 327,
    "mouth_right": 61, "mouth_left": 291, "upper_lip_top": 0, "upper_lip_bottom": 13, "lower_lip_top": 14,
    "lower_lip_bottom": 17, "chin": 152, "forehead": 10, "right_jaw": 172, "left_jaw": 397, "right_cheek": 234,
    "left_cheek": 454,
}  # fmt: skip
"""Of the 468 points those that are conditions: name to number. Right and left are the person's own."""


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
        framed = F.pad(images.float() / 2 + 0.5, (border,) * 4)
        points, face = super().forward(
            F.interpolate(framed, (self.side, self.side), mode="bilinear", align_corners=False)
        )
        share = border / images.shape[-1]
        points = points.reshape(len(images), -1, 3) * ((1 + 2 * share) / self.side)
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
