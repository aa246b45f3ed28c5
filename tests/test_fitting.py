"""Fit: from a generator and a predictor to a mapping that edits, whatever interrupts it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from sgf_hub.data import pairs as pairs_module
from sgf_hub.editing.editor import SGFEditor
from sgf_hub.errors import BadValueError, CorruptFileError, DegenerateMappingError, UnknownNameError
from sgf_hub.fitting import FitConfig, Parts, estimate, fit
from sgf_hub.training.mapping import PRESETS
from sgf_hub.training.recipes import RECIPES, recipe
from sgf_hub.types import ConditionSpec
from tests.toys import PlainGenerator, PlainPredictor

TRAINING = replace(PRESETS["fast"], iterations=150, batch=64, layers=3)
CONFIG = FitConfig(pairs=600, samples=3, mapping=TRAINING)
SPECS = {
    "attributes": ConditionSpec(("smile", "hat"), groups=(("smile", "hat"),)),
    "keypoints": ConditionSpec((), ("nose",)),
    "joint": ConditionSpec(("smile",), ("nose",)),
}


class Squashed(PlainPredictor):
    """tanh(M z): scores, and keypoints, in their range."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(images))


def parts(kind: str = "attributes", seed: int = 0) -> Parts:
    spec = SPECS[kind]
    matrix = torch.randn(spec.dimension, 6, generator=torch.Generator().manual_seed(seed))
    return Parts(PlainGenerator(6), Squashed(matrix, spec), "mine.py:generator", ("mine.py:predictor",))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "SHARD", 200)


def drain(tmp_path: Path, made: Parts, config: FitConfig = CONFIG) -> list:
    return list(fit(config, made, tmp_path / "work", tmp_path / "out", command="sgf-hub fit ..."))


