"""Latents of other tools: each layout is read as what it is, drawn as its maker drew it, and told where it fits."""

import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub import read_latent
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, SpaceError
from sgf_hub.generators import load_generator
from sgf_hub.generators.custom import CustomGenerator
from sgf_hub.generators.dcgan import DCGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.latents import files
from sgf_hub.types import Latent
from tests.toys import toy_generator, toy_progan

GOLDEN = Path(__file__).parents[1] / "golden"
TOY = toy_generator()  # w of 16 dimensions, 8 layers


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def rosinalitys() -> StyleGAN2:
    """The generator of the golden latents, whose keys begin with "module."."""
    return load_generator(GOLDEN / "rosinality_ddp_prefix_32px.pt")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "picture", "space", "count"),
    [
        ("e4e_latents_32px.pt", "image_e4e_latents", "w+", 3),
        ("w_projected_32px.npz", "image_w_projected", "w", 1),
        ("interfacegan_w.npy", "image_interfacegan_w", "w", 5),
    ],
)
def test_golden_latents_draw_their_makers_pictures(
    rosinalitys: StyleGAN2, name: str, picture: str, space: str, count: int
) -> None:
    wanted = load_file(GOLDEN / "rosinality_ddp_prefix_32px.reference.safetensors")[picture]
    assert len(wanted) == count
    for i in range(count):
        latent = read_latent(GOLDEN / name, rosinalitys, index=i)
        assert latent.space == space and len(latent) == 1
        drawn = rosinalitys.synthesize(latent)
        assert (drawn - wanted[i : i + 1].clamp(-1, 1)).abs().max() <= 1e-4 * wanted.abs().max()


W, PLUS = rows(2, 16), rows(2, 8, 16, seed=1)
EQUAL = W[:, None].expand(2, 8, 16)


def npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **{name: np.asarray(one) for name, one in arrays.items()})


LAYOUTS: dict[str, tuple[Callable[[Path], object], str, str, Tensor]] = {
    "projector.py's": (lambda path: npz(path, w=PLUS[:1]), "x.npz", "w+", PLUS[:1]),
    "projector.py's, of one w": (lambda path: npz(path, w=EQUAL[1:]), "x.npz", "w", W[1:]),
    "one array of several": (lambda path: npz(path, w=W[:1], names=["a"], loss=np.ones(3)), "x.npz", "w", W[:1]),
    "packed": (lambda path: np.savez_compressed(path, w=PLUS[:1].numpy()), "x.npz", "w+", PLUS[:1]),
    "InterFaceGAN's": (lambda path: np.save(path, W[:1].numpy()), "x.npy", "w", W[:1]),
    "InterFaceGAN's, of double precision": (lambda path: np.save(path, W[:1].double().numpy()), "x.npy", "w", W[:1]),
    "InterFaceGAN's in W+": (lambda path: np.save(path, PLUS[:1].numpy()), "wp.npy", "w+", PLUS[:1]),
    "a vector": (lambda path: np.save(path, W[0].numpy()), "x.npy", "w", W[:1]),
    "e4e's": (lambda path: torch.save(PLUS[:1], path), "x.pt", "w+", PLUS[:1]),
    "one w for all layers, as a view": (lambda path: torch.save(EQUAL[:1], path), "x.pt", "w", W[:1]),
    "a parameter, as older torch saves": (
        lambda path: torch.save(torch.nn.Parameter(PLUS[:1]), path, _use_new_zipfile_serialization=False),
        "x.pt", "w+", PLUS[:1],
    ),
    "a picture's name": (lambda path: torch.save({"me.jpg": PLUS[0]}, path), "x.pt", "w+", PLUS[:1]),
    "rosinality's": (
        lambda path: torch.save(
            {"me.png": {"img": rows(3, 8, 16), "latent": PLUS[0], "noise": [rows(1, 1, 16, 16)]}}, path
        ), "x.pt", "w+", PLUS[:1],
    ),
    "rosinality's in W": (
        lambda path: torch.save({"a.png": {"img": rows(3, 8, 16), "latent": W[1], "noise": []}}, path),
        "x.pt", "w", W[1:],
    ),
    "a list": (lambda path: torch.save([PLUS[1]], path), "x.pt", "w+", PLUS[1:]),
    "half precision": (lambda path: torch.save({"latents": PLUS[:1].half()}, path), "x.pt", "w+", PLUS[:1]),
    "arrays in a pickle": (lambda path: path.write_bytes(pickle.dumps({"w": W[:1].numpy()})), "x.pkl", "w", W[:1]),
    "safetensors without a word": (lambda path: save_file({"latent": PLUS[:1].clone()}, path), "x.safetensors", "w+",
                                   PLUS[:1]),
    "safetensors called otherwise": (lambda path: save_file({"w": W[:1].clone()}, path), "x.safetensors", "w", W[:1]),
    "ours": (lambda path: Latent(EQUAL[:1], "w+").save(path), "x.safetensors", "w+", EQUAL[:1]),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, tmp_path: Path) -> None:
    write, name, space, data = LAYOUTS[layout]
    write(tmp_path / name)
    found = read_latent(tmp_path / name, TOY)
    assert found.space == space
    torch.testing.assert_close(found.data, data, atol=2e-3 if layout == "half precision" else 0, rtol=0)


