"""Edits by sentence: the loop, and the command line; a toy captioner, and words counted for an embedding."""

import csv
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import sgf_hub.hub.names
from sgf_hub.baselines.latent_descent import LatentDescentEditor
from sgf_hub.cli.main import main
from sgf_hub.editing import EditConfig, SGFEditor, StopReason
from sgf_hub.editing.stepping import Fixed
from sgf_hub.editing.trajectory import EditStep
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors.captions import predictor as captions
from tests.caption_toys import WordCounter, colour_captioner, plain_world, write_caption_zoo
from tests.toys import edit_config, toy_mapping, write_zoo

NAME = "sgf-toy-captions"


@pytest.fixture(autouse=True)
def toy_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "load_embedder", lambda name: WordCounter())
    monkeypatch.setattr("sgf_hub.predictors.captions.captioner.load_captioner", lambda name, **hub: colour_captioner)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captions, "load_embedder", lambda name: WordCounter())
        write_zoo(root)
        return write_caption_zoo(root)


@pytest.fixture
def caption_zoo(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: made)
    return made


class TestEditor:
    @pytest.fixture
    def editor(self) -> SGFEditor:
        generator, predictor, mapping = plain_world()
        return SGFEditor(mapping, generator, predictor)

    text = "a small blue flower with round petals"

    def test_arrives_at_the_words(self, editor: SGFEditor) -> None:
        latent = editor.generator.sample(12, seed=5)
        trajectory = editor.edit(latent, {"caption": self.text}, EditConfig())
        assert set(trajectory.reasons) == {StopReason.TARGET_REACHED}
        assert set(editor.predictor.words(trajectory.result.c)) == {self.text}
        assert max(trajectory.taken) > 1

    def test_the_papers_stepping(self, editor: SGFEditor) -> None:
        """A fixed delta_c walks past some, and arrives at most."""
        editor = editor.with_stepping(Fixed(order=0))
        trajectory = editor.edit(editor.generator.sample(12, seed=5), {"caption": self.text}, EditConfig.paper())
        arrived = [reason is StopReason.TARGET_REACHED for reason in trajectory.reasons]
        assert sum(arrived) >= 8
        texts = editor.predictor.words(trajectory.result.c)
        assert all(text == self.text for text, there in zip(texts, arrived, strict=True) if there)

    def test_grounded_holds_what_the_words_leave_out(self, editor: SGFEditor) -> None:
        latent = editor.generator.sample(12, seed=5)
        trajectory = editor.edit(latent, {"caption": "blue"})
        before, after = (editor.predictor.words(c) for c in (trajectory.steps[0].c, trajectory.result.c))
        expected = [text.replace("red", "blue").replace("green", "blue") for text in before]
        assert after == expected and len(set(after)) > 1

    def test_grounded_is_ours_and_replaces_the_target(self, editor: SGFEditor) -> None:
        assert (EditConfig.paper().grounded, EditConfig().grounded) == (False, True)
        latent = editor.generator.sample(1, seed=5)

        def aimed(config: EditConfig) -> str:
            step: EditStep = next(iter(editor.steps(latent, {"caption": "blue"}, config)))
            return editor.predictor.words(step.target.c)[0]

        assert aimed(EditConfig.paper()) == "blue"
        assert aimed(EditConfig.paper(grounded=True)) in editor.predictor.captions

    def test_ours_moves_along_the_secant(self, editor: SGFEditor) -> None:
        """A step of ours: F(z, c1) - F(z, c)."""
        latent = editor.generator.sample(3, seed=5)
        steps = list(editor.steps(latent, {"caption": self.text}, EditConfig(max_steps=1)))
        z, c, c1 = latent.data, steps[0].c, steps[0].target.c
        torch.testing.assert_close(steps[1].latent.data, z + editor.mapping(z, c1) - editor.mapping(z, c))

    def test_latent_descent_is_refused(self, editor: SGFEditor) -> None:
        with pytest.raises(BadValueError, match="latent descent needs gradients, and a caption has none"):
            LatentDescentEditor(editor.generator, editor.predictor)

    def test_attributes_are_not_grounded(self, toy_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: toy_zoo)
        editor = SGFEditor.from_pretrained("sgf-toy-attributes")
        latent = editor.generator.sample(1, seed=1)
        pair = [
            editor.edit(latent, {"smile": 1}, EditConfig.paper(max_steps=2, grounded=flag)) for flag in (False, True)
        ]
        assert torch.equal(pair[0].result.latent.data, pair[1].result.latent.data)


