"""What a repo can hold: the registry of kinds. A new class of generator is its own file, and one entry here."""

import importlib
from dataclasses import dataclass
from typing import Any

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
"""The embedder of sentences that caption predictors compare with."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of repo.

    Args:
        name: the class that its config.json names; for models of transformers a word of ours.
        role: "mapping", "generator", "predictor", "backbone", "captioner", "clip", "baseline" or "encoder".
        module: where the class is defined; "" for models of transformers.
        parts: keys of its config.json that name other repos; the first one is the base model on the Hub.
        title: what people call it; its name by default.
        space: of a generator's latents, "z" or "w".
        card: its template in model_cards/; the role's by default. Kinds without a task have no card.
        task: the Hub's `pipeline_tag`.
        tags: of its card.
    """

    name: str
    role: str
    module: str = ""
    parts: tuple[str, ...] = ()
    title: str = ""
    space: str = ""
    card: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()

    def load(self) -> Any:
        """The class."""
        return getattr(importlib.import_module(self.module), self.name)


_EDITS = ("gan", "image-editing")
_DRAWS, _FEATURES, _CLASSES = "unconditional-image-generation", "image-feature-extraction", "image-classification"
_ALL = (
    Kind(name="SGFMapping", role="mapping", module="sgf_hub.mapping", parts=("generator", "predictor"),
         task="image-to-image", tags=(*_EDITS, "latent-space")),
    Kind(name="StyleGAN2", role="generator", module="sgf_hub.generators.stylegan.stylegan2", space="w",
         task=_DRAWS, tags=("gan", "stylegan2")),
    Kind(name="StyleGAN3", role="generator", module="sgf_hub.generators.stylegan.stylegan3", space="w",
         task=_DRAWS, tags=("gan", "stylegan3")),
    Kind(name="ProGAN", role="generator", module="sgf_hub.generators.progan", title="ProgressiveGAN", space="z",
         task=_DRAWS, tags=("gan", "progan")),
    Kind(name="DCGAN", role="generator", module="sgf_hub.generators.dcgan", space="z",
         task=_DRAWS, tags=("gan", "dcgan")),
    Kind(name="AttributeHead", role="predictor", module="sgf_hub.predictors.attributes", parts=("backbone",),
         card="head", task=_CLASSES, tags=("attributes",)),
    Kind(name="KeypointHead", role="predictor", module="sgf_hub.predictors.keypoints", parts=("backbone",),
         card="head", task="keypoint-detection", tags=("keypoints",)),
    Kind(name="FaceMeasures", role="predictor", module="sgf_hub.predictors.faces.heads", parts=("backbone",),
         card="head", task=_CLASSES, tags=("attributes", "faces")),
    Kind(name="FaceGender", role="predictor", module="sgf_hub.predictors.faces.heads", parts=("backbone",),
         card="fetched", task=_CLASSES, tags=("attributes", "faces")),
    Kind(name="FaceKeypoints", role="predictor", module="sgf_hub.predictors.faces.heads", parts=("backbone",),
         card="head", task="keypoint-detection", tags=("keypoints", "faces")),
    Kind(name="PromptPredictor", role="predictor", module="sgf_hub.predictors.pretrained.prompts", parts=("model",),
         card="prompts", task=_CLASSES, tags=("attributes", "clip")),
    Kind(name="CaptionPredictor", role="predictor", module="sgf_hub.predictors.captions.predictor",
         parts=("captioner",), card="captions", task=_FEATURES, tags=("captions",)),
    Kind(name="classifier", role="predictor", card="classifier", task=_CLASSES),
    Kind(name="Boundaries", role="baseline", module="sgf_hub.baselines.boundaries", parts=("generator", "predictor"),
         title="InterFaceGAN (Shen et al., 2020)", task="image-to-image", tags=(*_EDITS, "interfacegan")),
    Kind(name="Components", role="baseline", module="sgf_hub.baselines.components", parts=("generator", "predictor"),
         title="GANSpace (Harkonen et al., 2020)", task="image-to-image", tags=(*_EDITS, "ganspace")),
    Kind(name="LatentClassifiers", role="baseline", module="sgf_hub.baselines.classifiers",
         parts=("generator", "predictor"), title="LACE (Nie et al., 2021)", task="image-to-image",
         tags=(*_EDITS, "lace")),
    Kind(name="StyleChannels", role="baseline", module="sgf_hub.baselines.channels", parts=("generator", "predictor"),
         title="StyleSpace (Wu et al., 2021)", task="image-to-image", tags=(*_EDITS, "stylespace")),
    Kind(name="LatentEncoder", role="encoder", module="sgf_hub.inversion.encoder", parts=("generator", "backbone"),
         task=_FEATURES, tags=("gan", "gan-inversion")),
    Kind(name="FaceMesh", role="backbone", module="sgf_hub.predictors.faces.mesh",
         card="fetched", task="keypoint-detection", tags=("keypoints", "faces")),
    Kind(name="backbone", role="backbone", task=_FEATURES, tags=("backbone",)),
    Kind(name="captioner", role="captioner", task="image-to-text", tags=("image-captioning",)),
    Kind(name="clip", role="clip"),
)  # fmt: skip
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""Every kind by its name."""

# what a repo in transformers' format holds, by a part of the name of its class
_TRANSFORMERS = {"Backbone": "backbone", "ForImageClassification": "classifier", "ForPoseEstimation": "classifier",
                 "EncoderDecoder": "captioner", "ConditionalGeneration": "captioner"}  # fmt: skip
_BACKBONES = ("resnet", "convnextv2")


def kind_of(config: dict) -> str:
    """The name of the kind that a config.json describes, a class of ours or of transformers; "unknown" for others."""
    if "class" in config:
        return str(config["class"])
    theirs = str(config.get("architectures"))
    found = next((kind for part, kind in _TRANSFORMERS.items() if part in theirs), None)
    if found is None and config.get("model_type") in (*_BACKBONES, "clip"):
        return "clip" if config["model_type"] == "clip" else "backbone"
    return found or "unknown"


def of_role(role: str) -> dict[str, Kind]:
    """The kinds of a role, by name."""
    return {kind.name: kind for kind in _ALL if kind.role == role}


def role_of(name: str) -> str:
    """The role of a kind; "" for an unknown one."""
    return KINDS[name].role if name in KINDS else ""
