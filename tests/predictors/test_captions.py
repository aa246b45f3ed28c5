"""`CaptionPredictor`: c to the bit, words back, distances on full embeddings, prompts, grounding, and its repo."""

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.predictors import CaptionPredictor, load_predictor
from sgf_hub.predictors.captions import predictor as captions
from sgf_hub.types import Predictor, Target
from tests.caption_toys import COMPONENTS, WordCounter, describe, fitted, pixel_captioner, write_caption_zoo
from tests.toys import PlainGenerator, edit_config

RED = "a small red flower with round petals"
BLUE = "a large blue flower with pointed petals"


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> WordCounter:
    """The toy embedder in place of MiniLM."""
    counter = WordCounter()
    monkeypatch.setattr(captions, "load_embedder", lambda name: counter)
    return counter


@pytest.fixture
def predictor() -> CaptionPredictor:
    return fitted(PlainGenerator(4), pixel_captioner)


def pictures(*values: tuple[float, float, float]) -> torch.Tensor:
    images = torch.zeros(len(values), 3 * 64)
    images[:, :3] = torch.tensor(values)
    return images.unflatten(1, (3, 8, 8))


SOME = pictures((-1, -1, -1), (1, 1, 1), (1, 0, -1), (-1, -1, -1))


class TestCondition:
    def test_it_is_a_predictor(self, predictor: CaptionPredictor) -> None:
        assert isinstance(predictor, Predictor)
        assert (predictor.spec.kind, predictor.spec.dimension) == ("caption", COMPONENTS)

    def test_c_is_the_standardised_projection_of_the_captions_embedding(self, predictor: CaptionPredictor) -> None:
        embeddings = WordCounter().embed(pixel_captioner(SOME)).double()
        p = copy.deepcopy(predictor).double()
        expected = ((embeddings - p.mean) @ p.axes.T) / p.scale
        torch.testing.assert_close(predictor(SOME).double(), expected, rtol=1e-6, atol=1e-6)

    def test_the_same_caption_has_the_same_bits_in_any_batch(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME)
        assert torch.equal(c[0], c[3])
        assert all(torch.equal(predictor(SOME[i : i + 1])[0], c[i]) for i in range(4))

    def test_words_are_the_captions_that_c_was_computed_from(self, predictor: CaptionPredictor) -> None:
        assert predictor.words(predictor(SOME)) == pixel_captioner(SOME)
        assert predictor.words(predictor.project(["sixty words"])) == ["sixty words"]

    def test_words_after_moving_c_about(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME).clone()
        c[torch.tensor([2, 0])] = c[torch.tensor([0, 2])].contiguous()
        assert predictor.words(c[:3]) == [pixel_captioner(SOME)[i] for i in (2, 1, 0)]

    def test_in_inference_mode(self, predictor: CaptionPredictor) -> None:
        with torch.inference_mode():
            c = predictor(SOME)
        assert predictor.words(c.clone()) == pixel_captioner(SOME)

    def test_an_unknown_c_is_taken_back_by_its_components(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME)
        near = c + 1e-3
        assert predictor.words(near) == pixel_captioner(SOME)
        rows = predictor.embedding(near)
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))
        assert ((rows * predictor.embedding(c)).sum(dim=1) > 0.95).all()

    def test_what_was_forgotten_is_still_near(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME)
        assert copy.deepcopy(predictor).words(c) == pixel_captioner(SOME)  # a copy remembers nothing

    def test_memory_is_bounded_and_keeps_single_embeddings(self, predictor, monkeypatch) -> None:
        monkeypatch.setattr(predictor._readings, "most", 3)
        predictor.project(predictor.captions[:9])
        assert len(predictor._readings._values) == 3
        for reading in predictor._readings._values.values():
            assert reading.embedding.untyped_storage().nbytes() == reading.embedding.nbytes

    def test_captioner_and_embedder_are_loaded_at_first_use(self, monkeypatch, tmp_path, words: WordCounter) -> None:
        loaded: list[str] = []

        def load(name: str, **hub: object):
            loaded.append(name)
            return pixel_captioner

        monkeypatch.setattr("sgf_hub.predictors.captions.captioner.load_captioner", load)
        fitted(PlainGenerator(4), pixel_captioner).save_pretrained(tmp_path)
        words.asked.clear()
        predictor = CaptionPredictor.from_pretrained(tmp_path)
        assert (loaded, words.asked) == ([], [])
        predictor(SOME)
        predictor(SOME)
        assert loaded == ["sgf-hub/toy-captioner"] and words.asked


