"""Surrogate Gradient Field (Li, Jin, Zhu, CVPR 2021): edit what a GAN draws by attributes and keypoints."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgf_hub.editing import EditConfig, EditRequest, SGFEditor, StopReason, Trajectory
    from sgf_hub.errors import SGFError
    from sgf_hub.generators import load_generator
    from sgf_hub.generators.custom import CustomGenerator
    from sgf_hub.latents import read_latent
    from sgf_hub.mapping import SGFMapping
    from sgf_hub.predictors import (
        CustomPredictor,
        PromptPredictor,
        TransformersClassifier,
        TransformersKeypoints,
        load_predictor,
    )
    from sgf_hub.types import Latent

# imported when first used: importing sgf_hub itself costs nothing
_HOME = {
    "CustomGenerator": "generators.custom",
    "CustomPredictor": "predictors",
    "EditConfig": "editing",
    "EditRequest": "editing",
    "Latent": "types",
    "PromptPredictor": "predictors",
    "SGFEditor": "editing",
    "SGFError": "errors",
    "SGFMapping": "mapping",
    "StopReason": "editing",
    "Trajectory": "editing",
    "TransformersClassifier": "predictors",
    "TransformersKeypoints": "predictors",
    "load_generator": "generators",
    "load_predictor": "predictors",
    "read_latent": "latents",
}

__all__ = [
    "CustomGenerator",
    "CustomPredictor",
    "EditConfig",
    "EditRequest",
    "Latent",
    "PromptPredictor",
    "SGFEditor",
    "SGFError",
    "SGFMapping",
    "StopReason",
    "Trajectory",
    "TransformersClassifier",
    "TransformersKeypoints",
    "load_generator",
    "load_predictor",
    "read_latent",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"sgf_hub.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sgf_hub' has no attribute {name!r}")
