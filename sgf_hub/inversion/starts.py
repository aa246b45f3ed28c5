"""Without an encoder: where a search begins and how its result is judged, from some hundred of G's own pictures."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.inversion.perceptual import Perceptual, distance
from sgf_hub.predictors.backbone import resize
from sgf_hub.types import Generator, Latent

MOST, LEAST, PIXELS = 256, 32, 2**22  # pictures, and pixels of all of them: large ones are drawn in seconds each
SIDE = 128  # that they are kept at
SEED = 920_000_000
_AT_ONCE = 16


@dataclass(frozen=True)
class OwnPictures:
    """Samples of a generator, and what they look like.

    Args:
        latents: N samples.
        images: G of them, [N, 3, S, S], S at most 128.
    """

    latents: Latent
    images: Tensor

    def nearest(self, looks: Tensor, pictures: Tensor, perceptual: Perceptual, pixels: float) -> Latent:
        """The sample that is most like each of B pictures, as a search compares them.

        Args:
            looks: `perceptual` of the pictures, [B, F].
            pictures: [B, 3, R, R].
            perceptual: in whose features they are compared.
            pixels: weight of the mean squared error of pixels.
        """
        small = resize(pictures, self.images.shape[-1])
        apart = []
        for images in self.images.split(_AT_ONCE):
            seen = perceptual(images)
            off = torch.stack([(images - one).square().mean(dim=(1, 2, 3)) for one in small])
            apart.append(torch.stack([distance(seen, one) for one in looks]) + pixels * off)
        return Latent(self.latents.data[torch.cat(apart, dim=1).argmin(dim=1)], self.latents.space)

    @torch.no_grad()
    def scale(self, judge: Perceptual) -> tuple[float, float]:
        """What a similarity of 0 is, and from which one on a result counts as the picture.

        Returns:
            The mean distance of two samples in the judge's features; and the similarity of what is half as far from a
            sample as, on average, the sample most like it. Searches for the generator's own pictures come nearer, and
            for those of other worlds they do not (docs/latents.md).
        """
        features = torch.cat([judge(images) for images in self.images.split(_AT_ONCE)])
        apart = torch.cdist(features, features).square()
        count = len(features)
        mean = apart.sum().item() / (count * (count - 1))
        nearest = apart.fill_diagonal_(torch.inf).amin(dim=1).mean().item()
        return mean, 1 - nearest / 2 / mean

    @classmethod
    @torch.no_grad()
    def of(cls, generator: Generator) -> "OwnPictures":
        """256 of them, or fewer of large ones."""
        side = min(SIDE, generator.resolution)
        count = max(LEAST, min(MOST, PIXELS // generator.resolution**2))
        at_once = max(1, min(_AT_ONCE, PIXELS // generator.resolution**2))
        latents = generator.sample(count, seed=SEED)
        drawn = (generator.synthesize(latents[i : i + at_once]) for i in range(0, count, at_once))
        return cls(latents, torch.cat([resize(images, side) for images in drawn]))
