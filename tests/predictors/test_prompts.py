"""Attributes by prompts: CLIP's own probabilities, kept without its text tower; and what mistakes say."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.predictors import PromptPredictor, load_predictor
from sgf_hub.types import Predictor
from tests.predictors.foreign import change, processed, whole, write_classifier, write_clip

PROMPTS = {"smiling": ("a smiling face", "a sad face"), "hat": ("a face with a hat", "a bare head")}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return write_clip(tmp_path_factory.mktemp("clips") / "toy-clip")


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(clip, tmp_path / "toy-clip"))


@pytest.fixture
def images() -> Tensor:
    noise = torch.randn(3, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    return whole(torch.nn.functional.interpolate(noise, (40, 40), mode="bicubic").clamp(-1, 1))


def similarities(clip: Path, images: Tensor) -> Tensor:
    """transformers' CLIP: scaled similarities of pictures and all prompts, padded to one length, [B, A, 2]."""
    from tokenizers import Tokenizer
    from transformers import CLIPModel

    tokenizer = Tokenizer.from_file(str(clip / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=1, pad_token="<|endoftext|>", length=9)
    texts = tokenizer.encode_batch([sentence for pair in PROMPTS.values() for sentence in pair])
    with torch.no_grad():
        found = CLIPModel.from_pretrained(clip)(
            input_ids=torch.tensor([text.ids for text in texts]),
            attention_mask=torch.tensor([text.attention_mask for text in texts]),
            pixel_values=processed(clip, images, "CLIP"),
        )
    return found.logits_per_image.unflatten(1, (2, 2))


class TestAttributes:
    def test_scores_are_clips_softmax_over_the_two_prompts(self, clip: Path, images: Tensor) -> None:
        predictor = PromptPredictor(PROMPTS, model=str(clip))
        assert isinstance(predictor, Predictor) and predictor.spec.attributes == ("smiling", "hat")
        expected = 2 * similarities(clip, images).softmax(dim=2)[..., 0] - 1
        assert expected.std() > 0.05
        torch.testing.assert_close(predictor(images), expected, atol=0.01, rtol=0)  # PIL rounds pixels

    def test_saved_without_the_text_tower(self, folder: Path, tmp_path: Path, images: Tensor) -> None:
        predictor = PromptPredictor(PROMPTS, model=str(folder))
        predictor.save_pretrained(tmp_path / "prompts")
        assert (tmp_path / "prompts" / "model.safetensors").stat().st_size < 2000
        (folder / "tokenizer.json").unlink()
        loaded = PromptPredictor.from_pretrained(tmp_path / "prompts")
        assert loaded.spec == predictor.spec and loaded.config() == predictor.config()
        assert torch.equal(loaded(images), predictor(images))
        shutil.copytree(tmp_path / "prompts", tmp_path / "again")
        change(tmp_path / "again", model="elsewhere/toy-clip")
        assert torch.equal(load_predictor(str(tmp_path / "again"))(images), predictor(images))  # the one beside it

    def test_the_vision_tower_is_loaded_at_the_first_picture(self, clip: Path, tmp_path: Path) -> None:
        PromptPredictor(PROMPTS, model=str(clip)).save_pretrained(tmp_path / "prompts")
        change(tmp_path / "prompts", model="nowhere")
        loaded = load_predictor(str(tmp_path / "prompts"))
        assert loaded.target(torch.zeros(1, 2), smiling=1).c.tolist() == [[1, 0]]

    def test_gradients(self, clip: Path, images: Tensor) -> None:
        predictor = PromptPredictor(PROMPTS, model=str(clip))
        images.requires_grad_()
        predictor(images)[:, 0].sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert not any(weight.requires_grad for weight in predictor.tower.parameters())
        assert set(predictor.state_dict()) == {"embeddings", "logit_scale"}

    def test_the_order_of_prompts_is_kept(self, clip: Path, tmp_path: Path) -> None:
        assert list(PROMPTS) != sorted(PROMPTS)  # as JSON would have it
        PromptPredictor(PROMPTS, model=str(clip)).save_pretrained(tmp_path / "prompts")
        assert PromptPredictor.from_pretrained(tmp_path / "prompts").spec.attributes == tuple(PROMPTS)


class TestRefusals:
    @pytest.mark.parametrize(
        ("prompts", "message"),
        [
            ({}, "no attribute: give prompts"),
            ("smiling", "prompts are 'smiling'; give each attribute's two sentences"),
            ({"smiling": "a smiling face"}, "the prompts of 'smiling' are 'a smiling face'; give two sentences"),
            ({"smiling": ("a face",)}, "the prompts of 'smiling' are"),
            ({"smiling": ("a face", 3)}, "the prompts of 'smiling' are"),
            ({"smiling": ("a face", "")}, "is empty; write a sentence"),
            ({"": ("a", "a face")}, "distinct names"),
            ([["a", ["a face", "a hat"]], ["a", ["a face", "a hat"]]], "distinct names"),
            ({"smiling": ("a smiling " * 9 + "face", "a face")}, "has 21 tokens; CLIP reads 12: say it shorter"),
        ],
    )
    def test_prompts(self, clip: Path, prompts: object, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            PromptPredictor(prompts, model=str(clip))  # type: ignore[arg-type]

    def test_other_weights_than_the_prompts_were_embedded_with(
        self, clip: Path, tmp_path: Path, images: Tensor
    ) -> None:
        PromptPredictor(PROMPTS, model=str(clip)).save_pretrained(tmp_path / "prompts")
        write_clip(tmp_path / "toy-clip", seed=1)
        with pytest.raises(
            CorruptFileError, match=r"embedded by other weights of .*\(\w{16}\) than are there .* again"
        ):
            load_predictor(str(tmp_path / "prompts"))(images)
        change(tmp_path / "prompts", fingerprint="")
        load_predictor(str(tmp_path / "prompts"))(images)  # any will do

    def test_what_is_no_clip(self, tmp_path: Path) -> None:
        folder = write_classifier(tmp_path / "toy")
        (folder / "tokenizer.json").write_text("{}")
        with pytest.raises(CorruptFileError, match="'toy' holds a vit; prompts need a clip"):
            PromptPredictor(PROMPTS, model=str(folder))

    def test_damaged_clips(self, folder: Path) -> None:
        tokenizer = (folder / "tokenizer.json").read_text()
        (folder / "tokenizer.json").write_text("{}")
        with pytest.raises(CorruptFileError, match=r"tokenizer.json of 'toy-clip' cannot be read"):
            PromptPredictor(PROMPTS, model=str(folder))
        (folder / "tokenizer.json").unlink()
        with pytest.raises(CorruptFileError, match=r"lacks tokenizer\.json"):
            PromptPredictor(PROMPTS, model=str(folder))
        (folder / "tokenizer.json").write_text(tokenizer)
        weights = load_file(folder / "model.safetensors")
        scale = weights.pop("logit_scale")
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match="not usable as CLIP: .*logit_scale"):
            PromptPredictor(PROMPTS, model=str(folder))
        weights.pop("text_projection.weight")
        save_file({**weights, "logit_scale": scale}, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match=r"missing text_projection\.weight"):
            PromptPredictor(PROMPTS, model=str(folder))
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(CorruptFileError, match=r"lacks model\.safetensors.*safetensors only"):
            PromptPredictor(PROMPTS, model=str(folder))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"dimension": None}, "does not describe a PromptPredictor: missing dimension"),
            ({"dimension": 13}, "does not fit its config: embeddings is"),
            ({"dimension": 10**9}, "dimension is 1000000000"),
            ({"prompts": {"smiling": 3}}, "is not usable: the prompts of 'smiling' are 3"),
            ({"prompts": [["smiling", ["a", "b"]]]}, "does not fit its config: embeddings is"),
            ({"prompts": 7}, "is not usable: prompts are 7"),
            ({"model": 7}, "is not usable: model must be"),
            ({"fingerprint": ["x"]}, "is not usable: fingerprint is"),
            ({"temperature": 2}, "unknown temperature"),
        ],
    )
    def test_a_wrong_config_is_one_sentence(self, clip: Path, tmp_path: Path, changes: dict, message: str) -> None:
        PromptPredictor(PROMPTS, model=str(clip)).save_pretrained(tmp_path / "prompts")
        path = tmp_path / "prompts" / "config.json"
        held = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in held.items() if value is not None}))
        with pytest.raises(CorruptFileError, match=message) as caught:
            PromptPredictor.from_pretrained(tmp_path / "prompts")
        assert "\n" not in str(caught.value)
