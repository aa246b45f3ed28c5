"""The golden checkpoints, written by the public code of each format, against what that code computed from them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from benchmarks.formats import computed, golden_files, relative_error
from sgf_hub.generators import convert, load_generator
from sgf_hub.generators.formats.reader import read_checkpoint
from sgf_hub.types import Latent
from tests.foreign import GOLDEN, fuse

FILES = [path.name for path in golden_files()]
GOAL = 1e-5  # of the maximum; 1e-4 is what is promised


def reference(name: str) -> dict[str, Tensor]:
    return load_file(str((GOLDEN / name).with_suffix(".reference.safetensors")))


def nearly(ours: dict[str, Tensor], references: dict[str, Tensor]) -> None:
    assert ours
    for key, value in ours.items():
        assert relative_error(value, references[key]) <= GOAL, key


@pytest.mark.parametrize("name", FILES)
class TestEveryReference:
    def test_is_computed_from_the_checkpoint(self, name: str) -> None:
        references = reference(name)
        nearly(computed(lambda label: load_generator(GOLDEN / name, class_label=label), references), references)

    def test_is_computed_from_its_conversion(self, name: str, tmp_path: Path) -> None:
        def converted(label: int | None) -> Any:
            convert(GOLDEN / name, tmp_path / f"mine-{label}", class_label=label)
            return load_generator(tmp_path / f"mine-{label}", class_label=label)

        nearly(computed(converted, reference(name)), reference(name))

    def test_would_be_missed_by_another_generator(self, name: str) -> None:
        """The check can fail: one weight off by a part in a thousand is seen."""

        def shifted(generator: Any) -> None:
            last = generator.convs[-1] if hasattr(generator, "convs") else generator.blocks[-1].conv1
            last.bias.add_(1e-3 * last.bias.abs().max() + 1e-3)

        references = reference(name)
        ours = computed(lambda label: load_generator(GOLDEN / name, class_label=label), references, change=shifted)
        assert max(relative_error(value, references[key]) for key, value in ours.items()) > 1e-4

    def test_pictures_are_the_reference_clipped(self, name: str) -> None:
        references = reference(name)
        whole = next(references[key] for key in ("image", "image_const_noise", "image_label_0") if key in references)
        made = load_generator(GOLDEN / name, class_label=0 if "c" in references else None)
        pictures = made.synthesize(Latent(references["z"], "z"))
        torch.testing.assert_close(pictures, whole.clamp(-1, 1).expand_as(pictures), atol=1e-4, rtol=0)


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
