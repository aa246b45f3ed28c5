"""Where a generator's latents lie, and edits that stay there (ours).

The field says which way c changes, not how far z can go: beyond the latents that a generator was trained on it draws
burnt-out pictures, which a predictor goes on reading. So a step that leads out of the region in which nearly all
latents lie is taken back onto its border.
"""

import torch
from torch import Tensor

from sgf_hub.editing.statistics.following import fit_factors
from sgf_hub.mapping import SGFMapping

QUANTILES = (0.5, 0.95, 0.99)
"""Shares of the latents that the stored radii hold."""

CAPTIONS_REACH = 2.0
"""Factor on the radii for edits by caption, which ask for what samples seldom have together: flowers so far out are
drawn as well as others, and farther out they are not (docs/experiments.md)."""

_LEAST = 1e-3  # of a standardised direction's variance; less is rounding
_ROUNDING = 1e-4
_SAMPLED = 1.25  # of what 99% lie within: nearer latents are taken for samples
_SAMPLES = 100_000  # latents that quantiles are taken from


class LatentDistribution:
    """A Gaussian fitted to latents, and how far from its mean they lie.

    The distance is Mahalanobis's, sqrt((z - m)^T S^-1 (z - m)). Of z ~ N(0, I) it is the norm, nearly the same for all:
    the latents lie on a shell. In W, where directions differ, it is what tells a far latent from a near one.

    Args:
        mean: m, [D].
        std: of every coordinate, [D].
        covariance: of the standardised coordinates, [D, D].
        radii: distances that `QUANTILES` of the latents lie within, [3].
    """

    def __init__(self, mean: Tensor, std: Tensor, covariance: Tensor, radii: Tensor) -> None:
        self.mean = mean.float()
        values, vectors = torch.linalg.eigh(covariance.double().cpu())
        whitening = vectors / values.clamp_min(_LEAST).sqrt() / std.double().cpu()[:, None]
        self.whitening = whitening.to(self.mean)
        self.radii = radii.float()

    @classmethod
    def of(cls, mapping: SGFMapping) -> "LatentDistribution | None":
        """What a mapping knows of the latents of its pairs, with wider radii for captions; None for an older one."""
        if not mapping.latent_statistics:
            return None
        reach = CAPTIONS_REACH if mapping.spec.caption else 1.0
        return cls(mapping.z_mean, mapping.z_std, mapping.z_covariance, reach * mapping.z_radii)

    def distance(self, z: Tensor) -> Tensor:
        """Mahalanobis distances of latents, [..., D] => [...]."""
        return ((z - self.mean) @ self.whitening).norm(dim=-1)

    def radius(self, quantile: float) -> Tensor:
        """The distance that a share of the latents, one of `QUANTILES`, lies within."""
        return self.radii[QUANTILES.index(quantile)]

    def outlyingness(self, z: Tensor) -> Tensor:
        """Distances in units of the one that 99% of the latents lie within: above 1, it is out of distribution."""
        return self.distance(z) / self.radius(0.99)

    def project(self, z: Tensor, most: Tensor) -> Tensor:
        """The nearest latents, in this metric, at a distance of at most `most`: towards the mean.

        Args:
            z: [B, D].
            most: [B].
        """
        return self.mean + (z - self.mean) * (most / self.distance(z)).clamp_max(1.0)[:, None]


class Border:
    """What the loop asks of a distribution: to hold steps back, and whether a latent has left.

    Args:
        distribution: None where it is not known; then nothing is held, and nothing has left.
        within: share of the latents whose region holds the steps; None to let them go.
        start: z of the samples before the edit, [B, D], or [B, L, D] by layer, of which the mean counts.
    """

    def __init__(self, distribution: LatentDistribution | None, within: float | None, start: Tensor) -> None:
        self.distribution, self.within = distribution, within
        self.begun: Tensor | None = None
        if distribution is not None:
            begun = distribution.distance(_center(start))
            # a sample of the generator comes in with the first step; what never was one, such as a photograph's latent,
            # would become another picture, and only goes no farther out
            self.begun = begun * (begun > _SAMPLED * distribution.radius(0.99))

    def held(self, z: Tensor, rows: Tensor) -> Tensor:
        """z of the samples `rows`, a mask [B], moved back onto the border where they lie beyond it."""
        if self.distribution is None or self.begun is None or self.within is None:
            return z
        center = _center(z)
        moved = self.distribution.project(center, self.begun[rows].clamp_min(self.distribution.radius(self.within)))
        return z + (moved - center if z.ndim == 2 else (moved - center)[:, None])

    def outlyingness(self, z: Tensor) -> Tensor | None:
        """How far out samples are, [B], in units of what 99% lie within; None where it is not known."""
        return None if self.distribution is None else self.distribution.outlyingness(_center(z))

    def crossed(self, z: Tensor) -> Tensor:
        """Which samples have left, a mask [B]: those beyond the 99%, and farther out than they began."""
        if self.distribution is None or self.begun is None:
            return torch.zeros(len(z), dtype=torch.bool, device=z.device)
        reached = self.distribution.distance(_center(z))
        return reached > self.begun.clamp_min(self.distribution.radius(0.99)) * (1 + _ROUNDING)


def _center(z: Tensor) -> Tensor:
    return z if z.ndim == 2 else z.mean(dim=1)


def fit_statistics(mapping: SGFMapping, z: Tensor, c: Tensor) -> None:
    """Store in a mapping what its pairs say of samples; its `z_mean` and `z_std` are there.

    Distances are taken with the covariance as a file keeps it, so that the radii are those of what will be loaded.

    Args:
        mapping: that has `latent_statistics`.
        z: latents, [N, D].
        c: their conditions, [N, C].
    """
    standardised = (z[:_SAMPLES] - mapping.z_mean) / mapping.z_std
    mapping.z_covariance.copy_((standardised.T @ standardised / len(standardised)).to(mapping.saved_as))
    distribution = LatentDistribution(mapping.z_mean, mapping.z_std, mapping.z_covariance, mapping.z_radii)
    distances = distribution.distance(z[:_SAMPLES])
    mapping.z_radii.copy_(torch.quantile(distances, distances.new_tensor(QUANTILES)))
    scores = mapping.spec.scores(c[:_SAMPLES])
    for side, sign in enumerate((-1, 1)):
        present = torch.where(scores * sign > 0, scores * sign, torch.nan)
        mapping.c_typical[side] = present.nanmedian(dim=0).values.nan_to_num(1.0)
    if mapping.condition_factors:
        mapping.c_factors.copy_(fit_factors(c[:_SAMPLES], mapping.condition_factors))


__all__ = ["QUANTILES", "Border", "LatentDistribution", "fit_statistics"]