class TestTarget:
    def test_a_prompt_is_projected_and_all_of_it_is_asked(self, predictor: CaptionPredictor) -> None:
        c0 = predictor(SOME)
        target = predictor.target(c0, caption="  a large\tblue flower ")
        assert target.c.shape == c0.shape
        assert predictor.words(target.c) == ["a large blue flower"] * 4
        assert target.asked.all() and not target.released.any()

    @pytest.mark.parametrize(
        ("wishes", "error", "message"),
        [
            ({}, BadValueError, "no wish was given: say what the caption should be."),
            ({"caption": ""}, BadValueError, "the caption is empty; write a sentence"),
            ({"caption": "🌸"}, BadValueError, "the caption has no word in it"),
            ({"caption": "y" * 513}, BadValueError, "the caption has 513 characters; 512 are the most"),
            ({"caption": 1.0}, BadValueError, "a caption is a sentence, such as 'a small purple flower', not 1.0."),
            ({"smile": 1}, UnknownNameError, "'smile' cannot be asked for or released here: give caption='a sentence'"),
            ({"caption": "x", "smile": 1}, UnknownNameError, "'smile' cannot be asked for"),
            ({"caption": "x", "release": ["size"]}, UnknownNameError, "'size' cannot be asked for or released here"),
            ({"caption": "x", "release": ["caption"]}, UnknownNameError, "'caption' cannot be asked for or released"),
        ],
    )
    def test_mistakes(self, predictor: CaptionPredictor, wishes: dict, error: type, message: str) -> None:
        with pytest.raises(error) as caught:
            predictor.target(predictor(SOME[:1]), **wishes)
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        "text", ["ein Haus", "红色的花", "<script>alert(1)</script>", "[bold]red[/bold]", "a" * 512]
    )
    def test_honest_attempts(self, predictor: CaptionPredictor, text: str) -> None:
        target = predictor.target(predictor(SOME), caption=text)
        assert torch.isfinite(target.c).all() and predictor.words(target.c)[0] == text
        assert torch.isfinite(predictor.distance(predictor(SOME), target)).all()


class TestDistance:
    def test_nothing_at_the_prompt_itself(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME[:1])
        assert predictor.distance(c, predictor.target(c, caption=RED)).item() < 0.01

    def test_one_factor_apart_is_not_close(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME[:1])
        for wrong in (RED.replace("small", "large"), RED.replace("red", "blue"), RED.replace("round", "pointed")):
            assert predictor.distance(c, predictor.target(c, caption=wrong)).item() > 1

    def test_close_is_as_near_as_captions_come(self, predictor: CaptionPredictor) -> None:
        """All flowers that the prompt fits are equally far: no caption is nearer."""
        target = predictor.target(predictor(SOME), caption="blue")
        near, far = predictor(pictures((1, 1, 1))), predictor(pictures((1, -1, 1)))
        part = Target(target.c[:1], target.asked, target.released)
        assert predictor.distance(near, part).item() <= 1 < predictor.distance(far, part).item()

    def test_units(self, predictor: CaptionPredictor) -> None:
        c = predictor(SOME[:1])
        target = predictor.target(c, caption=BLUE)
        cosine = (predictor.embedding(c) @ predictor.embedding(target.c).T).item()
        expected = (1 - cosine) / predictor.tolerance  # BLUE is in the bank
        assert predictor.distance(c, target).item() == pytest.approx(expected, rel=0.01)

    def test_it_never_is_negative(self, predictor: CaptionPredictor) -> None:
        c = predictor.project(["blue"])
        assert predictor.distance(c, predictor.target(c, caption="blue")).item() == 0


