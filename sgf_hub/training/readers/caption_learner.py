"""What a captioner's training teaches: its tokenizer, its network, and what only the training needs."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.hub.files import WEIGHTS
from sgf_hub.predictors.pretrained.repos import PREPROCESSOR
from sgf_hub.training.readers.supervised import check_sizes

_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
_PAD, _START, _END = 0, 1, 2
_WORDS = r"[a-z0-9]+(?:[-'][a-z0-9]+)*|[^\s\w]"  # "five-petaled" is one word, a comma another
_PATCH = 8  # pixels; what the ResNet's three halvings leave of the side
LONGEST = 40  # words of a caption at most


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig:
    """Everything that decides what a training run gives.

    Args:
        name: of the world, and the prefix of the repo: `{name}-captioner`.
        image_size: side in pixels of what the encoder reads.
        embedding_size: channels of the ResNet's stem.
        hidden_sizes: channels of its two stages.
        depths: residual blocks of the two stages.
        width: channels of the transformer on top, and of the decoder.
        encoder_layers: blocks of that transformer.
        decoder_layers: blocks of the decoder.
        sentences: captions of a picture that are learnt each time it is seen.
        resolution: side in pixels of the drawn pictures.
        pictures: how many are drawn to train on.
        held_out: how many more are drawn to measure on.
        images: how many are seen in all, repeats counted.
        batch: pictures a step.
        learning_rate: at its peak.
        weight_decay: of AdamW, on matrices and kernels.
        seed: of weights, order, augmentation and choice of captions.
        data_seed: of the drawn pictures.
        tint: strength of the changes of colour in augmentation; below 1, since captions name shades.
        soften: share of the pictures that augmentation shrinks and enlarges again, as soft as a small GAN's.
        bf16: whether the network is trained in bfloat16.
    """

    name: str
    image_size: int = 64
    embedding_size: int = 32
    hidden_sizes: tuple[int, int] = (32, 64)
    depths: tuple[int, int] = (2, 2)
    width: int = 128
    encoder_layers: int = 2
    decoder_layers: int = 2
    sentences: int = 2
    resolution: int = 64
    pictures: int = 40_000
    held_out: int = 4_000
    images: int = 270_000
    batch: int = 64
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    seed: int = 0
    data_seed: int = 1_000
    tint: float = 0.5
    soften: float = 0.6
    bf16: bool = True

    def __post_init__(self) -> None:
        check_sizes(self)

    @property
    def repo(self) -> str:
        """The folder's name."""
        return f"{self.name}-captioner"


