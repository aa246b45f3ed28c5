"""What a network draws, as pictures: clamped, in three colours, or with the alpha channel where it has one."""

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError
from sgf_hub.validation import short

BACKGROUNDS = {"white": 1.0, "grey": 0.0, "black": -1.0}
"""What the colours of a network with an alpha channel may lie over, in [-1, 1]."""


def pictures(drawn: Tensor, background: str, *, alpha: bool = False) -> Tensor:
    """[B, 1, 3 or 4, R, R] => [B, 3, R, R] in [-1, 1]: one channel as three equal colours, four over a background.

    Alpha is straight, not premultiplied, and stored like a colour: -1 is transparent, 1 opaque.

    Args:
        drawn: what a network gives, not clamped.
        background: one of `BACKGROUNDS`.
        alpha: keep the fourth channel, [B, 4, R, R], over no background.

    Raises:
        BadValueError: if alpha is asked of what has none.
    """
    drawn = drawn.clamp(-1, 1)
    if alpha and drawn.shape[1] != 4:
        raise BadValueError("this generator draws no alpha channel: leave alpha out.")
    if drawn.shape[1] != 4 or alpha:
        return drawn.expand(-1, 3, -1, -1).contiguous() if drawn.shape[1] == 1 else drawn
    colours, opacity = drawn[:, :3], (drawn[:, 3:] + 1) / 2
    return torch.lerp(torch.full_like(colours, BACKGROUNDS[background]), colours, opacity)


def check_background(background: object) -> str:
    """`background`, if it is the name of one."""
    if not isinstance(background, str) or background not in BACKGROUNDS:
        raise BadValueError(f"background is {short(background)}; it must be {', '.join(BACKGROUNDS)}.")
    return background


def check_image_channels(channels: object) -> int:
    """3 or 4; grey networks become three equal colours when they are read."""
    if channels not in (3, 4) or isinstance(channels, bool):
        raise BadValueError(f"image_channels is {short(channels)}; it must be 3, or 4 with an alpha channel.")
    return int(channels)  # type: ignore[call-overload]
