"""`LatentEncoder`: a guess at the latent of a picture, at once; `Projector` begins from it.

The same idea as the encoders of Richardson et al. (pSp) and Tov et al. (e4e), CVPR and SIGGRAPH 2021: one w for the
picture, and a small offset a layer that leaves W. Written for generators small enough to run on a CPU.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.hub.module import HubModule
from sgf_hub.predictors.backbone import resize
from sgf_hub.predictors.base import check_images
from sgf_hub.types import Generator, Latent
from sgf_hub.validation import bounded, names_of, short


class LatentEncoder(HubModule, pipeline_tag="image-feature-extraction", tags=["gan", "gan-inversion"]):
    """Pictures to W+ of one generator: w, and an offset for each layer.

    Args:
        generator: repo of the generator whose latents it guesses.
        backbone: repo of the backbone in whose features a projection compares pictures.
        judge: repo of the backbone in whose features the result is judged; the projection never uses it.
        latent_dim: D.
        layers: L, rows of a w+ latent.
        image_size: side in pixels of the pictures that the network reads; others are resized.
        channels: widths of its stages, each of half the side of the one before.
        hidden: width of the layer between the last map and the latent.
        norm: of its convolutions: "batch" or "group", which suits small batches.
        apart: mean distance of two random pictures of the generator in the judge's features: a similarity of 0.
        expressible_from: similarity from which on a projected picture counts as one that the generator can express.

    Raises:
        BadValueError: if a number is out of range, or the picture too small for so many stages.
    """

    w_mean: Tensor
    w_std: Tensor

    def __init__(
        self,
        *,
        generator: str,
        backbone: str,
        judge: str,
        latent_dim: int,
        layers: int,
        image_size: int = 64,
        channels: Sequence[int] = (32, 64, 96, 128),
        hidden: int = 256,
        norm: str = "batch",
        apart: float = 1.0,
        expressible_from: float = 0.0,
    ) -> None:
        super().__init__()
        self.generator_name, self.backbone_name, self.judge_name = (
            names_of(field, [name])[0]
            for field, name in (("generator", generator), ("backbone", backbone), ("judge", judge))
        )
        self.latent_dim = bounded("latent_dim", latent_dim, 1, 4096)
        self.layers = bounded("layers", layers, 1, 32)
        self.image_size = bounded("image_size", image_size, 8, 1024)
        self.apart = bounded("apart", apart, 1e-6, 2.0)
        self.expressible_from = bounded("expressible_from", expressible_from, 0.0, 1.0)
        if not isinstance(channels, (list, tuple)) or not channels or image_size % (1 << len(channels)):
            raise BadValueError(
                f"image_size {image_size} must divide by 2 once a stage, and channels name a stage each."
            )
        for width in channels:
            bounded("a width in channels", width, 1, 1024)
        bounded("hidden", hidden, 1, 8192)
        if norm not in ("batch", "group"):
            raise BadValueError(f"norm is {short(norm)}; it must be 'batch' or 'group'.")
        side = image_size >> len(channels)
        self.stem = nn.Sequential(_conv(3, channels[0], stride=2), _norm(channels[0], norm), nn.ReLU())
        stages = zip(channels[:-1], channels[1:], strict=True)
        self.stages = nn.Sequential(*(Stage(width_in, width, norm) for width_in, width in stages))
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(channels[-1] * side**2, hidden), nn.ReLU())
        self.base = nn.Linear(hidden, latent_dim)
        self.offsets = nn.Linear(hidden, layers * latent_dim)
        nn.init.zeros_(self.offsets.weight)  # begin in W
        nn.init.zeros_(self.offsets.bias)
        self.register_buffer("w_mean", torch.zeros(latent_dim))
        self.register_buffer("w_std", torch.ones(latent_dim))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, R, R] in [-1, 1], any R => w [B, D] and the offsets from it [B, L, D], in units of `w_std`.

        Raises:
            BadValueError: if the shape is not that of images.
        """
        check_images(images, "an encoder", square=False)
        images = resize(images, self.image_size).contiguous(memory_format=torch.channels_last)
        hidden = self.neck(self.stages(self.stem(images)))
        return self.base(hidden), self.offsets(hidden).unflatten(1, (self.layers, self.latent_dim))

    def layered(self, w: Tensor, offsets: Tensor) -> Tensor:
        """What `forward` gives, in the generator's units: => [B, L, D]."""
        return (w[:, None] + offsets).float() * self.w_std + self.w_mean

    def encode(self, images: Tensor) -> Latent:
        """The guess in W+, of pictures [B, 3, R, R] in [-1, 1]."""
        return Latent(self.layered(*self(images)), "w+")

    def check_generator(self, generator: Generator) -> None:
        """Raise a SpaceError if `generator` has other latents than those that this encoder guesses."""
        mine = ("w", self.latent_dim, self.layers)
        its = (generator.latent_space, generator.latent_dim, getattr(generator, "num_layers", 0))
        if mine != its:
            raise SpaceError(
                f"this encoder guesses 'w' of {mine[1]} dimensions in {mine[2]} layers, the generator has {its[0]!r} "
                f"of {its[1]} in {its[2]}: use the generator it was trained on, {self.generator_name}."
            )


class Stage(nn.Module):
    """Two residual blocks, the first of which halves the side."""

    def __init__(self, width_in: int, width: int, norm: str) -> None:
        super().__init__()
        self.conv0, self.norm0 = _conv(width_in, width, stride=2), _norm(width, norm)
        self.conv1, self.norm1 = _conv(width, width), _norm(width, norm)
        self.short = nn.Conv2d(width_in, width, 1, bias=False)
        self.norm = _norm(width, norm)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width_in, R, R] => [B, width, R / 2, R / 2]."""
        y = self.norm1(self.conv1(F.relu(self.norm0(self.conv0(x)))))
        return F.relu(y + self.norm(self.short(F.avg_pool2d(x, 2))))


def _conv(width_in: int, width: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)


def _norm(width: int, kind: str) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.GroupNorm(math.gcd(8, width), width)
