"""`PromptPredictor`: attributes by pairs of sentences, read with CLIP (Radford et al., 2021): no labels are needed.

p = softmax over the two sentences' similarities to the picture, times CLIP's own scale. Only the sentences' embeddings
are kept, so that a saved predictor needs CLIP's vision tower alone; that is loaded at the first picture.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.module import HubModule
from sgf_hub.hub.names import repo_name
from sgf_hub.hub.options import HubOptions
from sgf_hub.predictors.backbone import fingerprint as fingerprint_of
from sgf_hub.predictors.base import BasePredictor, check_images
from sgf_hub.predictors.captions.sentences import clean
from sgf_hub.predictors.head import MAX_NAMES
from sgf_hub.predictors.pretrained.preprocessing import Preprocessing, read_preprocessing
from sgf_hub.predictors.pretrained.repos import fetch, load_network, reason, usable
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import bounded, names_of, read_json, short

CLIP = "openai/clip-vit-base-patch32"
_REVISIONS = {CLIP: "refs/pr/15"}  # where a repo has safetensors whose main branch has pickled weights alone
TOKENIZER = "tokenizer.json"

Prompts = Mapping[str, Sequence[str]] | Sequence[Sequence[Any]]


class PromptPredictor(HubModule, BasePredictor):
    """C of prompts: `PromptPredictor({"smiling": ("a smiling face", "a neutral face")})`.

    Args:
        prompts: attribute name to two sentences, of a picture that has it and of one that does not; a config.json
            lists them, [[name, [has, has not]], ...].
        model: repo of CLIP.
        dimension: E, of the embeddings, once they are known; leave it out to embed the prompts.
        fingerprint: of CLIP's weights that embedded them.

    Raises:
        BadValueError: if the prompts are not such.
        UnknownNameError: if nothing answers to the model's name.
        CorruptFileError: if it is no CLIP, or damaged.
    """

    embeddings: Tensor  # of the sentences, [A, 2, E], of unit norm
    logit_scale: Tensor  # CLIP's, a number
    saved_as = torch.float32  # similarities differ in their third decimal, and are multiplied by 100

    def __init__(
        self, prompts: Prompts, *, model: str = CLIP, dimension: int | None = None, fingerprint: str = ""
    ) -> None:
        super().__init__()
        self.prompts = _checked(prompts)
        self.model_name = names_of("model", [model])[0]
        self.spec = ConditionSpec(attributes=tuple(self.prompts))
        if not isinstance(fingerprint, str) or not re.fullmatch("([0-9a-f]{16})?", fingerprint):
            raise BadValueError(f"fingerprint is {short(fingerprint)}; it must be 16 hexadecimal digits, or nothing.")
        self._towers: dict[str, _Tower] = {}  # kept from nn.Module, which would save it with the weights
        if dimension is None:
            embeddings, scale, fingerprint = embed(self.prompts, model)
        else:
            size = (len(self.prompts), 2, bounded("dimension", dimension, 1, 65536))
            embeddings, scale = torch.zeros(size), torch.ones(())
        self.fingerprint = fingerprint
        self.register_buffer("embeddings", embeddings)
        self.register_buffer("logit_scale", scale)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """2 p - 1: [B, 3, R, R] in [-1, 1], any R => [B, A] in [-1, 1]."""
        check_images(images)
        present, absent = self.embeddings.unbind(1)
        seen = self.tower(images.to(self.embeddings))  # => [B, E]
        return torch.tanh(self.logit_scale / 2 * (seen @ (present - absent).T))  # 2 softmax - 1, of two

    @property
    def tower(self) -> "_Tower":
        """CLIP's vision tower; loaded when it is first asked for.

        Raises:
            CorruptFileError: if it is not of the CLIP that embedded the prompts.
        """
        if "vision" not in self._towers:
            dimension = self.embeddings.shape[-1]
            self._towers["vision"] = _load_vision(self.model_name, self.hub, self.fingerprint, dimension)
        return self._towers["vision"].to(self.embeddings.device)

    def config(self) -> dict[str, Any]:
        """What config.json says; the prompts in order, which JSON's objects lose when they are sorted."""
        return {
            **super().config(),
            "prompts": [[name, list(pair)] for name, pair in self.prompts.items()],
            "dimension": self.embeddings.shape[-1],
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def _checked_config(cls, config: dict, name: str) -> dict:
        config = super()._checked_config(config, name)
        if not isinstance(config.get("dimension"), int):
            raise CorruptFileError(f"{CONFIG} of {name!r} does not describe a {cls.__name__}: missing dimension.")
        return config


def _checked(prompts: Any) -> dict[str, tuple[str, str]]:
    """Attribute name => the two sentences, without superfluous spaces."""
    pairs = list(prompts.items()) if isinstance(prompts, Mapping) else prompts
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise BadValueError(
            f"prompts are {short(prompts)}; give each attribute's two sentences, {{'smiling': ('a smiling face', "
            "'a neutral face')}."
        )
    names = names_of("the attributes of prompts", [name for name, _ in pairs], most=MAX_NAMES)
    if not names:
        raise BadValueError("no attribute: give prompts, {'smiling': ('a smiling face', 'a neutral face')}.")
    for name, two in pairs:
        if not isinstance(two, (list, tuple)) or len(two) != 2 or not all(isinstance(one, str) for one in two):
            raise BadValueError(
                f"the prompts of {name!r} are {short(two)}; give two sentences, of a picture that has it and of one "
                "that does not."
            )
    return {name: (clean(two[0]), clean(two[1])) for name, two in pairs}


@torch.no_grad()
def embed(prompts: Mapping[str, Sequence[str]], model: str) -> tuple[Tensor, Tensor, str]:
    """The prompts through CLIP's text tower.

    Args:
        prompts: attribute name to two sentences.
        model: repo of CLIP.

    Returns:
        Embeddings [A, 2, E] of unit norm, CLIP's scale, and the fingerprint of its weights.
    """
    from tokenizers import Tokenizer

    folder = fetch(model, HubOptions(revision=_revision(model)), files=(TOKENIZER,))
    with usable(folder, "CLIP"):
        from transformers.models.clip.modeling_clip import CLIPTextModelWithProjection

        network = load_network(CLIPTextModelWithProjection, folder, _config(folder).text_config)
        with safe_open(str(folder / WEIGHTS), framework="pt") as file:
            scale = file.get_tensor("logit_scale").float().exp().reshape(())
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
    except Exception as error:  # what tokenizers raises has no narrower class
        raise CorruptFileError(f"{TOKENIZER} of {repo_name(folder)!r} cannot be read: {reason(error)}") from None
    longest, found = network.config.max_position_embeddings, []
    for sentence in (sentence for pair in prompts.values() for sentence in pair):
        tokens = tokenizer.encode(sentence).ids
        if len(tokens) > longest:
            raise BadValueError(f"{short(sentence)} has {len(tokens)} tokens; CLIP reads {longest}: say it shorter.")
        with usable(folder, "CLIP"):  # a tokenizer of another model may know more words
            found.append(network(input_ids=torch.tensor([tokens])).text_embeds)
    embeddings = F.normalize(torch.cat(found), dim=-1).unflatten(0, (len(prompts), 2))
    return embeddings, scale, fingerprint_of(folder / WEIGHTS)


class _Tower(nn.Module):
    """CLIP's vision tower: images [B, 3, R, R] in [-1, 1] => embeddings [B, E] of unit norm."""

    def __init__(self, network: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.network(pixel_values=self.preprocessing(images)).image_embeds, dim=-1)


def _load_vision(model: str, hub: HubOptions, fingerprint: str, dimension: int) -> _Tower:
    folder = fetch(model, replace(hub, revision=_revision(model)))
    found = fingerprint_of(folder / WEIGHTS)
    if fingerprint and found != fingerprint:
        raise CorruptFileError(
            f"the prompts were embedded by other weights of {model!r} ({fingerprint}) than are there ({found}): embed "
            "them again, PromptPredictor({...}, model=...)."
        )
    preprocessing = read_preprocessing(folder)
    with usable(folder, "CLIP"):
        from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

        network = load_network(CLIPVisionModelWithProjection, folder, _config(folder).vision_config)
        tower = _Tower(network, preprocessing)
        given = tower(torch.zeros(1, 3, 32, 32)).shape[1]
        if given != dimension:
            raise BadValueError(f"it embeds in {given} numbers, the prompts in {dimension}.")
    return tower.eval()


def _revision(model: str) -> str | None:
    return None if Path(model).is_dir() else _REVISIONS.get(model)


def _config(folder: Path) -> Any:
    kind = read_json(folder / CONFIG).get("model_type")
    if kind != "clip":
        raise CorruptFileError(
            f"{repo_name(folder)!r} holds a {short(kind or 'foreign model')[1:-1]}; prompts need a clip."
        )
    from transformers.models.clip.configuration_clip import CLIPConfig

    config: Any = CLIPConfig.from_pretrained(folder, local_files_only=True)
    for tower in (config.text_config, config.vision_config):  # a repo may say it once, for both
        tower.projection_dim = config.projection_dim
    return config


__all__ = ["CLIP", "PromptPredictor"]
