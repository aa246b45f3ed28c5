"""Training that grows: 4 px first, then doubled until R (Karras et al., ICLR 2018).

Each new side fades in, in both networks and in the real pictures, and is then trained alone. The phase follows from the
images shown, so nothing of it has to be kept in a checkpoint.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.training.adversarial.discriminators import Trunk
from sgf_hub.training.adversarial.training import GANConfig, GANTraining


@dataclass(frozen=True, kw_only=True)
class GrowingConfig(GANConfig):
    """Settings of a training that may grow; `batch` is that of the last side.

    Args:
        batches: images a step at 4, 8, ..., R / 2 pixels.
        grow_at: images shown when 8, 16, ..., R pixels begin to fade in; none trains at R from the beginning.
        fade: images during which a side fades in.
    """

    batches: tuple[int, ...] = ()
    grow_at: tuple[int, ...] = ()
    fade: int = 20_000

    def __post_init__(self) -> None:
        steps = len(self.channels) - 1 if self.grow_at else 0
        if len(self.batches) != steps or len(self.grow_at) != steps or sorted(self.grow_at) != list(self.grow_at):
            raise BadValueError(
                f"{self.resolution} px takes {steps} batches and {steps} rising counts in grow_at, "
                f"not {self.batches} and {self.grow_at}."
            )


C = TypeVar("C", bound=GrowingConfig)
G = TypeVar("G", bound=nn.Module)
D = TypeVar("D", bound=Trunk)


class GrowingTraining(GANTraining[C, G, D]):
    """The state of a training that may grow; see `GANTraining`."""

    @property
    def level(self) -> int:
        """The last block in use: pictures have 4 << level pixels a side."""
        if not self.config.grow_at:
            return len(self.config.channels) - 1
        return sum(self.shown >= start for start in self.config.grow_at)

    @property
    def side(self) -> int:
        """Of the pictures of this phase, in pixels."""
        return 4 << self.level

    @property
    def alpha(self) -> float:
        """How far the last block has faded in, in [0, 1]."""
        if self.level == 0 or not self.config.grow_at or self.config.fade == 0:
            return 1.0
        return min(1.0, (self.shown - self.config.grow_at[self.level - 1]) / self.config.fade)

    def reals(self, pictures: np.ndarray) -> Tensor:
        batch = self.config.batch if self.side == self.config.resolution else self.config.batches[self.level]
        images = F.avg_pool2d(self._drawn(pictures, batch), self.config.resolution // self.side)
        if self.alpha < 1:
            images = torch.lerp(F.interpolate(F.avg_pool2d(images, 2), scale_factor=2), images, self.alpha)
        return images

    def progress(self) -> dict:
        return {"side": self.side, "alpha": round(self.alpha, 3)} if self.config.grow_at else {}

    @torch.no_grad()
    def average_images(self, z: Tensor) -> Tensor:
        images = self.shown_images(z).clamp(-1, 1)
        return F.interpolate(images, scale_factor=self.config.resolution // self.side)

    def shown_images(self, z: Tensor) -> Tensor:
        """Pictures of the averaged generator at the side of this phase: z [B, D] => [B, 3, S, S]."""
        raise NotImplementedError
