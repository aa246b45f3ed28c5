"""The paper's four settings, with checkpoints in the formats that their users have, at toy size."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.generators import load_generator
from sgf_hub.training.mapping import PRESETS
from tests.caption_toys import WordCounter, describe, fitted
from tests.cli.test_cli import Run, run  # noqa: F401
from tests.predictors.foreign import write_classifier, write_vitpose

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = ("--preset", "fast", "--layers", 2, "--samples", 2)
ENOUGH = {"celebahq-attributes": (6000, 1000)}  # pairs and iterations: its random pictures tell little of z
FILES = {
    "ffhq-attributes": "nvidia_stylegan2_ada_64px.pkl",
    "celebahq-attributes": "pytorch_gan_zoo_pgan_32px.pth",
    "anime-keypoints": "rosinality_stylegan2_32px.pt",
    "flowers-caption": "nvidia_stylegan2_ada_64px.pkl",
}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    root = tmp_path_factory.mktemp("predictors")
    classifier, points = write_classifier(root / "classifier"), write_vitpose(root / "points")
    return {
        "ffhq-attributes": (classifier,),
        "celebahq-attributes": (classifier,),
        "anime-keypoints": (points, classifier),
    }


@pytest.fixture
def captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A predictor of captions of the golden generator's pictures, by their mean colours."""
    generator = load_generator(GOLDEN / FILES["flowers-caption"])
    with torch.no_grad():
        colours = generator.synthesize(generator.sample(64, seed=5)).mean(dim=(2, 3))
    mean, spread = colours.mean(dim=0), colours.std(dim=0)

    def captioner(images: torch.Tensor) -> list[str]:
        return describe((images.mean(dim=(2, 3)) - mean) / spread)

    monkeypatch.setattr("sgf_hub.predictors.captions.predictor.load_embedder", lambda name: WordCounter())
    monkeypatch.setattr("sgf_hub.predictors.captions.captioner.load_captioner", lambda name, **hub: captioner)
    fitted(generator, captioner, count=300).save_pretrained(tmp_path / "captions")
    return tmp_path / "captions"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", FILES)
def test_a_recipe_from_checkpoint_to_edit(
    run: Run,  # noqa: F811
    predictors: dict[str, tuple[Path, ...]],
    recipe: str,
    request: pytest.FixtureRequest,
) -> None:
    heads = predictors.get(recipe) or (request.getfixturevalue("captions"),)
    given = [word for head in heads for word in ("--predictor", head)]
    pairs, iterations = ENOUGH.get(recipe, (400, 200))
    given += ["--pairs", pairs, "--iterations", iterations]
    code, out, err = run(
        "fit", "--recipe", recipe, "--generator", GOLDEN / FILES[recipe], *given, "--out", "made", *SMALL
    )
    assert code == 0, err
    told = json.loads(out)
    assert 0 <= told["reached"] <= 1
    converted = json.loads(Path("made-generator/config.json").read_text())
    assert converted["class"] == ("ProGAN" if recipe.startswith("celebahq") else "StyleGAN2")
    config = json.loads(Path("made/config.json").read_text())
    assert config["generator"] == "made-generator"
    assert config["latent_space"] == ("z" if recipe.startswith("celebahq") else "w")
    assert json.loads(Path("made/training.json").read_text())["pairs"] == pairs
    assert Path("made/preview.png").is_file() and "made" in Path("made/README.md").read_text()
    if recipe != "anime-keypoints":
        return
    # the parts are found beside the mapping, from wherever it is loaded
    for head in heads:
        Path(head.name).symlink_to(head)
    run.monkeypatch.chdir("/")
    editor = SGFEditor.from_pretrained(str(Path(run.home, "made")))
    assert editor.predictor.spec.kind == "joint" and editor.generator.resolution == 32


def test_the_papers_settings_are_the_default(run: Run, predictors: dict[str, tuple[Path, ...]]) -> None:  # noqa: F811
    run.monkeypatch.setattr("sgf_hub.fitting.estimate", lambda config, parts: asdict(config))
    given = ("--generator", GOLDEN / FILES["ffhq-attributes"], "--predictor", predictors["ffhq-attributes"][0])
    code, out, _ = run("fit", "--recipe", "ffhq-attributes", *given, "--out", "made", "--dry-run")
    assert code == 0 and list(Path().iterdir()) == []
    paper = json.loads(out)
    assert (paper["pairs"], paper["truncation"]) == (200_000, 0.8)
    assert paper["mapping"] == {**asdict(PRESETS["paper"]), "seed": 0}
    assert [paper["mapping"][key] for key in ("iterations", "batch", "learning_rate")] == [500_000, 8, 2e-4]
    code, out, _ = run("fit", *given, "--out", "made", "--dry-run")
    assert code == 0 and json.loads(out)["mapping"] == asdict(PRESETS["fast"])


@pytest.mark.slow
def test_parts_elsewhere_are_named_by_their_path(run: Run, predictors: dict[str, tuple[Path, ...]]) -> None:  # noqa: F811
    (head,) = predictors["ffhq-attributes"]
    assert run("convert", GOLDEN / FILES["anime-keypoints"], "--out", "parts/generator")[0] == 0
    given = ("--generator", "parts/generator", "--predictor", head, "--out", "made/mapping")
    code, _, err = run("fit", *given, *SMALL, "--pairs", 400, "--iterations", 200)
    assert code == 0, err
    assert json.loads(Path("made/mapping/config.json").read_text())["generator"] == "parts/generator"
    assert run("edit", "made/mapping", "--seed", 1, "--set", "smiling=1", "--steps", 2)[0] == 0
