"""Training of F on a linear toy world: it uses c, goes on after a kill, and a degenerate F is refused."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sgf_hub.data.pairs import Pairs, PairsInfo
from sgf_hub.errors import BadValueError, DegenerateMappingError
from sgf_hub.mapping import SGFMapping
from sgf_hub.training import mapping as module
from sgf_hub.training.mapping import PRESETS, MappingConfig, MappingReport, measure, refuse_degenerate, train
from sgf_hub.types import ConditionSpec

TOY = MappingConfig(layers=3, embedding=16, iterations=300, batch=64, learning_rate=5e-3, decay=True, noise=1.0)


def toy_pairs(count: int = 3000, *, related: bool = True) -> Pairs:
    """c is the first three of the eight coordinates of z, in other units; or unrelated noise."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(count, 8, generator=rng)
    c = z[:, :3] * torch.tensor([0.5, 0.01, 2.0]) + 0.3 if related else torch.randn(count, 3, generator=rng)
    info = PairsInfo("sgf-hub/g", ("sgf-hub/p",), "w", ConditionSpec(("a", "b", "c")), 0.8, 0)
    return Pairs(info, 3 * z + 1, c)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("mapping")
    return folder, list(train(TOY, toy_pairs(), folder / "work", folder / "out", command="sgf-hub train mapping x"))


class TestTraining:
    def test_it_uses_the_condition(self, trained) -> None:
        report = trained[1][-1]
        assert report["loss"] < 0.75 * report["loss_shuffled"]
        assert min(report["slopes"].values()) > 0.3

    def test_it_learns(self, trained) -> None:
        losses = [record["loss"] for record in trained[1]]
        assert losses[2] < losses[0] < 2

    def test_slopes_point_the_right_way(self, trained) -> None:
        """Coordinate i of c is coordinate i of z: dF_i / dc_i is positive, and the largest in its row."""
        mapping, pairs = SGFMapping.from_pretrained(trained[0] / "out"), toy_pairs(64)
        units = [mapping.c_std * torch.eye(3)[i].expand(64, 3) for i in range(3)]
        moves = torch.stack([mapping.linearize(pairs.z, pairs.c, unit).along.mean(0) for unit in units])
        assert moves[:, :3].argmax(dim=1).tolist() == [0, 1, 2]

    def test_what_is_written(self, trained) -> None:
        made = json.loads((trained[0] / "out" / "training.json").read_text())
        assert (made["command"], made["pairs"]) == ("sgf-hub train mapping x", 3000)
        assert made["config"] == dataclasses.asdict(TOY)
        assert made["report"]["slopes"].keys() == {"a", "b", "c"}
        assert made["report"]["jacobian"].keys() == {"0", "0.5", "0.95", "1"}

    def test_mapping_names_what_it_was_trained_with(self, trained) -> None:
        mapping = SGFMapping.from_pretrained(trained[0] / "out")
        assert (mapping.generator_name, mapping.predictor_names) == ("sgf-hub/g", ("sgf-hub/p",))
        assert (mapping.latent_space, mapping.layers, mapping.spec.attributes) == ("w", 3, ("a", "b", "c"))

    def test_statistics_are_those_of_the_training_pairs(self, trained) -> None:
        weights, pairs = load_file(trained[0] / "out" / "model.safetensors"), toy_pairs()
        for name, data in (("z", pairs.z[:-150]), ("c", pairs.c[:-150])):
            torch.testing.assert_close(weights[f"{name}_mean"].float(), data.mean(0), rtol=2e-3, atol=1e-3)
            torch.testing.assert_close(weights[f"{name}_std"].float(), data.std(0), rtol=2e-3, atol=0)

    def test_saved_weights_have_spectral_norm_1(self, trained) -> None:
        weights = load_file(trained[0] / "out" / "model.safetensors")
        for name in ("embed_weight", "affine_weight", "weight"):
            norms = torch.linalg.matrix_norm(weights[name].float(), 2)
            torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0.02, atol=0)

    def test_log_has_every_hundredth_step(self, trained) -> None:
        log = [json.loads(line) for line in (trained[0] / "work" / "log.jsonl").read_text().splitlines()]
        assert [record["iteration"] for record in log] == [100, 200, 300]
        assert log == trained[1][:3]

    def test_a_finished_training_only_measures_again(self, trained, tmp_path: Path) -> None:
        records = list(train(TOY, toy_pairs(), trained[0] / "work", tmp_path / "again"))
        assert records == trained[1][-1:]

    @pytest.mark.parametrize(("space", "layers"), [("z", 6), ("w", 15)])
    def test_depth_is_the_papers_by_default(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str, layers: int
    ) -> None:
        monkeypatch.setattr(module, "refuse_degenerate", lambda report: None)
        pairs = toy_pairs(200)
        pairs = Pairs(dataclasses.replace(pairs.info, space=space), pairs.z, pairs.c)
        list(train(dataclasses.replace(TOY, layers=None, iterations=2), pairs, tmp_path / "w", tmp_path / "o"))
        assert SGFMapping.from_pretrained(tmp_path / "o").layers == layers


