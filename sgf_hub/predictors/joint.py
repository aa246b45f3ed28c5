"""`ImagePredictor`: predictors side by side, and one pass of each backbone that heads among them share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.kinds import of_role
from sgf_hub.hub.names import locate, repo_name, sibling
from sgf_hub.hub.options import HubOptions
from sgf_hub.predictors.backbone import Backbone, load_backbone
from sgf_hub.predictors.base import BasePredictor
from sgf_hub.predictors.captions.predictor import CaptionPredictor
from sgf_hub.predictors.custom import CustomPredictor
from sgf_hub.predictors.faces.heads import FaceGender, FaceKeypoints, FaceMeasures
from sgf_hub.predictors.faces.mesh import FaceMesh
from sgf_hub.predictors.head import Head
from sgf_hub.predictors.pretrained.classifier import TransformersClassifier
from sgf_hub.predictors.pretrained.keypoints import TransformersKeypoints
from sgf_hub.predictors.pretrained.repos import architecture
from sgf_hub.types import ConditionSpec, Predictor
from sgf_hub.validation import read_json, short

_KINDS = {name: kind for name, kind in of_role("predictor").items() if kind.module}  # those of ours
_TRANSFORMERS: dict[str, type] = {  # by a part of the name of transformers' class
    "ForImageClassification": TransformersClassifier,
    "ForPoseEstimation": TransformersKeypoints,
}

_OF_FACES = (FaceGender, FaceKeypoints, FaceMeasures)  # heads of a `FaceMesh`
Shared = Backbone | FaceMesh
Branch = tuple[Shared | None, nn.Module]


class ImagePredictor(BasePredictor):
    """C: attributes, keypoints, or both. Attribute scores come first in c, then the keypoints as x, y, x, y, ...

    Args:
        branches: (backbone, head) pairs, of which those that name the same backbone object share its pass, a `FaceMesh`
            being the backbone of what reads faces; and (None, predictor) pairs for predictors that read pictures
            themselves.

    Raises:
        BadValueError: for no branch, for a name that two of them share, for a caption, or for a head that does not fit
            its backbone.
    """

    def __init__(self, branches: Sequence[Branch]) -> None:
        super().__init__()
        if not branches:
            raise BadValueError("a predictor needs at least one head.")
        for backbone, head in branches:
            if backbone is not None:
                _check_fit(backbone, head)
        backbones = list(dict.fromkeys(backbone for backbone, _ in branches if backbone is not None))
        self.backbones = nn.ModuleList(backbones)
        self.heads = nn.ModuleList(head for _, head in branches)
        self._backbone_of = [None if backbone is None else backbones.index(backbone) for backbone, _ in branches]
        specs: list[ConditionSpec] = [head.spec for _, head in branches]  # type: ignore[misc]
        self.spec = _joined(specs)
        # attributes before keypoints, otherwise in the order given
        given = [name for spec in specs for name in spec.names]
        self._order = [given.index(name) for name in self.spec.names]
        self._in_order = self._order == list(range(len(given)))

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => c: [B, C]."""
        features = [backbone(images) for backbone in self.backbones]
        read = zip(self.heads, self._backbone_of, strict=True)
        c = torch.cat([head(images if i is None else features[i]) for head, i in read], dim=1)
        return c if self._in_order else c[:, self._order]

    def readable(self, images: Tensor) -> Tensor:
        """Which pictures have a face, a mask [B], where one of the backbones looks for it."""
        found = super().readable(images)
        for backbone in self.backbones:
            if isinstance(backbone, FaceMesh):
                found = found & backbone(images).found
        return found


def join(predictors: Sequence[Predictor]) -> ImagePredictor:
    """Several predictors as one: all their attributes, then all their keypoints.

    Args:
        predictors: any but those of captions.

    Raises:
        BadValueError: for no predictor, for a caption, or for a name that two of them give.
    """
    branches: list[Branch] = []
    for predictor in predictors:
        if not isinstance(predictor, Predictor):
            raise BadValueError(
                f"{short(predictor)} is no predictor: wrap a network or a function, CustomPredictor(network, "
                "attributes=[...])."
            )
        if predictor.spec.caption:
            raise BadValueError("a caption cannot be joined with other conditions: use its predictor alone.")
        branches += _branches(predictor)
    return ImagePredictor(branches).eval()


def _branches(predictor: Predictor) -> list[Branch]:
    if isinstance(predictor, ImagePredictor):  # what shares a backbone goes on to share it
        backbones = [None if i is None else predictor.backbones[i] for i in predictor._backbone_of]
        return list(zip(backbones, predictor.heads, strict=True))  # type: ignore[arg-type]
    if isinstance(predictor, nn.Module):
        return [(None, predictor)]
    spec = predictor.spec
    return [
        (None, CustomPredictor(predictor, attributes=spec.attributes, keypoints=spec.keypoints, groups=spec.groups))
    ]


