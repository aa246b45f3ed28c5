"""Captioners: what transformers' own generation says, ours says too; and what a damaged repo says."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.predictors.captions.captioner import Captioner, load_captioner
from tests.toys import edit_config

WORDS = ["<pad>", "<s>", "</s>", "<unk>", *(f"word{i}" for i in range(16)), ","]
MARKS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIDE = 32


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.add_special_tokens(WORDS[:4])
    marks = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)


def write_preprocessor(folder: Path, **changes: object) -> None:
    settings = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, **changes}))


def write_ours(folder: Path, *, width: int = 24) -> Path:
    """A ViT and a GPT-2 of another width, with random weights."""
    from transformers import GenerationConfig, GPT2Config, VisionEncoderDecoderConfig, ViTConfig
    from transformers import VisionEncoderDecoderModel as Model

    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = {"num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.4}
        encoder = ViTConfig(hidden_size=16, intermediate_size=32, image_size=SIDE, patch_size=8, **small)
        decoder = GPT2Config(
            vocab_size=len(WORDS), n_positions=20, n_embd=width, n_layer=2, n_head=2, initializer_range=0.4,
            is_decoder=True, add_cross_attention=True, **MARKS,
        )  # fmt: skip
        config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
        network = Model(config).eval()
    network.decoder.transformer.wte.weight.data[:4] = 0  # says words, and hardly ever a special token
    network.generation_config = GenerationConfig(decoder_start_token_id=1, max_new_tokens=12, **MARKS)
    network.save_pretrained(folder)
    write_tokenizer(folder)
    write_preprocessor(folder)
    return folder


def write_blip(folder: Path) -> Path:
    from transformers import BlipConfig, BlipForConditionalGeneration

    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = {
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "initializer_range": 0.5,
        }  # fmt: skip
        text = {**small, **MARKS, "vocab_size": len(WORDS), "sep_token_id": 2, "max_position_embeddings": 30}
        config = BlipConfig(
            vision_config={**small, "image_size": SIDE, "patch_size": 8},
            text_config={**text, "encoder_hidden_size": 16},
            projection_dim=16,
        )
        BlipForConditionalGeneration(config).eval().save_pretrained(folder)
    write_tokenizer(folder)
    write_preprocessor(folder)
    return folder


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return write_ours(tmp_path_factory.mktemp("captioners") / "ours")


@pytest.fixture
def folder(ours: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(ours, tmp_path / "toy-captioner"))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1


class TestCaptions:
    def test_they_are_what_transformers_generates(self, ours: Path, images: Tensor) -> None:
        from transformers import AutoTokenizer, VisionEncoderDecoderModel

        network = VisionEncoderDecoderModel.from_pretrained(ours)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.5, 0.25, 0.2]))
        tokens = network.generate(pixel_values=((images + 1) / 2 - mean) / std, do_sample=False)
        expected = AutoTokenizer.from_pretrained(ours).batch_decode(tokens, skip_special_tokens=True)
        captions = load_captioner(ours)(images)
        assert captions == expected
        assert len(set(captions)) > 1 and all(caption.startswith("word") for caption in captions)

    def test_a_caption_ends_where_its_end_is(self, ours: Path, images: Tensor) -> None:
        captioner = load_captioner(ours)
        whole = captioner.tokens(images, longest=12)
        end = int(whole[0, 5])
        captioner.network.generation_config.eos_token_id = end
        ended = captioner.tokens(images, longest=12)
        first = (whole == end).int().argmax(1) + 12 * (whole != end).all(1)  # place of the end, 12 where there is none
        assert len(set(first.tolist())) > 1  # captions of different lengths beside each other
        for row, place, complete in zip(ended, first.tolist(), whole, strict=True):
            assert torch.equal(row[:place], complete[:place][: len(row)]) and (row[place:] == end).all()

    def test_each_picture_is_read_alone(self, ours: Path, images: Tensor) -> None:
        captioner = load_captioner(ours)
        assert captioner(images) == [captioner(image[None])[0] for image in images]
        assert captioner(images[:0]) == []

    def test_commas_stand_at_their_word(self, ours: Path) -> None:
        captioner = load_captioner(ours)
        captioner.tokens = lambda images, longest: torch.tensor([[1, 4, 5, 20, 6, 2, 0]])
        assert captioner(torch.zeros(1, 3, SIDE, SIDE)) == ["word0 word1, word2"]

    @pytest.mark.parametrize("side", [16, 31, 64])
    def test_any_side_is_read(self, ours: Path, side: int) -> None:
        captioner, seen = load_captioner(ours), []
        captioner.network.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        captioner(torch.full((1, 3, side, side), 0.5))
        expected = (0.75 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.5, 0.25, 0.2])
        torch.testing.assert_close(seen[0], expected.view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE))

    def test_what_is_no_image_is_refused(self, ours: Path) -> None:
        captioner = load_captioner(ours)
        for wrong in (torch.zeros(3, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, 3, 8, 8).byte()):
            with pytest.raises(BadValueError, match="a captioner reads floating-point images"):
                captioner(wrong)

    def test_no_gradient_is_kept(self, ours: Path, images: Tensor) -> None:
        assert load_captioner(ours)(images.requires_grad_()) and images.grad is None


class TestOtherCaptioners:
    def test_blip(self, tmp_path: Path, images: Tensor) -> None:
        from transformers import BlipForConditionalGeneration

        folder = write_blip(tmp_path / "blip")
        captions = load_captioner(folder)(images)
        network = BlipForConditionalGeneration.from_pretrained(folder)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.5, 0.25, 0.2]))
        tokens = network.generate(((images + 1) / 2 - mean) / std, max_new_tokens=28, do_sample=False)
        expected = [" ".join(WORDS[i] for i in row if i > 3).replace(" ,", ",") for row in tokens.tolist()]
        assert captions == expected and any(captions)

    def test_its_processor_may_be_in_transformers_5s_file(self, folder: Path, images: Tensor) -> None:
        expected = load_captioner(folder)(images)
        settings = json.loads((folder / "preprocessor_config.json").read_text())
        (folder / "preprocessor_config.json").unlink()
        (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
        assert load_captioner(folder)(images) == expected

    @pytest.mark.parametrize("size", [SIDE, {"shortest_edge": SIDE}, {"height": SIDE, "width": SIDE}])
    def test_the_side_may_be_told_in_several_ways(self, folder: Path, size: object) -> None:
        write_preprocessor(folder, size=size)
        assert load_captioner(folder).image_size == SIDE

    def test_pictures_may_be_wanted_as_they_are(self, folder: Path) -> None:
        write_preprocessor(folder, do_normalize=False)
        captioner = load_captioner(folder)
        assert captioner.mean.flatten().tolist() == [0, 0, 0] and captioner.std.flatten().tolist() == [1, 1, 1]


class TestLoading:
    def test_by_name_of_a_zoo_entry(self, in_zoo: Path, ours: Path, images: Tensor) -> None:
        shutil.copytree(ours, in_zoo / "toy-captioner")
        assert load_captioner("sgf-hub/toy-captioner")(images) == load_captioner(ours)(images)
        with pytest.raises(UnknownNameError, match="did you mean 'toy-captioner'"):
            load_captioner("toy-captoiner")

    def test_it_is_for_reading(self, ours: Path) -> None:
        captioner = load_captioner(ours)
        assert isinstance(captioner, Captioner) and not captioner.training
        assert not any(weight.requires_grad for weight in captioner.parameters())
        assert all(weight.dtype == torch.float32 for weight in captioner.parameters())

    def test_nothing_is_printed(self, ours: Path, capfd: pytest.CaptureFixture) -> None:
        load_captioner(ours)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
    def test_a_missing_file(self, folder: Path, file: str) -> None:
        (folder / file).unlink()
        with pytest.raises(CorruptFileError, match=f"the folder 'toy-captioner' lacks {file}"):
            load_captioner(folder)

    def test_pickled_weights_are_never_read(self, folder: Path) -> None:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
        with pytest.raises(CorruptFileError, match="lacks model.safetensors"):
            load_captioner(folder)

    def test_a_missing_preprocessor(self, folder: Path) -> None:
        (folder / "preprocessor_config.json").unlink()
        with pytest.raises(CorruptFileError, match="processor_config.json cannot be read"):
            load_captioner(folder)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"size": {"height": 32, "width": 48}}, "size is {'height': 32, 'width': 48}; pictures are square"),
            ({"size": "big"}, "size is 'big'; it must be a number from 8 to 2048"),
            ({"image_mean": [0.5]}, r"image_mean is \[0.5\]; it must be three numbers"),
            ({"image_std": [0.5, 0, 0.5]}, "image_std is 0; it must be a number from 0.001 to 10.0"),
            ({"image_processor": 3}, "it describes no image processor"),
        ],
    )
    def test_a_strange_preprocessor(self, folder: Path, changes: dict, sentence: str) -> None:
        write_preprocessor(folder, **changes)
        with pytest.raises(CorruptFileError, match=f"preprocessor_config.json of 'toy-captioner' is not .*{sentence}"):
            load_captioner(folder)

    def test_a_size_that_the_network_does_not_read(self, folder: Path) -> None:
        write_preprocessor(folder, size=48)
        with pytest.raises(CorruptFileError, match="'toy-captioner' is not usable as a captioner: .*48"):
            load_captioner(folder)

    def test_damaged_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"\xff" * 100)
        with pytest.raises(CorruptFileError, match="'toy-captioner' is not usable as a captioner"):
            load_captioner(folder)

    def test_a_missing_weight(self, folder: Path, capfd: pytest.CaptureFixture) -> None:
        weights = load_file(folder / "model.safetensors")
        del weights["encoder.layernorm.bias"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match="does not fit its config: missing encoder.layernorm.bias"):
            load_captioner(folder)
        assert capfd.readouterr() == ("", "")

    def test_a_superfluous_weight(self, folder: Path) -> None:
        weights = {**load_file(folder / "model.safetensors"), "stranger": torch.zeros(2)}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match="does not fit its config: unexpected stranger"):
            load_captioner(folder)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"temperature": 3}, "unknown temperature"),
            ({"transformers_version": "9.1"}, "was written by transformers 9.1"),
        ],
    )
    def test_a_strange_config(self, folder: Path, changes: dict, sentence: str) -> None:
        edit_config(folder, **changes)
        with pytest.raises(CorruptFileError, match=f"'toy-captioner' is not usable as a captioner.*{sentence}"):
            load_captioner(folder)

    def test_weights_in_several_files(self, folder: Path, ours: Path, images: Tensor) -> None:
        weights = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        names = sorted(weights)
        parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
        for file, keys in parts.items():
            save_file({key: weights[key] for key in keys}, folder / file, metadata={"format": "pt"})
        where = {key: file for file, keys in parts.items() for key in keys}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
        assert load_captioner(folder)(images) == load_captioner(ours)(images)
        (folder / "model-00002-of-00002.safetensors").unlink()
        with pytest.raises(CorruptFileError, match="lacks model-00002-of-00002.safetensors"):
            load_captioner(folder)

    def test_only_what_is_from_a_folder_is_pushed(self, ours: Path) -> None:
        captioner = load_captioner(ours)
        assert captioner.folder == ours
        captioner.folder = None
        with pytest.raises(BadValueError, match="this captioner is not from a folder: save its network"):
            captioner.push_to_hub("me/it")

    def test_weights_of_another_size(self, folder: Path, tmp_path: Path) -> None:
        shutil.copy(write_ours(tmp_path / "other", width=32) / "model.safetensors", folder)
        with pytest.raises(CorruptFileError, match="'toy-captioner' is not usable as a captioner"):
            load_captioner(folder)

    def test_a_damaged_tokenizer(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")
        with pytest.raises(CorruptFileError, match="tokenizer.json of 'toy-captioner' cannot be read"):
            load_captioner(folder)

    @pytest.mark.parametrize("changes", [{"model_type": "resnet"}, {"model_type": "none"}, {"decoder": 7}])
    def test_another_kind_of_model(self, folder: Path, changes: dict) -> None:
        edit_config(folder, **changes)
        with pytest.raises(CorruptFileError, match="'toy-captioner' is not usable as a captioner"):
            load_captioner(folder)

    def test_code_of_a_repo_is_never_run(self, folder: Path, tmp_path: Path) -> None:
        mark = tmp_path / "was-run"
        (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
        classes = {"AutoConfig": "evil.Config", "AutoModelForImageTextToText": "evil.Model"}
        edit_config(folder, model_type="evil", auto_map=classes)
        with pytest.raises(CorruptFileError, match="'toy-captioner' is not usable as a captioner"):
            load_captioner(folder)
        assert not mark.exists()
