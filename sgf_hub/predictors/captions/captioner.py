"""`Captioner`: pictures to sentences, with any captioner of transformers (Vinyals et al., 2015; Xu et al., 2015).

Ours is a `VisionEncoderDecoderModel` whose GPT-2 attends to the encoder's patches. BLIP and its like are read too, as
long as the repo has its weights in safetensors (one file, or several and their index) and its tokenizer in one
tokenizer.json. No code from a repo is ever run.
"""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub.files import CONFIG, INDEX, WEIGHTS, shards_of
from sgf_hub.hub.names import locate, repo_name
from sgf_hub.hub.options import HubOptions, PushOptions
from sgf_hub.predictors.backbone import check_keys, fold_batchnorm, resize
from sgf_hub.predictors.base import check_images
from sgf_hub.predictors.pretrained.repos import PREPROCESSOR, PROCESSOR, quietly, reason, usable
from sgf_hub.validation import bounded, read_json, short

TOKENIZER, GENERATION = "tokenizer.json", "generation_config.json"
_LONGEST = 48  # tokens, where a repo does not say


class Captioner(nn.Module):
    """Images to the captions that a network finds likeliest, word by word.

    Args:
        network: a transformers model that generates text from `pixel_values`.
        tokenizer: a `tokenizers.Tokenizer`, whose `decode_batch` gives the sentences.
        image_size: side in pixels of what the network reads; pictures are resized to it.
        mean: of each colour channel, pictures being in [0, 1].
        std: likewise.
        longest: tokens of a caption at most.
    """

    mean: Tensor
    std: Tensor
    folder: Path | None = None  # that it was loaded from

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        image_size: int,
        mean: tuple[float, ...] = (0.5, 0.5, 0.5),
        std: tuple[float, ...] = (0.5, 0.5, 0.5),
        longest: int = _LONGEST,
    ) -> None:
        super().__init__()
        self.network, self.tokenizer = network, tokenizer
        self.image_size, self.longest = image_size, longest
        self.ours = _attends_with_gpt2(network.config.to_dict())
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> list[str]:
        """[B, 3, R, R] in [-1, 1], any R => B sentences.

        Raises:
            BadValueError: if the shape is not that of images.
        """
        check_images(images, "a captioner", square=False)
        if not len(images):
            return []
        tokens = self.tokens(images, longest=self.longest)
        return [text.strip() for text in self.tokenizer.decode_batch(tokens.tolist(), skip_special_tokens=True)]

    def tokens(self, images: Tensor, *, longest: int) -> Tensor:
        """The captions as tokens: [B, 3, R, R] in [-1, 1] => [B, T], T at most `longest` and a beginning.

        After a caption's end its row holds special tokens.
        """
        pixels = ((resize(images.to(self.mean), self.image_size) + 1) / 2 - self.mean) / self.std
        if self.ours:
            return _greedy(self.network, pixels, longest)
        return self.network.generate(pixel_values=pixels, max_new_tokens=longest, do_sample=False, num_beams=1)

    def push_to_hub(self, repo_id: str, **push: Any) -> str:
        """Push its folder to the Hub, with its card, in one commit; see `HubModule.push_to_hub`.

        Raises:
            SGFError: if it cannot be done, or if it is not from a folder.
        """
        from sgf_hub.hub.publishing.push import push_folder

        if self.folder is None:
            raise BadValueError(
                "this captioner is not from a folder: save its network, tokenizer and preprocessor_config.json to one, "
                "and push that with `sgf-hub push`."
            )
        return push_folder(self.folder, repo_id, PushOptions.of(push))


def _attends_with_gpt2(config: dict[str, Any]) -> bool:
    """Whether this is the config of an encoder and a GPT-2 that attends to it."""
    decoder = config.get("decoder")
    return config.get("model_type") == "vision-encoder-decoder" and (
        isinstance(decoder, dict) and decoder.get("model_type") == "gpt2"
    )


def _greedy(network: Any, pixels: Tensor, longest: int) -> Tensor:
    """What `network.generate` gives, without the third of its time that goes by outside of the network."""
    settings = network.generation_config
    start, end = settings.decoder_start_token_id, settings.eos_token_id
    features = network.encoder(pixels).last_hidden_state  # => [B, P, F], P patches
    if hasattr(network, "enc_to_dec_proj"):
        features = network.enc_to_dec_proj(features)
    token = torch.full((len(pixels), 1), start, device=pixels.device)
    ended, cache, tokens = torch.zeros_like(token, dtype=torch.bool), None, []
    for _ in range(longest):
        output = network.decoder(input_ids=token, encoder_hidden_states=features, past_key_values=cache, use_cache=True)
        cache = output.past_key_values  # keys and values of the words so far, and of the patches
        token = output.logits[:, -1:].argmax(-1).masked_fill(ended, end)
        tokens.append(token)
        ended |= token == end
        if ended.all():
            break
    return torch.cat(tokens, dim=1)


