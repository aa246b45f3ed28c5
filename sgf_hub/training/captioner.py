"""Train a captioner: an image encoder and a GPT-2 that attends to its patches, on drawn pictures with captions.

From scratch, as a `VisionEncoderDecoderModel` of transformers. Two things make that short: the encoder reads a picture
once for several of its captions, and beside the words it learns the labels, which are used in training only.
"""

import copy
import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.errors import BadValueError
from sgf_hub.hub import WEIGHTS
from sgf_hub.predictors.captioner import PREPROCESSOR, Captioner, load_captioner
from sgf_hub.training.drawn import Labelled, augment, drawn, load_world
from sgf_hub.training.predictors import (
    _HELD_OUT_SEED,
    _PROBE,
    _REPORT_EVERY,
    _SAVE_EVERY,
    REPORT,
    _decayed,
    _resume,
    _rows,
    _save_checkpoint,
    _schedule,
)

_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
_PAD, _START, _END = 0, 1, 2
_WORDS = r"[a-z0-9]+(?:[-'][a-z0-9]+)*|[^\s\w]"  # "five-petaled" is one word, a comma another
_PATCH = 8  # pixels; what the ResNet's three halvings leave of the side
_LONGEST = 40  # words of a caption at most
_FACTORS = ("color", "second", "pattern", "size", "shape", "center", "petals", "layered", "closed")


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
    images: int = 240_000
    batch: int = 64
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    seed: int = 0
    data_seed: int = 1_000
    tint: float = 0.5
    bf16: bool = True

    def __post_init__(self) -> None:
        if min(self.pictures, self.held_out, self.images, self.batch) < 2 or self.batch > self.pictures:
            raise BadValueError("pictures, held_out, images and batch are at least 2, and batch is at most pictures.")

    @property
    def repo(self) -> str:
        """The folder's name."""
        return f"{self.name}-captioner"


PRESETS: dict[str, CaptionerConfig] = {"flowers": CaptionerConfig(name="flowers")}


