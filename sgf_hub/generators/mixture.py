"""The distribution of latents that an encoder gives: a mixture of Gaussians, in place of a mapping network.

A generator that learned with an encoder beside it (`training/guided/`) draws what the encoder's latents stand for, and
those are not N(0, I): hair, hats and glasses are separate modes. The mixture is a kernel density estimate: one
component around each of M encoded pictures, all of one covariance (Tomczak and Welling, "VAE with a VampPrior", 2018,
give the reason why an aggregated posterior makes the best prior; the frozen kernels are ours).
"""

import math

import torch
from torch import Tensor, nn

from sgf_hub.validation import bounded


class GaussianMixture(nn.Module):
    """M equally likely Gaussians with one covariance; z of D + 1 standard normals => w of D dimensions.

    Args:
        components: M.
        latent_dim: D.
    """

    means: Tensor
    factor: Tensor

    def __init__(self, components: int, latent_dim: int) -> None:
        super().__init__()
        bounded("components", components, 1, 1 << 16)
        self.register_buffer("means", torch.zeros(components, latent_dim))
        # lower triangular; covariance = factor factor^T. (`torch.eye` without memory loads a symbolic algebra package.)
        self.register_buffer("factor", torch.zeros(latent_dim, latent_dim).fill_diagonal_(1.0))

    def forward(self, z: Tensor) -> Tensor:
        """z [B, D + 1], N(0, 1) => w [B, D]; see `split`."""
        mean, offset = self.split(z)
        return mean + offset

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z [B, D + 1] => the mean of a component and the offset from it, [B, D] each.

        The first coordinate chooses the component, by its cumulative probability; the others are the noise.
        """
        share = 0.5 * torch.erfc(-z[:, 0].double() / math.sqrt(2))  # uniform in (0, 1)
        index = (share * len(self.means)).long().clamp_max(len(self.means) - 1)
        return self.means[index], z[:, 1:] @ self.factor.T

    def nearest(self, w: Tensor) -> Tensor:
        """The mean of the component that w [B, D] most likely came from: => [B, D]."""
        return self.means[self._whitened(w).argmin(dim=1)]

    def log_density(self, w: Tensor) -> Tensor:
        """log p(w), in nats: [B, D] => [B]."""
        size = self.means.shape[1]
        scale = self.factor.diagonal().log().sum() + size / 2 * math.log(2 * math.pi) + math.log(len(self.means))
        return torch.logsumexp(-self._whitened(w).square() / 2, dim=1) - scale

    def _whitened(self, w: Tensor) -> Tensor:
        """Distance of each w to each mean in standard deviations: [B, D] => [B, M]."""
        both = torch.cat([w.to(self.means), self.means])
        white = torch.linalg.solve_triangular(self.factor, both.T, upper=False).T
        return torch.cdist(white[: len(w)], white[len(w) :])

    @torch.no_grad()
    def fit(self, means: Tensor, width: float) -> None:
        """Take the components' means [M, D], and for their covariance `width` squared times the means' own."""
        self.means.copy_(means)
        self.factor.copy_(kernel_factor(means, width))


def kernel_factor(means: Tensor, width: float) -> Tensor:
    """Cholesky factor of `width` squared times the covariance of means [M, D]: => [D, D], lower triangular."""
    covariance = torch.cov(means.double().T)
    covariance.diagonal().add_(1e-6 * covariance.diagonal().mean() + 1e-12)
    return (width * torch.linalg.cholesky(covariance)).to(means)
