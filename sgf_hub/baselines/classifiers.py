"""LACE's latent classifiers (Nie, Vahdat and Anandkumar, NeurIPS 2021): how likely each attribute is at a latent.

The paper trains one network an attribute; here all share theirs but for the last layer. Targets are the predictor's
probabilities. Latents are seen with noise (ours): without, a classifier is sure of an attribute as soon as a latent has
left those that lack it, where the generator draws no such thing yet, and an edit ends there.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.baselines.fitted import Fitted, described
from sgf_hub.data.pairs import Pairs
from sgf_hub.errors import BadValueError
from sgf_hub.validation import bounded

_WIDTH = 128
_NOISE = 2.0  # standard deviations; as F is trained with
_STEPS, _BATCH, _RATE, _DECAY = 3000, 256, 3e-3, 1e-2  # of AdamW
_HELD_OUT = 0.1  # of the pairs


class LatentClassifiers(Fitted, pipeline_tag="image-to-image", tags=["gan", "lace"]):
    """log-odds of A attributes at latents, and the Gaussian that the latents are taken for.

    Args:
        generator: repo of the generator whose latents they classify.
        predictor: repos of the heads that labelled the latents.
        latent_space: "z" or "w".
        latent_dim: D.
        attributes: names, in the order of the outputs.
        width: of the two hidden layers.
        held: weight of the others' log-odds in an edit, the paper's gamma.
        near: weight of the distance from where an edit began, the paper's mu.
        score: what an edit with these two measured (see `choices.py`).
        validation: accuracy of each classifier on latents that were held out; () if not known.
    """

    mean: Tensor  # D
    factor: Tensor  # D, D; lower triangular, covariance = factor factor^T

    def __init__(
        self,
        *,
        generator: str,
        predictor: Sequence[str],
        latent_dim: int,
        attributes: Sequence[str],
        latent_space: str = "w",
        width: int = _WIDTH,
        held: float = 0.0,
        near: float = 0.0,
        score: float = 0.0,
        validation: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.describe(generator, predictor, latent_space, latent_dim, attributes)
        width = bounded("width", width, 1, 4096)
        self.held, self.near = bounded("held", held, 0.0, 1e3), bounded("near", near, 0.0, 1e3)
        self.score = bounded("score", score, 0.0, 1.0)
        self.validation = self.one_each("validation", validation)
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("factor", torch.zeros(latent_dim, latent_dim).fill_diagonal_(1.0))
        widths = (latent_dim, width, width, len(self.attributes))
        self.layers = nn.ModuleList(nn.Linear(*ends) for ends in zip(widths, widths[1:], strict=False))

    def whitened(self, z: Tensor) -> Tensor:
        """Latents as N(0, I): z [B, D] => u [B, D]."""
        return torch.linalg.solve_triangular(self.factor, (z - self.mean).T, upper=False).T

    def forward(self, u: Tensor) -> Tensor:
        """The log-odds of every attribute at whitened latents: [..., D] => [..., A]."""
        first, second, last = self._dense
        return last(F.silu(second(F.silu(first(u)))))  # smooth: its slope is what moves a latent

    @property
    def _dense(self) -> list[nn.Linear]:
        return list(self.layers)  # type: ignore[arg-type]

    def linearised(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The log-odds at whitened latents [b, D], and their slopes: => [b, A], [b, A, D]."""
        first, second, last = self._dense
        x, a = _silu(first(u))
        y, b = _silu(second(x))
        slopes = (last.weight * b[:, None]) @ second.weight  # b, A, width
        return last(y), (slopes * a[:, None]) @ first.weight

    def measured(self) -> dict[str, Any]:
        """Accuracies and the score of the settings, where they are known."""
        known = dict(zip(self.attributes, self.validation, strict=True)) if self.validation else {}
        return {"validation": known, "scores": {"all": self.score}}

    def with_settings(self, held: float, near: float, score: float = 0.0) -> "LatentClassifiers":
        """The same classifiers with other weights of an edit's regularisers."""
        config = {key: value for key, value in self.config().items() if key not in ("class", "format")}
        made = LatentClassifiers(**{**config, "held": held, "near": near, "score": score})
        made.load_state_dict(self.state_dict())
        return made.eval().requires_grad_(False)


def fit_classifiers(pairs: Pairs, *, seed: int = 0) -> LatentClassifiers:
    """Train a classifier for every attribute, and fit the Gaussian.

    Args:
        pairs: latents and their conditions.
        seed: of the weights, the split and the order.

    Raises:
        BadValueError: if an attribute is the same everywhere.
    """
    z, wanted = pairs.z.float(), (pairs.info.spec.scores(pairs.c) / 2 + 0.5).clamp(0, 1)
    for name, column in zip(pairs.info.spec.attributes, wanted.unbind(1), strict=True):
        if column.max() == column.min():
            raise BadValueError(f"the pairs hold no contrast in {name!r}: sample more, or leave it out.")
    rng = torch.Generator().manual_seed(seed)
    made = LatentClassifiers(**described(pairs))
    made.mean.copy_(z.mean(dim=0))
    made.factor.copy_(_factor(z))
    for layer in made._dense:
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=rng)
        nn.init.zeros_(layer.bias)
    order = torch.randperm(len(z), generator=rng)
    held = order[: max(1, int(_HELD_OUT * len(z)))]
    train = order[len(held) :]
    u = made.whitened(z)
    optimizer = torch.optim.AdamW(made.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, _STEPS)
    for _ in range(_STEPS):
        rows = train[torch.randint(len(train), (_BATCH,), generator=rng)]
        noise = _NOISE * torch.randn(_BATCH, z.shape[1], generator=rng)
        loss = F.binary_cross_entropy_with_logits(made(u[rows] + noise), wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    made.requires_grad_(False)
    right = ((made(u[held]) > 0) == (wanted[held] > 0.5)).double().mean(dim=0)
    config = {**described(pairs), "validation": [round(value, 4) for value in right.tolist()]}
    checked = LatentClassifiers(**config)
    checked.load_state_dict(made.state_dict())
    return checked.eval().requires_grad_(False)


def _silu(x: Tensor) -> tuple[Tensor, Tensor]:
    """x * sigmoid(x), and its slope."""
    gate = x.sigmoid()
    return x * gate, gate * (1 + x * (1 - gate))


def _factor(z: Tensor) -> Tensor:
    """Cholesky factor of the covariance of latents [N, D]."""
    covariance = torch.cov(z.double().T).reshape(z.shape[1], z.shape[1])
    covariance.diagonal().add_(1e-6 * covariance.diagonal().mean())
    return torch.linalg.cholesky(covariance).float()
