"""Measuring projections, at toy size: the records are whole, and become tables."""

import json
from pathlib import Path

import pytest
import torch

from sgf_hub.cli import main as cli
from sgf_hub.cli.measure import JUDGES
from sgf_hub.editing.editor import SGFEditor
from sgf_hub.evaluation import projection as measuring
from sgf_hub.evaluation.page import full_page, summary
from sgf_hub.evaluation.projection import measure_edits_after, measure_out_of_domain, measure_projection
from sgf_hub.inversion.projection import ProjectionConfig
from sgf_hub.inversion.projector import Projector
from sgf_hub.predictors import load_predictor
from tests.inversion.toys import write_encoder

SHORT = ProjectionConfig(steps=3, plus_steps=3)


@pytest.fixture
def toys(in_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measuring, "TIMED", 1)
    return write_encoder(in_zoo)


@pytest.fixture
def projector(toys: Path) -> Projector:
    return Projector.from_pretrained("toy-stylegan2")


def test_three_searches_side_by_side(projector: Projector, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = load_predictor(["toy-attributes", "toy-keypoints"])
    options = {"world": "avatars", "samples": 3, "seeds": 2, "config": SHORT}
    rows = {row["search"]: row for row in measure_projection(projector, judge, **options)}
    assert list(rows) == ["encoder", "w", "w+"]
    for row in rows.values():
        assert 0 <= row["least"] <= row["similarity"] <= 1 and 0 <= row["attributes"] <= 1
        assert row["seconds"] > 0 and "similarity_std" in row and "seconds_std" not in row
    assert rows["w+"]["pixel_error"] < rows["encoder"]["pixel_error"]


def test_one_run_gives_what_three_would(projector: Projector) -> None:
    pictures = measuring.of_world("avatars", 2, 5, 32)
    found = measuring._searched(projector, pictures, SHORT)
    alone = projector.project(pictures, ProjectionConfig(steps=3, plus_steps=0))
    assert torch.allclose(torch.cat([one.latent.data for one in found["w"]]), alone.latent.data, atol=1e-5)
    projector.encoder.expressible_from = 1.0
    found = measuring._searched(projector, pictures, SHORT)
    assert torch.equal(found["w"][0].latent.data, found["w+"][0].latent.data), "nothing went on into W+"


def test_strangers_and_edits(projector: Projector) -> None:
    projector.encoder.expressible_from = 1.0
    rows = list(measure_out_of_domain(projector, world="avatars", samples=2, config=SHORT))
    assert [row["kind"] for row in rows] == ["flower", "digit", "gradient of colours"]
    assert all(row["expressible"] == 0 and "cannot draw" in row["said"] for row in rows)
    editor = SGFEditor.from_pretrained("sgf-toy-attributes", generator=projector.generator)
    edits = list(measure_edits_after(projector, editor, world="avatars", samples=2, config=SHORT))
    assert [row["start"] for row in edits] == ["generated", "encoder", "w", "w+"]
    assert all(0 <= row["reached"] <= 1 for row in edits)


def test_the_command_keeps_the_figures_for_the_page(toys: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(JUDGES, "avatars", ("toy-attributes", "toy-keypoints"))
    monkeypatch.setattr("sgf_hub.inversion.projection.ProjectionConfig", lambda: SHORT)
    monkeypatch.setattr("sgf_hub.evaluation.page.root", lambda: toys)
    (toys / "sgf-toy-attributes").rename(toys / "sgf-avatars-attributes")
    words = ["measure", "projection", "toy-stylegan2-encoder", "--samples", "2", "--seeds", "1", "--edited", "1"]
    monkeypatch.setattr("sys.argv", ["sgf-hub", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, capsys.readouterr().err
    kept = json.loads((toys / "toy-stylegan2-encoder/measured.json").read_text())["projection"]
    assert len(kept["rows"]) == 3 and len(kept["out_of_domain"]) == 3 and len(kept["edits"]) == 4
    page = full_page()
    assert "| W, then W+ |" in page and "| digit |" in page and "2 held-out drawn pictures" in summary()
