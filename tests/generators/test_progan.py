"""ProGAN against the plain formulation of its paper, in float64, and what growth and its latents mean."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.errors import SGFError, SpaceError
from sgf_hub.generators.progan import ProGAN, conv_doubled, double, doubling_kernel, pixel_norm
from sgf_hub.types import Latent
from tests.toys import PlainPredictor, toy_mapping, toy_progan


def published(generator: ProGAN, z: Tensor) -> Tensor:
    """The network of the paper, written plainly: [B, D] => [B, 3, R, R]."""

    def normed(x: Tensor) -> Tensor:
        return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()

    def rectified(x: Tensor) -> Tensor:
        return normed(torch.where(x > 0, x, 0.2 * x))

    x = normed(z)
    x = rectified((x @ generator.first.weight.T + generator.first.bias).reshape(len(z), -1, 4, 4))
    for block in generator.blocks:
        if block.conv0 is not None:
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            x = rectified(F.conv2d(x, block.conv0.weight, block.conv0.bias, padding=1))
        x = rectified(F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1))
    return F.conv2d(x, generator.rgb[-1].weight, generator.rgb[-1].bias)


class TestNetwork:
    def test_equals_the_published_one(self) -> None:
        generator, z = toy_progan().double(), torch.randn(3, 16, dtype=torch.float64)
        torch.testing.assert_close(generator(z).double(), published(generator, z), atol=1e-6, rtol=1e-6)

    def test_doubling_and_convolution_in_one(self) -> None:
        layer = nn.Conv2d(5, 4, 3, padding=1).double().requires_grad_(False)
        x = torch.randn(2, 5, 6, 6, dtype=torch.float64)
        torch.testing.assert_close(conv_doubled(x, doubling_kernel(layer.weight), layer.bias), layer(double(x)))

    def test_kept_kernels_follow_a_changed_weight(self) -> None:
        generator, z = toy_progan().double(), torch.randn(2, 16, dtype=torch.float64)
        generator(z)
        generator.blocks[1].conv0.weight.mul_(-0.5)
        torch.testing.assert_close(generator(z).double(), published(generator, z), atol=1e-6, rtol=1e-6)

    def test_pixel_norm(self) -> None:
        x = torch.randn(2, 5, 3, 3, dtype=torch.float64)
        expected = x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
        torch.testing.assert_close(pixel_norm(x), expected)
        torch.testing.assert_close(pixel_norm(1000 * x), expected, atol=1e-3, rtol=1e-3)

    def test_lower_resolutions_are_means_of_pixels(self) -> None:
        generator = toy_progan()
        z = generator.sample(2, seed=0)
        whole = generator.synthesize(z)
        torch.testing.assert_close(
            generator.synthesize(z, resolution=8), whole.unflatten(3, (8, 4)).unflatten(2, (8, 4)).mean(dim=(3, 5))
        )

    def test_first_activations(self) -> None:
        generator = toy_progan()
        z = generator.sample(3, seed=0).data
        x = F.leaky_relu(generator.first(z / z.square().mean(dim=1, keepdim=True).sqrt()), 0.2).unflatten(1, (12, 16))
        expected = (x / x.square().mean(dim=1, keepdim=True).sqrt()).flatten(1)
        torch.testing.assert_close(generator.first_activations(z), expected, atol=1e-5, rtol=1e-4)
        assert expected.shape == (3, 192)


class TestGrowth:
    @pytest.mark.parametrize("level", [1, 2, 3])
    def test_a_new_level_begins_as_the_one_below_doubled(self, level: int) -> None:
        generator = toy_progan()
        z = generator.sample(2, seed=0).data
        below = generator.grown(z, level=level - 1)
        torch.testing.assert_close(generator.grown(z, level=level, alpha=0.0), double(below), atol=1e-5, rtol=0)

    def test_fades_linearly(self) -> None:
        generator = toy_progan()
        z = generator.sample(2, seed=0).data
        ends = [generator.grown(z, level=2, alpha=alpha) for alpha in (0.0, 1.0)]
        torch.testing.assert_close(generator.grown(z, level=2, alpha=0.3), torch.lerp(*ends, 0.3), atol=1e-5, rtol=0)

    def test_unfinished_growth_is_drawn_as_it_is(self) -> None:
        whole, fading = toy_progan(), toy_progan(fade=0.25)
        z = whole.sample(2, seed=0)
        assert torch.equal(fading(z.data), whole.grown(z.data, level=3, alpha=0.25))
        with pytest.raises(SGFError, match="fade is 1.5"):
            toy_progan(fade=1.5)

    def test_fully_grown_is_what_is_synthesized(self) -> None:
        generator = toy_progan()
        z = generator.sample(2, seed=0)
        grown = generator.grown(z.data, level=3, alpha=1.0)
        assert torch.equal(grown, generator(z.data)) and torch.equal(grown.clamp(-1, 1), generator.synthesize(z))

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_a_level_is_a_smaller_generator(self, level: int) -> None:
        whole = toy_progan()
        z = whole.sample(2, seed=0).data
        before = whole.grown(z, level=level)
        for module in (*whole.blocks[level + 1 :], *whole.rgb[level + 1 :]):
            for parameter in module.parameters():
                parameter.fill_(torch.nan)
        assert before.shape[-1] == 4 << level and torch.equal(whole.grown(z, level=level), before)


class TestLatents:
    def test_only_the_direction_of_z_matters(self) -> None:
        generator = toy_progan()
        z = generator.sample(2, seed=0).data
        images = [generator.synthesize(Latent(z * scale, "z")) for scale in (1.0, 7.0)]
        torch.testing.assert_close(*images, atol=1e-5, rtol=0)

    def test_truncation_changes_nothing(self) -> None:
        generator = toy_progan()
        draws = [generator.sample(2, seed=0, truncation=truncation).data for truncation in (0.0, 0.5, 1.0)]
        assert torch.equal(draws[0], draws[1]) and torch.equal(draws[1], draws[2])

    def test_z_is_gaussian(self) -> None:
        z = toy_progan().sample(500, seed=0).data
        assert z.mean().abs() < 0.05 and (z.std() - 1).abs() < 0.05

    @pytest.mark.parametrize(("space", "shape"), [("w", (1, 16)), ("w+", (1, 8, 16))])
    def test_other_spaces(self, space: str, shape: tuple[int, ...]) -> None:
        with pytest.raises(SpaceError, match=f"latent is in space '{space.replace('+', '[+]')}', this generator draws"):
            toy_progan().synthesize(Latent(torch.zeros(shape), space))

    @pytest.mark.parametrize("preset", ["paper", "tuned"])
    def test_edits_end_to_end(self, preset: str) -> None:
        """An SGFEditor in Z: the pictures of every step are those of its latent, however long z grows."""
        mapping = toy_mapping(generator="sgf-hub/toy-progan", latent_space="z", layers=6)
        generator, predictor = toy_progan(), PlainPredictor(torch.randn(3, 40), mapping.spec)
        z = generator.sample(3, seed=0)
        editor, config = SGFEditor(mapping, generator, predictor).preset(preset)
        run = editor.edit(z, {"smile": 1.0}, replace(config, max_steps=5))
        assert torch.equal(run.steps[0].latent.data, z.data)
        for step in run.steps:
            assert step.latent.space == "z"
            torch.testing.assert_close(step.images, generator.synthesize(step.latent), atol=1e-5, rtol=0)
        assert not torch.equal(run.steps[-1].images, run.steps[0].images)

    def test_there_are_no_layers_to_edit(self) -> None:
        mapping = toy_mapping(generator="sgf-hub/toy-progan", latent_space="z")
        editor = SGFEditor(mapping, toy_progan(), PlainPredictor(torch.randn(3, 40), mapping.spec))
        with pytest.raises(SGFError):
            editor.edit(toy_progan().sample(1, seed=0), {"smile": 1.0}, EditConfig.paper(layers=(0, 2)))
