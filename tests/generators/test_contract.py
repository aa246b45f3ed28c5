"""What every generator promises: the protocol of `sgf_hub.types.Generator`, and refusals in one sentence."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators import load_generator
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.types import Generator, Latent
from tests.foreign import even_first_bias, gan_zoo, genforce, nvidia, rosinality, write
from tests.toys import toy_generator, toy_progan

Make = Callable[[], StyleGAN2 | ProGAN]


OURS: dict[str, Make] = {
    "stylegan2": toy_generator,
    "stylegan2 with noise": lambda: toy_generator(noise=True),
    "stylegan2 with a wider mapping": lambda: toy_generator(mapping_width=24),
    "stylegan2 with a mixture": lambda: toy_generator(components=6),
    "progan": toy_progan,
    "progan with a mixture": lambda: toy_progan(components=6),
}
FOREIGN: dict[str, Callable[[], dict]] = {
    "nvidia": lambda: {"G_ema": nvidia(toy_generator(noise=True, clamp=256.0))},
    "rosinality": lambda: rosinality(toy_generator(noise=True)),
    "pytorch_GAN_zoo": lambda: gan_zoo(toy_progan()),
    "genforce": lambda: genforce(even_first_bias(toy_progan())),
    "genforce, fused": lambda: genforce(even_first_bias(toy_progan()), fused=True),
}


@pytest.fixture(params=[*OURS, *FOREIGN])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """A maker of toy generators of 32 px and D = 16; foreign ones are loaded from files in their layouts."""
    if request.param in OURS:
        return OURS[request.param]
    path = write(tmp_path / "foreign", FOREIGN[request.param]())
    return lambda: load_generator(path)  # type: ignore[return-value]


class TestImages:
    def test_protocol(self, make: Make) -> None:
        generator = make()
        assert isinstance(generator, Generator)
        latent = generator.sample(3, seed=0)
        assert (latent.space, latent.data.shape) == (generator.latent_space, (3, generator.latent_dim))
        assert generator.synthesize(latent).shape == (3, 3, generator.resolution, generator.resolution)

    def test_full_resolution_is_the_default(self, make: Make) -> None:
        generator = make()
        latent = generator.sample(2, seed=0)
        assert torch.equal(generator.synthesize(latent, resolution=32), generator.synthesize(latent))

    @pytest.mark.parametrize("resolution", [8, 16])
    def test_lower_resolutions(self, make: Make, resolution: int) -> None:
        generator = make()
        images = generator.synthesize(generator.sample(2, seed=0), resolution=resolution)
        assert images.shape == (2, 3, resolution, resolution) and images.abs().max() <= 1

    @pytest.mark.parametrize("resolution", [4, 12, 64, 0, -8, "32", [32]])
    def test_other_resolutions(self, make: Make, resolution: object) -> None:
        generator = make()
        with pytest.raises(BadValueError, match="this generator draws 8, 16, 32 px, not"):
            generator.synthesize(generator.sample(1, seed=0), resolution=resolution)  # type: ignore[arg-type]

    def test_images_are_in_range(self, make: Make) -> None:
        generator = make()
        last = generator.rgb[-1] if isinstance(generator, ProGAN) else generator.blocks[-1].rgb
        last.bias.fill_(5.0)
        images = generator.synthesize(generator.sample(2, seed=0))
        assert (images.min() >= -1, images.max() == 1, images.dtype) == (True, True, torch.float32)

    def test_deterministic(self, make: Make) -> None:
        generator = make()
        latent = generator.sample(2, seed=0)
        assert torch.equal(generator.synthesize(latent), generator.synthesize(latent))

    def test_different_latents_give_different_pictures(self, make: Make) -> None:
        images = make().synthesize(make().sample(4, seed=0))
        assert (images[0] - images[1:]).abs().mean(dim=(1, 2, 3)).min() > 0.01

    def test_samples_do_not_see_each_other(self, make: Make) -> None:
        generator = make()
        latent = generator.sample(3, seed=0)
        torch.testing.assert_close(
            generator.synthesize(latent)[1:2], generator.synthesize(latent[1]), atol=1e-5, rtol=0
        )

    def test_memory_layout_does_not_matter(self, make: Make) -> None:
        generator = make()
        latent = generator.sample(2, seed=0)
        plain = generator.synthesize(latent)
        laid_out = generator.to(memory_format=torch.channels_last).synthesize(latent)
        torch.testing.assert_close(laid_out, plain, atol=1e-5, rtol=0)
        assert plain.is_contiguous() and laid_out.is_contiguous()

    def test_pictures_have_gradients(self, make: Make) -> None:
        """Latent descent and inversion follow them."""
        generator = make()
        data = generator.sample(2, seed=0).data.requires_grad_()
        generator.synthesize(Latent(data, generator.latent_space)).square().sum().backward()
        assert torch.isfinite(data.grad).all() and data.grad.abs().sum() > 0


class TestLatents:
    def test_sample_i_depends_on_the_seed_and_i_alone(self, make: Make) -> None:
        generator = make()
        torch.testing.assert_close(generator.sample(5, seed=9)[3].data, generator.sample(4, seed=9)[3].data)
        assert not torch.equal(generator.sample(1, seed=9).data, generator.sample(1, seed=10).data)

    def test_sampling_leaves_the_global_stream_alone(self, make: Make) -> None:
        generator = make()
        torch.manual_seed(1)
        expected = torch.rand(2)
        torch.manual_seed(1)
        generator.sample(2, seed=0)
        assert torch.equal(torch.rand(2), expected)

    @pytest.mark.parametrize("width", [8, 17])
    def test_shapes_are_checked(self, make: Make, width: int) -> None:
        generator = make()
        with pytest.raises(BadValueError, match=rf"has shape \[batch, 16\], not \[1, {width}\]\.$"):
            generator.synthesize(Latent(torch.zeros(1, width), generator.latent_space))

    def test_styles_are_refused_where_there_are_none(self, make: Make) -> None:
        generator = make()
        if isinstance(generator, StyleGAN2):
            return
        with pytest.raises(SpaceError) as caught:
            generator.synthesize(Latent(torch.zeros(1, 16), "s"))
        assert "'s'" in str(caught.value) and "give" in str(caught.value)

    @pytest.mark.parametrize("truncation", [-0.1, 1.1, math.nan, "1", None])
    def test_truncation_is_checked(self, make: Make, truncation: object) -> None:
        with pytest.raises(BadValueError, match=r"truncation is .*; it must be a number from 0\.0 to 1\.0"):
            make().sample(1, seed=0, truncation=truncation)  # type: ignore[arg-type]

    @pytest.mark.parametrize("n", [0, -1, 1.5, 2**30])
    def test_counts_are_checked(self, make: Make, n: object) -> None:
        with pytest.raises(BadValueError, match="the number of samples is"):
            make().sample(n, seed=0)  # type: ignore[arg-type]

    def test_seeds_are_checked(self, make: Make) -> None:
        with pytest.raises(BadValueError, match="a seed is a whole number"):
            make().sample(1, seed=-1)


def test_saved_and_loaded_by_name(make: Make, tmp_path: Path) -> None:
    generator = make().half().float()  # files hold half precision
    generator.save_pretrained(tmp_path / "saved")
    loaded = load_generator(tmp_path / "saved")
    assert type(loaded) is type(generator)
    latent = generator.sample(2, seed=0)
    assert torch.equal(loaded.sample(2, seed=0).data, latent.data)
    assert torch.equal(loaded.synthesize(latent), generator.synthesize(latent))


@pytest.mark.parametrize("kind", [StyleGAN2, ProGAN])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 48}, "48 px takes one width for each of 4, 8, ... 48 px"),
        ({"resolution": 4, "channels": [8]}, "resolution is 4"),
        ({"channels": []}, "32 px takes one width"),
        ({"channels": [8, 8]}, "32 px takes one width"),
        ({"channels": [8, 8, 8, 0]}, "a width in channels is 0"),
        ({"latent_dim": 0}, "latent_dim is 0"),
    ],
)
def test_sizes_are_checked(kind: type, change: dict, message: str) -> None:
    with pytest.raises(BadValueError, match=message):
        kind(**{"resolution": 32, "latent_dim": 8, "channels": [8, 8, 8, 8], **change})