class TestMapping:
    def test_from_pretrained(self, caption_zoo: Path) -> None:
        editor = SGFEditor.from_pretrained(NAME)
        trajectory = editor.edit(
            editor.generator.sample(2, seed=3), {"caption": "a large red flower"}, EditConfig(max_steps=3)
        )
        assert len(trajectory.steps) <= 4 and torch.isfinite(trajectory.result.latent.data).all()

    def test_a_config_of_before_captions(self, tmp_path: Path) -> None:
        toy_mapping().save_pretrained(tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        assert config.pop("caption") == 0
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert SGFMapping.from_pretrained(tmp_path).spec.kind == "attributes"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"caption": -1}, "caption is -1"),
            ({"caption": "many"}, "caption is 'many'"),
            ({"caption": True}, "caption is True"),
            ({"caption": 7}, "does not fit its config"),
            ({"attributes": ["smile"]}, "a caption cannot be joined with attributes or keypoints"),
        ],
    )
    def test_damaged_configs(self, tmp_path: Path, change: dict, message: str) -> None:
        toy_mapping(attributes=(), caption=4).save_pretrained(tmp_path)
        edit_config(tmp_path, **change)
        with pytest.raises(CorruptFileError, match=message):
            SGFMapping.from_pretrained(tmp_path)

    def test_a_mapping_of_other_components(self, caption_zoo: Path, tmp_path: Path) -> None:
        toy_mapping(predictor=["sgf-hub/toy-captions"], attributes=(), caption=3).save_pretrained(tmp_path)
        with pytest.raises(
            BadValueError, match="trained with other conditions than this predictor's: use sgf-hub/toy-ca"
        ):
            SGFEditor.from_pretrained(str(tmp_path))


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch, capsys, tmp_path, caption_zoo):
        monkeypatch.chdir(tmp_path)

        def call(*arguments: object) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["sgf-hub", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
            told = capsys.readouterr()
            return int(ended.value.code or 0), told.out, told.err

        return call

    def test_the_words_before_and_after(self, run) -> None:
        text = "a large blue flower with pointed petals"
        code, out, err = run("edit", NAME, "--seed", 3, "--caption", f"  {text}\n", "--steps", 3, "--out", "o")
        told = json.loads(out)
        assert code == 0 and out.count("\n") == 1 and "no picture is known" not in err
        assert told.keys() == {"stop_reason", "step", "steps", "distance", "caption", "similarity"}
        assert all(caption.startswith("a ") for caption in told["caption"])
        assert all(-1 <= value <= 1 for value in told["similarity"])
        detail = json.loads(Path("o/trajectory.json").read_text())
        assert detail["path"][0]["caption"] == told["caption"][0]
        assert all(set(step) == {"step", "distance", "c", "caption"} for step in detail["path"])
        assert detail["names"][0] == "caption.0"
        assert load_file("o/latent.safetensors")["latent"].shape == (1, 16)

    def test_unfamiliar_words_are_told_before_and_still_tried(self, run) -> None:
        code, out, err = run("edit", NAME, "--seed", 3, "--caption", "the stock market fell", "--steps", 2)
        assert code == 0 and json.loads(out)["steps"] <= 2
        assert "no picture is known to have such a caption (the nearest is 'a " in err and "may lead anywhere" in err

    def test_many_seeds(self, run) -> None:
        code, out, err = run("edit", NAME, "--seeds", "0-2", "--caption", "a blue flower", "--steps", 2, "--out", "o")
        told = json.loads(out)
        assert code == 0, err
        assert told["edits"] == 3 and -1 <= told["mean_similarity_before"] <= told["mean_similarity_after"] <= 1
        with Path("o/results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["seed"] for row in rows] == ["0", "1", "2"]
        assert list(rows[0])[5:] == ["caption_before", "similarity_before", "caption_after", "similarity_after"]
        _, one, _ = run("edit", NAME, "--seed", 2, "--caption", "a blue flower", "--steps", 2)
        assert json.loads(one)["caption"] == [rows[2]["caption_before"], rows[2]["caption_after"]]

    def test_markup_is_text(self, run) -> None:
        code, out, err = run("edit", NAME, "--seed", 3, "--caption", "[/bold] red [link=x]", "--steps", 1)
        assert code == 0 and json.loads(out)["stop_reason"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((NAME, "--set", "smile=1"), f"{NAME} is edited by a sentence: give --caption in place of --set."),
            ((NAME, "--set", "smile=1", "--caption", "red"), "give --caption in place of --set"),
            (("sgf-toy-attributes", "--caption", "red"), "takes no sentence: give --set name=value in place of --capt"),
            ((NAME,), "no wish was given: say what the caption should be."),
            ((NAME, "--caption", ""), "the caption is empty; write a sentence"),
            ((NAME, "--caption", "🌸"), "the caption has no word in it"),
            ((NAME, "--caption", "y" * 513), "the caption has 513 characters; 512 are the most"),
            ((NAME, "--caption", "red", "--release", "size"), "'size' cannot be asked for or released here"),
        ],
    )
    def test_mistakes(self, run, arguments: tuple[str, ...], message: str) -> None:
        code, out, err = run("edit", *arguments, "--seed", "3", "--steps", "2")
        assert (code, out) == (2, "") and message in err
        assert err.startswith("sgf-hub: ") and err.count("\n") == 1 and not Path("out").exists()
