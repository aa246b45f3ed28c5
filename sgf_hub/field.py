"""The surrogate gradient field H(z) = (I - dF/dz)^-1 dF/dc (c1 - c0), Eq. 6; that and nothing else.

With the Neumann series cut at order m (Section 3.4), H is a sum of m + 1 Jacobian-vector products; no Jacobian is
built.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError

Mapping = Callable[[Tensor, Tensor], Tensor]


class Derivatives(Protocol):
    """F linearised at a point: what a mapping's own `linearize(z, c, delta_c)` returns."""

    @property
    def along(self) -> Tensor:
        """(dF/dc) delta_c, [B, D]."""
        ...

    def dz(self, tangent: Tensor) -> Tensor:
        """(dF/dz) tangent, [..., B, D] => [..., B, D]."""
        ...


class ForwardMode:
    """Derivatives of any F by forward-mode differentiation (`torch.func.jvp`), for mappings without `linearize`."""

    def __init__(self, mapping: Mapping, z: Tensor, c: Tensor, delta_c: Tensor) -> None:
        self.mapping, self.z, self.c = mapping, z, c
        self.along: Tensor = torch.func.jvp(lambda c: mapping(z, c), (c,), (delta_c,))[1]

    def dz(self, tangent: Tensor) -> Tensor:
        """(dF/dz) tangent: [..., B, D] => [..., B, D]."""
        if tangent.ndim > self.z.ndim:
            return torch.stack([self.dz(one) for one in tangent])
        return torch.func.jvp(lambda z: self.mapping(z, self.c), (self.z,), (tangent,))[1]


class SurrogateGradientField:
    """H(z) for a mapping F.

    Args:
        mapping: F(z [B, D], c [B, C]) -> [B, D]; its `linearize(z, c)` is used when it has one.
        order: m of the Neumann series (1 in the paper), or None for the exact solve.
        damping: added to the identity in the exact solve; where F nearly copies z, I - dF/dz is nearly singular.
        guard: leave out, sample by sample, the terms of the series that do not shrink, since it then diverges:
            AdaIN's normalisation can make the norm of dF/dz exceed 1 whatever spectral normalisation does.

    Raises:
        BadValueError: if the order is not a whole number from 0 to 100.
    """

    def __init__(self, mapping: Mapping, *, order: int | None = 1, damping: float = 0.0, guard: bool = False) -> None:
        check_order(order)
        self.mapping, self.order, self.damping, self.guard = mapping, order, damping, guard

    @torch.no_grad()
    def __call__(self, z: Tensor, c: Tensor, delta_c: Tensor) -> Tensor:
        """delta_z, the move that changes c by delta_c: lines 5 to 10 of Algorithm 1.

        Args:
            z: [B, D].
            c: C(G(z)), [B, C].
            delta_c: [B, C].

        Returns:
            [B, D], in the units of z.
        """
        derivatives = linearize(self.mapping, z, c, delta_c)
        delta = derivatives.along  # delta_z^(0)
        if self.order is None:
            return self._solve(derivatives, delta)
        total = delta
        for _ in range(self.order):
            term = derivatives.dz(delta)  # delta_z^(j)
            if self.guard:
                term = term * (term.norm(dim=1, keepdim=True) < delta.norm(dim=1, keepdim=True))
            total, delta = total + term, term
        return total

    def _solve(self, derivatives: Derivatives, right: Tensor) -> Tensor:
        """(I + damping - dF/dz)^-1 right, [B, D] => [B, D], by a dense solve: exact, and only for small D."""
        batch, size = right.shape
        identity = torch.eye(size, dtype=right.dtype, device=right.device)
        jacobian = derivatives.dz(identity.unsqueeze(1).expand(size, batch, size)).permute(1, 2, 0)  # B, row, column
        solution, failed = torch.linalg.solve_ex(identity * (1 + self.damping) - jacobian, right)
        return solution.masked_fill((failed != 0).unsqueeze(1), torch.nan)  # singular: F copies z along some direction


def check_order(order: int | None) -> None:
    """Raise a BadValueError unless `order` can be m of the Neumann series, or None."""
    if order is not None and (isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= 100):
        raise BadValueError(f"the order of the Neumann series is a whole number from 0 to 100, not {order!r}.")


def linearize(mapping: Mapping, z: Tensor, c: Tensor, delta_c: Tensor) -> Derivatives:
    """F's derivatives at (z, c), along delta_c and for tangents of z: the mapping's own, or by forward mode."""
    own = getattr(mapping, "linearize", None)
    return own(z, c, delta_c) if own is not None else ForwardMode(mapping, z, c, delta_c)


def contraction(mapping: Mapping, z: Tensor, c: Tensor, *, iterations: int = 20, seed: int = 0) -> Tensor:
    """The growth |J^k a| / |J^(k-1) a| that power iteration finds for J = dF/dz, [B]: the series converges under 1.

    Args:
        mapping: F.
        z: [B, D].
        c: [B, C].
        iterations: k.
        seed: of the first vectors.
    """
    derivatives = linearize(mapping, z, c, torch.zeros_like(c))
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(z.shape, generator=generator).to(z)
    growth = vector.new_zeros(len(z))
    for _ in range(iterations):
        vector = vector / vector.norm(dim=1, keepdim=True).clamp_min(1e-30)
        vector = derivatives.dz(vector)
        growth = vector.norm(dim=1)
    return growth
