"""F's training as one would write it first: a module a layer, PyTorch's spectral norm, autograd, a data loader."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, TensorDataset


class Layer(nn.Module):
    """Layer normalisation, AdaIN, rectifier, fully connected layer."""

    def __init__(self, latent: int, embedding: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(latent, elementwise_affine=False)
        self.affine = spectral_norm(nn.Linear(embedding, 2 * latent))
        self.linear = spectral_norm(nn.Linear(latent, latent))

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.affine(embedded).chunk(2, dim=1)
        return self.linear(F.leaky_relu((1 + scale) * self.norm(x) + shift, 0.2))


class PlainF(nn.Module):
    """F(z, c), between standardised coordinates."""

    def __init__(self, latent: int, conditions: int, *, layers: int = 15, embedding: int = 64) -> None:
        super().__init__()
        self.embed = spectral_norm(nn.Linear(conditions, embedding))
        self.layers = nn.ModuleList(Layer(latent, embedding) for _ in range(layers))

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        embedded = F.leaky_relu(self.embed(c), 0.2)
        for layer in self.layers:
            z = layer(z, embedded)
        return z


def iterations(z: Tensor, c: Tensor, *, batch: int = 8, seen: Callable[[Tensor], Tensor] | None = None) -> Iterator:
    """The loop: one iteration a `next`.

    Args:
        z: [N, D].
        c: [N, C].
        batch: pairs an iteration.
        seen: z => C(G(z)), called in each iteration in place of the cached c.
    """
    network = PlainF(z.shape[1], c.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    loader = DataLoader(TensorDataset(z, c), batch_size=batch, shuffle=True)
    while True:
        for target, condition in loader:
            if seen is not None:
                condition = seen(target)
            loss = F.mse_loss(network(target, condition), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss.item()
