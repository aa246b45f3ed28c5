"""Training a captioner, at toy size: it learns, it goes on after a kill, its repo loads, and it is measured rightly."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sgf_hub.data.drawn import Labelled, drawn
from sgf_hub.data.flowers import sample, stated, truth
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.predictors.captions.captioner import load_captioner
from sgf_hub.training.readers import supervised
from sgf_hub.training.readers.caption_learner import CaptionerConfig, build_tokenizer, encode
from sgf_hub.training.readers.captioner import PRESETS, evaluate, labelled, train_captioner

TOY = CaptionerConfig(
    name="flowers",
    image_size=32,
    embedding_size=8,
    hidden_sizes=(8, 8),
    depths=(1, 1),
    width=32,
    encoder_layers=1,
    decoder_layers=1,
    resolution=32,
    pictures=96,
    held_out=32,
    images=32 * 60,
    batch=32,
    learning_rate=5e-3,
    bf16=False,
)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine adds no records."""
    monkeypatch.setattr(supervised, "SAVE_EVERY", 1e9)
    monkeypatch.setattr(supervised, "REPORT_EVERY", 1e9)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return drawn("flowers", tmp_path_factory.mktemp("flowers"), 60, seed=3, resolution=32)


class Speaker:
    """Says for the pictures, in their order, what it is told to."""

    def __init__(self, captions: list[str]) -> None:
        self.captions = iter(captions)

    def __call__(self, images: torch.Tensor) -> list[str]:
        return [next(self.captions) for _ in images]


def test_it_trains_saves_and_reports(tmp_path: Path) -> None:
    records = list(train_captioner(TOY, out=tmp_path / "zoo", run=tmp_path / "run", command="typed"))
    assert [record["event"] for record in records] == ["drawn", "checkpoint", "done"]
    logged = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [record["event"] for record in logged] == ["drawn", "checkpoint", "done"]
    folder = tmp_path / "zoo/flowers-captioner"
    held_out = drawn("flowers", tmp_path / "run", 32, seed=supervised.HELD_OUT_SEED, resolution=32)
    report = json.loads((folder / "training.json").read_text())
    assert report["command"] == "typed" and report["images_seen"] == 1920
    assert report["held_out"] == evaluate(load_captioner(folder), held_out)
    # a toy says little, but it has learnt to say it as captions do
    assert all(caption.startswith(("this flower has", "a ")) for caption in report["held_out"]["examples"])
    assert report["held_out"]["stated"]["color"] > 0.9


def test_its_repo_is_transformers_own(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, VisionEncoderDecoderModel

    list(train_captioner(dataclasses.replace(TOY, images=320), out=tmp_path, run=tmp_path / "run"))
    folder = tmp_path / "flowers-captioner"
    network, report = VisionEncoderDecoderModel.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sentence = "the petals of this flower are small, round and white"
    assert tokenizer.decode(tokenizer(sentence).input_ids, skip_special_tokens=True) == sentence
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = tokenizer.batch_decode(network.generate(pixel_values=pixels), skip_special_tokens=True)
    assert load_captioner(folder)(pixels) == expected


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(TOY, images=32 * 8)
    whole = list(train_captioner(config, out=tmp_path / "whole", run=tmp_path / "a"))[-1]
    monkeypatch.setattr(supervised, "SAVE_EVERY", 0.0)  # a checkpoint after each step
    first = train_captioner(config, out=tmp_path / "parts", run=tmp_path / "b")
    for record in first:
        if record.get("step") == 5:
            first.close()
    rest = list(train_captioner(config, out=tmp_path / "parts", run=tmp_path / "b"))
    assert [record["step"] for record in rest if record["event"] == "checkpoint"] == [6, 7, 8]
    assert rest[-1]["held_out"] == whole["held_out"]
    weights = [(tmp_path / part / "flowers-captioner/model.safetensors").read_bytes() for part in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    short = dataclasses.replace(TOY, images=32)
    list(train_captioner(short, out=tmp_path, run=tmp_path / "run"))
    with pytest.raises(BadValueError, match="of a run with other settings: delete it"):
        list(train_captioner(dataclasses.replace(short, seed=1), out=tmp_path, run=tmp_path / "run"))
    (tmp_path / "run/checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CorruptFileError, match="delete it to start over"):
        list(train_captioner(short, out=tmp_path, run=tmp_path / "run"))


def test_nonsense_configs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match="batch is at most pictures"):
        dataclasses.replace(TOY, batch=1000)
    with pytest.raises(BadValueError, match="the world 'avatars' has no captions"):
        list(train_captioner(dataclasses.replace(TOY, name="avatars"), out=tmp_path, run=tmp_path / "run"))


def test_the_tokenizer_keeps_every_caption(flowers: Labelled) -> None:
    tokenizer = build_tokenizer(flowers.captions)
    tokens = encode(tokenizer, flowers.captions)
    assert tokens.shape[:2] == (60, 5)
    for row, several in zip(tokens, flowers.captions, strict=True):
        assert tokenizer.decode_batch(row.tolist(), skip_special_tokens=True) == list(several)
    assert tokenizer.encode("This FLOWER, has").tokens == ["<s>", "this", "flower", ",", "has", "</s>"]
    assert tokenizer.encode("this spaceship").tokens == ["<s>", "this", "<unk>", "</s>"]


def test_labels_tell_the_truth(flowers: Labelled) -> None:
    assert [labelled(row) for row in flowers.attributes] == [truth(sample((3, i))) for i in range(60)]


class TestMeasure:
    def test_true_captions_are_right(self, flowers: Labelled) -> None:
        figures = evaluate(Speaker([several[0] for several in flowers.captions]), flowers)
        assert figures["pictures"] == 60 and figures["all_right"] == 1
        assert all(value in (1, None) for value in figures["right"].values())
        said = np.mean(["size" in stated(several[0]) for several in flowers.captions])
        assert figures["stated"]["size"] == round(float(said), 4)

    def test_captions_of_other_pictures_are_wrong(self, flowers: Labelled) -> None:
        figures = evaluate(Speaker([several[0] for several in flowers.captions[::-1]]), flowers)
        assert figures["right"]["color"] < 0.5 and figures["right"]["size"] < 0.7 and figures["all_right"] < 0.2

    def test_what_is_not_there_is_wrong(self, flowers: Labelled) -> None:
        """Stripes on each flower: right for those that are striped alone."""
        striped = np.mean([labelled(row).get("pattern") == "stripes" for row in flowers.attributes[:20]])
        caption = "this flower has petals, striped with white"
        figures = evaluate(Speaker([caption] * 20), flowers, most=20)
        assert figures["right"]["pattern"] == round(float(striped), 4) < 1
        assert figures["stated"]["pattern"] == 1 and figures["stated"]["size"] == 0
        assert figures["right"]["size"] is None


def test_it_sees_other_flowers_than_it_is_measured_on() -> None:
    config = PRESETS["flowers"]
    assert config.data_seed + config.pictures // 4000 < supervised.HELD_OUT_SEED
