"""`TransformersClassifier`: any image classifier of transformers as attributes, its labels as names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.names import repo_name
from sgf_hub.hub.options import HubOptions
from sgf_hub.predictors.attributes import groups_of
from sgf_hub.predictors.base import BasePredictor, check_images
from sgf_hub.predictors.pretrained.preprocessing import read_preprocessing
from sgf_hub.predictors.pretrained.repos import architecture, cleaned, fetch, labels_of, load_network, usable
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import names_of, nearest, read_json, short

MAX_LABELS = 1024
KIND = "ForImageClassification"  # how the classes of transformers that are read here are called


class TransformersClassifier(BasePredictor):
    """C of a classifier, float32, on the CPU, in evaluation mode; its weights take no gradient, images may.

    A multi-label classifier gives an attribute a label, p = sigmoid(logit). Of any other, p = softmax(logits), and the
    labels are one group of which one holds.

    Args:
        source: a folder, a zoo entry's name, or a Hub id; in transformers' format, with safetensors.
        labels: which labels to take, or a mapping from those to take to other names; all, by default. A label is
            called "wearing_hat" where its repo says "Wearing Hat".
        groups: sets of attributes of which at most one holds, in place of those that the repo implies.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the source, or a label is unknown.
        CorruptFileError: if it is no image classifier, or a file is missing or damaged.
        BadValueError: if the labels or the groups are no lists of names.
    """

    places: Tensor  # of the labels that are taken

    def __init__(
        self,
        source: str | Path,
        *,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        groups: Sequence[Sequence[str]] | None = None,
        **hub: Any,
    ) -> None:
        super().__init__()
        folder = fetch(source, HubOptions.of(hub))
        config = read_json(folder / CONFIG)
        name = architecture(config)
        if KIND not in name:
            raise CorruptFileError(
                f"{repo_name(folder)!r} holds a {short(name or 'foreign model')[1:-1]}; an image classifier of "
                f"transformers is called ...{KIND}."
            )
        self.preprocessing = read_preprocessing(folder)
        with usable(folder, "a classifier"):
            known = labels_of(config, MAX_LABELS)
            self.network = _load(folder)
            side = getattr(self.network.config, "image_size", None)  # where nothing is resized, no other will do
            side = side if type(side) is int and 8 <= side <= 2048 else 32
            outputs = self._logits(torch.zeros(1, 3, side, side)).shape[1]
            if known is not None and len(known) != outputs:
                raise BadValueError(f"it gives {outputs} numbers and has {len(known)} labels.")
            self.several = config.get("problem_type") == "multi_label_classification"
            if config.get("problem_type") == "regression" or (outputs == 1 and not self.several):
                raise BadValueError("it gives quantities (a regression), and no probabilities.")
        if known is None and not isinstance(labels, Mapping):
            raise BadValueError(
                f"{repo_name(folder)!r} does not say what its {outputs} outputs mean (its {CONFIG} has no id2label): "
                "name those to take, labels={'label_0': 'smiling', ...}."
            )
        known = known or tuple(f"label_{i}" for i in range(outputs))
        places, names = _picked(known, labels)
        implied = () if self.several or len(names) < 2 else (names,)
        self.spec = ConditionSpec(attributes=names, groups=implied if groups is None else groups_of(groups, names))
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """2 p - 1 of the labels: [B, 3, R, R] in [-1, 1], any R => [B, A] in [-1, 1]."""
        check_images(images)
        logits = self._logits(images)
        scores = torch.tanh(logits / 2) if self.several else 2 * logits.softmax(dim=1) - 1
        return scores[:, self.places]

    def _logits(self, images: Tensor) -> Tensor:
        logits = self.network(pixel_values=self.preprocessing(images)).logits
        if logits.ndim != 2:
            raise BadValueError(f"it gives {list(logits.shape)} for a picture.")
        return logits


def _load(folder: Path) -> Any:
    from transformers import AutoConfig
    from transformers import AutoModelForImageClassification as Model

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return load_network(Model, folder, config, build=Model.from_config)


def _picked(
    known: tuple[str, ...], labels: Sequence[str] | Mapping[str, str] | None
) -> tuple[list[int], tuple[str, ...]]:
    """Places of the labels that are taken, and what they are called."""
    if labels is None:
        return list(range(len(known))), known
    if isinstance(labels, Mapping):
        taken, names = list(labels), names_of("the names that labels give", list(labels.values()))
    else:
        taken, names = list(names_of("labels", labels)), ()
    places = []
    for label in taken:
        name = label if label in known else cleaned(label)
        if name not in known:
            shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
            raise UnknownNameError(f"{short(label)} is no label of this classifier{nearest(name, known)}: {shown}.")
        places.append(known.index(name))
    if not places or len(set(places)) != len(places):
        raise BadValueError("labels must name at least one label, and each label once.")
    return places, names or tuple(known[place] for place in places)


__all__ = ["TransformersClassifier"]
