"""Any generator with gradients: a search that begins at one of its own pictures, in W, W+ or Z."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sgf_hub.cli import main as cli
from sgf_hub.data.pictures import to_pictures
from sgf_hub.errors import BadValueError
from sgf_hub.generators import load_generator
from sgf_hub.generators.custom import CustomGenerator
from sgf_hub.generators.dcgan import DCGAN
from sgf_hub.inversion import starts
from sgf_hub.inversion.perceptual import Perceptual
from sgf_hub.inversion.projection import ProjectionConfig
from sgf_hub.inversion.projector import FEATURES, JUDGE, Projector, backbones_for
from sgf_hub.inversion.spaces import WSpace, ZSpace
from sgf_hub.inversion.starts import OwnPictures
from sgf_hub.predictors.backbone import load_backbone
from sgf_hub.types import Generator, Latent
from tests.inversion.toys import write_encoder
from tests.toys import toy_generator, toy_progan, write_predictor

SHORT = ProjectionConfig(steps=40, plus_steps=10, learning_rate=0.3, noise=0.0, rare=0.0)
GOLDEN = Path(__file__).parents[1] / "golden/rosinality_stylegan2_32px.pt"


def custom(space: str) -> CustomGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(16, 3 * 32 * 32), nn.Tanh(), nn.Unflatten(1, (3, 32, 32)))
        mapping = nn.Linear(16, 16) if space == "w" else None
    return CustomGenerator(network, latent_dim=16, space=space, mapping=mapping)  # type: ignore[arg-type]


def dcgan() -> DCGAN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = DCGAN(resolution=32, latent_dim=16, channels=[12, 8, 6])
        for layer in made.layers:
            nn.init.normal_(layer.weight, std=0.2)
    return made.eval().requires_grad_(False)


GENERATORS = {
    "StyleGAN2": (toy_generator, "w+"),
    "ProGAN": (toy_progan, "z"),
    "DCGAN": (dcgan, "z"),
    "a network of W": (lambda: custom("w"), "w"),
    "a network of Z": (lambda: custom("z"), "z"),
}


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> list[Perceptual]:
    root = write_encoder(write_predictor(tmp_path_factory.mktemp("zoo")))
    return [Perceptual(load_backbone(root / name)) for name in ("toy-backbone", "toy-judge-backbone")]


@pytest.mark.parametrize("kind", GENERATORS)
def test_it_finds_what_the_generator_drew(kind: str, backbones: list[Perceptual]) -> None:
    make, space = GENERATORS[kind]
    generator = make()
    projector = Projector(None, generator, *backbones, name="mine")
    truth = generator.sample(2, seed=3)
    images = generator.synthesize(truth)
    steps = list(projector.steps(images, SHORT))
    assert len(steps) == 1 + projector.total(SHORT) == (51 if space == "w+" else 41)
    begin, last = steps[0], steps[-1]
    assert (last.distance < 0.5 * begin.distance).all()
    assert torch.allclose(generator.synthesize(last.latent), last.images, atol=1e-5)
    first, found = (projector.outcome(images, step) for step in (begin, last))
    assert found.latent.space == space and found.latent.data.shape[-1] == 16
    assert all(after > before for before, after in zip(first.similarity, found.similarity, strict=True))
    if space == "z":
        assert torch.allclose(found.latent.data.norm(dim=1), torch.tensor(4.0)), "on the shell that z lie on"


def test_it_begins_at_the_nearest_of_its_own(backbones: list[Perceptual]) -> None:
    generator = toy_progan()
    projector = Projector(None, generator, *backbones)
    images = generator.synthesize(generator.sample(5, seed=starts.SEED)[3])
    first = next(projector.steps(images))
    sample = projector.own.latents[3].data
    assert torch.allclose(first.latent.data, sample / sample.norm() * 4)
    assert projector.config.steps > ProjectionConfig().steps, "it takes longer than with an encoder"


def test_fewer_of_large_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "PIXELS", 40 * 32**2)
    own = OwnPictures.of(toy_progan())
    assert len(own.latents) == len(own.images) == 40
    monkeypatch.setattr(starts, "SIDE", 16)
    assert OwnPictures.of(toy_progan()).images.shape == (40, 3, 16, 16)


def test_the_scale_of_a_judge() -> None:
    """Pictures at 0, 1 and 3 on a line: squared distances 1, 4, 9; the nearest are at 1, 1 and 4."""
    places = torch.tensor([0.0, 1.0, 3.0])
    own = OwnPictures(Latent(torch.zeros(3, 4), "z"), places[:, None, None, None].expand(3, 3, 8, 8))

    def judge(images: Tensor) -> Tensor:
        return images[:, 0, 0, :1]

    apart, threshold = own.scale(judge)  # type: ignore[arg-type]
    assert apart == pytest.approx(14 / 3, rel=1e-4)
    assert threshold == pytest.approx(1 - 1 / (14 / 3), rel=1e-4)


def test_what_it_cannot_draw(backbones: list[Perceptual]) -> None:
    projector = Projector(None, toy_generator(), *backbones)
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = projector.project(noise, replace(SHORT, steps=5))
    assert found.expressible == (False,) and "cannot draw this picture" in found.sentences[0]


def test_coordinates_and_latents() -> None:
    generator = toy_generator()
    space, latent = WSpace(generator), generator.sample(4, seed=9, truncation=1.0)
    u = space.coordinates(latent)
    assert u.shape == (4, 1, 16)
    assert torch.allclose(space.latent(u).data, generator.to_w_plus(latent).data, atol=1e-4)
    many = space.coordinates(generator.sample(2000, seed=1, truncation=1.0))[:, 0]
    assert many.std(dim=0).mean().item() == pytest.approx(1, abs=0.1)
    assert ZSpace(toy_progan()).latent(torch.ones(1, 1, 16) * 7).data.tolist() == [[1.0] * 16]


def test_without_gradients() -> None:
    class Rounds(nn.Module):
        @torch.no_grad()
        def forward(self, z: Tensor) -> Tensor:
            return z[:, :3, None, None].expand(-1, 3, 32, 32).tanh()

    made = CustomGenerator(Rounds(), latent_dim=16)
    seen = Perceptual(load_backbone(FEATURES))
    with pytest.raises(BadValueError, match="this generator gives no gradients of its pictures"):
        list(Projector(None, made, seen, seen).steps(torch.zeros(1, 3, 32, 32), SHORT))


def test_backbones_of_a_world_and_of_none(tmp_path: Path) -> None:
    assert backbones_for("flowers-stylegan2") == ("flowers-guide-backbone", "flowers-judge-backbone")
    assert backbones_for("sgf-hub/faces-dcgan") == ("faces-backbone", "faces-judge-backbone")
    assert backbones_for(str(tmp_path / "avatars-mine.pkl")) == backbones_for("ann/avatars-mine") == (FEATURES, JUDGE)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator:
    monkeypatch.chdir(tmp_path)

    def run(generator: object, photo: str, *words: object) -> tuple[dict, str]:
        patch = ["sgf-hub", "project", photo, "--generator", str(generator), *map(str, words), "--out", "x.safetensors"]
        monkeypatch.setattr(sys, "argv", patch)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert not ended.value.code, told.err
        return json.loads(told.out), told.err

    yield run


def save(generator: Generator, name: str) -> None:
    to_pictures(generator.synthesize(generator.sample(1, seed=1)), side=64)[0].save(name)


def test_a_checkpoint_file(project) -> None:
    save(load_generator(GOLDEN), "photo.avif")
    told, said = project(GOLDEN, "photo.avif", "--steps", 3, "--plus-steps", 2)
    assert told["steps"] == 5 and 0 < told["similarity"] <= 1 and told["seconds"] > 0
    assert f"{GOLDEN} has no encoder: the search begins at the nearest of some of its own pictures" in said
    latent = Latent.load("x.safetensors")
    assert (latent.space, latent.data.shape) == ("w+", (1, 8, 64))


def test_a_network_of_the_users_own(project) -> None:
    Path("mine.py").write_text(
        "import torch\nfrom sgf_hub import CustomGenerator\n"
        "G = CustomGenerator(lambda z: z.tanh().unflatten(1, (3, 8, 8)), latent_dim=192)\n"
    )
    save(custom("z"), "photo.png")
    told, _ = project("mine.py:G", "photo.png", "--steps", 2)
    assert told["steps"] == 2 and Latent.load("x.safetensors").space == "z"
