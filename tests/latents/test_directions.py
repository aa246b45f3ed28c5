"""Directions of other tools: every shape that they come in, and which generator others would fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, SpaceError
from sgf_hub.latents import read_direction
from tests.toys import toy_generator, toy_progan

TOY = toy_generator()  # w of 16 dimensions, 8 layers
WAY = torch.randn(16, generator=torch.Generator().manual_seed(0))
LAYERED = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(16,), (1, 16), (1, 8, 16), (8, 16)])
@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "safetensors"])
def test_shapes_of_one_w(shape: tuple, kind: str, tmp_path: Path) -> None:
    path, data = tmp_path / f"x.{kind}", WAY.expand(shape).contiguous()
    if kind == "npy":
        np.save(path, data.numpy())
    elif kind == "npz":
        np.savez(path, data.numpy())
    elif kind == "pt":
        torch.save(data, path)
    else:
        save_file({"direction": data}, path)
    torch.testing.assert_close(read_direction(path, TOY), WAY / WAY.norm())


@pytest.mark.parametrize("shape", [(1, 8, 16), (8, 16)])
def test_layers_of_their_own(shape: tuple, tmp_path: Path) -> None:
    torch.save(LAYERED.view(shape), tmp_path / "age.pt")
    found = read_direction(tmp_path / "age.pt", TOY)
    assert found.norm(dim=1).square().mean().item() == pytest.approx(1, abs=1e-5), "as far as a row for all layers goes"
    torch.testing.assert_close(found / found.norm(), LAYERED / LAYERED.norm())


def saved(data: Tensor) -> Callable[[Path], None]:
    return lambda path: np.save(path, data.numpy())


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        (saved(torch.zeros(1, 16)), CorruptFileError, "x.npy is zero everywhere: it points nowhere."),
        (saved(torch.ones(3, 16)), BadValueError, "x.npy holds 3 directions: save the one that is meant alone."),
        (saved(torch.ones(2, 8, 16)), CorruptFileError, "a direction has \\[D\\], or \\[L, D\\]"),
        (saved(torch.ones(())), CorruptFileError, "a direction has"),
        (saved(torch.ones(1, 0)), CorruptFileError, "a direction has"),
        (saved(torch.ones(1, 32)), SpaceError, "a generator with 32 dimensions would fit"),
        (
            saved(torch.ones(1, 10, 16)),
            SpaceError,
            "10 layers of 16 dimensions, such as a StyleGAN2 of 64 px, would fit",
        ),
        (lambda path: torch.save({"a": WAY, "b": WAY}, path), BadValueError, r"holds 2 tensors \(a, b\): save one"),
        (lambda path: torch.save(WAY * torch.inf, path), CorruptFileError, "not finite"),
        (lambda path: path.write_bytes(b"hello"), CorruptFileError, "no file of latents or directions"),
    ],
)
def test_what_is_no_direction_here(write: Callable, error: type[SGFError], words: str, tmp_path: Path) -> None:
    write(tmp_path / "x.npy")
    with pytest.raises(error, match=words):
        read_direction(tmp_path / "x.npy", TOY)


def test_of_a_generator_without_layers(tmp_path: Path, in_toy_zoo: Path) -> None:
    np.save(tmp_path / "x.npy", WAY[None].numpy())
    torch.testing.assert_close(read_direction(tmp_path / "x.npy", toy_progan()), WAY / WAY.norm())
    np.save(tmp_path / "x.npy", LAYERED[None].numpy())
    with pytest.raises(SpaceError, match="latents of this generator are 'z' of 16 dimensions; of the zoo, toy-style"):
        read_direction(tmp_path / "x.npy", toy_progan())
