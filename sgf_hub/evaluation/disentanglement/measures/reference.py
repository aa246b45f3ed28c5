"""Unedited samples of a generator, as an observer sees them: the units and the company of edited ones."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from typing_extensions import Self

from sgf_hub.editing import Editor
from sgf_hub.evaluation.disentanglement.measures.arrival import log_odds
from sgf_hub.evaluation.disentanglement.sweep import probabilities, starts
from sgf_hub.evaluation.likeness import embed
from sgf_hub.types import Predictor

COUNT = 500
_SEED, _BATCH = 500, 50  # neither a seed of the evaluation's own latents nor one of training pairs


@dataclass(frozen=True)
class Reference:
    """What is kept of the samples.

    Args:
        sigma: standard deviation of every attribute's log-odds, [M].
        features: of the observer's backbone, [COUNT, F]; [0, 0] where it has none.
    """

    sigma: Tensor
    features: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, editor: Editor, observer: Predictor) -> Self:
        """Sample them."""
        latents = starts(editor, COUNT, seed=_SEED)
        scores, features = [], []
        for i in range(0, COUNT, _BATCH):
            images = editor.generator.synthesize(latents[i : i + _BATCH])
            scores.append(probabilities(observer(images), observer.spec).cpu())
            features.append(embed(observer, images).cpu())
        return cls(log_odds(torch.cat(scores)).std(dim=0), torch.cat(features))

    def save(self, path: Path, mark: str) -> None:
        """Write a file; `mark` says what it depends on."""
        save_file({"sigma": self.sigma, "features": self.features}, path, metadata={"mark": mark})

    @classmethod
    def load(cls, path: Path, mark: str) -> Self | None:
        """Read what `save` wrote; None if it is not there, or depends on something else."""
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("mark") != mark:
                return None
            return cls(file.get_tensor("sigma"), file.get_tensor("features"))