def load_captioner(source: str | Path, **hub: Any) -> Captioner:
    """Load a captioner for reading: float32, on the CPU, in evaluation mode.

    Args:
        source: a folder, a zoo entry's name, or a Hub id.
        **hub: how it is fetched, as `HubOptions` has it.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if a file is missing, damaged, or not of a captioner.
    """
    from tokenizers import Tokenizer

    options = HubOptions.of(hub)
    folder = _locate(str(source), options)
    for file in (PREPROCESSOR, PROCESSOR, GENERATION):  # a repo has one of the first two, and perhaps the third
        with suppress(SGFError):
            locate(str(source), options, files=(file,))
    image_size, mean, std = _preprocessing(folder)
    config = read_json(folder / CONFIG)
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # what tokenizers raises has no narrower class
        raise CorruptFileError(f"{TOKENIZER} of {repo_name(folder)!r} cannot be read: {reason(error)}") from None
    with usable(folder, "a captioner"), quietly():
        network = _load_network(folder, config)
        captioner = Captioner(
            network, tokenizer, image_size=image_size, mean=mean, std=std, longest=_longest(network)
        ).eval()
        with torch.inference_mode():  # one word: do the parts fit each other at all?
            captioner.tokens(torch.zeros(1, 3, image_size, image_size), longest=1)
    captioner.folder = folder
    return captioner


def _locate(source: str, hub: HubOptions) -> Path:
    """The folder of a captioner, its weights in one file or in several."""
    try:
        return locate(source, hub, files=(CONFIG, TOKENIZER, WEIGHTS))
    except CorruptFileError as error:
        try:
            folder = locate(source, hub, files=(CONFIG, TOKENIZER, INDEX))
        except CorruptFileError:
            raise error from None
    return locate(source, hub, files=(CONFIG, TOKENIZER, INDEX, *shards_of(folder / INDEX)))


def _load_network(folder: Path, config: dict[str, Any]) -> Any:
    """The network of a folder, every weight of it from the file."""
    if config.get("model_type") == "vision-encoder-decoder":
        # the module by name: transformers' auto classes take seconds more
        name = "transformers.models.vision_encoder_decoder.modeling_vision_encoder_decoder"
        kind = import_module(name).VisionEncoderDecoderModel
        check_keys(config, kind.config_class)
    else:
        from transformers import AutoModelForImageTextToText as kind
    network, report = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    for what in ("missing", "unexpected"):
        if keys := sorted(report[f"{what}_keys"]):
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CorruptFileError(
                f"{WEIGHTS} of {repo_name(folder)!r} does not fit its config: {what} {keys[0]}{more}."
            )
    return fold_batchnorm(network.eval().requires_grad_(False))


def _longest(network: Any) -> int:
    """Tokens of a caption at most: what the repo says, and what its decoder has positions for."""
    longest = network.generation_config.max_new_tokens or _LONGEST
    positions = getattr(network.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return min(longest, positions - 2) if isinstance(positions, int) else longest  # two for what it begins with


def _preprocessing(folder: Path) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Side in pixels, mean and standard deviation of the pictures that a repo's network reads."""
    file = PREPROCESSOR if (folder / PREPROCESSOR).is_file() else PROCESSOR
    settings = read_json(folder / file)
    settings = settings.get("image_processor", settings)
    try:
        if not isinstance(settings, dict):
            raise BadValueError("it describes no image processor.")
        size = settings.get("size")
        if isinstance(size, dict):
            sides = {value for value in size.values() if value is not None}
            if len(sides) != 1:
                raise BadValueError(f"size is {short(size)}; pictures are square.")
            size = sides.pop()
        side: int = bounded("size", size, 8, 2048)
        if not settings.get("do_normalize", True):
            return side, (0.0,) * 3, (1.0,) * 3
        mean, std = (settings.get(key, [0.5] * 3) for key in ("image_mean", "image_std"))
        for key, values, low in (("image_mean", mean, 0.0), ("image_std", std, 1e-3)):
            if not isinstance(values, list) or len(values) != 3:
                raise BadValueError(f"{key} is {short(values)}; it must be three numbers.")
            for value in values:
                bounded(key, value, low, 10.0)
    except (SGFError, TypeError) as error:
        raise CorruptFileError(f"{file} of {repo_name(folder)!r} is not usable: {error}") from None
    return side, tuple(mean), tuple(std)


__all__ = ["Captioner", "load_captioner"]
