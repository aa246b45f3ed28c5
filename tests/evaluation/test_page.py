"""The page of measured figures, from a zoo's own files."""

import json
from pathlib import Path

import pytest

from sgf_hub.errors import CorruptFileError
from sgf_hub.evaluation import page
from sgf_hub.evaluation.page import BEGIN, END, full_page, renew_block, summary

HELD = {
    "faces": 4000,
    "accuracy": 0.981,
    "keypoint_error": 0.0061,
    "accuracies": {"smile": 0.95, "hat": 0.99},
    "balanced_accuracies": {"smile": 0.94, "hat": 0.98},
}
FLIP = {"reached": 0.99, "reached_by_judge": 0.97, "others_changed": 0.4, "steps": 6.5}
MOVE = {
    "before": 0.025,
    "after": 0.007,
    "after_by_judge": 0.009,
    "reached": 0.9,
    "attributes_changed": 0.05,
    "steps": 9,
}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo that holds figures only."""

    def write(name: str, file: str, value: dict) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).write_text(json.dumps(value))

    monkeypatch.setattr(page, "root", lambda: tmp_path)
    for name in ("avatars-attributes", "avatars-judge-attributes"):
        write(name, "training.json", {"command": "sgf-hub train predictor x", "held_out": HELD})
    made = {"generated_truncation_1": 3.21, "generated_truncation_1_std": 0.05, "drawn_to_drawn": 0.2}
    write("avatars-stylegan2", "measured.json", {"generator": {"command": "sgf-hub measure generator x", **made}})
    both = [(s, a) for s in ("paper", "tuned") for a in ("smile", "hat")]
    rows = [{"stepping": s, "attribute": a, **FLIP} for s, a in both]
    head = {"command": "sgf-hub measure edits x", "samples": 100, "seeds": 3}
    write("sgf-avatars-attributes", "measured.json", {"edits": {**head, "rows": rows}})
    rows = [{"stepping": s, **MOVE, "after_std": 0.0004} for s in ("paper", "tuned")]
    write("sgf-avatars-keypoints", "measured.json", {"edits": {**head, "rows": rows}})
    report = {"loss": 0.4, "loss_shuffled": 0.7, "slopes": {"smile": 0.8, "hat": 0.6}, "jacobian": {"0": 0.3, "1": 0.9}}
    write("sgf-avatars-attributes", "training.json", {"report": report})
    return tmp_path


@pytest.mark.parametrize(
    "figure",
    ["98.10%", "95.00% (smile)", "0.61% of the side", "3.210 ± 0.050", "99.0%", "0.40 of 1", "0.70% ± 0.04%", "2.50%"],
)
def test_summary_tells(measured: Path, figure: str) -> None:
    assert figure in summary()


@pytest.mark.parametrize("command", ["train predictor x", "measure generator x", "measure edits x"])
def test_every_figure_has_its_command(measured: Path, command: str) -> None:
    assert f"`sgf-hub {command}`" in summary()


def test_tables_have_as_many_cells_as_heads(measured: Path) -> None:
    lines = [line for line in full_page().splitlines() if line.startswith("|")]
    assert len(lines) > 20
    columns = None
    for before, line in zip(["", *lines], lines, strict=False):
        if set(line) <= set("|-"):
            columns = before.count("|")
        if columns and not line.startswith("|---") and lines[lines.index(line) - 1].startswith("|---"):
            assert line.count("|") == columns


@pytest.mark.parametrize(
    "what", ["| hat | 99.0% | 98.0% |", "0.400", "weakest | hat 0.60, smile 0.80", "stepping 'paper'"]
)
def test_full_page_tells(measured: Path, what: str) -> None:
    assert what in full_page()


def test_an_unmeasured_zoo_has_a_page_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "root", lambda: tmp_path)
    assert full_page().startswith("# Measured figures")


class TestReadme:
    def test_only_the_block_is_renewed(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
        for _ in range(2):
            renew_block(tmp_path / "README.md", "new")
            assert (tmp_path / "README.md").read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"

    def test_without_marks(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("text")
        with pytest.raises(CorruptFileError, match="has no lines .*: add them where the figures belong"):
            renew_block(tmp_path / "README.md", "new")
        assert (tmp_path / "README.md").read_text() == "text"
