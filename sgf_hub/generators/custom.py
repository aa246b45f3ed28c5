"""`CustomGenerator`: any PyTorch model that makes pictures of latents, in one line.

Everything that a model's author chose freely is said once (the latent's shape, the range of the pixels), and held
against the first pictures: a mistake is told then, and not after a day of sampling.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators.layers import check_shape, draw_z
from sgf_hub.generators.pictures import check_background, pictures
from sgf_hub.hub.wrapping import BROKEN, described, first_words, frozen
from sgf_hub.types import Latent, Space
from sgf_hub.validation import bounded, short

_MEAN_OF = 4096  # latents whose mean is the mean w
_SMALLEST = 8  # pixels, the lowest side that is drawn of a larger picture
_ROUNDING = 0.05  # of the pictures' range: by how much two pictures of the same latent may differ


class CustomGenerator(nn.Module):
    """G of the user's own: `CustomGenerator(dcgan, latent_dim=100, latent_shape=(100, 1, 1))`.

    Args:
        network: latents [B, D] (or [B, *latent_shape]) => pictures, floating point, [B, 3, R, R], grey [B, 1, R, R] or
            with alpha [B, 4, R, R]:
            a module (scripted ones too), or a function. A module is put in evaluation mode and takes no gradients;
            latents do.
        latent_dim: D.
        space: "z", drawn from N(0, 1), or "w", of which `mapping` makes draws.
        image_range: the values of black and of white in the network's pictures.
        latent_shape: of one latent as the network reads it, with D numbers in all; (D,) by default.
        resolution: R, side of the pictures; by default it is found by drawing two.
        mapping: z [B, D] => w [B, D], a module or a function; for "w" only.
        background: what pictures with alpha lie over: "white", "grey" or "black".

    Raises:
        SpaceError: if the space is unknown, or "w" has no mapping.
        BadValueError: if a number is out of range, or what comes out of the network is not pictures.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        latent_dim: int,
        space: Space = "z",
        image_range: Sequence[float] = (-1, 1),
        latent_shape: Sequence[int] | None = None,
        resolution: int | None = None,
        mapping: Callable[[Tensor], Tensor] | None = None,
        background: str = "white",
    ) -> None:
        super().__init__()
        if space not in ("z", "w"):
            raise SpaceError(f"latent space {short(space)} is unknown to a generator of your own: use 'z' or 'w'.")
        if (space == "w") != (mapping is not None):
            raise SpaceError(
                "space 'w' needs the function that makes w of z: give mapping=."
                if mapping is None
                else "a mapping makes w of z, and the space is 'z': say space='w', or leave mapping= out."
            )
        self.latent_space: Space = space
        self.latent_dim: int = bounded("latent_dim", latent_dim, 1, 1 << 20)
        self.latent_shape = _shape(latent_shape, latent_dim)
        self.low, self.high = _range(image_range)
        self.background = check_background(background)
        self.network = frozen("the network", network)
        self.mapping = None if mapping is None else frozen("the mapping", mapping)
        self._checked = False
        self._mean: Tensor | None = None  # of w; found when it is first needed
        self.eval()
        self.resolution: int = (
            self._found_side() if resolution is None else bounded("resolution", resolution, 1, 1 << 13)
        )

    def train(self, mode: bool = True) -> "CustomGenerator":
        """Evaluation for good: dropout or a batch's statistics would give a latent another picture every time."""
        return super().train(False)

    # -- latents ------------------------------------------------------------------------------------------------

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        """n latents, the i-th depending on the seed and i alone.

        Args:
            n: how many.
            seed: a whole number.
            truncation: how near to the mean w they are drawn, 1 as far as they lie. In "z" of no effect: a network is
                trained on whole N(0, 1), whose draws all have about the same norm, and shorter ones are strange to it.
        """
        bounded("truncation", truncation, 0.0, 1.0)
        z = self._placed(draw_z(n, self.latent_dim, seed=seed))
        return Latent(z, "z") if self.mapping is None else self.to_w(Latent(z, "z"), truncation=truncation)

    @torch.no_grad()
    def to_w(self, latent: Latent, *, truncation: float = 1.0) -> Latent:
        """A latent of Z (or W, unchanged) as one of W, drawn towards the mean w by `truncation` in [0, 1]."""
        bounded("truncation", truncation, 0.0, 1.0)
        if self.mapping is None or latent.space not in ("z", "w"):
            raise SpaceError(
                f"this generator draws from {self.latent_space!r}, and a {latent.space!r} latent stays so."
            )
        w = self._mapped(latent.data) if latent.space == "z" else latent.data
        if truncation == 1:
            return Latent(w, "w")
        if self._mean is None:
            self._mean = self._mapped(draw_z(_MEAN_OF, self.latent_dim, seed=0)).mean(dim=0)
        return Latent(torch.lerp(self._mean.to(w), w, truncation), "w")

    def _mapped(self, z: Tensor) -> Tensor:
        assert self.mapping is not None
        w = self.mapping(self._placed(z))
        if not isinstance(w, Tensor) or w.shape != z.shape:
            raise BadValueError(
                f"the mapping gives {described(w)} for z {list(z.shape)}; it must give w of the same shape."
            )
        return w

    def _placed(self, data: Tensor) -> Tensor:
        """Latents on the network's device, in its precision."""
        like = next(self.parameters(), None)
        return data if like is None or not like.is_floating_point() else data.to(like)

    # -- images -------------------------------------------------------------------------------------------------

    def synthesize(self, latent: Latent, *, resolution: int | None = None, alpha: bool = False) -> Tensor:
        """Images [B, 3, R, R] in [-1, 1].

        Args:
            latent: of this generator's space.
            resolution: a lower side, R over a whole number: the mean over squares.
            alpha: keep the alpha channel of a network that has one, [B, 4, R, R], over no background.
        """
        sides = [side for side in range(_SMALLEST, self.resolution) if self.resolution % side == 0]
        if resolution is not None and resolution not in (*sides, self.resolution):
            raise BadValueError(
                f"this generator draws {', '.join(map(str, (*sides, self.resolution)))} px, not {short(resolution)}."
            )
        if latent.space != self.latent_space:
            hint = "call generator.to_w(latent)" if (latent.space, self.latent_space) == ("z", "w") else "give a sample"
            raise SpaceError(
                f"latent is in space {latent.space!r}, this generator draws from {self.latent_space!r}: {hint}."
            )
        check_shape(latent, self.latent_dim)
        if not self._checked:
            self._found_side(self.resolution)
        images = self(latent.data, alpha=alpha)
        return images if resolution is None else F.avg_pool2d(images, self.resolution // resolution)

    def forward(self, data: Tensor, *, alpha: bool = False) -> Tensor:
        """Latents [B, D] => images [B, 3, R, R] in [-1, 1], whatever range and colours the network has."""
        half = (self.high - self.low) / 2
        images = self._drawn(data).float() / half - (self.high + self.low) / 2 / half
        return pictures(images, self.background, alpha=alpha).contiguous()

    def _drawn(self, data: Tensor) -> Tensor:
        """What the network gives for latents [B, D], once it is pictures: [B, 1, 3 or 4, R, R]."""
        images = self.network(self._placed(data).unflatten(1, self.latent_shape))
        if (
            not isinstance(images, Tensor)
            or not images.is_floating_point()
            or images.ndim != 4
            or images.shape[1] not in (1, 3, 4)
            or images.shape[2] != images.shape[3]
            or len(images) != len(data)
        ):
            raise BadValueError(
                f"the network gives {described(images)} for {len(data)} latents; a generator gives floating-point "
                f"pictures [{len(data)}, 3, 1 or 4, side, side]: wrap it in a function that does."
            )
        return images

    @torch.no_grad()
    def _found_side(self, wanted: int | None = None) -> int:
        """R, once two pictures have shown that they are what was said of them; later ones are not looked at so."""
        data = self.sample(2, seed=0, truncation=1).data
        try:
            pictures, again = self._drawn(data), self._drawn(data)
        except BROKEN as error:
            raise BadValueError(
                f"the network cannot read latents {[2, *self.latent_shape]} ({first_words(error)}): say the shape of "
                f"one latent as the network takes it, such as latent_shape=({self.latent_dim}, 1, 1)."
            ) from None
        side, width = pictures.shape[-1], self.high - self.low
        if wanted not in (None, side):
            raise BadValueError(f"the network draws {side} px, and resolution says {wanted}: leave resolution out.")
        if not torch.isfinite(pictures).all():
            raise BadValueError("the network's pictures hold values that are not finite: are its weights loaded?")
        least, most = pictures.min().item(), pictures.max().item()
        if not self.low <= pictures.mean().item() <= self.high:
            raise BadValueError(
                f"the network's pictures hold values from {least:.4g} to {most:.4g}, and image_range says "
                f"{self.low:g} to {self.high:g}: say what black and white are, such as image_range=(0, 255)."
            )
        if (pictures - again).abs().max().item() > _ROUNDING * width:
            raise BadValueError(
                "the network gives the same latent another picture every time: give it fixed noise, and draw all that "
                "differs from the latent."
            )
        self._checked = True
        return side


def _shape(shape: Any, latent_dim: int) -> tuple[int, ...]:
    if shape is None:
        return (latent_dim,)
    whole = isinstance(shape, (list, tuple)) and all(type(size) is int and size > 0 for size in shape)
    if not whole or math.prod(shape) != latent_dim:
        raise BadValueError(
            f"latent_shape is {short(shape)}; it must be whole numbers whose product is latent_dim, {latent_dim}."
        )
    return tuple(shape)


def _range(given: Any) -> tuple[float, float]:
    two = isinstance(given, (list, tuple)) and len(given) == 2 and all(isinstance(x, (int, float)) for x in given)
    if not two or not -math.inf < given[0] < given[1] < math.inf:
        raise BadValueError(
            f"image_range is {short(given)}; it must be two numbers, the values of black and of white, such as (0, 1)."
        )
    return float(given[0]), float(given[1])


__all__ = ["CustomGenerator"]
