"""The golden checkpoints, written by the public code of each format, against what that code computed from them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from benchmarks.formats import computed, relative_error
from sgf_hub.generators import convert, load_generator
from sgf_hub.generators.formats.reader import read_checkpoint
from sgf_hub.types import Latent
from tests.foreign import GOLDEN, fuse

FILES = {
    "nvidia_stylegan2_ada_64px.pkl": {
        "w",
        "w_trunc_0_7",
        "image_const_noise",
        "image_no_noise",
        "image_trunc_0_7",
    },
    "rosinality_stylegan2_32px.pt": {"w", "w_trunc_0_7", "image_const_noise", "image_trunc_0_7"},
    "pytorch_gan_zoo_pgan_32px.pth": {"image"},
    "genforce_pggan_32px.pth": {"image"},
}
GOAL = 1e-5  # of the maximum; 1e-4 is what is promised


def reference(name: str) -> dict[str, Tensor]:
    return load_file(str((GOLDEN / name).with_suffix(".reference.safetensors")))


@pytest.mark.parametrize("name", FILES)
class TestEveryReference:
    def test_is_computed_from_the_checkpoint(self, name: str) -> None:
        references = reference(name)
        ours = computed(load_generator(GOLDEN / name), references["z"], set(references) - {"z"})
        assert set(ours) == FILES[name] == set(references) - {"z"}
        for key, value in ours.items():
            assert relative_error(value, references[key]) <= GOAL, key

    def test_is_computed_from_its_conversion(self, name: str, tmp_path: Path) -> None:
        convert(GOLDEN / name, tmp_path / "mine")
        references = reference(name)
        ours = computed(load_generator(tmp_path / "mine"), references["z"], FILES[name])
        for key, value in ours.items():
            assert relative_error(value, references[key]) <= GOAL, key

    def test_would_be_missed_by_another_generator(self, name: str) -> None:
        """The check can fail: one weight off by a part in a thousand is seen."""
        generator, references = load_generator(GOLDEN / name), reference(name)
        generator.blocks[-1].conv1.bias.add_(1e-3 * generator.blocks[-1].conv1.bias.abs().max() + 1e-3)
        ours = computed(generator, references["z"], FILES[name])
        assert max(relative_error(value, references[key]) for key, value in ours.items()) > 1e-4

    def test_pictures_are_the_reference_clipped(self, name: str) -> None:
        references = reference(name)
        whole = references.get("image", references.get("image_const_noise"))
        pictures = load_generator(GOLDEN / name).synthesize(Latent(references["z"], "z"))
        torch.testing.assert_close(pictures, whole.clamp(-1, 1), atol=1e-4, rtol=0)


class TestFused:
    def test_golden_file_in_the_fused_layout(self, tmp_path: Path) -> None:
        fused = fuse(read_checkpoint(GOLDEN / "genforce_pggan_32px.pth"))
        assert sum(key.count(".conv.") for key in fused) == 5 + 4 and "layer2.weight" in fused
        torch.save(fused, tmp_path / "fused.pth")
        references = reference("genforce_pggan_32px.pth")
        ours = load_generator(tmp_path / "fused.pth")(references["z"])
        assert relative_error(ours, references["image"]) <= GOAL

    def test_layout_is_that_of_a_transposed_convolution(self) -> None:
        """A fused layer as it is defined: its kernel padded, summed over four shifts, applied with stride 2."""
        state = read_checkpoint(GOLDEN / "genforce_pggan_32px.pth")
        plain, kernel = state["layer4.conv.weight"].double(), fuse(state)["layer4.weight"].double()
        assert kernel.shape == (3, 3, plain.shape[1], plain.shape[0])
        x = torch.randn(2, plain.shape[1], 8, 8, dtype=torch.float64)
        padded = F.pad(kernel, (0, 0, 0, 0, 1, 1, 1, 1))
        shifted = padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]
        fused = F.conv_transpose2d(x, shifted.permute(2, 3, 0, 1), stride=2, padding=1)
        torch.testing.assert_close(fused, F.conv2d(F.interpolate(x, scale_factor=2), plain, padding=1))


def test_copies_are_what_the_readme_lists() -> None:
    told = (GOLDEN / "README.md").read_text()
    assert all(name in told and (GOLDEN / name).is_file() for name in FILES)