class _Learner(nn.Module):
    """The captioner's network, and a head for the labels, which is used in training only.

    A label is found sooner than the word for it, being the same in every caption: it finds the features for both.
    """

    def __init__(self, config: CaptionerConfig, *, words: int, labels: int) -> None:
        super().__init__()
        self.network = _network(config, words)
        patches = (config.image_size // _PATCH) ** 2
        self.labels = nn.Sequential(
            nn.Linear(config.width, 16), nn.Flatten(), nn.ReLU(), nn.Linear(16 * (patches + 1), 128), nn.ReLU(),
            nn.Linear(128, labels),
        )  # fmt: skip

    def losses(self, images: Tensor, attributes: Tensor, tokens: Tensor, *, bf16: bool) -> dict[str, Tensor]:
        """What one batch gives: `total` to descend, `word_loss` (mean cross-entropy) and `label_loss`.

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
        return {"total": word_loss + 4 * label_loss, "word_loss": word_loss.detach(), "label_loss": label_loss.detach()}


def train_captioner(config: CaptionerConfig, *, out: Path, run: Path, command: str = "") -> Iterator[dict[str, Any]]:
    """Train, save and measure a captioner; called again after a kill, it goes on where the last checkpoint is.

    Args:
        config: a preset, or one of your own.
        out: the zoo folder that receives the repo.
        run: folder of the drawn pictures, the checkpoint and `log.jsonl`; it may be deleted afterwards.
        command: what the user typed, for the report.

    Yields:
        Log records: `event` is "drawn", "progress" (every 10 s), "checkpoint" (every minute, with held-out numbers)
        or "done" (with the report that is written beside the weights).

    Raises:
        BadValueError: if `run` holds a checkpoint of another config, or the world has no captions.
        CorruptFileError: if the checkpoint cannot be read.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        for record in _train(config, out, run, command):
            log.write(json.dumps(record) + "\n")
            log.flush()
            yield record


def _train(config: CaptionerConfig, out: Path, run: Path, command: str) -> Iterator[dict[str, Any]]:
    if not hasattr(load_world(config.name), "stated"):
        raise BadValueError(f"the world {config.name!r} has no captions: a captioner is trained on 'flowers'.")
    clock = time.monotonic()
    held_out = drawn(config.name, run, config.held_out, seed=_HELD_OUT_SEED, resolution=config.resolution)
    pictures = drawn(config.name, run, config.pictures, seed=config.data_seed, resolution=config.resolution)
    captions = pictures.captions or []
    yield {"event": "drawn", "pictures": len(pictures), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    tokenizer = build_tokenizer(captions)
    tokens = encode(tokenizer, captions)  # [N, 5, T]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        learner = _Learner(config, words=tokenizer.get_vocab_size(), labels=pictures.attributes.shape[1])
        learner = learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(_decayed(learner, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99))
    step, spent = _resume(run / "checkpoint.pt", config, learner, optimizer)
    steps = math.ceil(config.images / config.batch)
    captioner = Captioner(learner.network, tokenizer, image_size=config.image_size, longest=_LONGEST)
    clock = reported = saved = time.monotonic()
    recent: list[dict[str, Tensor]] = []
    while step < steps:
        learner.train()
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step / steps)
        # order, augmentation and captions are a function of (seed, step) alone: a resumed run sees what an unbroken
        # one would
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = _rows(config, step)
        images, attributes, *_ = pictures.batch(rows)
        images, _ = augment(images, None, generator=generator, tint=config.tint)
        losses = learner.losses(images, attributes, _some(tokens[rows], config.sentences, generator), bf16=config.bf16)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        step += 1
        recent.append({key: value.detach() for key, value in losses.items()})
        now = time.monotonic()
        record: dict[str, Any] = {"step": step, "of": steps, "seconds": round(spent + now - clock, 1)}
        if now - saved > _SAVE_EVERY or step == steps:
            _save_checkpoint(run / "checkpoint.pt", config, learner, optimizer, step, spent + now - clock)
            learner.eval()
            probe = evaluate(captioner, held_out, most=_PROBE)
            yield {"event": "checkpoint", **record, "right": probe["right"], "example": probe["examples"][0]}
            saved = time.monotonic()
        if now - reported > _REPORT_EVERY:
            means = {key: float(torch.stack([one[key] for one in recent]).mean()) for key in recent[0]}
            yield {"event": "progress", **record, **means}
            recent, reported = [], now
    seconds = spent + time.monotonic() - clock

    _save_repo(config, learner.network, tokenizer, out / config.repo)
    report = {
        "command": command,
        "config": asdict(config),
        "images_seen": steps * config.batch,
        "seconds": round(seconds),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
        "torch": str(torch.__version__),
        "held_out": evaluate(load_captioner(out / config.repo), held_out),
    }
    (out / config.repo / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


def _some(tokens: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` captions of each picture, at random: [B, 5, T] => [B, count, T]."""
    chosen = torch.rand(tokens.shape[:2], generator=generator).argsort(1)[:, :count]
    return tokens[torch.arange(len(tokens))[:, None], chosen]


def evaluate(captioner: Captioner, pictures: Labelled, *, most: int | None = None) -> dict[str, Any]:
    """Measure what greedy captions say of labelled flowers.

    Args:
        captioner: in evaluation mode.
        pictures: the labelled flowers.
        most: how many of them to look at.

    Returns:
        By factor: `right`, of the captions that state it the share that states what is drawn; and `stated`, of the
        pictures that have it the share whose caption states it. `all_right`, the share of captions with nothing wrong
        in them; `pictures`; and a few `examples`.
    """
    stated = load_world("flowers").stated
    count = min(len(pictures), most or len(pictures))
    captions: list[str] = []
    for rows in np.array_split(np.arange(count), math.ceil(count / 64)):
        captions += captioner(pictures.batch(rows)[0])
    said = [stated(caption) for caption in captions]
    true = [labelled(row) for row in pictures.attributes[:count]]
    right, share = {}, {}
    for factor in _FACTORS:
        verdicts = [one[factor] == other.get(factor) for one, other in zip(said, true, strict=True) if factor in one]
        spoken = [factor in one for one, other in zip(said, true, strict=True) if factor in other]
        right[factor] = round(float(np.mean(verdicts)), 4) if verdicts else None
        share[factor] = round(float(np.mean(spoken)), 4) if spoken else None
    whole = [one.items() <= other.items() for one, other in zip(said, true, strict=True)]
    return {
        "pictures": count,
        "right": right,
        "stated": share,
        "all_right": round(float(np.mean(whole)), 4),
        "examples": captions[:4],
    }


def labelled(attributes: np.ndarray) -> dict[str, str]:
    """What a caption may say of a flower, from its labels [A]: what `datasets.flowers.truth` gives for its factors."""
    world = load_world("flowers")
    on = {name for name, value in zip(world.ATTRIBUTES, attributes, strict=True) if value > 0.5}
    said = {
        factor: name.split("_")[0]  # "yellow_center" => "yellow"
        for factor, names in world.GROUPS.items()
        for name in names
        if name in on and factor in _FACTORS
    }
    return said | {name: "yes" for name in ("layered", "closed") if name in on}


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
    rows = [torch.tensor(one.ids[: _LONGEST + 1]) for one in tokenizer.encode_batch(flat)]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_PAD).unflatten(0, (len(captions), -1))


def _network(config: CaptionerConfig, words: int) -> Any:
    """The captioner's network with random weights."""
    from transformers import DPTConfig, GenerationConfig, GPT2Config, ResNetConfig, VisionEncoderDecoderConfig
    from transformers import VisionEncoderDecoderModel as Model

    # a ResNet down to patches of 8 px and a transformer on those, which is DPT's hybrid: a plain ViT, Swin or SegFormer
    # still guessed the petals' shape after as many pictures as this one needs to be right about it
    side = config.image_size // _PATCH
    convolutions = ResNetConfig(
        embedding_size=config.embedding_size,
        hidden_sizes=list(config.hidden_sizes),
        depths=list(config.depths),
        layer_type="basic",
        out_features=["stem", "stage1", "stage2"],
    )
    common = {"initializer_range": config.width**-0.5}  # the usual 0.02 is meant for wide networks
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
    marks = {"bos_token_id": _START, "eos_token_id": _END, "pad_token_id": _PAD}
    decoder = GPT2Config(
        vocab_size=words,
        n_positions=_LONGEST + 2,
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
    for part in (network.encoder, network.decoder):  # on a CPU the fused attention's backward pass is slow: 2x in all
        part.config._attn_implementation = "eager"
    network.generation_config = GenerationConfig(decoder_start_token_id=_START, max_new_tokens=_LONGEST, **marks)
    return network


def _save_repo(config: CaptionerConfig, network: Any, tokenizer: Any, folder: Path) -> None:
    """Write the repo in transformers' own format."""
    from transformers import PreTrainedTokenizerFast

    copy.deepcopy(network).half().save_pretrained(folder)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable to its owner alone
    marks = {"pad_token": _SPECIAL[0], "bos_token": _SPECIAL[1], "eos_token": _SPECIAL[2], "unk_token": _SPECIAL[3]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=_LONGEST, **marks).save_pretrained(folder)
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


__all__ = ["PRESETS", "CaptionerConfig", "build_tokenizer", "encode", "evaluate", "train_captioner"]
