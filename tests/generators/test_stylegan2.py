"""StyleGAN2 against the plain formulation of its paper, in float64, and what its latents and options mean."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.plain.stylegan2 import synthesize as plain
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.generators.stylegan import modulated
from sgf_hub.generators.stylegan.modulated import ModulatedConv, ToRGB, blur, upsample
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.types import Latent
from tests.toys import toy_generator

FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])).double() / 64


def zero_insertion(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Upsampling as it is defined: zeros between the pixels, then a true convolution, each sample and channel apart."""
    spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    spread[:, :, ::2, ::2] = x
    return filtered(F.pad(spread, (padding, padding - 1, padding, padding - 1)), kernel.flip(0, 1))


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Every channel of every sample apart."""
    return F.conv2d(x.flatten(0, 1).unsqueeze(1), kernel[None, None]).squeeze(1).unflatten(0, x.shape[:2])


def weight_per_sample(conv: ModulatedConv, x: Tensor, w: Tensor) -> Tensor:
    """Eqs. 1 and 3 of the StyleGAN2 paper: a modulated, demodulated weight a sample, in a grouped convolution."""
    weight = conv.weight * conv.affine(w)[:, None, :, None, None]  # B, out, in, 3, 3
    weight = weight / (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
    if conv.up:
        side = x.shape[-1]
        x = F.conv_transpose2d(
            x.flatten(0, 1)[None], weight.transpose(1, 2).flatten(0, 1), stride=2, groups=len(w)
        ).unflatten(1, (len(w), -1))[0]
        assert x.shape[-1] == 2 * side + 1
        x = filtered(F.pad(x, (1, 1, 1, 1)), 4 * FILTER)
    else:
        x = F.conv2d(x.flatten(0, 1)[None], weight.flatten(0, 1), padding=1, groups=len(w)).unflatten(1, (len(w), -1))[
            0
        ]
    if conv.noise:
        x = x + conv.noise_const * conv.noise_strength
    x = F.leaky_relu(x + conv.bias[:, None, None], 0.2) * math.sqrt(2)
    return x if conv.clamp is None else x.clamp(-conv.clamp, conv.clamp)


def random_conv(**options) -> tuple[ModulatedConv, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    conv = ModulatedConv(5, 4, 6, **options).double().requires_grad_(False)
    for name, value in (*conv.named_parameters(), *conv.named_buffers()):
        value.copy_(torch.randn(value.shape, generator=rng, dtype=torch.float64) * (0.5 if "noise" in name else 1))
    x = torch.randn(3, 5, 8, 8, generator=rng, dtype=torch.float64)
    return conv, x, torch.randn(3, 6, generator=rng, dtype=torch.float64)


class TestModulatedConvolution:
    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("noise", [False, True])
    @pytest.mark.parametrize("clamp", [None, 0.7])
    def test_equals_a_weight_per_sample(self, monkeypatch, up: bool, noise: bool, clamp: float | None) -> None:
        monkeypatch.setattr(ModulatedConv, "_alone", None)
        conv, x, w = random_conv(up=up, side=(16 if up else 8) if noise else None, clamp=clamp)
        torch.testing.assert_close(conv(x, conv.affine(w)), weight_per_sample(conv, x, w), rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("noise", [False, True])
    @pytest.mark.parametrize("clamp", [None, 0.7])
    def test_a_large_map_with_a_weight_of_its_own(
        self, monkeypatch, up: bool, noise: bool, clamp: float | None
    ) -> None:
        conv, x, w = random_conv(up=up, side=(16 if up else 8) if noise else None, clamp=clamp)
        monkeypatch.setattr(ModulatedConv, "_together", None)
        monkeypatch.setattr(modulated, "LARGE", 1)
        for b in range(len(x)):
            ours, plain = (
                conv(x[b : b + 1], conv.affine(w[b : b + 1])),
                weight_per_sample(conv, x[b : b + 1], w[b : b + 1]),
            )
            torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("large", [1, 1 << 30])
    def test_gradients_reach_w_either_way(self, monkeypatch, large: int) -> None:
        monkeypatch.setattr(modulated, "LARGE", large)
        conv, x, w = random_conv(up=True, side=16)
        x, w = x[:1].requires_grad_(), w[:1].requires_grad_()
        torch.autograd.gradcheck(lambda x, w: conv(x, conv.affine(w)), (x, w), atol=1e-6)

    def test_a_weight_that_changes_is_read_anew(self) -> None:
        conv, x, w = random_conv(up=True)
        conv(x, conv.affine(w))
        conv.weight.mul_(torch.rand_like(conv.weight))
        torch.testing.assert_close(conv(x, conv.affine(w)), weight_per_sample(conv, x, w), rtol=1e-9, atol=1e-9)

    def test_upsampling_convolution_is_the_published_one(self) -> None:
        """With a delta for a kernel it is plain filtered upsampling."""
        conv, x, w = random_conv(up=True)
        conv.weight.zero_()
        conv.weight[:, :, 1, 1] = torch.eye(4, 5).double()
        style = conv.affine(w)[:, :4, None, None]
        expected = zero_insertion(x[:, :4], 4 * FILTER, 2) * style.sign() + conv.bias[:, None, None]
        expected = F.leaky_relu(expected, 0.2) * math.sqrt(2)
        torch.testing.assert_close(conv(x, conv.affine(w)), expected, rtol=1e-6, atol=1e-6)

    def test_demodulation_makes_the_scale_of_styles_irrelevant(self) -> None:
        conv, x, w = random_conv()
        before = conv(x, conv.affine(w))
        for part in (conv.affine.weight, conv.affine.bias):
            part.mul_(50)
        torch.testing.assert_close(conv(x, conv.affine(w)), before, rtol=1e-6, atol=1e-6)

    def test_energy_follows_a_changed_weight(self) -> None:
        conv, x, w = random_conv()
        conv(x, conv.affine(w))
        conv.weight.mul_(torch.rand_like(conv.weight))
        torch.testing.assert_close(conv(x, conv.affine(w)), weight_per_sample(conv, x, w), rtol=1e-9, atol=1e-9)

    def test_rgb_is_modulated_and_not_demodulated(self) -> None:
        rgb = ToRGB(5, 6).double()
        _, x, w = random_conv()
        weight = rgb.weight * rgb.affine(w)[:, None, :, None, None]
        expected = torch.stack([F.conv2d(x[i : i + 1], weight[i], rgb.bias)[0] for i in range(3)])
        torch.testing.assert_close(rgb(x, rgb.affine(w)), expected)


class TestResampling:
    def test_upsampling_is_zero_insertion_and_the_filter(self) -> None:
        x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
        torch.testing.assert_close(upsample(x), zero_insertion(x, 4 * FILTER, 2))

    @pytest.mark.parametrize("resample", [upsample, lambda x: blur(x, padding=2)])
    def test_constants_stay_constant(self, resample) -> None:
        result = resample(torch.full((1, 2, 12, 12), 0.7, dtype=torch.float64))[..., 3:-3, 3:-3]
        torch.testing.assert_close(result, torch.full_like(result, 0.7))

    def test_gain(self) -> None:
        x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
        torch.testing.assert_close(blur(x, gain=4.0), 4 * blur(x))


class TestSynthesis:
    @pytest.mark.parametrize("count", [2, 3])
    def test_early_exit_is_the_skip_of_that_level(self, count: int) -> None:
        whole, channels = toy_generator(), [12, 8, 8, 6]
        small = toy_generator(resolution=4 << (count - 1), channels=channels[:count])
        small.load_state_dict({key: value for key, value in whole.state_dict().items() if key in small.state_dict()})
        w = whole.sample(2, seed=0)
        side = 4 << (count - 1)
        assert torch.equal(whole.synthesize(w, resolution=side), small.synthesize(w))

    @pytest.mark.parametrize("noise", [False, True])
    @pytest.mark.parametrize("size", [1, 3])
    def test_large_maps_are_drawn_one_by_one_and_the_same(self, monkeypatch, noise: bool, size: int) -> None:
        generator = toy_generator(noise=noise)
        ws = generator.to_w_plus(generator.sample(size, seed=0)).data
        expected = plain(generator, ws)
        torch.testing.assert_close(generator(ws), expected, rtol=1e-4, atol=1e-5)
        monkeypatch.setattr(modulated, "LARGE", 1)
        for block in generator.blocks[2:]:
            block.large = True
        torch.testing.assert_close(generator(ws), expected, rtol=1e-4, atol=1e-5)
        low = generator(ws, resolution=16)
        for block in generator.blocks:
            block.large = False
        torch.testing.assert_close(low, generator(ws, resolution=16), rtol=1e-4, atol=1e-5)

    def test_which_maps_are_large(self) -> None:
        generator = StyleGAN2(resolution=256, latent_dim=8, mapping_layers=1, channels=[8, 8, 8, 8, 256, 128, 8])
        assert [block.large for block in generator.blocks] == [False] * 4 + [True, True, False]

    def test_layers_of_w_plus(self) -> None:
        """The last layer is the last RGB skip's alone; the first one is the first convolution's."""
        generator = toy_generator()
        plus = generator.to_w_plus(generator.sample(1, seed=0)).data
        changed = [generator(plus + torch.eye(8)[i][None, :, None]) - generator(plus) for i in range(8)]
        small = [generator(plus + torch.eye(8)[i][None, :, None], resolution=16) for i in range(8)]
        assert all(change.abs().max() > 1e-4 for change in changed)
        unchanged = [torch.equal(image, generator(plus, resolution=16)) for image in small]
        assert unchanged == [False] * 6 + [True] * 2

    def test_noise_without_strength_is_no_noise(self) -> None:
        noisy, plain = toy_generator(noise=True), toy_generator()
        weights = {k: v for k, v in noisy.state_dict().items() if k in plain.state_dict()}
        plain.load_state_dict(weights)
        w = plain.sample(2, seed=0)
        assert not torch.allclose(noisy.synthesize(w), plain.synthesize(w))
        for name, parameter in noisy.named_parameters():
            if name.endswith("noise_strength"):
                parameter.zero_()
        torch.testing.assert_close(noisy.synthesize(w), plain.synthesize(w), atol=1e-5, rtol=0)

    @pytest.mark.parametrize(("clamp", "same"), [(1000.0, True), (0.5, False)])
    def test_clamp_is_part_of_the_function(self, clamp: float, same: bool) -> None:
        plain, clamped = toy_generator(), toy_generator(clamp=clamp)
        ws = plain.to_w_plus(plain.sample(2, seed=0)).data
        assert torch.equal(plain(ws), clamped(ws)) == same

    def test_clamp_bounds_activations(self) -> None:
        generator, seen = toy_generator(clamp=0.5), []
        for module in generator.modules():
            if isinstance(module, (ModulatedConv, ToRGB)):
                module.register_forward_hook(lambda _m, _i, out: seen.append(out.abs().max().item()))
        generator.synthesize(generator.sample(2, seed=0))
        assert len(seen) == 11 and max(seen) == 0.5


class TestLatents:
    def test_truncation_0_is_the_mean(self) -> None:
        generator = toy_generator()
        assert torch.equal(generator.sample(3, seed=0, truncation=0).data, generator.w_avg.expand(3, -1))

    def test_truncation_is_linear(self) -> None:
        generator = toy_generator()
        full, half = (generator.sample(3, seed=0, truncation=t).data for t in (1, 0.5))
        torch.testing.assert_close(half, (full + generator.w_avg) / 2)

    def test_mapping_normalises_z(self) -> None:
        generator, z = toy_generator(), torch.randn(2, 16)
        torch.testing.assert_close(generator.map(3 * z), generator.map(z), atol=1e-5, rtol=1e-5)

    def test_mapping_in_closed_form(self) -> None:
        generator, z = toy_generator(), torch.randn(2, 16)
        x = z / z.square().mean(dim=1, keepdim=True).sqrt()
        for layer in generator.mapping:
            x = torch.where((y := x @ layer.weight.T + layer.bias) > 0, y, 0.2 * y) * math.sqrt(2)
        torch.testing.assert_close(generator.map(z), x, atol=1e-5, rtol=1e-5)

    def test_z_and_the_mapping_may_have_widths_of_their_own(self) -> None:
        generator = toy_generator(z_dim=5, mapping_width=20, mapping_layers=3)
        assert [tuple(layer.weight.shape) for layer in generator.mapping] == [(20, 5), (20, 20), (16, 20)]
        assert generator.sample(2, seed=0).data.shape == (2, 16)
        z = Latent(torch.randn(2, 5), "z")
        assert torch.equal(generator.synthesize(z), generator.synthesize(generator.to_w(z)))
        with pytest.raises(BadValueError, match=r"in 'z' has shape \[batch, 5\], not \[2, 16\]"):
            generator.to_w(Latent(torch.randn(2, 16), "z"))

    def test_one_layer_goes_from_z_to_w(self) -> None:
        assert toy_generator(z_dim=5, mapping_width=20, mapping_layers=1).mapping[0].weight.shape == (16, 5)

    def test_z_w_and_w_plus_give_one_picture(self) -> None:
        generator = toy_generator()
        z = Latent(torch.randn(2, 16), "z")
        w = generator.to_w(z)
        images = [generator.synthesize(latent) for latent in (z, w, generator.to_w_plus(z), generator.to_w_plus(w))]
        assert all(torch.equal(image, images[0]) for image in images)

    def test_w_plus_has_a_row_a_layer(self) -> None:
        generator = toy_generator()
        plus = generator.to_w_plus(generator.sample(2, seed=0))
        assert (plus.space, tuple(plus.data.shape)) == ("w+", (2, 8, 16))
        assert torch.equal(generator.to_w_plus(plus).data, plus.data)

    def test_w_plus_has_no_w(self) -> None:
        generator = toy_generator()
        with pytest.raises(SpaceError, match="a 'w\\+' latent has no 'w'"):
            generator.to_w(generator.to_w_plus(generator.sample(1, seed=0)))

    @pytest.mark.parametrize("resolution", [None, 16])
    def test_styles_give_the_same_picture(self, resolution: int | None) -> None:
        generator = toy_generator()
        w = generator.sample(2, seed=0)
        plus = Latent(generator.to_w_plus(w).data + 0.3 * torch.randn(2, 8, 16), "w+")
        for latent in (w, plus):
            styles = generator.to_s(latent)
            assert (styles.space, tuple(styles.data.shape)) == ("s", (2, generator.style_dim))
            expected = generator.synthesize(latent, resolution=resolution)
            torch.testing.assert_close(generator.synthesize(styles, resolution=resolution), expected)
        assert torch.equal(generator.to_s(styles).data, styles.data)

    def test_every_layer_has_a_style_a_channel(self) -> None:
        generator = toy_generator()  # two layers of 4 px; then three a block, one of them as wide as the block before
        assert generator.style_dim == (12 + 12) + (12 + 8 + 8) + (8 + 8 + 8) + (8 + 6 + 6)
        assert generator.style_rows.bincount().tolist() == [12, 12 + 12, 8, 8 + 8, 8, 8 + 8, 6, 6]
        plus = generator.to_w_plus(generator.sample(1, seed=0)).data
        for row in range(8):
            moved = plus.clone()
            moved[:, row] += 1
            change = generator.to_s(Latent(moved, "w+")).data - generator.to_s(Latent(plus, "w+")).data
            assert torch.equal(change[0] != 0, generator.style_rows == row)

    def test_styles_up_to_a_side(self) -> None:
        generator = toy_generator()
        ws = generator.to_w_plus(generator.sample(2, seed=0)).data
        assert torch.equal(generator.styles(ws, resolution=16), generator.styles(ws)[:, : 24 + 28 + 24])

    def test_styles_are_no_w(self) -> None:
        generator = toy_generator()
        styles = generator.to_s(generator.sample(1, seed=0))
        for call in (generator.to_w, generator.to_w_plus):
            with pytest.raises(SpaceError, match="in 's' holds a StyleGAN2's styles, which no w makes: give one in"):
                call(styles)
        with pytest.raises(BadValueError, match=r"of this generator in 's' has shape \[batch, 96\], not \[1, 95\]"):
            generator.synthesize(Latent(styles.data[:, 1:], "s"))

    @pytest.mark.parametrize(("space", "shape"), [("z", (1, 8)), ("w", (1, 17)), ("w+", (1, 7, 16)), ("w+", (1, 8, 8))])
    def test_shapes_are_checked(self, space: str, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match=r"a latent of this generator in .* has shape \[batch, .*16\], not \["):
            toy_generator().synthesize(Latent(torch.zeros(shape), space))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mapping_layers": 0}, "mapping_layers is 0"),
        ({"clamp": -1.0}, "clamp is -1.0"),
        ({"noise": "no"}, "noise is 'no'"),
        ({"z_dim": 0}, "z_dim is 0"),
        ({"mapping_width": 9999}, "mapping_width is 9999"),
    ],
)
def test_arguments_are_checked(change: dict, message: str) -> None:
    with pytest.raises(BadValueError, match=message):
        StyleGAN2(**{"resolution": 32, "latent_dim": 8, "channels": [8, 8, 8, 8], **change})