def test_a_name_says_nothing(tmp_path: Path) -> None:
    torch.save(PLUS[:1], tmp_path / "x.npy")
    assert read_latent(tmp_path / "x.npy", TOY).space == "w+"


def test_z_of_a_generator_that_draws_from_w(tmp_path: Path) -> None:
    z = rows(1, 16)
    wanted = TOY.to_w(Latent(z, "z")).data
    np.save(tmp_path / "z.npy", z.numpy())
    np.save(tmp_path / "x.npy", z.numpy())
    torch.save({"z": z}, tmp_path / "x.pt")
    for found in (
        read_latent(tmp_path / "z.npy", TOY),  # as InterFaceGAN calls it
        read_latent(tmp_path / "x.pt", TOY),
        read_latent(tmp_path / "x.npy", TOY, space="z"),
    ):
        assert found.space == "w" and torch.equal(found.data, wanted)
    assert torch.equal(read_latent(tmp_path / "z.npy", TOY, space="w").data, z), "what the user says counts"


def test_of_generators_in_z(tmp_path: Path) -> None:
    z = rows(2, 16)
    torch.save(z[:1, :, None, None], tmp_path / "noise.pt")  # as a DCGAN reads it
    dcgan = DCGAN(latent_dim=16, resolution=16, channels=[4, 4])
    wrapped = CustomGenerator(torch.nn.Sequential(torch.nn.Linear(16, 192), torch.nn.Unflatten(1, (3, 8, 8))),
                              latent_dim=16)  # fmt: skip
    for generator in (toy_progan(), dcgan, wrapped):
        found = read_latent(tmp_path / "noise.pt", generator)
        assert found.space == "z" and torch.equal(found.data, z[:1])
    np.save(tmp_path / "plus.npy", rows(1, 8, 16).numpy())
    with pytest.raises(SpaceError, match="latents of this generator are 'z' of 16 dimensions"):
        read_latent(tmp_path / "plus.npy", toy_progan())


