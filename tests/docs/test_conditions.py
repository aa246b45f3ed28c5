"""docs/conditions.md: every recipe runs, on tiny local models that stand where it names real ones."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import sgf_hub
import sgf_hub.hub.names
from sgf_hub.data.pairs import PairsInfo, load_pairs, sample_pairs
from sgf_hub.types import Generator, Predictor
from tests.generators.test_diffusion import write_consistency
from tests.predictors.foreign import write_classifier, write_clip, write_vitpose
from tests.toys import toy_mapping, write_predictor

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conditions.md"


class DCGAN(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z[:, :64].view(-1, 1, 8, 8).expand(-1, 3, -1, -1).tanh()


class Scripted(nn.Module):
    def forward(self, z: Tensor) -> dict[str, Tensor]:
        return {"image": 255 * z[:, :64].view(-1, 1, 8, 8).sigmoid()}


class Network(nn.Module):
    """Four logits: two attributes, one keypoint."""

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean(dim=(2, 3))
        return torch.cat([means, means[:, :1]], dim=1)


def net() -> SimpleNamespace:
    return SimpleNamespace(mapping=torch.tanh, synthesis=lambda w: w[:, :192].view(-1, 3, 8, 8))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the page names, some of it under Hub ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path / "zoo")
    write_predictor(tmp_path / "zoo", name="avatars")
    for name in ("faces-mesh", "faces-measures", "faces-keypoints"):
        shutil.copytree(ROOT / "zoo" / name, tmp_path / "zoo" / name)
    write_classifier(tmp_path / "owner" / "age-classifier", labels=("0-2", "20-29", "more than 70"), several=False)
    write_clip(tmp_path / "openai" / "clip-vit-base-patch32")
    write_vitpose(tmp_path / "usyd-community" / "vitpose-base-simple")
    write_consistency(tmp_path / "openai" / "diffusers-cd_cat256_l2")
    write_consistency(tmp_path / "openai" / "diffusers-cd_imagenet64_l2", classes=1000)
    torch.jit.script(Scripted()).save("generator.pt")
    prompts = ["smiling", "hat"]
    toy_mapping(latent_space="z", latent_dim=768, layers=2, attributes=prompts).save_pretrained("my-mapping")
    return tmp_path


def test_every_recipe_runs(here: Path, fetched_faces: dict[str, Path]) -> None:
    pytest.importorskip("diffusers")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 11 and all(len(block.strip().splitlines()) <= 6 for block in blocks)
    names: dict = {"dcgan": DCGAN(), "net": net(), "network": Network()}
    made = []
    for block in blocks:
        if "SGFEditor" in block:  # of the consistency model without classes, as large a z as the mapping reads
            names["generator"] = sgf_hub.load_generator("openai/diffusers-cd_cat256_l2")
        exec(block, names)
        made.append(names.get("generator"))
        assert isinstance(names["generator"], Generator)
    assert [one.latent_space for one in made[:4]] == ["z", "z", "w", "z"]
    for name in ("ages", "some", "predictor", "points", "own", "by_name", "together"):
        predictor = names[name]
        assert isinstance(predictor, Predictor)
        assert predictor(torch.zeros(2, 3, 32, 32)).shape == (2, predictor.spec.dimension)
    assert names["together"].spec.names == (
        "0_2", "20_29", "more_than_70", "smiling", "hat", "bald", "bearded", "nose.x", "nose.y",
    )  # fmt: skip
    assert len(names["trajectory"].steps) > 1


def test_pairs_are_sampled_of_any_generator_and_condition(tmp_path: Path) -> None:
    generator = sgf_hub.CustomGenerator(DCGAN(), latent_dim=64)
    predictor = sgf_hub.CustomPredictor(Network(), attributes=["a", "b"], keypoints=["p"], activation="logit")
    info = PairsInfo("own", ("own",), "z", predictor.spec, truncation=0.8, seed=0)
    assert list(sample_pairs(generator, predictor, info, tmp_path, count=6, batch=4))[-1] == 6
    pairs = load_pairs(tmp_path)
    torch.testing.assert_close(pairs.c[:1].float(), predictor(generator.synthesize(generator.sample(1, seed=0))))


def test_public_names() -> None:
    for name in sgf_hub.__all__:
        assert getattr(sgf_hub, name).__name__ == name