class TestWords:
    def test_similarity_is_the_cosine_of_full_embeddings(self, predictor: CaptionPredictor) -> None:
        rows = WordCounter().embed([*pixel_captioner(SOME), "a blue flower"])
        torch.testing.assert_close(predictor.similarity(predictor(SOME), "a blue\nflower"), rows[:4] @ rows[4])

    def test_familiarity(self, predictor: CaptionPredictor) -> None:
        near = predictor.familiarity(RED)
        assert (near.nearest, near.known) == (RED, True) and near.similarity == pytest.approx(1, abs=1e-3)
        assert predictor.familiarity("blue").known  # little, but in the captions' words
        far = predictor.familiarity("the stock market fell")
        assert not far.known and far.similarity < predictor.floor and far.nearest in predictor.captions
        assert not predictor.familiarity("asdf qwer").known

    @pytest.mark.parametrize(
        "text",
        [
            "花", "红花", "a small red 花", "赤い flower", "빨간 red flower", "красный flower",
            "κόκκινο flower", "أحمر red flower", "a red flower 🌹", "ｒｅｄ flower",
        ],
    )  # fmt: skip
    def test_letters_that_no_caption_has_are_not_known(self, predictor: CaptionPredictor, text: str, words) -> None:
        words.embed = lambda sentences: torch.stack([predictor.bank[0]] * len(sentences))  # all is near, as 花 is
        assert predictor.familiarity("rødt, naïve – and “5” more!").known
        assert not predictor.familiarity(text).known

    def test_a_bank_in_another_script_is_read_in_that(self, predictor: CaptionPredictor) -> None:
        other = CaptionPredictor(
            captioner="x", captions=["一朵红花", "一朵蓝花"], components=1, tolerance=1, floor=-1, dimension=2
        )
        other.embed = lambda sentences: torch.ones(len(sentences), 2)  # type: ignore[method-assign]
        assert other.familiarity("红").known and not other.familiarity("red").known

    def test_a_text_that_is_none(self, predictor: CaptionPredictor) -> None:
        for ask in (predictor.familiarity, lambda text: predictor.similarity(predictor(SOME), text)):
            with pytest.raises(BadValueError, match="the caption is empty"):
                ask(" ")


class TestGround:
    def test_what_the_words_leave_out_is_held(self, predictor: CaptionPredictor) -> None:
        c0 = predictor(SOME)
        target = predictor.ground(c0, predictor.target(c0, caption="blue petals"))
        asked = [
            predictor.captions.index(text.replace("red", "blue").replace("green", "blue"))
            for text in describe(SOME.flatten(1)[:, :3])
        ]
        assert predictor.words(target.c) == [predictor.captions[place] for place in asked]
        assert target.asked.all() and not target.released.any()

    def test_every_sample_has_its_own_prompt(self, predictor: CaptionPredictor) -> None:
        c0 = predictor(SOME[:2])
        plain = predictor.target(c0, caption="x")
        each = Target(predictor.project(["large", "a red flower"]), plain.asked, plain.released)
        assert predictor.words(predictor.ground(c0, each).c) == [
            RED.replace("small", "large"),
            BLUE.replace("blue", "red"),
        ]

    def test_a_grounded_target_can_be_reached(self, predictor: CaptionPredictor) -> None:
        c0 = predictor(SOME[:1])
        target = predictor.ground(c0, predictor.target(c0, caption="large and blue"))
        assert predictor.distance(predictor(pictures((1, 1, -1))), target).item() < 0.05