class TestFit:
    @pytest.mark.parametrize("kind", SPECS)
    def test_the_mapping_edits(self, tmp_path: Path, kind: str) -> None:
        made = parts(kind)
        seen = drain(tmp_path, made)
        assert [stage for stage in dict.fromkeys(at.stage for at in seen)] == ["pairs", "mapping", "check"]
        assert all(at.done <= at.total for at in seen)
        editor = SGFEditor.from_pretrained(str(tmp_path / "out"), generator=made.generator, predictor=made.predictor)
        assert editor.mapping.spec == made.predictor.spec
        figures = json.loads((tmp_path / "out" / "measured.json").read_text())["fit"]
        names = [*SPECS[kind].attributes, *(["keypoints"] if SPECS[kind].keypoints else [])]
        assert [row["name"] for row in figures["rows"]] == names
        assert all(0 <= row["reached"] <= 1 and row["samples"] == 3 for row in figures["rows"])
        with Image.open(tmp_path / "out" / "preview.png") as picture:
            assert min(picture.size) > 300

    def test_attributes_are_reached(self, tmp_path: Path) -> None:
        drain(tmp_path, parts(), replace(CONFIG, samples=16, mapping=replace(TRAINING, iterations=400)))
        rows = json.loads((tmp_path / "out" / "measured.json").read_text())["fit"]["rows"]
        assert sum(row["reached"] for row in rows) / len(rows) > 0.8

    def test_a_mapping_of_own_code_asks_for_it(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        with pytest.raises(UnknownNameError, match="maker's own code, mine.py:generator: give the generator and"):
            SGFEditor.from_pretrained(str(tmp_path / "out"))

    def test_a_mapping_that_ignores_c_is_refused(self, tmp_path: Path) -> None:
        made = parts()
        blind = replace(made, predictor=PlainPredictor(torch.zeros(2, 6), SPECS["attributes"]))
        with pytest.raises(DegenerateMappingError):
            drain(tmp_path, blind)
        assert not (tmp_path / "out").exists()


class TestResuming:
    @pytest.mark.parametrize("after", [1, 4, 9, 12, 14])
    def test_a_kill_at_any_point_changes_nothing(self, tmp_path: Path, after: int) -> None:
        whole = tmp_path / "whole"
        drain(whole, parts())
        run = fit(CONFIG, parts(), tmp_path / "work", tmp_path / "out", command="sgf-hub fit ...")
        for _ in range(after):
            next(run)
        run.close()
        drain(tmp_path, parts())
        for name in ("model.safetensors", "config.json", "measured.json", "preview.png"):
            assert (tmp_path / "out" / name).read_bytes() == (whole / "out" / name).read_bytes(), name

    def test_nothing_is_sampled_twice(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        again = parts()
        steps = fit(CONFIG, again, tmp_path / "work", tmp_path / "out")
        assert next(steps).done == 600
        assert sum(again.generator.asked) <= 4  # the probe alone

    def test_another_predictor_is_refused(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        with pytest.raises(BadValueError, match="another than the one that .* was begun with: delete that folder"):
            drain(tmp_path, parts(seed=1))

    def test_more_pairs_train_anew(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        before = (tmp_path / "out" / "model.safetensors").read_bytes()
        drain(tmp_path, parts(), replace(CONFIG, pairs=1200))
        assert (tmp_path / "out" / "model.safetensors").read_bytes() != before

    def test_fewer_pairs_give_what_they_would_have_given(self, tmp_path: Path) -> None:
        drain(tmp_path / "once", parts())
        drain(tmp_path, parts(), replace(CONFIG, pairs=1200))
        drain(tmp_path, parts())
        name = "out/model.safetensors"
        assert (tmp_path / name).read_bytes() == (tmp_path / "once" / name).read_bytes()

    def test_a_damaged_checkpoint_is_told(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        (tmp_path / "work" / "mapping-600" / "checkpoint.pt").write_bytes(b"garbage")
        with pytest.raises(CorruptFileError, match=r"checkpoint\.pt is damaged, .*: delete it to train anew"):
            drain(tmp_path, parts())

    def test_a_damaged_record_is_told(self, tmp_path: Path) -> None:
        drain(tmp_path, parts())
        (tmp_path / "work" / "parts.json").write_text("{}")
        with pytest.raises(CorruptFileError, match="does not describe a fit: delete it"):
            drain(tmp_path, parts())


class TestFolders:
    """Whatever is wrong with a folder is told before anything is sampled."""

    def refused(self, tmp_path: Path, out: Path, told: str) -> None:
        made = parts()
        with pytest.raises(BadValueError, match=told):
            list(fit(CONFIG, made, tmp_path / "work", out))
        assert not made.generator.asked and not (tmp_path / "work").exists()

    def test_a_folder_that_holds_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "README.md").write_text("mine")
        self.refused(tmp_path, tmp_path / "out", "holds 'README.md', and is no earlier fit of this generator and")

    @pytest.mark.parametrize("change", [{"class": "StyleGAN2"}, {"generator": "x.py:y"}, {"predictor": ["x.py:y"]}])
    def test_another_model(self, tmp_path: Path, change: dict) -> None:
        held = {"class": "SGFMapping", "generator": "mine.py:generator", "predictor": ["mine.py:predictor"]}
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "config.json").write_text(json.dumps({**held, **change}))
        self.refused(tmp_path, tmp_path / "out", "is no earlier fit of this generator and predictor: give a new --out")

    def test_an_entry_of_the_zoo(self, tmp_path: Path, in_zoo: Path) -> None:
        self.refused(tmp_path, in_zoo / "sgf-toy-attributes", "is no earlier fit")

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        self.refused(tmp_path, tmp_path / "file" / "out", "cannot be written .*: give another --out")

    def test_work_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BadValueError, match="cannot be made a folder .*: give another --runs"):
            list(fit(CONFIG, parts(), tmp_path / "file" / "work", tmp_path / "out"))

    def test_weights_that_a_kill_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.safetensors").write_bytes(b"half")
        drain(tmp_path, parts())
        assert (tmp_path / "out" / "config.json").is_file()


class TestEstimate:
    def test_it_grows_with_what_is_asked(self) -> None:
        one, ten = (estimate(replace(CONFIG, pairs=n), parts()) for n in (10_000, 1_000_000))
        assert ten["seconds"]["pairs"] > 5 * one["seconds"]["pairs"]
        assert ten["disk_megabytes"] > 20 * one["disk_megabytes"] > 0
        assert one["seconds_in_all"] >= max(one["seconds"].values())


class TestSettings:
    @pytest.mark.parametrize(
        ("change", "told"),
        [({"pairs": 3}, "pairs is 3"), ({"truncation": 2.0}, "truncation is 2"), ({"samples": 1}, "samples is 1")],
    )
    def test_numbers_are_checked(self, change: dict, told: str) -> None:
        with pytest.raises(BadValueError, match=told):
            replace(CONFIG, **change)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"iterations": 0}, "iterations is 0"),
            ({"noise": -1.0}, "noise is -1"),
            ({"noise": float("nan")}, "noise is nan"),
            ({"layers": 257}, "layers is 257"),
        ],
    )
    def test_numbers_of_the_training_are_checked(self, change: dict, told: str) -> None:
        with pytest.raises(BadValueError, match=told):
            replace(TRAINING, **change)

    def test_the_largest_seed(self, tmp_path: Path) -> None:
        largest = 2**63 - 1
        seen = drain(
            tmp_path, parts(), replace(CONFIG, pairs=1200, seed=largest, mapping=replace(TRAINING, seed=largest))
        )
        assert seen[-1].stage == "check"

    def test_recipes_are_the_papers(self) -> None:
        assert list(RECIPES) == ["ffhq-attributes", "celebahq-attributes", "anime-keypoints", "flowers-caption"]
        assert {one.pairs for one in RECIPES.values()} == {200_000}
        assert [one.space for one in RECIPES.values()] == ["w", "z", "w", "w"]

    def test_a_recipe_refuses_what_is_not_of_it(self) -> None:
        made = parts("joint")
        recipe("anime-keypoints").check("anime-keypoints", made.generator, made.predictor.spec)
        with pytest.raises(BadValueError, match="edits ProgressiveGAN of CelebA-HQ in Z, and this generator's .* in W"):
            recipe("celebahq-attributes").check("celebahq-attributes", made.generator, made.predictor.spec)
        with pytest.raises(BadValueError, match="is of attributes .*, and this predictor gives joint"):
            recipe("ffhq-attributes").check("ffhq-attributes", made.generator, made.predictor.spec)

    def test_a_mistyped_recipe_is_told(self) -> None:
        with pytest.raises(UnknownNameError, match="did you mean 'ffhq-attributes'"):
            recipe("fhq-attributes")
