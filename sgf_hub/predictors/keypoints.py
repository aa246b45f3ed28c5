"""`KeypointHead`: features to keypoints."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.predictors.head import MAX_NAMES, Head
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import names_of

_SPREAD = 0.1  # of the image's side: what an output of 1 moves a point by


class KeypointHead(Head):
    """K keypoints as offsets from their mean position, from a backbone's last feature map.

    Args:
        backbone: name of the backbone's repo, such as "sgf-hub/avatars-backbone".
        channels: F, channels of the backbone's last feature map.
        side: S, side of that map.
        keypoints: the K names.
        squeeze: channels after the 1x1 convolution.
        hidden: width of the hidden layer.
        fingerprint: of the backbone's weights that the head was trained on; "" to accept any.

    Raises:
        BadValueError: for a size or a name out of range.
    """

    mean: Tensor  # [K, 2], the average face

    def __init__(
        self,
        *,
        backbone: str,
        channels: int,
        side: int,
        keypoints: Sequence[str],
        squeeze: int = 32,
        hidden: int = 128,
        fingerprint: str = "",
    ) -> None:
        names = names_of("keypoints", keypoints, most=MAX_NAMES)
        if not names:
            raise BadValueError("no keypoint.")
        super().__init__(
            backbone=backbone,
            channels=channels,
            side=side,
            outputs=2 * len(names),
            squeeze=squeeze,
            hidden=hidden,
            fingerprint=fingerprint,
        )
        self.spec = ConditionSpec(keypoints=names)
        self.register_buffer("mean", torch.full((len(names), 2), 0.5))

    def points(self, hidden: Tensor) -> Tensor:
        """What the trunk gives => keypoints: [B, hidden] => [B, K, 2]."""
        return self.mean + _SPREAD * self.output(hidden).unflatten(1, tuple(self.mean.shape))

    def forward(self, features: Tensor) -> Tensor:
        """[B, F, S, S] => [B, 2 K], x, y, x, y, ... in [0, 1] of the side (a point may leave the picture a little)."""
        return self.points(self.trunk(features)).flatten(1)