class TestResuming:
    config = dataclasses.replace(TOY, iterations=230)

    def test_a_killed_training_ends_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pairs = toy_pairs()
        unbroken = list(train(self.config, pairs, tmp_path / "a", tmp_path / "a-out"))
        clock = itertools.count(step=61)
        with monkeypatch.context() as patch:
            patch.setattr(module.time, "monotonic", lambda: next(clock))  # a checkpoint at every step
            broken = train(self.config, pairs, tmp_path / "b", tmp_path / "b-out")
            assert next(broken) == unbroken[0]
            broken.close()  # killed before the checkpoint of step 100
        resumed = list(train(self.config, pairs, tmp_path / "b", tmp_path / "b-out"))
        assert resumed[-1] == unbroken[-1]
        one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("a-out", "b-out"))
        assert all(torch.equal(one[key], other[key]) for key in one)

    def test_the_logged_loss_after_a_kill_is_a_mean(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = itertools.count(step=61)
        with monkeypatch.context() as patch:
            patch.setattr(module.time, "monotonic", lambda: next(clock))
            broken = train(self.config, toy_pairs(), tmp_path / "b", tmp_path / "out")
            first = next(broken)
            broken.close()
        again = next(train(self.config, toy_pairs(), tmp_path / "b", tmp_path / "out"))  # its only step is the 100th
        assert again["iteration"] == 100 and again["loss"] == pytest.approx(first["loss"], rel=0.5)

    def test_other_settings_are_not_mixed(self, trained, tmp_path: Path) -> None:
        with pytest.raises(BadValueError, match="holds a training with other settings: delete that folder to train"):
            next(train(dataclasses.replace(TOY, seed=1), toy_pairs(), trained[0] / "work", tmp_path))


class TestDegenerate:
    def test_a_condition_that_says_nothing_is_refused(self, tmp_path: Path) -> None:
        config = dataclasses.replace(TOY, noise=0.0)
        with pytest.raises(DegenerateMappingError, match="the mapping ignores its condition"):
            list(train(config, toy_pairs(related=False), tmp_path / "work", tmp_path / "out"))
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("certainty", "slopes"),
        [
            (0.0, {"a": 1.0}),
            (4.0, {"a": 1.0}),
            (-9.0, {"a": 1.0}),
            (90.0, {"a": 0.04, "b": 0.01}),
            (float("nan"), {"a": 1}),
        ],
    )
    def test_reports_that_are_refused(self, certainty: float, slopes: dict) -> None:
        with pytest.raises(DegenerateMappingError) as caught:
            refuse_degenerate(MappingReport(0.5, 0.505, slopes, {}, certainty))
        assert "so its field is zero: train longer, on more pairs, with more layers, or with noise on z" in str(
            caught.value
        )

    def test_one_attribute_of_many_dimensions_is_enough(self, tmp_path: Path) -> None:
        rng = torch.Generator().manual_seed(0)
        z = torch.randn(4000, 256, generator=rng)
        pairs = Pairs(PairsInfo("g", ("p",), "w", ConditionSpec(("smile",)), 0.8, 0), z, torch.tanh(z[:, :1]))
        config = dataclasses.replace(TOY, iterations=800, batch=128, noise=2.0, learning_rate=2e-3, decay=True)
        *_, report = train(config, pairs, tmp_path / "work", tmp_path / "out")
        assert 1 < report["loss_shuffled"] / report["loss"] < 1.02  # 1 of 256 numbers
        assert report["certainty"] > 5 and report["slopes"]["smile"] > 0.3

    def test_a_report_that_passes(self) -> None:
        refuse_degenerate(MappingReport(0.4, 0.402, {"a": 0.5, "b": 0.01}, {}, 6.0))

    @pytest.mark.parametrize("count", [1, 39])
    def test_too_few_pairs(self, tmp_path: Path, count: int) -> None:
        with pytest.raises(BadValueError, match=f"{count} pairs are too few to train on and measure"):
            next(train(TOY, toy_pairs(count), tmp_path, tmp_path / "out"))

    @pytest.mark.parametrize("layers", [0, -1, 1000])
    def test_layers_are_checked(self, tmp_path: Path, layers: int) -> None:
        with pytest.raises(BadValueError, match=f"layers is {layers}"):
            next(train(dataclasses.replace(TOY, layers=layers), toy_pairs(100), tmp_path, tmp_path / "out"))


class TestMeasure:
    def test_loss_is_in_standardised_units(self, trained) -> None:
        mapping, pairs = SGFMapping.from_pretrained(trained[0] / "out"), toy_pairs()
        report = measure(mapping, pairs.z, pairs.c)
        z = (pairs.z - mapping.z_mean) / mapping.z_std
        c = (pairs.c - mapping.c_mean) / mapping.c_std
        assert report.loss == pytest.approx((mapping.core(z, c) - z).square().mean().item(), rel=1e-3)

    def test_it_repeats(self, trained) -> None:
        mapping, pairs = SGFMapping.from_pretrained(trained[0] / "out"), toy_pairs(200)
        assert measure(mapping, pairs.z, pairs.c) == measure(mapping, pairs.z, pairs.c)


def test_the_preset_paper_is_section_4_3() -> None:
    assert PRESETS["paper"] == MappingConfig(
        layers=None,
        iterations=500_000,
        batch=8,
        learning_rate=2e-4,
        decay=False,
        noise=0.0,
        embedding=64,
        held_out=0.05,
        seed=0,
    )
