"""`AttributeHead`: features to attribute scores 2 p - 1."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.predictors.head import MAX_NAMES, Head
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import names_of


class AttributeHead(Head):
    """Scores of A binary attributes, from a backbone's last feature map.

    The score is 2 p - 1, not the logit: far from the boundary a logit moves while nothing in the picture does, so a
    mapping trained on logits loses its field there.

    Args:
        backbone: name of the backbone's repo, such as "sgf-hub/avatars-backbone".
        channels: F, channels of the backbone's last feature map.
        side: S, side of that map.
        attributes: the A names.
        groups: sets of attributes of which at most one holds.
        squeeze: channels after the 1x1 convolution.
        hidden: width of the hidden layer.
        fingerprint: of the backbone's weights that the head was trained on; "" to accept any.

    Raises:
        BadValueError: for a size or a name out of range.
    """

    def __init__(
        self,
        *,
        backbone: str,
        channels: int,
        side: int,
        attributes: Sequence[str],
        groups: Sequence[Sequence[str]] = (),
        squeeze: int = 32,
        hidden: int = 128,
        fingerprint: str = "",
    ) -> None:
        names = names_of("attributes", attributes, most=MAX_NAMES)
        if not names:
            raise BadValueError("no attribute.")
        sets = groups_of(groups, names)
        super().__init__(
            backbone=backbone,
            channels=channels,
            side=side,
            outputs=len(names),
            squeeze=squeeze,
            hidden=hidden,
            fingerprint=fingerprint,
        )
        self.spec = ConditionSpec(attributes=names, groups=sets)

    def forward(self, features: Tensor) -> Tensor:
        """2 p - 1 with p = sigmoid(logit): [B, F, S, S] => [B, A] in [-1, 1]."""
        return torch.tanh(self.output(self.trunk(features)) / 2)  # 2 sigmoid(x) - 1 = tanh(x / 2)


def groups_of(value: object, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """`value` as sets of attributes of which at most one holds, else a BadValueError."""
    if not isinstance(value, (list, tuple)) or len(value) > MAX_NAMES:
        raise BadValueError(f"groups must be a list of at most {MAX_NAMES} lists of attributes.")
    sets = tuple(names_of("a group", group) for group in value)
    unknown = sorted({name for group in sets for name in group} - set(names))
    if unknown:
        raise BadValueError(f"groups name unknown attributes: {', '.join(unknown)}.")
    return sets