class CaptionLearner(nn.Module):
    """The captioner's network, and a head for the labels, which is used in training only.

    A label is found sooner than the word for it, being the same in every caption: it finds the features for both.
    """

    def __init__(self, config: CaptionerConfig, *, words: int, labels: int) -> None:
        super().__init__()
        self.network = build_network(config, words)
        patches = (config.image_size // _PATCH) ** 2
        self.labels = nn.Sequential(
            nn.Linear(config.width, 16), nn.Flatten(), nn.ReLU(), nn.Linear(16 * (patches + 1), 128), nn.ReLU(),
            nn.Linear(128, labels),
        )  # fmt: skip

    def losses(
        self, images: Tensor, attributes: Tensor, tokens: Tensor, *, bf16: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What one batch gives: the sum to descend, and its parts, `word_loss` (mean cross-entropy) and `label_loss`.

        Args:
            images: [B, 3, R, R] in [-1, 1].
            attributes: [B, A] in {0, 1}.
            tokens: [B, K, T], K captions of each picture, from start to end and padded.
            bf16: whether in bfloat16.
        """
        _, several, _ = tokens.shape
        tokens = tokens.flatten(0, 1)  # => [B K, T]
        tokens = tokens[:, : int((tokens != _PAD).sum(1).max())]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            features = self.network.encoder(images).last_hidden_state  # => [B, P, F]
            labels = self.labels(features).float()
            said = self.network.decoder(
                input_ids=tokens[:, :-1],
                attention_mask=torch.ones_like(tokens[:, :-1]),  # padding comes last, where nothing before it sees it
                encoder_hidden_states=features.repeat_interleave(several, dim=0),
                use_cache=False,
            ).logits.float()
        word_loss = functional.cross_entropy(said.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=_PAD)
        label_loss = functional.binary_cross_entropy_with_logits(labels, attributes)
        return word_loss + 4 * label_loss, {"word_loss": word_loss.detach(), "label_loss": label_loss.detach()}


def build_tokenizer(captions: Sequence[Sequence[str]]) -> Any:
    """A word-level `tokenizers.Tokenizer` for these captions: lower case, punctuation apart."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    split = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
    sentences = {caption.lower() for several in captions for caption in several}
    words = sorted({word for sentence in sentences for word, _ in split.pre_tokenize_str(sentence)})
    vocabulary = {word: place for place, word in enumerate((*_SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)  # spaces between words, none before a comma
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", _START), ("</s>", _END)]
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer


def encode(tokenizer: Any, captions: Sequence[Sequence[str]]) -> Tensor:
    """N tuples of K captions => [N, K, T] tokens from start to end, padded."""
    flat = [caption for several in captions for caption in several]
    rows = [torch.tensor(one.ids[: LONGEST + 1]) for one in tokenizer.encode_batch(flat)]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_PAD).unflatten(0, (len(captions), -1))


def build_network(config: CaptionerConfig, words: int) -> Any:
    """The captioner's network with random weights."""
    from transformers import DPTConfig, GenerationConfig, GPT2Config, ResNetConfig, VisionEncoderDecoderConfig
    from transformers import VisionEncoderDecoderModel as Model

    # a ResNet down to patches of 8 px and a transformer on those, which is DPT's hybrid: after 20,000 pictures its loss
    # on the labels was 0.19, where a plain ViT, a Swin and a SegFormer of the same cost had 0.26 to 0.27
    side = config.image_size // _PATCH
    convolutions = ResNetConfig(  # type: ignore[call-arg]
        embedding_size=config.embedding_size,
        hidden_sizes=list(config.hidden_sizes),
        depths=list(config.depths),
        layer_type="basic",
        out_features=["stem", "stage1", "stage2"],
    )
    common: dict[str, Any] = {"initializer_range": config.width**-0.5}  # the usual 0.02 is meant for wide networks
    heads = max(config.width // 32, 1)
    encoder = DPTConfig(
        is_hybrid=True,
        backbone_config=convolutions,
        backbone_featmap_shape=[1, config.hidden_sizes[-1], side, side],
        image_size=config.image_size,
        patch_size=_PATCH,
        hidden_size=config.width,
        num_hidden_layers=config.encoder_layers,
        num_attention_heads=heads,
        intermediate_size=3 * config.width,
        **common,
    )
    marks: dict[str, Any] = {"bos_token_id": _START, "eos_token_id": _END, "pad_token_id": _PAD}
    decoder = GPT2Config(  # type: ignore[call-arg]
        vocab_size=words,
        n_positions=LONGEST + 2,
        n_embd=config.width,
        n_layer=config.decoder_layers,
        n_head=heads,
        n_inner=3 * config.width,
        is_decoder=True,
        add_cross_attention=True,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **marks,
        **common,
    )
    joint = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    joint.pad_token_id, joint.eos_token_id, joint.decoder_start_token_id = _PAD, _END, _START
    network = Model(joint)
    for part in (network.encoder, network.decoder):  # on a CPU the fused attention's backward pass is slow: 1.8x in all
        part.config._attn_implementation = "eager"
    network.generation_config = GenerationConfig(decoder_start_token_id=_START, max_new_tokens=LONGEST, **marks)
    return network


def save_repo(config: CaptionerConfig, network: Any, tokenizer: Any, folder: Path) -> None:
    """Write the repo in transformers' own format."""
    from transformers import PreTrainedTokenizerFast

    copy.deepcopy(network).half().save_pretrained(folder)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable to its owner alone
    marks: dict[str, Any] = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), _SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LONGEST, **marks).save_pretrained(folder)
    reading = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": config.image_size, "width": config.image_size},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / PREPROCESSOR).write_text(json.dumps(reading, indent=2) + "\n", "utf-8")
