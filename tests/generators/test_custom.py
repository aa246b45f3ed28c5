"""Generators of the user's own: modules, scripts and functions behind one protocol; and what each mistake says."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sgf_hub.baselines.latent_descent import LatentDescentEditor
from sgf_hub.editing.trajectory import edit
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators.custom import CustomGenerator
from sgf_hub.types import ConditionSpec, Generator, Latent
from tests.generators import test_contract as contract
from tests.toys import PlainPredictor

D = 16


class DCGAN(nn.Module):
    """Radford et al., 2015, at toy size: z [B, D, 1, 1] => [B, 3, 32, 32] in [-1, 1]."""

    def __init__(self, colours: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(D, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ConvTranspose2d(8, 8, 4, stride=4),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(8, colours, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


def dcgan(seed: int = 0, **changes: object) -> DCGAN:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = DCGAN(**changes)
        for parameter in network.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.3)
    return network


def flat(z: Tensor) -> Tensor:
    """A function: z [B, 16] => grey pictures [B, 1, 8, 8] in [0, 255]."""
    return 255 * torch.sigmoid(z.repeat(1, 4).view(-1, 1, 8, 8))


def wrapped(**changes: object) -> CustomGenerator:
    return CustomGenerator(dcgan(), latent_dim=D, latent_shape=(D, 1, 1), **changes)


def to_w(z: Tensor) -> Tensor:
    return torch.tanh(z) + 0.5


@pytest.fixture(params=["z", "w", "scripted", "frozen script"])
def make(request: pytest.FixtureRequest) -> Callable[[], CustomGenerator]:
    """A maker of generators of 32 px and D = 16, for the tests of the contract."""
    if request.param == "w":
        return lambda: wrapped(space="w", mapping=to_w)
    if request.param == "scripted":
        return lambda: CustomGenerator(torch.jit.script(dcgan()), latent_dim=D, latent_shape=(D, 1, 1))
    if request.param == "frozen script":
        frozen = torch.jit.freeze(torch.jit.script(dcgan().eval()))
        return lambda: CustomGenerator(frozen, latent_dim=D, latent_shape=(D, 1, 1))
    return wrapped


class TestImages(contract.TestImages):
    """What every generator promises, of ours too."""

    test_images_are_in_range = None  # knows the layers of our own networks


class TestLatents(contract.TestLatents):
    """Likewise."""


class TestPictures:
    def test_they_are_the_networks(self) -> None:
        network, generator = dcgan().eval(), wrapped()
        latent = generator.sample(3, seed=0)
        assert torch.equal(generator.synthesize(latent), network(latent.data.view(3, D, 1, 1)))
        assert generator.resolution == 32 and isinstance(generator, Generator)

    def test_grey_becomes_three_colours_and_the_range_ours(self) -> None:
        generator = CustomGenerator(flat, latent_dim=D, image_range=(0, 255))
        latent = generator.sample(2, seed=0)
        images = generator.synthesize(latent)
        assert images.shape == (2, 3, 8, 8) and images.is_contiguous()
        assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
        torch.testing.assert_close(images[:, :1], 2 * flat(latent.data) / 255 - 1)

    def test_alpha_lies_over_a_background(self) -> None:
        def rgba(z: Tensor) -> Tensor:
            return torch.sigmoid(z.repeat(1, 16).view(-1, 4, 8, 8))

        generator = CustomGenerator(rgba, latent_dim=16, image_range=(0, 1), background="black")
        latent = generator.sample(2, seed=0)
        drawn = rgba(latent.data)
        over_black = 2 * drawn[:, :3] * drawn[:, 3:] - 1  # in [0, 1]: colour times alpha
        torch.testing.assert_close(generator.synthesize(latent), over_black, atol=1e-6, rtol=0)
        torch.testing.assert_close(generator.synthesize(latent, alpha=True), 2 * drawn - 1, atol=1e-6, rtol=0)
        with pytest.raises(BadValueError, match="background is 'pink'; it must be white, grey, black"):
            CustomGenerator(rgba, latent_dim=16, image_range=(0, 1), background="pink")

    def test_no_dropout_whatever_mode_is_asked_for(self) -> None:
        generator = wrapped().train()
        latent = generator.sample(2, seed=0)
        assert not generator.training and torch.equal(generator.synthesize(latent), generator.synthesize(latent))
        network = dcgan().train()  # a method of a module is a function too
        CustomGenerator(network.forward, latent_dim=D, latent_shape=[D, 1, 1])
        assert not network.training

    def test_weights_take_no_gradient(self) -> None:
        assert not any(weight.requires_grad for weight in wrapped().parameters())

    def test_half_precision_and_double(self) -> None:
        generator = wrapped()
        latent = generator.sample(2, seed=0)
        expected = generator.synthesize(latent)
        images = generator.double().synthesize(latent)
        assert images.dtype == torch.float32
        torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)

    def test_a_given_resolution_needs_no_picture_at_first(self) -> None:
        calls = []

        def count(z: Tensor) -> Tensor:
            calls.append(len(z))
            return flat(z)

        generator = CustomGenerator(count, latent_dim=D, image_range=(0, 255), resolution=8)
        latent = generator.sample(5, seed=0)
        assert not calls
        generator.synthesize(latent)
        generator.synthesize(latent)
        assert calls == [2, 2, 5, 5]  # looked at once

    def test_lower_sides_are_means_over_squares(self) -> None:
        generator = CustomGenerator(lambda z: z.repeat(1, 9).view(-1, 1, 12, 12).tanh(), latent_dim=D)
        latent = generator.sample(1, seed=0)
        with pytest.raises(BadValueError, match="draws 12 px, not 6"):
            generator.synthesize(latent, resolution=6)
        generator = wrapped()
        images = generator.synthesize(generator.sample(1, seed=0), resolution=16)
        whole = generator.synthesize(generator.sample(1, seed=0))
        torch.testing.assert_close(images[..., 0, 0], whole[..., :2, :2].mean(dim=(-1, -2)))

    def test_latent_descent_takes_it(self) -> None:
        generator = wrapped()
        predictor = PlainPredictor(torch.eye(2, 3 * 32 * 32), ConditionSpec(("dark", "light")))
        trajectory = edit(LatentDescentEditor(generator, predictor), generator.sample(1, seed=0), {"light": 1})
        assert trajectory.steps[-1].c[0, 1] > trajectory.steps[0].c[0, 1] + 0.1


class TestSpaces:
    def test_truncation_draws_w_towards_the_mean(self) -> None:
        generator = wrapped(space="w", mapping=nn.Sequential(nn.Linear(D, D), nn.Tanh()))
        full, none = (generator.sample(64, seed=0, truncation=psi) for psi in (1, 0))
        assert full.space == "w" and none.data.std(dim=0).max() < 1e-6
        half = generator.sample(64, seed=0, truncation=0.5)
        torch.testing.assert_close(half.data, (full.data + none.data) / 2)
        assert not any(weight.requires_grad for weight in generator.parameters())

    def test_truncation_leaves_z_alone(self) -> None:
        assert torch.equal(wrapped().sample(2, seed=0, truncation=0.5).data, wrapped().sample(2, seed=0).data)

    def test_z_becomes_w(self) -> None:
        generator = wrapped(space="w", mapping=to_w)
        z = Latent(torch.zeros(1, D), "z")
        assert torch.equal(generator.to_w(z).data, torch.full((1, D), 0.5))
        assert generator.to_w(generator.to_w(z)).space == "w"
        with pytest.raises(SpaceError, match=r"in space 'z', this generator draws from 'w': call generator\.to_w"):
            generator.synthesize(z)

    def test_other_spaces(self) -> None:
        with pytest.raises(SpaceError, match="in space 'w', this generator draws from 'z': give a sample"):
            wrapped().synthesize(Latent(torch.zeros(1, D), "w"))
        with pytest.raises(SpaceError, match="draws from 'z', and a 'z' latent stays so"):
            wrapped().to_w(wrapped().sample(1, seed=0))


class TestMistakes:
    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"space": "w"}, SpaceError, "space 'w' needs the function that makes w of z: give mapping="),
            ({"mapping": to_w}, SpaceError, "the space is 'z': say space='w', or leave mapping= out"),
            ({"space": "w+"}, SpaceError, "latent space 'w\\+' is unknown"),
            ({"latent_dim": 0}, BadValueError, "latent_dim is 0"),
            ({"latent_shape": (D, 2, 1)}, BadValueError, r"latent_shape is \(16, 2, 1\); .* product is latent_dim, 16"),
            ({"latent_shape": 16}, BadValueError, "latent_shape is 16"),
            ({"latent_shape": (-4, -4)}, BadValueError, r"latent_shape is \(-4, -4\)"),
            ({"image_range": (1, -1)}, BadValueError, r"image_range is \(1, -1\); it must be two numbers"),
            ({"image_range": (0, math.inf)}, BadValueError, "image_range is"),
            ({"image_range": 255}, BadValueError, "image_range is 255"),
            ({"image_range": (0, math.nan)}, BadValueError, "image_range is"),
            ({"resolution": 0}, BadValueError, "resolution is 0"),
        ],
    )
    def test_settings(self, changes: dict, error: type, message: str) -> None:
        with pytest.raises(error, match=message):
            CustomGenerator(flat, **{"latent_dim": D, "image_range": (0, 255), **changes})

    @pytest.mark.parametrize(
        ("network", "message"),
        [
            (lambda z: {"sample": z, "loss": 0}, "the network gives a dict of 'sample', 'loss' for 2 latents"),
            (lambda z: (z, z), "gives a tuple of 2"),
            (lambda z: "picture", "gives a str"),
            (lambda z: z.new_zeros(len(z), 8, 8, 3), r"torch.float32 \[2, 8, 8, 3\].*\[2, 3, 1 or 4, side, side\]"),
            (lambda z: torch.zeros(len(z), 3, 8, 8, dtype=torch.uint8), "gives torch.uint8"),
            (lambda z: z.new_zeros(len(z), 3, 8, 16), r"\[2, 3, 8, 16\]"),
            (lambda z: z.new_zeros(1, 3, 8, 8), r"\[1, 3, 8, 8\] for 2 latents"),
            (lambda z: z.new_full((2, 3, 8, 8), math.nan), "not finite: are its weights loaded"),
            (lambda z: flat(z), r"hold values from .* image_range says -1 to 1.*image_range=\(0, 255\)"),
            (lambda z: torch.rand(2, 3, 8, 8), "another picture every time"),
            (dcgan(), r"cannot read latents \[2, 16\] \(.*\): say .* such as latent_shape=\(16, 1, 1\)"),
            (3, "the network is 3; it must be a module or a function"),
        ],
    )
    def test_what_is_no_generator(self, network: object, message: str) -> None:
        with pytest.raises(BadValueError, match=message) as caught:
            CustomGenerator(network, latent_dim=D)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)

    def test_resolution_is_held_against_the_first_picture(self) -> None:
        generator = wrapped(resolution=64)
        with pytest.raises(BadValueError, match="the network draws 32 px, and resolution says 64: leave resolution"):
            generator.synthesize(generator.sample(1, seed=0))

    def test_a_mapping_that_gives_no_w(self) -> None:
        with pytest.raises(BadValueError, match=r"the mapping gives torch.float32 \[2, 3\] for z \[2, 16\]"):
            wrapped(space="w", mapping=lambda z: z[:, :3])
        with pytest.raises(BadValueError, match="the mapping is 3; it must be a module or a function"):
            wrapped(space="w", mapping=3)
