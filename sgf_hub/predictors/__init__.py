"""Predictors C: image to condition. Heads on a shared backbone, models of transformers, prompts, captions, your own."""

from sgf_hub.predictors.attributes import AttributeHead
from sgf_hub.predictors.backbone import Backbone, load_backbone
from sgf_hub.predictors.base import BasePredictor
from sgf_hub.predictors.captions.captioner import load_captioner
from sgf_hub.predictors.captions.predictor import CaptionPredictor, Familiarity
from sgf_hub.predictors.custom import CustomPredictor
from sgf_hub.predictors.joint import ImagePredictor, join, load_predictor
from sgf_hub.predictors.keypoints import KeypointHead
from sgf_hub.predictors.pretrained.classifier import TransformersClassifier
from sgf_hub.predictors.pretrained.keypoints import TransformersKeypoints
from sgf_hub.predictors.pretrained.prompts import PromptPredictor

__all__ = [
    "AttributeHead",
    "Backbone",
    "BasePredictor",
    "CaptionPredictor",
    "CustomPredictor",
    "Familiarity",
    "ImagePredictor",
    "KeypointHead",
    "PromptPredictor",
    "TransformersClassifier",
    "TransformersKeypoints",
    "join",
    "load_backbone",
    "load_captioner",
    "load_predictor",
]
