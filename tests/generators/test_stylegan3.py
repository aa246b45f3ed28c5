"""StyleGAN3: the property that it was made for, its filters by SciPy's, and what its config says."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.generators.stylegan.stylegan3 import Schedule, StyleGAN3, lowpass

T, R = {"kernel": 3}, {"kernel": 1, "radial": True}


def toy(**changes: object) -> StyleGAN3:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = StyleGAN3(**{"resolution": 32, "latent_dim": 16, "channels": [12] * 6, **changes})  # type: ignore[arg-type]
    return made.eval().requires_grad_(False)


def moved(generator: StyleGAN3, transform: list[list[float]]) -> Tensor:
    """What it draws once the picture's coordinates are transformed."""
    generator.input.transform = torch.tensor(transform)
    return generator(generator.to_w_plus(generator.sample(2, seed=1)).data)


def decibels(found: Tensor, wanted: Tensor) -> float:
    return 10 * math.log10(wanted.var().item() / (found - wanted).square().mean().item())


UNMOVED = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]


class TestEquivariance:
    @pytest.mark.parametrize("config", [T, R], ids=["T", "R"])
    def test_a_shifted_input_shifts_the_picture(self, config: dict) -> None:
        generator = toy(**config)
        still, shifted = moved(generator, UNMOVED), moved(generator, [[1.0, 0, -4 / 32], [0, 1.0, 0], [0, 0, 1.0]])
        inner = (..., slice(8, -8), slice(8, -8))
        assert decibels(shifted[inner], still.roll(4, 3)[inner]) > 60
        assert decibels(shifted[inner], still.roll(-4, 3)[inner]) < 20  # the other way

    def test_a_turned_input_turns_the_picture_of_r_alone(self) -> None:
        quarter = [[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]
        for config, low, high in ((R, 60, math.inf), (T, -math.inf, 30)):
            generator = toy(**config)
            still = moved(generator, UNMOVED)
            assert low < decibels(moved(generator, quarter), still.rot90(-1, (2, 3))) < high


class TestFilters:
    @pytest.mark.parametrize(("taps", "cutoff", "width", "rate"), [(12, 3.3, 9.2, 64), (24, 8.0, 1.5, 128)])
    def test_they_are_scipys(self, taps: int, cutoff: float, width: float, rate: float) -> None:
        signal = pytest.importorskip("scipy.signal")
        wanted = torch.from_numpy(signal.firwin(taps, cutoff, width=width, fs=rate)).float()
        torch.testing.assert_close(lowpass(taps, cutoff, width, rate), wanted, atol=1e-7, rtol=0)

    def test_radial_ones(self) -> None:
        special = pytest.importorskip("scipy.special")
        found = lowpass(12, 5.0, 9.0, 64, radial=True)
        assert found.shape == (12, 12) and found.sum().item() == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(found, found.rot90())
        # the ratio of two taps at the same place of the window's product is the jinc's
        places = (torch.arange(12) - 5.5) / 64
        near, far = (math.pi * math.hypot(*pair) for pair in ((places[5], places[0]), (places[0], places[5])))
        assert near == pytest.approx(far) and found[5, 0] == found[0, 5]
        window = torch.kaiser_window(12, periodic=False, beta=_beta(12, 18 / 64), dtype=torch.float64)
        jinc = [
            special.j1(10 * math.pi * r) / (math.pi * r) for r in (math.hypot(0.5, 0.5) / 64, 5.5 / 64 * math.sqrt(2))
        ]
        ratio = jinc[1] / jinc[0] * (window[0] / window[5]) ** 2
        assert (found[0, 0] / found[5, 5]).item() == pytest.approx(ratio.item(), rel=1e-5)

    def test_they_are_no_weights(self) -> None:
        assert not [key for key in toy().state_dict() if "filter" in key]


def _beta(taps: int, width: float) -> float:
    signal = pytest.importorskip("scipy.signal")
    return signal.kaiser_beta(signal.kaiser_atten(taps, width))


class TestSchedule:
    def test_the_papers(self) -> None:
        """Layers of the published 1024 px networks: sides, as their names say, and critical sampling at the end."""
        schedule = Schedule(1024, 14, 2, 2.0, 2**2.1, 2**0.3)
        assert schedule.sizes == [36, 36, 52, 52, 84, 148, 148, 276, 276, 532, 1044, 1044, 1044, 1024, 1024]
        assert schedule.cutoffs[-3:] == [512, 512, 512] and schedule.rates[-3:] == [1024] * 3
        assert schedule.half_widths[0] == pytest.approx(6)

    def test_a_lower_side_is_the_mean_over_squares(self) -> None:
        generator = toy()
        latent = generator.sample(2, seed=0)
        wanted = F.avg_pool2d(generator(generator.to_w_plus(latent).data), 2).clamp(-1, 1)
        torch.testing.assert_close(generator.synthesize(latent, resolution=16), wanted)
        with pytest.raises(BadValueError, match="draws 8, 16, 32 px, not 20"):
            generator.synthesize(latent, resolution=20)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"resolution": 48}, "resolution 48, kernel 3 and radial False: they must be a power of two"),
            ({"kernel": 2}, "kernel 2"),
            ({"channels": [8]}, r"channels is \[8\]; it must be the widths of 3 to 64 layers"),
            ({"critical": 6}, "critical is 6; it must be a number from 0 to 5"),
            ({"filter_size": 100}, "filter_size is 100"),
            ({"class_label": -1}, "class_label is -1"),
        ],
    )
    def test_what_is_no_config(self, changes: dict, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            toy(**changes)

    def test_it_is_saved_and_loaded(self, tmp_path) -> None:  # noqa: ANN001
        generator = toy(**R, class_label=3)
        generator.saved_as = torch.float32
        generator.save_pretrained(tmp_path / "toy")
        again = StyleGAN3.from_pretrained(tmp_path / "toy")
        latent = generator.sample(1, seed=0)
        assert again.class_label == 3
        torch.testing.assert_close(again.synthesize(latent), generator.synthesize(latent))