class TestSeveral:
    def test_one_is_asked_for(self, tmp_path: Path) -> None:
        np.save(tmp_path / "w.npy", W.numpy())
        with pytest.raises(BadValueError) as told:
            read_latent(tmp_path / "w.npy", TOY)
        assert str(told.value) == "w.npy holds 2 latents: say which, by an index from 0 to 1."
        assert torch.equal(read_latent(tmp_path / "w.npy", TOY, index=1).data, W[1:])

    def test_names_are_told(self, tmp_path: Path) -> None:
        torch.save({"a.jpg": {"latent": PLUS[0]}, "b.jpg": {"latent": PLUS[1]}}, tmp_path / "x.pt")
        with pytest.raises(BadValueError, match=r"holds 2 latents \(0 a.jpg, 1 b.jpg\): say which"):
            read_latent(tmp_path / "x.pt", TOY)
        assert torch.equal(read_latent(tmp_path / "x.pt", TOY, index=1).data, PLUS[1:])

    @pytest.mark.parametrize("index", [2, -1, True])
    def test_another_index(self, index: int, tmp_path: Path) -> None:
        np.save(tmp_path / "w.npy", W.numpy())
        with pytest.raises(BadValueError, match=f"and {index} is none of them: say which, by an index from 0 to 1"):
            read_latent(tmp_path / "w.npy", TOY, index=index)

    def test_as_many_w_as_layers_or_one_w_plus(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", PLUS[0].numpy())
        assert torch.equal(read_latent(tmp_path / "x.npy", TOY, index=3).data, PLUS[0, 3:4])
        found = read_latent(tmp_path / "x.npy", TOY, space="w+")
        assert found.space == "w+" and torch.equal(found.data, PLUS[:1])


class TestMisfits:
    def test_which_generator_would_fit(self, in_toy_zoo: Path, tmp_path: Path) -> None:
        other = toy_generator(latent_dim=8)
        np.save(tmp_path / "x.npy", PLUS.numpy())
        with pytest.raises(SpaceError) as told:
            read_latent(tmp_path / "x.npy", other)
        assert str(told.value) == (
            "x.npy holds a tensor of shape [2, 8, 16], and latents of this generator are 'w' of 8 dimensions, 'w+' of "
            "8 layers of them, 'z' of 8; of the zoo, toy-stylegan2 would fit."
        )
        np.save(tmp_path / "x.npy", rows(1, 10, 32).numpy())
        with pytest.raises(
            SpaceError, match="a generator with 10 layers of 32 dimensions, such as a StyleGAN2 of 64 px, "
        ):
            read_latent(tmp_path / "x.npy", other)
        np.save(tmp_path / "x.npy", W.numpy())
        with pytest.raises(SpaceError, match="of the zoo, toy-progan and toy-stylegan2 would fit"):
            read_latent(tmp_path / "x.npy", other)

    def test_a_space_that_the_shape_denies(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", PLUS.numpy())
        with pytest.raises(SpaceError, match=r"shape \[2, 8, 16\] in the space 'w', and latents of this generator are"):
            read_latent(tmp_path / "x.npy", TOY, space="w")
        with pytest.raises(SpaceError, match="latent space 'v' is unknown: use 'z', 'w' or 'w\\+'"):
            read_latent(tmp_path / "x.npy", TOY, space="v")  # type: ignore[arg-type]
        save_file({"latent": W.clone()}, tmp_path / "x.safetensors", metadata={"space": "v"})
        with pytest.raises(SpaceError, match="says that it is in the space 'v'"):
            read_latent(tmp_path / "x.safetensors", TOY)

    def test_a_checkpoint_is_no_latent(self) -> None:
        with pytest.raises(SpaceError, match=r"holds \d+ tensors, such as 'g_ema/") as told:
            read_latent(GOLDEN / "rosinality_stylegan2_32px.pt", TOY)
        assert "would fit" not in str(told.value)

    def test_of_a_generator_without_layers(self, tmp_path: Path) -> None:
        network = torch.nn.Sequential(torch.nn.Linear(16, 192), torch.nn.Unflatten(1, (3, 8, 8)))
        made = CustomGenerator(network, latent_dim=16, space="w", mapping=torch.nn.Identity())
        np.save(tmp_path / "x.npy", W[:1].numpy())
        assert read_latent(tmp_path / "x.npy", made).space == "w"
        np.save(tmp_path / "x.npy", PLUS.numpy())
        with pytest.raises(SpaceError, match="are 'w' of 16 dimensions, 'z' of 16;"):
            read_latent(tmp_path / "x.npy", made)


def crowded(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(5_000):
            archive.writestr(f"{i}.npy", b"")


def odd(path: Path) -> None:
    np.save(path.with_suffix(".npy"), W.numpy())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(path.with_suffix(".npy"), "w.npy")


@pytest.mark.parametrize(
    ("write", "name", "words"),
    [
        (
            lambda path: path.write_bytes(b""),
            "x.npy",
            "x.npy is empty: give a .safetensors, .npz, .npy, .pt or .pth file",
        ),
        (lambda path: path.write_bytes(b"\xff\xd8\xff"), "x.jpg", "is no file of latents or directions"),
        (
            lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            "x.npy",
            "is a pointer of Git LFS",
        ),
        (
            lambda path: np.save(path, np.array([{"a": 1}]), allow_pickle=True),
            "x.npy",
            "Python objects, which are not read",
        ),
        (lambda path: np.save(path, np.ones((1, 16), int)), "x.npy", "it holds no floating-point numbers"),
        (lambda path: np.save(path, np.full((1, 16), np.nan)), "x.npy", "numbers that are not finite"),
        (lambda path: npz(path, names=["a"]), "x.npz", "holds no tensor of floating-point numbers"),
        (lambda path: torch.save({"step": 3}, path), "x.pt", "holds no tensor of floating-point numbers"),
        (lambda path: torch.save(torch.full((1, 16), torch.inf), path), "x.pt", "finite"),
        (lambda path: np.savez_compressed(path, w=np.zeros(2**21)), "x.npz", "unfolds from .* to 16,777,.* bytes"),
        (crowded, "x.npz", "holds more than 4096 arrays"),
        (odd, "x.npz", "compressed in a way that NumPy does not use"),
        (lambda path: path.mkdir(), "x.npy", "there is no file at"),
        (lambda path: path.write_bytes(pickle.dumps(print)), "x.pt", "print"),
        (
            lambda path: path.write_bytes(struct.pack("<Q", 99) + b"{}"),
            "x.safetensors",
            "cannot be read as safetensors",
        ),
    ],
)
def test_what_is_no_latent(write: Callable[[Path], object], name: str, words: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    with pytest.raises((CorruptFileError, BadValueError), match=words) as told:
        read_latent(tmp_path / name, TOY)
    assert "\n" not in str(told.value)


def test_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LIMIT", 1000)
    torch.save(PLUS, tmp_path / "x.pt")
    with pytest.raises(CorruptFileError, match="x.pt is larger than any file of latents"):
        read_latent(tmp_path / "x.pt", TOY)


@pytest.mark.parametrize("layout", ["projector.py's", "packed", "InterFaceGAN's", "e4e's", "rosinality's",
                                    "a parameter, as older torch saves", "safetensors without a word"])  # fmt: skip
def test_altered_files_end_in_a_latent_or_a_sentence(layout: str, tmp_path: Path, rounds: int = 60) -> None:
    write, name, _, _ = LAYOUTS[layout]
    path = tmp_path / name
    write(path)
    whole, lot = path.read_bytes(), random.Random(0)
    for _ in range(rounds):
        broken = bytearray(whole[: lot.choice([len(whole), len(whole), lot.randrange(len(whole))])])
        for _ in range(lot.choice([1, 1, 3, 12])):
            if broken:
                broken[lot.randrange(len(broken))] = lot.randrange(256)
        path.write_bytes(bytes(broken))
        try:
            found = read_latent(path, TOY)
        except SGFError as error:
            assert "\n" not in str(error) and len(str(error)) < 500
        else:
            assert found.data.shape[-1] == 16 and len(found) == 1
