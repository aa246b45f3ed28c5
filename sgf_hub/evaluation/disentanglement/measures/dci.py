"""DCI: Eastwood and Williams, "A Framework for the Quantitative Evaluation of Disentangled Representations", 2018.

Here a factor is an edit that can be asked for: 1 where its attribute should appear, -1 where it should go, 0 where
another edit was asked. A code is the change of one attribute's score. A method whose edits are disentangled moves each
score for one edit alone (disentanglement), shows each edit in one score alone (completeness), and lets one tell from
the scores what was asked (informativeness). Shapes: R edits (rows), D codes, K factors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

HELD_OUT = 4  # one sample in so many is predicted, not learned from


@dataclass(frozen=True)
class DCI:
    """The three figures, each at most 1.

    Args:
        disentanglement: from 0; mean over codes, by their importance, of 1 - entropy of the factors they matter for.
        completeness: from 0; mean over factors of 1 - entropy of the codes that matter for them.
        informativeness: mean over factors of the variance that is explained on held-out rows (R^2); 0 if negative.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(codes: Tensor, factors: Tensor, samples: Tensor) -> DCI | None:
    """DCI by gradient-boosted trees.

    Args:
        codes: changes of scores, [R, D].
        factors: what was asked, [R, K].
        samples: number of each row's sample, [R]: the edits of every fourth sample are held out.

    Returns:
        None where it is not defined: for less than two codes, factors, or samples of which one is held out.
    """
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.metrics import r2_score

    held = samples % HELD_OUT == HELD_OUT - 1
    if min(codes.shape[1], factors.shape[1]) < 2 or not held.any():
        return None
    importance, explained = [], []
    for factor in factors.double().T:
        trees = GradientBoostingRegressor(random_state=0).fit(codes[~held].numpy(), factor[~held].numpy())
        importance.append(torch.from_numpy(trees.feature_importances_))
        explained.append(max(0.0, r2_score(factor[held].numpy(), trees.predict(codes[held].numpy()))))
    matrix = torch.stack(importance, dim=1)  # D, K
    return DCI(disentanglement(matrix), completeness(matrix), sum(explained) / len(explained))


def disentanglement(importance: Tensor) -> float:
    """sum_i rho_i (1 - H_K(P_i)): importance [D, K], P_ij = R_ij / sum_k R_ik, rho_i = sum_j R_ij / sum R."""
    weights = importance.sum(dim=1) / importance.sum().clamp_min(1e-12)
    return (weights * (1 - _entropy(importance.T))).sum().item()


def completeness(importance: Tensor) -> float:
    """Mean over factors j of 1 - H_D(P_j): importance [D, K], P_ij = R_ij / sum_d R_dj."""
    return (1 - _entropy(importance)).mean().item()


def _entropy(importance: Tensor) -> Tensor:
    """Of each column's shares, in units of the largest there is (the logarithm's base is the number of rows)."""
    total = importance.sum(dim=0)
    shares = importance / total.clamp_min(1e-12)
    entropy = torch.special.entr(shares).sum(dim=0) / torch.tensor(len(importance), dtype=shares.dtype).log()
    return torch.where(total > 0, entropy, torch.ones_like(entropy))  # what matters for nothing tells nothing
