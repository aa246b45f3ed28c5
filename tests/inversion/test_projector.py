"""Projection at toy size: what the search promises, what it says, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sgf_hub.cli import main as cli
from sgf_hub.data.photos import to_images
from sgf_hub.data.pictures import to_pictures
from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError, UnknownNameError
from sgf_hub.inversion.encoder import LatentEncoder
from sgf_hub.inversion.perceptual import Perceptual, distance
from sgf_hub.inversion.projection import Projection, ProjectionConfig, said
from sgf_hub.inversion.projector import Projector, find_encoder
from sgf_hub.types import Latent
from tests.inversion.toys import toy_encoder, write_encoder
from tests.toys import edit_config, toy_generator, toy_progan

SHORT = ProjectionConfig(steps=12, plus_steps=12, learning_rate=0.2, plus_learning_rate=0.1, rare=0.0)


@pytest.fixture
def in_encoder_zoo(in_zoo: Path) -> Path:
    return write_encoder(in_zoo)


@pytest.fixture
def projector(in_encoder_zoo: Path) -> Projector:
    return Projector.from_pretrained("toy-stylegan2")


@pytest.fixture
def images(projector: Projector) -> torch.Tensor:
    return projector.generator.synthesize(projector.generator.sample(2, seed=3, truncation=1.0))


def test_a_distance_is_that_of_directions_place_by_place(projector: Projector, images: torch.Tensor) -> None:
    seen = projector.perceptual(images)
    assert distance(seen, seen).tolist() == [0.0, 0.0]
    apart = distance(seen[:1], seen[1:])
    assert 0 < apart.item() <= 2
    maps = projector.perceptual.backbone.network(images, output_hidden_states=True).hidden_states
    cosines = [torch.cosine_similarity(one[:1], one[1:], dim=1).mean() for one in maps]
    assert apart.item() == pytest.approx(2 - 2 * (sum(cosines) / len(cosines)).item(), abs=1e-4)


def test_the_search_only_ever_improves(projector: Projector, images: torch.Tensor) -> None:
    steps = list(projector.steps(images, SHORT))
    assert [step.index for step in steps] == list(range(25))
    assert [step.phase for step in steps] == ["guess", *["w"] * 12, *["w+"] * 12]
    for index in (0, 12, 24):  # a step is whole: latent, picture and distance belong together
        step = steps[index]
        assert step.latent.space == "w+" and step.latent.data.shape == (2, 8, 16)
        assert torch.allclose(projector.generator.synthesize(step.latent), step.images, atol=1e-5)
    assert (steps[12].distance < steps[0].distance).all() and (steps[24].distance < steps[12].distance).all()
    rows = steps[24].plain.data
    assert torch.allclose(rows, rows[:, :1].expand_as(rows)), "the best in W has the same w in every layer"


def test_it_finds_what_the_generator_drew(projector: Projector, images: torch.Tensor) -> None:
    found = projector.project(images, replace(SHORT, steps=150, plus_steps=0, noise=0.02))
    *_, guess = projector.steps(images, replace(SHORT, steps=0, plus_steps=0))
    before = (guess.images - images).square().mean()
    assert (found.images - images).square().mean() < 0.15 * before


def test_it_depends_on_its_seed_alone(projector: Projector, images: torch.Tensor) -> None:
    once, again, other = (projector.project(images, replace(SHORT, seed=seed)).latent.data for seed in (0, 0, 1))
    assert torch.equal(once, again) and not torch.equal(once, other)


def test_a_penalty_holds_the_layers_together(projector: Projector, images: torch.Tensor) -> None:
    def spread(leaving: float) -> float:
        data = projector.project(images, replace(SHORT, leaving=leaving)).latent.data
        return (data - data.mean(dim=1, keepdim=True)).square().mean().item()

    assert spread(10.0) < 0.5 * spread(0.0)


def test_a_similarity_is_a_share_of_the_way_between_two_random_pictures(
    projector: Projector, images: torch.Tensor
) -> None:
    assert projector.similarity(images, images) == (1.0, 1.0)
    apart = distance(*(projector.judge(images[i : i + 1]) for i in (0, 1))).item()
    projector.encoder.apart = 2 * apart
    assert projector.similarity(images[:1], images[1:])[0] == pytest.approx(0.5, abs=1e-4)
    projector.encoder.apart = apart / 2
    assert projector.similarity(images[:1], images[1:]) == (0.0,)


def test_what_cannot_be_expressed_stays_in_w(projector: Projector, images: torch.Tensor) -> None:
    steps = list(projector.steps(images, SHORT))
    projector.encoder.expressible_from = 1.0
    found = projector.outcome(images, steps[-1])
    assert found.expressible == (False, False)
    assert torch.equal(found.latent.data, steps[-1].plain.data)
    assert found.similarity == found.plain_similarity
    assert "cannot draw this picture" in found.sentences[0]
    assert [step.phase for step in projector.steps(images, SHORT)][-1] == "w", "W+ would only draw over it"
    projector.encoder.expressible_from = 0.0
    found = projector.outcome(images, steps[-1])
    assert found.expressible == (True, True) and torch.equal(found.latent.data, steps[-1].latent.data)


def test_what_is_said() -> None:
    assert said(0.873, True) == "The result is 87% similar to the picture."
    assert said(0.2, False).startswith("This generator cannot draw this picture: the nearest that it found is 20%")
    two = Projection(Latent(torch.zeros(2, 8, 16), "w+"), torch.zeros(2, 3, 8, 8), (0.9, 0.5), (0.8, 0.4), 0.6)
    assert two.expressible == (True, False) and len(two.sentences) == 2


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 32, 32),
        torch.zeros(1, 1, 32, 32),
        torch.zeros(1, 3, 32, 16),
        torch.zeros(1, 3, 4, 4),
        torch.zeros(65, 3, 8, 8),
        torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
        torch.full((1, 3, 32, 32), torch.nan),
    ],
)
def test_other_than_square_pictures_are_refused(projector: Projector, images: torch.Tensor) -> None:
    with pytest.raises(BadValueError, match="takes 1 to 64 square pictures"):
        next(projector.steps(images))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"steps": -1}, "steps is -1"), ({"noise": -0.1}, "noise"), ({"learning_rate": 0.0}, "learning_rate"),
     ({"seed": 1.5}, "seed is 1.5")],
)  # fmt: skip
def test_settings_out_of_range(changes: dict, words: str) -> None:
    with pytest.raises(BadValueError, match=words):
        ProjectionConfig(**changes)


def test_an_encoder_is_found_by_its_generator(in_encoder_zoo: Path) -> None:
    for name in ("toy-stylegan2", "toy-stylegan2-encoder", in_encoder_zoo / "toy-stylegan2"):
        assert find_encoder(name).name == "toy-stylegan2-encoder"
    assert find_encoder("toy-progan") is None and find_encoder(in_encoder_zoo / "toy-progan") is None
    for name in ("toy-stylegam2", "toy-stylegam2-encoder"):
        with pytest.raises(UnknownNameError, match="did you mean 'toy-stylegan2"):
            Projector.from_pretrained(name)


def test_an_encoder_fits_its_generator(projector: Projector) -> None:
    other = toy_generator(latent_dim=8)
    with pytest.raises(SpaceError, match="the generator has 'w' of 8 in 8: use .* toy-stylegan2"):
        Projector(projector.encoder, other, projector.perceptual, projector.judge)
    with pytest.raises(SpaceError, match="the generator has 'z'"):
        Projector(projector.encoder, toy_progan(), projector.perceptual, projector.judge)


def test_an_encoder_reads_any_side_and_round_trips(in_encoder_zoo: Path) -> None:
    encoder = LatentEncoder.from_pretrained("toy-stylegan2-encoder")
    assert encoder.encode(torch.zeros(2, 3, 50, 50)).data.shape == (2, 8, 16)
    with pytest.raises(BadValueError, match="an encoder reads floating-point images"):
        encoder(torch.zeros(3, 32, 32))
    with pytest.raises(BadValueError, match="must divide by 2 once a stage"):
        toy_encoder(image_size=31)
    edit_config(in_encoder_zoo / "toy-stylegan2-encoder", apart=0.0)
    with pytest.raises(CorruptFileError, match="apart is 0.0"):
        LatentEncoder.from_pretrained("toy-stylegan2-encoder")


# -- the command ------------------------------------------------------------------------------------------------------


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli_main(*words)
    return int(ended.value.code or 0)


def cli_main(*words: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["sgf-hub", *map(str, words)])
        cli.main()


@pytest.fixture
def photo(projector: Projector, images: torch.Tensor, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    to_pictures(images[:1])[0].resize((48, 40)).save(path)
    return path


def test_the_command_writes_a_latent_and_its_picture(photo: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "made" / "latent.safetensors"
    steps = ("--steps", 3, "--plus-steps", 2)
    assert run("project", photo, "--generator", "toy-stylegan2", "--out", out, "--zoom", 1.2, *steps) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 5 and told["expressible"] is True and 0 <= told["similarity"] <= 1
    assert Latent.load(out).data.shape == (1, 8, 16)
    assert out.with_suffix(".png").is_file() and "stopped" not in told


def test_the_command_says_what_cannot_be_expressed(photo: Path, in_encoder_zoo: Path, tmp_path: Path, capsys) -> None:
    edit_config(in_encoder_zoo / "toy-stylegan2-encoder", expressible_from=1.0)
    out = tmp_path / "latent.safetensors"
    assert run("project", photo, "--generator", "toy-stylegan2", "--out", out, "--steps", 1) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["expressible"] is False
    assert "cannot draw this picture" in told.err


def test_ctrl_c_keeps_the_best_so_far(photo: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Projector.steps

    def stopped(self, *arguments):
        for step in whole(self, *arguments):
            if step.index == 2:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(Projector, "steps", stopped)
    out = tmp_path / "latent.safetensors"
    assert run("project", photo, "--generator", "toy-stylegan2", "--out", out) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stopped"] is True and told["steps"] == 1 and out.is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--out", "latent.png"), "a name that ends in .safetensors"),
        (("--centre", "middle"), "write two numbers, such as 0.5,0.4"),
        (("--centre", "0.5,2"), "y is 2.0"),
        (("--zoom", "0.1"), "zoom is 0.1"),
        (("--generator", "toy-stylegam2"), "did you mean 'toy-stylegan2'"),
    ],
)
def test_the_command_refuses_in_a_sentence(words: tuple, told: str, photo: Path, capsys) -> None:
    assert run("project", photo, "--generator", "toy-stylegan2", *words) == 2
    assert told in capsys.readouterr().err


def test_pictures_become_images(images: torch.Tensor) -> None:
    assert (to_images(to_pictures(images)[0]) - images[:1]).abs().max() < 0.01


def test_features_have_a_gradient(projector: Projector, images: torch.Tensor) -> None:
    images = images.clone().requires_grad_(True)
    assert isinstance(projector.perceptual, Perceptual)
    (gradient,) = torch.autograd.grad(projector.perceptual(images).square().sum() + images.sum(), [images])
    assert gradient.abs().sum() > 0
