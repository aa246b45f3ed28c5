"""Methods by name: what is fitted is found, or fitted and kept."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from sgf_hub.baselines import (
    METHODS,
    GANSpaceEditor,
    InterFaceGANEditor,
    LACEEditor,
    LatentDescentEditor,
    baseline,
    fitted_name,
)
from sgf_hub.cli.main import app
from sgf_hub.errors import BadValueError
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor
from sgf_hub.types import ConditionSpec
from tests.baselines.toys import boundaries_of, pairs_of, sampled_pairs
from tests.toys import PlainGenerator, PlainPredictor, toy_mapping

G, C = PlainGenerator(3), PlainPredictor(torch.eye(3))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of LACE that take a moment."""
    monkeypatch.setattr("sgf_hub.baselines.classifiers._STEPS", 50)
    monkeypatch.setattr("sgf_hub.baselines.lace.HELD", (0.01,))
    monkeypatch.setattr("sgf_hub.baselines.lace.NEAR", (0.0,))


def pairs():
    return sampled_pairs(G, C, 300)


def never():
    raise AssertionError("no pairs are needed")


@pytest.mark.parametrize(
    ("method", "kind", "conditions"),
    [("interfacegan", InterFaceGANEditor, ()), ("interfacegan-conditional", InterFaceGANEditor, "all"),
     ("ganspace", GANSpaceEditor, None), ("lace", LACEEditor, None), ("latent-descent", LatentDescentEditor, None)],
)  # fmt: skip
def test_fitted_once(in_toy_zoo: Path, tmp_path: Path, method: str, kind: type, conditions: object) -> None:
    first = baseline(method, G, C, generator_name="sgf-hub/plain", pairs=pairs, fitted=tmp_path)
    again = baseline(method, G, C, generator_name="sgf-hub/plain", pairs=never, fitted=tmp_path)
    assert type(first) is type(again) is kind and first.sweep == again.sweep
    assert getattr(first, "conditions", None) == conditions
    steps = list(first.steps(G.sample(2, seed=0), {"a0": 1}, first.sweep))
    repeat = list(again.steps(G.sample(2, seed=0), {"a0": 1}, first.sweep))
    assert torch.equal(steps[-1].latent.data, repeat[-1].latent.data)


def test_without_a_folder_nothing_is_written(in_toy_zoo: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    baseline("interfacegan", G, C, generator_name="plain", pairs=pairs)
    assert list(tmp_path.iterdir()) == []


def test_the_zoo_is_looked_into(in_zoo: Path) -> None:
    boundaries_of(torch.eye(3)).save_pretrained(in_zoo / fitted_name("sgf-hub/plain", "interfacegan"))
    editor = baseline("interfacegan", G, C, generator_name="sgf-hub/plain", pairs=never)
    assert torch.equal(editor.boundaries.normals, torch.eye(3))  # type: ignore[attr-defined]


def test_mistakes(in_toy_zoo: Path) -> None:
    with pytest.raises(BadValueError, match="the method is 'ganspce'; choose 'interfacegan' or 'interfacegan-cond"):
        baseline("ganspce", G, C, generator_name="plain", pairs=never)
    with pytest.raises(BadValueError, match="these pairs are of sgf-hub/plain, not of sgf-hub/other: sample pairs"):
        baseline("ganspace", G, C, generator_name="sgf-hub/other", pairs=pairs)
    old = pairs()
    old.c.neg_()
    with pytest.raises(BadValueError, match="these pairs were sampled with other weights than plain has: sample them"):
        baseline("interfacegan", G, C, generator_name="plain", pairs=lambda: old)
    few = pairs_of(torch.randn(50, 3), torch.randn(50, 1), ConditionSpec(("a0",)))
    with pytest.raises(BadValueError, match="these pairs say nothing of a1, a2: sample pairs with this predictor"):
        baseline("interfacegan", G, C, generator_name="plain", pairs=lambda: few)


def test_the_command(in_toy_zoo: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["sample-pairs", "--out", str(tmp_path / "pairs"), "--count", "300", "--generator",
                                   "sgf-hub/toy-stylegan2", "--predictor", "sgf-hub/toy-attributes", "--predictor",
                                   "sgf-hub/toy-keypoints"])  # fmt: skip
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(app, ["train", "baselines", "sgf-toy-attributes", "--pairs", str(tmp_path / "pairs"),
                                   "--out", str(tmp_path / "zoo")])  # fmt: skip
    assert run.exit_code == 0, run.output
    for kind in ("interfacegan", "ganspace", "lace", "stylespace"):
        made = json.loads((tmp_path / "zoo" / f"toy-stylegan2-{kind}" / "training.json").read_text())
        assert made["pairs"] == 300 and made["measured"]
    generator, predictor = load_generator("toy-stylegan2"), load_predictor("toy-attributes")
    for method in METHODS:
        baseline(method, generator, predictor, generator_name="toy-stylegan2", pairs=never, fitted=tmp_path / "zoo")


def test_the_command_for_a_generator_without_styles(in_zoo: Path, tmp_path: Path) -> None:
    toy_mapping(generator="sgf-hub/toy-progan", latent_space="z").save_pretrained(in_zoo / "sgf-toy-z")
    run = CliRunner().invoke(app, ["sample-pairs", "--out", str(tmp_path / "pairs"), "--count", "60", "--generator",
                                   "sgf-hub/toy-progan", "--predictor", "sgf-hub/toy-attributes"])  # fmt: skip
    assert run.exit_code == 0, run.output
    command = ["train", "baselines", "sgf-toy-z", "--pairs", str(tmp_path / "pairs"), "--out", str(tmp_path / "made")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert sorted(one.name for one in (tmp_path / "made").iterdir()) == [
        "toy-progan-ganspace", "toy-progan-interfacegan", "toy-progan-lace",
    ]  # fmt: skip
    run = CliRunner().invoke(app, [*command, "--methods", "stylespace"])
    assert str(run.exception) == (
        "'stylespace' moves the styles of a StyleGAN2, and sgf-hub/toy-progan has none: leave it out."
    )
    run = CliRunner().invoke(app, [*command, "--methods", "lace,latent-descent"])
    assert "the method is 'latent-descent'; choose 'interfacegan' or" in str(run.exception)
