"""The part that all heads share: 1x1 convolution to few channels, flatten, one hidden layer.

Faces are aligned, so where a feature lies is information: the map is flattened, not averaged.
"""

import re

from torch import nn

from sgf_hub.errors import BadValueError
from sgf_hub.hub.module import HubModule
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import bounded

MAX_NAMES = 512  # attributes or keypoints of one head


class Head(HubModule):
    """A small network from a backbone's last feature map [B, F, S, S] to a part of the condition.

    Args:
        backbone: name of the backbone's repo.
        channels: F, the feature map's channels.
        side: S, its side.
        outputs: how many numbers the network gives.
        squeeze: channels after the 1x1 convolution.
        hidden: width of the hidden layer.
        fingerprint: of the backbone's weights that the head was trained on; "" to accept any.

    Raises:
        BadValueError: for a size or a name out of range.
    """

    spec: ConditionSpec

    def __init__(
        self, *, backbone: str, channels: int, side: int, outputs: int, squeeze: int, hidden: int, fingerprint: str
    ) -> None:
        super().__init__()
        if not isinstance(backbone, str) or not 0 < len(backbone) <= 200:
            raise BadValueError(f"backbone is {backbone!r}; it must be the name of a backbone's repo.")
        if not isinstance(fingerprint, str) or not re.fullmatch("([0-9a-f]{16})?", fingerprint):
            raise BadValueError(f"fingerprint is {fingerprint!r}; it must be 16 hexadecimal digits, or nothing.")
        bounded("channels", channels, 1, 8192)
        bounded("side", side, 1, 256)
        bounded("squeeze", squeeze, 1, 1024)
        bounded("hidden", hidden, 1, 8192)
        self.backbone, self.fingerprint = backbone, fingerprint
        self.channels, self.side = channels, side
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, squeeze, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(squeeze * side**2, hidden),
            nn.ReLU(),
        )
        self.output = nn.Linear(hidden, outputs)
