"""The zoo by one command, on a zoo of text files: what is stale, what is made anew, and what an edit refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sgf_hub.cli.main import app
from sgf_hub.editing.editor import SGFEditor
from sgf_hub.errors import CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub import names as zoo_names
from sgf_hub.hub.names import root
from sgf_hub.hub.provenance import fingerprint_of, made_from, record
from sgf_hub.training.zoo import TABLE, Zoo, read_table

MAKE = """import sys, pathlib
name, *parts = sys.argv[1:]
folder = pathlib.Path(name)
folder.mkdir(parents=True, exist_ok=True)
with open("log", "a") as log:
    log.write(name + "\\n")
if pathlib.Path("fails").exists() and pathlib.Path("fails").read_text() == name:
    sys.exit(3)
file = "pairs-00000.safetensors" if "runs" in name else "model.safetensors"
(folder / file).write_text("".join((pathlib.Path(part) / "model.safetensors").read_text() for part in parts) or "1")
"""


def row(writes: str, *parts: str, command: str = "") -> dict[str, Any]:
    where = [part if part.startswith("runs/") else f"zoo/{part}" for part in (writes, *parts) if "runs/" not in part]
    target = writes if writes.startswith("runs/") else f"zoo/{writes}"
    made = [one for one in where if one != target]
    run = command or " ".join([sys.executable, "make.py", target, *made])
    return {"writes": [writes], "from": list(parts), "run": [run], "minutes": 1}


@pytest.fixture
def small(tmp_path: Path) -> Zoo:
    """generator and reader -> pairs -> mapping; and a judge that nothing is made from."""
    (tmp_path / "zoo").mkdir()
    (tmp_path / "make.py").write_text(MAKE)
    rows = [
        row("generator"),
        row("reader"),
        row("judge"),
        row("runs/pairs", "generator", "reader"),
        row("mapping", "runs/pairs", "generator", "reader"),
    ]
    (tmp_path / "zoo" / TABLE).write_text(yaml.safe_dump(rows))
    return Zoo(tmp_path / "zoo", tmp_path)


def built(small: Zoo, *names: str) -> list[str]:
    return [step.name for step, _ in small.build(names)]


def statuses(small: Zoo) -> dict[str, str]:
    return {state.step.name: state.status for state in small.states()}


def change(small: Zoo, name: str) -> None:
    (small.folder(name) / "model.safetensors").write_text("other weights")


class TestBuild:
    def test_all_in_order_and_once(self, small: Zoo) -> None:
        assert set(statuses(small).values()) == {"missing"}
        assert built(small) == ["generator", "reader", "judge", "runs/pairs", "mapping"]
        assert set(statuses(small).values()) == {"made"} and built(small) == []

    def test_one_entry_and_what_it_is_made_from(self, small: Zoo) -> None:
        assert built(small, "mapping") == ["generator", "reader", "runs/pairs", "mapping"]
        assert statuses(small)["judge"] == "missing"

    def test_what_follows_is_made_anew(self, small: Zoo) -> None:
        built(small)
        change(small, "generator")
        found = {state.step.name: (state.status, state.why) for state in small.states()}
        assert found["mapping"] == ("stale", "made from other weights of generator") and found["judge"][0] == "made"
        assert built(small) == ["runs/pairs", "mapping"]
        assert (small.work / "runs" / "pairs.stale").is_dir()  # what a command would have gone on with

    def test_work_need_not_be_kept(self, small: Zoo) -> None:
        built(small)
        (small.folder("runs/pairs") / "pairs-00000.safetensors").unlink()
        (small.folder("runs/pairs") / "training.json").unlink()
        assert built(small) == [] and statuses(small)["mapping"] == "made"
        change(small, "reader")
        assert built(small) == ["runs/pairs", "mapping"]

    def test_a_failed_build_goes_on(self, small: Zoo) -> None:
        (small.work / "fails").write_text("runs/pairs")
        with pytest.raises(SGFError, match=r"make.py runs/pairs .*` ended with 3"):
            built(small)
        assert statuses(small)["reader"] == "made" and not (small.folder("mapping")).exists()
        (small.work / "fails").unlink()
        assert built(small) == ["runs/pairs", "mapping"]

    def test_a_step_that_writes_nothing(self, small: Zoo) -> None:
        (small.root / TABLE).write_text(yaml.safe_dump([row("nothing", command=f"{sys.executable} -c pass")]))
        with pytest.raises(SGFError, match="wrote no nothing: mend build.yaml"):
            built(Zoo(small.root, small.work))

    def test_names_that_are_not_there(self, small: Zoo) -> None:
        with pytest.raises(UnknownNameError, match="is made by no step of build.yaml .did you mean 'mapping'"):
            small.wanted(["maping"])
        (small.root / TABLE).write_text(yaml.safe_dump([row("mapping", "elsewhere")]))
        with pytest.raises(CorruptFileError, match="elsewhere is not there, and mapping is made from it"):
            built(Zoo(small.root, small.work))

    def test_unrecorded_entries_are_told(self, small: Zoo) -> None:
        built(small)
        path = small.folder("mapping") / "training.json"
        path.write_text(json.dumps({"command": "by hand"}))
        assert statuses(small)["mapping"] == "unknown"
        record(small.folder("mapping"), {"generator": "0"})
        assert json.loads(path.read_text()) == {"command": "by hand", "made_from": {"generator": "0"}}


class TestTable:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[", "cannot be read as YAML"),
            ("a: 1", "must be a list of steps"),
            ("- {writes: [a], run: [b]}", "a step has writes, from, run and minutes, not writes, run"),
            ("- {writes: [a], run: b, minutes: 1}", "run of a step is 'b'; it must be a list of texts"),
            ("- {writes: [a], run: [b], minutes: 1, form: [c]}", "not writes, run, minutes, form"),
            ("- {writes: [a], from: [a], run: [b], minutes: 1}", "a is made from a, which stands below it"),
        ],
    )
    def test_mistakes(self, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / TABLE).write_text(text)
        with pytest.raises(CorruptFileError, match=message):
            read_table(tmp_path / TABLE)


class TestEmbedded:
    """The table of the zoo itself."""

    def test_every_entry_with_weights_is_made_by_a_step(self) -> None:
        made = {name for step in read_table(root() / TABLE) for name in step.writes}
        trained = {entry.name for entry in zoo_names.entries() if not entry.fetched and entry.size > 1000}
        assert trained <= made  # faces-keypoints has no weights of its own
        assert {name for name in made if not name.startswith("runs/")} <= {entry.name for entry in zoo_names.entries()}

    def test_nothing_is_stale(self) -> None:
        told = [(state.step.name, state.why) for state in Zoo(root(), root().parent).states() if not state.step.is_work
                and state.status != "made"]  # fmt: skip
        assert told == []

    def test_commands(self) -> None:
        result = CliRunner().invoke(app, ["zoo", "build", "sgf-avatars-attributes", "--dry-run"])
        assert json.loads(result.stdout) == {"steps": [], "minutes": 0}
        told = json.loads(CliRunner().invoke(app, ["zoo", "status", "--json"]).stdout)
        assert {"writes": ["sgf-avatars-attributes"], "status": "made", "why": ""} in told


def test_an_edit_refuses_other_weights(in_zoo: Path) -> None:
    mapping = in_zoo / "sgf-toy-attributes"
    SGFEditor.from_pretrained("sgf-toy-attributes")  # of which nothing is recorded
    marks = {name: fingerprint_of(in_zoo / name) for name in ("toy-stylegan2", "toy-attributes")}
    record(mapping, marks)
    SGFEditor.from_pretrained("sgf-toy-attributes")
    record(mapping, {**marks, "toy-stylegan2": "0" * 16})
    assert made_from(mapping)["toy-stylegan2"] == "0" * 16
    with pytest.raises(CorruptFileError) as caught:
        SGFEditor.from_pretrained("sgf-toy-attributes")
    assert str(caught.value) == (
        "'sgf-toy-attributes' was made from other weights of 'toy-stylegan2' than lie beside it: `sgf-hub zoo build "
        "sgf-toy-attributes` makes it anew, or fetch both again."
    )
