"""The surrogate gradient field by other means: dense Jacobians, and finite differences."""

import torch
from torch import Tensor

from sgf_hub.mapping import SGFMapping


def dense(mapping: SGFMapping, z: Tensor, c: Tensor, delta_c: Tensor, *, order: int = 1) -> Tensor:
    """The whole of dF/dz and dF/dc for every sample, and products with them: shapes as in `SurrogateGradientField`."""
    moves = []
    for one, condition, delta in zip(z.split(1), c.split(1), delta_c.split(1), strict=True):
        by_z, by_c = torch.autograd.functional.jacobian(lambda z, c: mapping(z, c).squeeze(0), (one, condition))
        term = total = by_c.squeeze(1) @ delta.squeeze(0)
        for _ in range(order):
            term = by_z.squeeze(1) @ term
            total = total + term
        moves.append(total)
    return torch.stack(moves)


@torch.no_grad()
def differences(mapping: SGFMapping, z: Tensor, c: Tensor, delta_c: Tensor, *, order: int = 1) -> Tensor:
    """Derivatives as differences over a small step: close to the field, not equal to it."""
    step = 1e-3
    here = mapping(z, c)
    term = total = (mapping(z, c + step * delta_c) - here) / step
    for _ in range(order):
        term = (mapping(z + step * term, c) - here) / step
        total = total + term
    return total
