"""Predictors C: image to condition. Heads on a shared backbone, the join that runs it once, and captions."""

from sgf_hub.predictors.attributes import AttributeHead
from sgf_hub.predictors.backbone import Backbone, load_backbone
from sgf_hub.predictors.base import BasePredictor
from sgf_hub.predictors.captions import CaptionPredictor, Familiarity
from sgf_hub.predictors.joint import ImagePredictor, load_predictor
from sgf_hub.predictors.keypoints import KeypointHead

__all__ = [
    "AttributeHead",
    "Backbone",
    "BasePredictor",
    "CaptionPredictor",
    "Familiarity",
    "ImagePredictor",
    "KeypointHead",
    "load_backbone",
    "load_predictor",
]
