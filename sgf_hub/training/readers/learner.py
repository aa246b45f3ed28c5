"""The network that a predictor's training teaches: a backbone, its heads, and what only the training needs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.data.drawn import Meaning
from sgf_hub.predictors import AttributeHead, Backbone, KeypointHead
from sgf_hub.predictors.backbone import build_network
from sgf_hub.predictors.head import Head


class Learner(nn.Module):
    """Backbone and heads, and the regression of the continuous causes, which is used in training only.

    A label says "smile" or not; the cause says how wide. The second is found sooner, and finds the feature for both.
    Where there are no keypoints or causes, `None` stands for them.

    Args:
        meaning: of the labels.
        network: the backbone's config, as transformers reads it.
        repo: name of the backbone's repo, for the heads' configs.
        squeeze: channels of each head's 1x1 convolution.
        hidden: width of each head's hidden layer.
    """

    def __init__(self, meaning: Meaning, network: dict[str, Any], *, repo: str, squeeze: int, hidden: int) -> None:
        super().__init__()
        self.backbone = Backbone(build_network(network))
        sizes: dict[str, Any] = {
            "backbone": repo,
            "channels": self.backbone.channels,
            "side": self.backbone.side,
            "squeeze": squeeze,
            "hidden": hidden,
        }
        groups = [list(group) for group in meaning.groups]
        self.attributes = AttributeHead(attributes=list(meaning.attributes), groups=groups, **sizes)
        self.keypoints = KeypointHead(keypoints=list(meaning.keypoints), **sizes) if meaning.keypoints else None
        self.causes = nn.Linear(hidden, meaning.causes) if meaning.causes else None
        if self.keypoints is not None:
            nn.init.normal_(self.keypoints.output.weight, std=1e-3)  # begin at the average face
            nn.init.zeros_(self.keypoints.output.bias)

    @property
    def heads(self) -> dict[str, Head]:
        """The heads by the names of their repos, attributes first."""
        heads: dict[str, Head | None] = {"attributes": self.attributes, "keypoints": self.keypoints}
        return {part: head for part, head in heads.items() if head is not None}

    def losses(
        self, images: Tensor, attributes: Tensor, causes: Tensor | None, keypoints: Tensor | None, *, bf16: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What one batch gives: the sum to descend, and how its parts stand.

        The parts are `attribute_loss` (mean binary cross-entropy), and where the world has them `cause_loss` (mean
        squared error) and `keypoint_error` (mean Euclidean distance, share of the side).
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            features = self.backbone(images)
            hidden = self.attributes.trunk(features).float()
            offsets = self.keypoints.trunk(features).float() if self.keypoints else None
        # the last layers in float32: a keypoint is wanted to a thousandth, bfloat16 has three digits
        attribute_loss = functional.binary_cross_entropy_with_logits(self.attributes.output(hidden), attributes)
        parts = {"attribute_loss": attribute_loss.detach()}
        # weights that bring the three to about the same size halfway through the training
        total = 4 * attribute_loss
        if self.causes and causes is not None:
            cause_loss = functional.mse_loss(self.causes(hidden), causes)
            total = total + cause_loss
            parts["cause_loss"] = cause_loss.detach()
        if self.keypoints and offsets is not None and keypoints is not None:
            points = self.keypoints.points(offsets)  # [B, K, 2]
            total = total + 30 * functional.smooth_l1_loss(points, keypoints, beta=0.005)
            parts["keypoint_error"] = (points - keypoints).detach().norm(dim=-1).mean()
        return total, parts

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] => c: [B, A + 2 K], as the finished predictor gives it."""
        features = self.backbone(images)
        return torch.cat([head(features) for head in self.heads.values()], dim=1)
