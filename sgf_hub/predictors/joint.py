"""`ImagePredictor`: one or more heads, and one pass of each backbone that they share."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.hub import CONFIG, WEIGHTS
from sgf_hub.predictors.attributes import AttributeHead
from sgf_hub.predictors.backbone import Backbone, load_backbone
from sgf_hub.predictors.base import BasePredictor
from sgf_hub.predictors.captions import CaptionPredictor
from sgf_hub.predictors.head import Head
from sgf_hub.predictors.keypoints import KeypointHead
from sgf_hub.types import ConditionSpec, read_json
from sgf_hub.zoo import beside, locate

_HEADS: dict[str, type[Head]] = {"AttributeHead": AttributeHead, "KeypointHead": KeypointHead}


class ImagePredictor(BasePredictor):
    """C: attributes, keypoints, or both. Attribute scores come first in c, then the keypoints as x, y, x, y, ...

    Args:
        branches: (backbone, head) pairs; heads that name the same backbone object share its pass.

    Raises:
        BadValueError: for no head, for a name that two heads share, or for a head that does not fit its backbone.
    """

    def __init__(self, branches: Sequence[tuple[Backbone, Head]]) -> None:
        super().__init__()
        if not branches:
            raise BadValueError("a predictor needs at least one head.")
        for backbone, head in branches:
            _check_fit(backbone, head)
        # attributes before keypoints, otherwise in the order given
        branches = sorted(branches, key=lambda branch: bool(branch[1].spec.keypoints))
        backbones = list(dict.fromkeys(backbone for backbone, _ in branches))
        self.backbones = nn.ModuleList(backbones)
        self.heads = nn.ModuleList(head for _, head in branches)
        self._backbone_of = [backbones.index(backbone) for backbone, _ in branches]
        self.spec = _join([head.spec for _, head in branches])

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => c: [B, C]."""
        features = [backbone(images) for backbone in self.backbones]
        return torch.cat([head(features[i]) for head, i in zip(self.heads, self._backbone_of, strict=True)], dim=1)


def load_predictor(names: str | Sequence[str]) -> ImagePredictor | CaptionPredictor:
    """Load a predictor from the repos of its heads; each head's config names its backbone.

    Args:
        names: a folder, zoo entry or Hub id of an `AttributeHead` or `KeypointHead`, or several of them; or of one
            `CaptionPredictor`, whose config names its captioner.

    Returns:
        The predictor in evaluation mode, float32, on the CPU. Its weights take no gradient; images may.

    Raises:
        UnknownNameError: if nothing answers to a name.
        CorruptFileError: if a head or its backbone is damaged, or the two do not belong together.
        BadValueError: if no head is named, two of them predict the same thing, or a caption is to be joined.
    """
    names = [names] if isinstance(names, str) else list(names)
    folders = [locate(name, files=(CONFIG, WEIGHTS)) for name in names]
    if any(read_json(folder / CONFIG).get("class") == CaptionPredictor.__name__ for folder in folders):
        if len(folders) > 1:
            raise BadValueError(
                f"a caption cannot be joined with other conditions: {', '.join(names)} hold one; name that alone."
            )
        return _load_captions(folders[0])
    backbones: dict[Path, Backbone] = {}
    branches = []
    for folder in folders:
        head = _load_head(folder)
        where = beside(folder, head.backbone) or locate(head.backbone).resolve()
        if where not in backbones:
            backbones[where] = load_backbone(where)
        try:
            _check_fit(backbones[where], head)
        except BadValueError as error:
            raise CorruptFileError(f"{folder.name!r} cannot be used: {error}") from None
        branches.append((backbones[where], head))
    return ImagePredictor(branches).eval()


def _load_head(folder: Path) -> Head:
    kind = read_json(folder / CONFIG).get("class")
    if not isinstance(kind, str) or kind not in _HEADS:
        raise CorruptFileError(
            f"{folder.name!r} holds a {kind or 'foreign model'}; a predictor is made of {' and '.join(_HEADS)} repos, "
            f"or of one {CaptionPredictor.__name__}."
        )
    return _HEADS[kind].from_pretrained(folder)


def _load_captions(folder: Path) -> CaptionPredictor:
    predictor = CaptionPredictor.from_pretrained(folder)
    neighbour = beside(folder, predictor.captioner_name)
    if neighbour is not None:
        predictor.captioner_name = str(neighbour)
    return predictor


def _check_fit(backbone: Backbone, head: Head) -> None:
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


def _join(specs: Sequence[ConditionSpec]) -> ConditionSpec:
    attributes = tuple(name for spec in specs for name in spec.attributes)
    keypoints = tuple(name for spec in specs for name in spec.keypoints)
    names = attributes + keypoints
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadValueError(f"two heads of the predictor both give {', '.join(twice)}: name each head once.")
    return ConditionSpec(attributes, keypoints, tuple(group for spec in specs for group in spec.groups))