def load_predictor(names: str | Sequence[str], **hub: Any) -> BasePredictor | CaptionPredictor:
    """Load a predictor from repos, and join them if there are several.

    Args:
        names: a folder, zoo entry or Hub id, or several of them: of an `AttributeHead` or `KeypointHead`, whose config
            names its backbone; of a `PromptPredictor`; of an image classifier or a ViTPose of transformers; or of one
            `CaptionPredictor` alone, whose config names its captioner.
        **hub: how each is fetched, as `HubOptions` has it.

    Returns:
        The predictor in evaluation mode, float32, on the CPU. Its weights take no gradient; images may. An
        `ImagePredictor` where it is made of heads, or of several repos.

    Raises:
        UnknownNameError: if nothing answers to a name.
        CorruptFileError: if a repo is damaged or of another kind, or a head and its backbone do not belong together.
        BadValueError: if no repo is named, two of them predict the same thing, or a caption is to be joined.
    """
    names = [names] if isinstance(names, str) else list(names)
    backbones: dict[Path, Shared] = {}
    options = HubOptions.of(hub)
    kinds = [_kind(name, options) for name in names]
    if CaptionPredictor in kinds and len(names) > 1:
        raise BadValueError(
            f"a caption cannot be joined with other conditions: {', '.join(names)} hold one; name that alone."
        )
    branches = [_load(name, kind, options, backbones) for name, kind in zip(names, kinds, strict=True)]
    if len(branches) == 1 and branches[0][0] is None:
        return branches[0][1]  # type: ignore[return-value]
    return ImagePredictor(branches).eval()


def _kind(name: str, hub: HubOptions) -> type:
    """The class that reads a repo, by what its config.json says."""
    folder = locate(name, hub)
    config = read_json(folder / CONFIG)
    ours, theirs = config.get("class"), architecture(config)
    if isinstance(ours, str) and ours in _KINDS:
        return _KINDS[ours].load()
    if ours is None:
        for part, kind in _TRANSFORMERS.items():
            if part in theirs:
                return kind
    held = short(ours or theirs or "foreign model").strip("'")
    raise CorruptFileError(
        f"{repo_name(folder)!r} holds a {held}; a predictor is made of {', '.join(_KINDS)} repos, and of image "
        "classifiers and ViTPoses of transformers."
    )


def _load(name: str, kind: type, hub: HubOptions, backbones: dict[Path, Shared]) -> Branch:
    if kind in _TRANSFORMERS.values():
        return None, kind(name, **vars(hub))
    folder = locate(name, hub, files=(CONFIG, WEIGHTS))
    head = kind.from_pretrained(folder, **vars(hub.of_parts))  # type: ignore[attr-defined]
    if not isinstance(
        head, (Head, *_OF_FACES)
    ):  # it reads pictures itself, and loads what its config names when it needs it
        for part in (f"{part}_name" for part in _KINDS[kind.__name__].parts):
            setattr(head, part, str(sibling(folder, getattr(head, part)) or getattr(head, part)))
        return None, head
    beside = sibling(folder, head.backbone)  # of a fetched one, without its weights
    where = locate(str(beside or head.backbone), hub.of_parts, files=(CONFIG, WEIGHTS)).resolve()
    if where not in backbones:
        backbones[where] = _load_shared(where)
    try:
        _check_fit(backbones[where], head)
    except BadValueError as error:
        raise CorruptFileError(f"{repo_name(folder)!r} cannot be used: {error}") from None
    return backbones[where], head


def _load_shared(folder: Path) -> Shared:
    ours = read_json(folder / CONFIG).get("class")
    return FaceMesh.from_pretrained(folder) if ours == FaceMesh.__name__ else load_backbone(folder)


def _check_fit(backbone: Shared, head: nn.Module) -> None:
    if isinstance(backbone, FaceMesh) != isinstance(head, _OF_FACES):
        raise BadValueError(f"a {type(head).__name__} does not read what a {type(backbone).__name__} gives.")
    if isinstance(backbone, FaceMesh) or not isinstance(head, Head):
        return
    given, needed = (backbone.channels, backbone.side), (head.channels, head.side)
    if given != needed:
        raise BadValueError(
            f"its head reads a feature map [{needed[0]}, {needed[1]}, {needed[1]}], and the backbone "
            f"{head.backbone!r} gives [{given[0]}, {given[1]}, {given[1]}]."
        )
    if head.fingerprint and backbone.fingerprint and head.fingerprint != backbone.fingerprint:
        raise BadValueError(
            f"its head was trained on other weights of {head.backbone!r} ({head.fingerprint}) than are there "
            f"({backbone.fingerprint}): fetch both again."
        )


def _joined(specs: Sequence[ConditionSpec]) -> ConditionSpec:
    attributes = tuple(name for spec in specs for name in spec.attributes)
    keypoints = tuple(name for spec in specs for name in spec.keypoints)
    names = attributes + keypoints
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadValueError(f"two of the predictors both give {', '.join(twice)}: each name may be given once.")
    return ConditionSpec(attributes, keypoints, tuple(group for spec in specs for group in spec.groups))
