"""Re-scoring: Shen et al., "InterFaceGAN", 2020: what every attribute's score does under one edit."""

import torch
from torch import Tensor


def rescoring(before: Tensor, after: Tensor, rising: Tensor) -> Tensor:
    """One row of the matrix: the mean change of each attribute's probability, [M].

    Args:
        before: probabilities, [N, M].
        after: of the same samples, edited.
        rising: [N], true where the target should appear; where it should go, changes count with the other sign, so that
            an attribute that comes and goes with the target has a positive entry.
    """
    return torch.where(rising.unsqueeze(1), after - before, before - after).double().mean(dim=0)