class TestRepo:
    @pytest.fixture
    def folder(self, predictor: CaptionPredictor, tmp_path: Path) -> Path:
        predictor.save_pretrained(tmp_path / "flowers-captions")
        return tmp_path / "flowers-captions"

    def test_c_has_the_same_bits_after_saving(self, predictor: CaptionPredictor, folder: Path) -> None:
        again = CaptionPredictor.from_pretrained(folder)
        texts = [*predictor.captions, "a blue flower", "ein Haus"]
        assert torch.equal(predictor.project(texts), again.project(texts))
        assert torch.equal(predictor.bank, again.bank) and again.captions == predictor.captions

    def test_weights_are_halves_and_the_bank_is_text(self, folder: Path) -> None:
        assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float16}
        config = json.loads((folder / "config.json").read_text())
        assert config["class"] == "CaptionPredictor" and RED in config["captions"]
        assert config["embedder"] == "sentence-transformers/all-MiniLM-L6-v2"

    def test_the_captioner_is_not_saved_with_it(self, predictor: CaptionPredictor, tmp_path: Path) -> None:
        predictor.read_with(torch.nn.Linear(2, 2))
        predictor.save_pretrained(tmp_path)
        assert sorted(load_file(tmp_path / "model.safetensors")) == ["axes", "bank", "mean", "scale", "share"]

    @pytest.mark.parametrize("many", [False, True])
    def test_load_predictor(self, folder: Path, many: bool) -> None:
        loaded = load_predictor([str(folder)] if many else str(folder))
        assert isinstance(loaded, CaptionPredictor) and loaded.captioner_name == "sgf-hub/toy-captioner"

    def test_the_captioner_beside_it_is_taken(self, folder: Path) -> None:
        beside = folder.parent / "toy-captioner"
        beside.mkdir()
        (beside / "config.json").write_text("{}")
        assert load_predictor(str(folder)).captioner_name == str(beside.resolve())

    def test_it_is_not_joined_with_others(self, folder: Path, toy_zoo: Path) -> None:
        for names in ([folder, toy_zoo / "toy-attributes"], [toy_zoo / "toy-keypoints", folder], [folder, folder]):
            with pytest.raises(BadValueError, match="a caption cannot be joined with other conditions: .* name that"):
                load_predictor([str(name) for name in names])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"captions": []}, "captions must name at least one caption"),
            ({"captions": ["a", "a"]}, "captions must be a list of at most 4096 distinct names"),
            ({"captions": 7}, "captions must be a list"),
            ({"captions": ["only one"]}, "does not fit its config: bank is"),
            ({"components": 0}, "components is 0"),
            ({"components": 3}, "does not fit its config: axes is"),
            ({"dimension": 10**9}, "dimension is 1000000000"),
            ({"tolerance": 0}, "tolerance is 0"),
            ({"tolerance": float("nan")}, "tolerance is nan"),
            ({"floor": 2.0}, "floor is 2.0"),
            ({"captioner": ""}, "captioner must be a list"),
            ({"embedder": 3}, "embedder must be a list"),
            ({"stranger": 1}, "unknown stranger"),
            ({"class": "StyleGAN2"}, "holds a StyleGAN2"),
            ({"format": 5}, "upgrade sgf-hub"),
        ],
    )
    def test_damaged_configs(self, folder: Path, change: dict, message: str) -> None:
        edit_config(folder, **change)
        with pytest.raises(CorruptFileError) as caught:
            load_predictor(str(folder))
        assert message in str(caught.value) and "\n" not in str(caught.value)

    def test_damaged_weights(self, folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights["mean"][0] = torch.inf
        save_file(weights, folder / "model.safetensors")
        with pytest.raises(CorruptFileError, match="holds values that are not finite, in mean"):
            load_predictor(str(folder))

    @pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
    def test_a_missing_file(self, folder: Path, file: str) -> None:
        (folder / file).unlink()
        with pytest.raises(CorruptFileError, match=f"the folder 'flowers-captions' lacks {file}"):
            load_predictor(str(folder))

    def test_another_embedder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Other:
            def embed(self, sentences):
                return torch.ones(len(sentences), 7)

        monkeypatch.setattr(captions, "load_embedder", lambda name: Other())
        with pytest.raises(CorruptFileError, match="fitted to embeddings of 48 numbers, and .* gives 7: fit it again"):
            CaptionPredictor.from_pretrained(folder).project(["a"])

    def test_a_missing_captioner(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(UnknownNameError, match="'sgf-hub/toy-captioner' is not in the zoo"):
            load_predictor(str(folder))(SOME)


def test_a_zoo_of_captions_composes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sgf_hub.hub.names
    from sgf_hub.editing.editor import SGFEditor

    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path)
    write_caption_zoo(tmp_path)
    editor = SGFEditor.from_pretrained("sgf-toy-captions")
    assert isinstance(editor.predictor, CaptionPredictor) and editor.mapping.spec == editor.predictor.spec
