"""Several processes: the same pairs, the same F, and one writer."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sgf_hub.data import pairs
from sgf_hub.data.distributed import ALONE, Group
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor
from sgf_hub.training.mapping import PRESETS, train
from tests.toys import write_zoo

# what accelerate calls several GPUs is several processes, on CPUs as well
TWO = (
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
)
WORK = """
import os
import sys
from pathlib import Path
from sgf_hub.data.distributed import group
from tests.training.test_together import work
together = group()
loss = work(*map(Path, sys.argv[1:]), together)
# in one piece: both processes write into one file
os.write(1, f"rank {together.rank} of {together.size} loss {loss:.9f}\\n".encode())
"""


def work(zoo: Path, out: Path, group: Group) -> float:
    """Sample pairs and train F on them, as one of a group; the last loss."""
    generator, predictor = load_generator(zoo / "toy-stylegan2"), load_predictor([str(zoo / "toy-attributes")])
    info = pairs.PairsInfo("g", ("c",), "w", predictor.spec, 0.8, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "SHARD", 40)
        for _ in pairs.sample_pairs(generator, predictor, info, out / "pairs", count=300, group=group):
            pass
    config = replace(PRESETS["fast"], iterations=100, batch=33, layers=2, held_out=0.1)
    sampled = pairs.load_pairs(out / "pairs")
    records = list(train(config, sampled, out / "work", out / "mapping", group=group))
    assert len(records) == (2 if group.leads else 1), records
    return records[0]["loss"]


def launched(folder: Path) -> str:
    """What two processes tell that do the work together."""
    root = Path(__file__).parents[2]
    (folder / "work.py").write_text(WORK)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "accelerate.commands.launch", *TWO, "work.py", str(folder.parent / "zoo"), "."]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd=folder)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The work of one process, and of two that go on where others were killed."""
    root = tmp_path_factory.mktemp("together")
    write_zoo(root / "zoo")
    folders = {name: root / name for name in ("one", "two")}
    for folder in folders.values():
        folder.mkdir()
    loss = work(root / "zoo", folders["one"], ALONE)
    (folders["one"] / "told").write_text(f"rank 0 of 1 loss {loss:.9f}\n")
    # what killed processes leave: some shards, not the first ones, and a half one
    kept = folders["two"] / "pairs"
    kept.mkdir()
    for name in ("pairs.json", "pairs-00003.safetensors"):
        (kept / name).write_bytes((folders["one"] / "pairs" / name).read_bytes())
    (kept / "pairs-00005.part").write_bytes(b"half")
    (folders["two"] / "told").write_text(launched(folders["two"]))
    return folders


class TestTwoProcesses:
    def test_both_worked(self, made: dict[str, Path]) -> None:
        told = (made["two"] / "told").read_text().split("\n")
        assert sorted(line[: len("rank 0 of 2")] for line in told if line) == ["rank 0 of 2", "rank 1 of 2"]

    def test_no_pair_is_lost_or_there_twice(self, made: dict[str, Path]) -> None:
        names = [f"pairs-{shard:05d}.safetensors" for shard in range(8)]
        one, two = ({path.name: path for path in (made[key] / "pairs").iterdir()} for key in ("one", "two"))
        assert sorted(two) == sorted([*names, "pairs.json"]) == sorted(one)
        for name in names:
            assert one[name].read_bytes() == two[name].read_bytes(), name

    def test_the_mapping_is_the_same_up_to_rounding(self, made: dict[str, Path]) -> None:
        one, two = (load_file(made[key] / "mapping" / "model.safetensors") for key in ("one", "two"))
        assert one.keys() == two.keys()
        for key, value in one.items():
            torch.testing.assert_close(two[key].float(), value.float(), rtol=2e-2, atol=2e-3, msg=key)

    def test_every_process_tells_the_loss_of_the_whole_batch(self, made: dict[str, Path]) -> None:
        losses = [float(line.split()[-1]) for key in made for line in (made[key] / "told").read_text().splitlines()]
        assert len(losses) == 3
        assert losses[1] == losses[2] == pytest.approx(losses[0], rel=1e-4)

    def test_one_writes_the_log(self, made: dict[str, Path]) -> None:
        assert len((made["two"] / "work" / "log.jsonl").read_text().splitlines()) == 1


class TestGroup:
    @pytest.mark.parametrize(("count", "size"), [(8, 1), (8, 3), (33, 2), (2, 5)])
    def test_shares_are_all_of_it_once(self, count: int, size: int) -> None:
        things = list(range(count))
        shares = [things[Group(rank, size).share(count)] for rank in range(size)]
        assert sum(shares, []) == things
        assert max(map(len, shares)) - min(map(len, shares)) <= 1

    def test_one_alone_adds_nothing(self) -> None:
        value = torch.ones(3)
        ALONE.add([value])
        ALONE.wait()
        assert ALONE.leads and torch.equal(value, torch.ones(3))
