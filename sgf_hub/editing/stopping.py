"""When an edit of a sample ends."""

from dataclasses import replace

import torch
from torch import Tensor

from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.trajectory import StopReason
from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE
from sgf_hub.types import Predictor, Target


class StoppingCriterion:
    """Whether each of B samples has arrived, run out of steps, or stalled.

    Args:
        predictor: C, whose distance it is.
        target: of the samples.
        config: the settings.
        size: B.
        device: of the samples.
        typical: medians of |score| in samples without and with each attribute, [2, A]; None where they are not known.

    Attributes:
        distance: the last of every sample, [B].
        reasons: why each stopped, or None.
    """

    def __init__(
        self, predictor: Predictor, target: Target, config: EditConfig, size: int, device: torch.device,
        typical: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.predictor, self.target, self.config = predictor, target, config
        split = len(predictor.spec.attributes)
        whole = (target.c[:, :split][:, target.asked[:split]].abs() == 1).all(dim=1) & ~target.asked[split:].any()
        certain = torch.full((len(whole),), config.certainty, device=whole.device)
        if config.as_samples and typical is not None and target.asked[:split].any():
            # where samples themselves are less certain, a picture need be no more so than most of them
            goal = target.c[:, :split][:, target.asked[:split]]
            there = typical[:, target.asked[:split]].to(goal)
            short = (1 - torch.where(goal > 0, there[1], there[0])) / 2 / ATTRIBUTE_TOLERANCE
            certain = short.amax(dim=1).clamp(min=config.certainty, max=max(config.certainty, 1.0))
        self.arrival = (torch.where(whole, certain, 1.0) * config.tolerance).tolist()
        self.distance = torch.full((size,), float("inf"), device=device)
        self.best, self.idle = [float("inf")] * size, [0] * size
        self.reasons: list[StopReason | None] = [None] * size

    @property
    def moving(self) -> Tensor:
        """The samples that have not stopped, a mask [B]."""
        return torch.tensor([reason is None for reason in self.reasons], device=self.distance.device)

    def update(self, c: Tensor, index: int, rows: Tensor, outside: Tensor) -> None:
        """Take note of where some samples have come.

        Args:
            c: C of their pictures, [b, C].
            index: of the step.
            rows: which they are, a mask [B].
            outside: which of them have left the latents' distribution, a mask [b].
        """
        distance = self.predictor.distance(c, replace(self.target, c=self.target.c[rows]))
        self.distance[rows] = distance
        numbers = rows.nonzero().flatten().tolist()
        for b, now, out in zip(numbers, distance.tolist(), outside.tolist(), strict=True):
            self.idle[b] = 0 if now < self.best[b] - 1e-3 else self.idle[b] + 1
            self.best[b] = min(self.best[b], now)
            self.reasons[b] = self._reason(b, now, index, out)

    def end(self, rows: Tensor, reason: StopReason) -> None:
        """End some samples, a mask [B], wherever they are."""
        for b in rows.nonzero().flatten().tolist():
            self.reasons[b] = reason

    def _reason(self, b: int, now: float, index: int, out: bool) -> StopReason | None:
        config, arrived = self.config, StopReason.OUT_OF_DISTRIBUTION if out else StopReason.TARGET_REACHED
        if now <= self.arrival[b] > 0:
            return arrived
        if index >= config.max_steps:
            short = StopReason.STEP_LIMIT
        elif config.patience is not None and self.idle[b] >= config.patience:
            short = StopReason.STALLED
        else:
            return None
        result = self.best[b] if config.return_best else now
        return arrived if result <= config.tolerance > 0 else short  # close, if not certain
