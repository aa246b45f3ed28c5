"""What every predictor shares: how wishes become a target, and how far a condition is from it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.types import ConditionSpec, Target, Wish, aim

ATTRIBUTE_TOLERANCE = 0.1  # of a probability
KEYPOINT_TOLERANCE = 0.01  # of the image's side


def check_images(images: Tensor, reader: str = "a predictor", *, square: bool = True) -> None:
    """Raise a BadValueError unless these are floating-point images [B, 3, R, R].

    Args:
        images: what was given.
        reader: what reads them, for the message.
        square: whether other sides than R x R are refused.
    """
    shaped = images.ndim == 4 and images.shape[1] == 3 and (not square or images.shape[2] == images.shape[3])
    if not shaped or not images.is_floating_point():
        raise BadValueError(
            f"{reader} reads floating-point images [batch, 3, side, side], not {images.dtype} {list(images.shape)}."
        )


class BasePredictor(nn.Module):
    """C, Sec. 3: a network with a `spec`, to which this adds `target` and `distance`."""

    spec: ConditionSpec

    def readable(self, images: Tensor) -> Tensor:
        """Which pictures show what this reads, a mask [B]; all of them, where a predictor does not tell.

        Args:
            images: [B, 3, R, R] in [-1, 1].
        """
        return torch.ones(len(images), dtype=torch.bool, device=images.device)

    def target(self, c0: Tensor, /, *, release: Iterable[str] = (), **wishes: Wish) -> Target:
        """The target condition c1.

        Args:
            c0: the present condition, [B, C].
            release: attributes and keypoints that need not be held.
            wishes: attribute name to probability in [0, 1], keypoint name to (x, y) in [0, 1].

        Raises:
            UnknownNameError: for a name this predictor lacks.
            BadValueError: for a value out of range, or for no wish.
        """
        return aim(self.spec, c0, wishes, release=release)

    def distance(self, c: Tensor, target: Target) -> Tensor:
        """How far c is from the target, in units of the tolerance: at most 1 is close.

        The larger of two parts: max |p - p1| / 0.1 over the asked attributes, and the mean Euclidean error / 0.01 over
        the asked keypoints.

        Args:
            c: [B, C].
            target: c1 and what was asked of it.

        Returns:
            [B], not negative.
        """
        asked, error = target.asked[None], c - target.c
        parts = [c.new_zeros(len(c))]
        if self.spec.attributes:
            off = self.spec.scores(error).abs() * self.spec.scores(asked)  # a score is 2 p - 1
            parts.append(off.amax(1) / (2 * ATTRIBUTE_TOLERANCE))
        if self.spec.keypoints:
            points = self.spec.points(asked).any(-1)  # 1, K
            off = (self.spec.points(error).norm(dim=-1) * points).sum(1)
            parts.append(off / (points.sum().clamp_min(1) * KEYPOINT_TOLERANCE))
        return torch.stack(parts).amax(0)
