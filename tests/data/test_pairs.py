"""Pairs: c is C(G(z)), a killed sampling goes on where it was, and damaged folders are told."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sgf_hub.data import pairs as module
from sgf_hub.data.pairs import Pairs, PairsInfo, load_pairs, sample_pairs, select
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.types import ConditionSpec
from tests.toys import PlainGenerator, PlainPredictor

SPEC = ConditionSpec(("smile", "hat"), ("nose",), (("smile", "hat"),))
INFO = PairsInfo("g", ("attributes-head", "keypoints-head"), "w", SPEC, 0.8, 3)
MATRIX = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD", 10)


def sample(folder: Path, count: int = 25, info: PairsInfo = INFO) -> list[int]:
    return list(sample_pairs(PlainGenerator(6), PlainPredictor(MATRIX, SPEC), info, folder, count=count, batch=4))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sample(tmp_path / "pairs")
    return tmp_path / "pairs"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class TestSampling:
    def test_c_is_what_the_predictor_reads(self, folder: Path) -> None:
        pairs = load_pairs(folder)
        assert (pairs.z.shape, pairs.c.shape) == ((25, 6), (25, 4))
        torch.testing.assert_close(pairs.c, pairs.z @ MATRIX.T)

    def test_all_pairs_differ(self, folder: Path) -> None:
        assert len(load_pairs(folder).z.unique(dim=0)) == 25

    def test_truncation_is_used(self, folder: Path, tmp_path: Path) -> None:
        sample(tmp_path / "other", info=dataclasses.replace(INFO, truncation=0.4))
        torch.testing.assert_close(load_pairs(tmp_path / "other").z * 2, load_pairs(folder).z)

    def test_seeds_differ(self, folder: Path, tmp_path: Path) -> None:
        sample(tmp_path / "other", info=dataclasses.replace(INFO, seed=4))
        assert not torch.equal(load_pairs(tmp_path / "other").z, load_pairs(folder).z)

    def test_info_comes_back(self, folder: Path) -> None:
        assert load_pairs(folder).info == INFO

    def test_shards(self, folder: Path) -> None:
        sizes = [len(load_file(path)["z"]) for path in sorted(folder.glob("*.safetensors"))]
        assert sizes == [10, 10, 5]

    def test_progress(self, tmp_path: Path) -> None:
        assert sample(tmp_path) == [0, 4, 8, 10, 14, 18, 20, 24, 25, 25]


class TestResuming:
    @pytest.mark.parametrize("lost", [0, 1, 2])
    def test_a_lost_shard_is_sampled_again(self, folder: Path, lost: int) -> None:
        before = contents(folder)
        (folder / f"pairs-{lost:05d}.safetensors").unlink()
        sample(folder)
        assert contents(folder) == before

    def test_a_kill_leaves_no_half_shard(self, folder: Path, tmp_path: Path) -> None:
        steps = sample_pairs(
            PlainGenerator(6), PlainPredictor(MATRIX, SPEC), INFO, tmp_path / "killed", count=25, batch=4
        )
        assert [next(steps) for _ in range(6)][-1] == 18
        steps.close()
        assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
            "pairs-00000.safetensors",
            "pairs.json",
        ]
        sample(tmp_path / "killed")
        assert contents(tmp_path / "killed") == contents(folder)

    def test_what_is_there_is_not_drawn_again(self, folder: Path) -> None:
        generator = PlainGenerator(6)
        seen = list(sample_pairs(generator, PlainPredictor(MATRIX, SPEC), INFO, folder, count=25))
        assert (seen, generator.asked) == ([25, 25], [])

    def test_more_can_be_asked_for(self, folder: Path, tmp_path: Path) -> None:
        sample(folder, count=37)
        sample(tmp_path / "at once", count=37)
        assert contents(folder) == contents(tmp_path / "at once")

    @pytest.mark.parametrize(
        "change", [{"seed": 4}, {"truncation": 0.7}, {"generator": "h"}, {"predictor": ("x",)}, {"space": "z"}]
    )
    def test_pairs_of_something_else_are_not_mixed(self, folder: Path, change: dict) -> None:
        before = contents(folder)
        with pytest.raises(BadValueError, match="holds pairs of another generator, predictor, truncation or seed: "):
            sample(folder, info=dataclasses.replace(INFO, **change))
        assert contents(folder) == before

    @pytest.mark.parametrize("count", [0, -5])
    def test_counts_are_checked(self, tmp_path: Path, count: int) -> None:
        with pytest.raises(BadValueError, match="the number of pairs must be positive"):
            sample(tmp_path, count=count)


class TestOlderFolders:
    """Those of before captions name no "caption"."""

    def test_they_load_and_go_on(self, folder: Path) -> None:
        path = folder / "pairs.json"
        index = json.loads(path.read_text())
        assert index["spec"].pop("caption") == 0
        path.write_text(json.dumps(index))
        assert load_pairs(folder).info == INFO
        assert sample(folder)[-1] == 25

    @pytest.mark.parametrize("caption", [-1, "x", 2])
    def test_a_caption_that_is_none(self, folder: Path, caption: object) -> None:
        index = json.loads((folder / "pairs.json").read_text())
        index["spec"]["caption"] = caption
        (folder / "pairs.json").write_text(json.dumps(index))
        with pytest.raises(CorruptFileError, match="does not describe pairs"):
            load_pairs(folder)


class TestDamage:
    def test_a_truncated_shard(self, folder: Path) -> None:
        path = folder / "pairs-00001.safetensors"
        path.write_bytes(path.read_bytes()[:-20])
        for use in (load_pairs, sample):
            with pytest.raises(
                CorruptFileError, match=r"pairs-00001.safetensors cannot be read .*: delete it and sample"
            ):
                use(folder)

    @pytest.mark.parametrize(
        "tensors",
        [
            {"z": torch.zeros(5, 6)},
            {"z": torch.zeros(5, 6), "c": torch.zeros(4, 4)},
            {"z": torch.zeros(5), "c": torch.zeros(5)},
            {"z": torch.zeros(5, 6), "c": torch.zeros(5, 4), "more": torch.zeros(1)},
        ],
    )
    def test_a_foreign_shard(self, folder: Path, tensors: dict) -> None:
        save_file(tensors, folder / "pairs-00002.safetensors")
        with pytest.raises(CorruptFileError, match="does not hold pairs: delete it and sample again"):
            load_pairs(folder)

    @pytest.mark.parametrize(
        "tensors",
        [
            {"z": torch.zeros(5, 6), "c": torch.zeros(5, 3)},
            {"z": torch.zeros(5, 7), "c": torch.zeros(5, 4)},
            {"z": torch.full((5, 6), torch.nan), "c": torch.zeros(5, 4)},
            {"z": torch.zeros(5, 6), "c": torch.full((5, 4), torch.inf)},
        ],
    )
    def test_a_shard_that_does_not_fit(self, folder: Path, tensors: dict) -> None:
        save_file(tensors, folder / "pairs-00002.safetensors")
        with pytest.raises(CorruptFileError, match=r"holds pairs that do not fit its pairs\.json"):
            load_pairs(folder)

    def test_no_shards(self, folder: Path) -> None:
        for path in folder.glob("*.safetensors"):
            path.unlink()
        with pytest.raises(CorruptFileError, match="holds no pairs: run `sgf-hub sample-pairs` first"):
            load_pairs(folder)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="pairs.json cannot be read"):
            load_pairs(tmp_path / "none")

    @pytest.mark.parametrize("change", [{"spec": 3}, {"spec": {"a": []}}, {"predictor": 3}, {"more": 1}])
    def test_an_index_that_describes_no_pairs(self, folder: Path, change: dict) -> None:
        index = json.loads((folder / "pairs.json").read_text())
        (folder / "pairs.json").write_text(json.dumps({**index, **change}))
        with pytest.raises(CorruptFileError, match="does not describe pairs"):
            load_pairs(folder)


class TestSelect:
    pairs = Pairs(INFO, torch.zeros(2, 6), torch.arange(8.0).view(2, 4))

    def test_attributes(self) -> None:
        part = select(self.pairs, keypoints=False)
        assert part.info.spec == ConditionSpec(("smile", "hat"), (), (("smile", "hat"),))
        assert part.info.predictor == ("attributes-head",)
        assert part.c.tolist() == [[0, 1], [4, 5]]

    def test_keypoints(self) -> None:
        part = select(self.pairs, attributes=False)
        assert part.info.spec == ConditionSpec((), ("nose",))
        assert part.info.predictor == ("keypoints-head",)
        assert part.c.tolist() == [[2, 3], [6, 7]]

    def test_all(self) -> None:
        assert select(self.pairs) is self.pairs

    def test_nothing_left(self) -> None:
        part = select(self.pairs, keypoints=False)
        with pytest.raises(BadValueError, match="these pairs hold attributes only: nothing would be left of c"):
            select(part, attributes=False)
