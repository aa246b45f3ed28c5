"""`CustomPredictor`: any PyTorch model that reads attributes or keypoints off pictures, in one line."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.hub.wrapping import BROKEN, described, first_words, frozen
from sgf_hub.predictors.attributes import groups_of
from sgf_hub.predictors.base import BasePredictor, check_images
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import names_of, short

Activation = Literal["score", "probability", "logit"]
_SLACK = 0.01  # by which rounding may leave the range of a score or a probability
_OUTSIDE = 2.0  # sides: keypoints farther out than this are pixels, not fractions


class CustomPredictor(BasePredictor):
    """C of the user's own: `CustomPredictor(network, attributes=["smiling"], activation="logit")`.

    Args:
        network: images [B, 3, R, R] in [-1, 1] => [B, C], attributes first, then keypoints as x, y, x, y, ...: a module
            or a function. A module is put in evaluation mode and takes no gradients; images do.
        attributes: names of the A attributes.
        keypoints: names of the K keypoints, which are fractions of the image's side.
        groups: sets of attributes of which at most one holds.
        activation: what the network gives for an attribute: a "score" 2 p - 1, a "probability" p, or a "logit".

    Raises:
        BadValueError: if a name or the activation is wrong.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        attributes: Sequence[str] = (),
        keypoints: Sequence[str] = (),
        groups: Sequence[Sequence[str]] = (),
        activation: Activation = "score",
    ) -> None:
        super().__init__()
        if activation not in get_args(Activation):
            raise BadValueError(f"activation is {short(activation)}; it must be 'score', 'probability' or 'logit'.")
        names = names_of("attributes", attributes)
        self.spec = ConditionSpec(names, names_of("keypoints", keypoints), groups_of(groups, names))
        if not self.spec.dimension:
            raise BadValueError("name what the network predicts: attributes=[...], keypoints=[...], or both.")
        if len(set(names + self.spec.keypoints)) < len(names + self.spec.keypoints):
            raise BadValueError("an attribute and a keypoint have the same name: give each its own.")
        self.network, self.activation = frozen("the network", network), activation
        self._checked = False
        self.eval()

    def train(self, mode: bool = True) -> "CustomPredictor":
        """Evaluation for good: dropout would give a picture another condition every time."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => c: [B, C]."""
        check_images(images)
        given = self.network(images) if self._checked else self._first(images)
        wanted = [len(images), self.spec.dimension]
        if not isinstance(given, Tensor) or list(given.shape) != wanted or not given.is_floating_point():
            raise BadValueError(
                f"the network gives {described(given)} for {len(images)} pictures; a predictor of {_names(self.spec)} "
                f"gives floating-point numbers {wanted}: wrap it in a function that does."
            )
        if not self._checked:
            self._check(given.detach())
        attributes, points = given[:, : len(self.spec.attributes)], given[:, len(self.spec.attributes) :]
        if self.activation == "probability":
            attributes = 2 * attributes - 1
        elif self.activation == "logit":
            attributes = torch.tanh(attributes / 2)  # 2 sigmoid(x) - 1
        return torch.cat([attributes.clamp(-1, 1), points], dim=1).float()

    def _first(self, images: Tensor) -> Tensor:
        try:
            return self.network(images)
        except BROKEN as error:
            raise BadValueError(
                f"the network cannot read images {list(images.shape)} in [-1, 1] ({first_words(error)}): wrap it in a "
                "function that resizes and normalises them as it needs."
            ) from None

    def _check(self, given: Tensor) -> None:
        """Hold the first output against what was said of it; later ones are not looked at so."""
        if not torch.isfinite(given).all():
            raise BadValueError("the network gives numbers that are not finite: are its weights loaded?")
        low = {"score": -1.0, "probability": 0.0, "logit": float("-inf")}[self.activation]
        high = -low if self.activation == "logit" else 1.0
        values = self.spec.scores(given)
        if ((values < low - _SLACK) | (values > high + _SLACK)).any():
            raise BadValueError(
                f"the network gives {values.min():.4g} to {values.max():.4g} for attributes, and a {self.activation} "
                f"is {low:g} to {high:g}: say what they are, activation='logit' if they have no bounds."
            )
        points = given[:, len(self.spec.attributes) :]
        if (points.abs() > _OUTSIDE).any():
            raise BadValueError(
                f"the network gives keypoints from {points.min():.4g} to {points.max():.4g}; they are fractions of the "
                "image's side: divide pixels by it."
            )
        self._checked = True


def _names(spec: ConditionSpec) -> str:
    parts = ((len(spec.attributes), "attribute"), (len(spec.keypoints), "keypoint"))
    return " and ".join(f"{count} {word}{'s' * (count > 1)}" for count, word in parts if count)


__all__ = ["CustomPredictor"]
