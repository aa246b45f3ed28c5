"""What checkpoints are wrapped in, what their networks draw (classes, one channel, alpha), and files that are none."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators import convert, inspect, load_generator
from sgf_hub.types import Latent
from tests.foreign import GOLDEN, genforce2, nvidia, nvidias_modules, rosinality, write
from tests.toys import toy_generator


def noisy(**changes: Any) -> Any:
    return toy_generator(noise=True, **changes)


def same_pictures(path: Path, wanted: Any, *, mean: bool = True) -> None:
    latent = wanted.sample(2, seed=0)
    found = load_generator(path)
    if mean:
        torch.testing.assert_close(found.sample(2, seed=0).data, latent.data, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.synthesize(latent), wanted.synthesize(latent), atol=1e-5, rtol=0)


def prefixed(word: str, state: dict) -> dict:
    return {f"{word}.{key}": value for key, value in state.items()}


OTHER = {"input.weight": torch.ones(2), "style.convs.0.weight": torch.ones(2)}  # an encoder, a discriminator
WRAPPED: dict[str, Callable[[dict], Any]] = {
    "bare": lambda state: state,
    "data parallel": lambda state: {"g_ema": prefixed("module", state)},
    "compiled and parallel": lambda state: prefixed("_orig_mod.module", state),
    "BasicSR": lambda state: {"params_ema": state, "params": {key: value + 1 for key, value in state.items()}},
    "an average under ema": lambda state: {"ema": state, "generator": {key: value + 1 for key, value in state.items()}},
    "a trained one alone": lambda state: {"netG": state, "netD": OTHER, "epoch": 3},
    "pSp": lambda state: {
        "state_dict": prefixed("decoder", state) | prefixed("encoder", OTHER), "opts": {"a": 1}
    },
    "Lightning": lambda state: {
        "state_dict": prefixed("model.g_ema", state) | prefixed("model.discriminator", OTHER),
        "callbacks": defaultdict(dict), "pytorch-lightning_version": "2.0",
    },
    "a dict of names in a state dict": lambda state: {"model_state_dict": {"generator": state}},
}  # fmt: skip


class TestWrappers:
    @pytest.mark.parametrize("name", WRAPPED)
    def test_weights_are_found(self, name: str, tmp_path: Path) -> None:
        path = write(tmp_path / "file.pt", WRAPPED[name](rosinality(noisy())["g_ema"]))
        same_pictures(path, noisy(), mean=False)
        assert ("the generator in training: the file holds no averaged one" in inspect(path).notes) == (
            name in ("a trained one alone", "a dict of names in a state dict")
        )

    def test_a_mean_w_for_every_layer(self, tmp_path: Path) -> None:
        tree = rosinality(noisy())
        rows = tree["latent_avg"].expand(8, -1).contiguous()
        state = {"state_dict": prefixed("decoder", tree["g_ema"]), "latent_avg": rows}
        path = write(tmp_path / "file.pt", state)
        same_pictures(path, noisy())
        assert inspect(path).notes == ("the encoder that the file holds beside it is not read",)

    def test_other_networks_are_not_taken_for_it(self, tmp_path: Path) -> None:
        path = write(tmp_path / "file.pt", {"state_dict": prefixed("encoder", OTHER)})
        with pytest.raises(CorruptFileError, match="is of a format that sgf-hub does not know"):
            load_generator(path)

    def test_a_network_of_nvidias_in_a_torch_file(self, tmp_path: Path) -> None:
        """As PTI keeps the generator that it tuned to a photo."""
        with nvidias_modules():
            torch.save(nvidia(noisy()), tmp_path / "model_tuned.pt")
        same_pictures(tmp_path / "model_tuned.pt", noisy())


class TestGenforceStyleGAN2:
    @pytest.mark.parametrize("old", [False, True])
    def test_read_back(self, old: bool, tmp_path: Path) -> None:
        same_pictures(write(tmp_path / "file.pth", genforce2(noisy(), old=old)), noisy())

    def test_the_mean_and_noise_are_optional(self, tmp_path: Path) -> None:
        state = genforce2(toy_generator())["generator_smooth"]
        state = {key: value for key, value in state.items() if ".noise" not in key and key != "truncation.w_avg"}
        path = write(tmp_path / "file.pth", {"generator_smooth": state})
        same_pictures(path, toy_generator(), mean=False)
        assert inspect(path).notes == ("the mean w is that of 10,000 draws: the file holds none",)


class TestClasses:
    file = GOLDEN / "nvidia_stylegan2_ada_conditional_32px.pkl"

    def test_a_class_is_part_of_which_generator_it_is(self, tmp_path: Path) -> None:
        one, two = (load_generator(self.file, class_label=label) for label in (1, 2))
        assert (one.sample(1, seed=0).data - two.sample(1, seed=0).data).abs().max() > 0.01
        made = convert(self.file, tmp_path / "two", class_label=2)
        assert made.class_label == 2 and load_generator(tmp_path / "two", class_label=2).class_label == 2
        torch.testing.assert_close(made.sample(1, seed=0).data, two.sample(1, seed=0).data)
        with pytest.raises(BadValueError, match="'.*two' was converted to draw class 2: leave class_label out"):
            load_generator(tmp_path / "two", class_label=1)

    @pytest.mark.parametrize(
        ("label", "message"),
        [
            (None, r"draws 3 classes: say which, class_label=0 to 2 \(--class-label\)"),
            (3, "class_label is 3; it must be a number from 0 to 2"),
            (-1, "class_label is -1"),
            ("cat", "class_label is 'cat'; it must be a number"),
        ],
    )
    def test_mistakes(self, label: Any, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            load_generator(self.file, class_label=label)

    def test_a_network_without_classes(self, tmp_path: Path) -> None:
        for path in (GOLDEN / "nvidia_stylegan3_t_32px.pkl", write(tmp_path / "file.pt", rosinality(noisy()))):
            with pytest.raises(BadValueError, match="knows no classes: leave class_label out"):
                load_generator(path, class_label=0)

    def test_inspect_says_how_many(self) -> None:
        assert inspect(self.file).classes == 3 and inspect(self.file).loadable


def grey(generator: Any) -> Any:
    """The same with the first of its three colours alone."""
    for block in generator.blocks:
        for part in (block.rgb.weight, block.rgb.bias):
            part.data = part.data[:1]
    return generator


class TestChannels:
    @pytest.mark.parametrize(
        "layout",
        [rosinality, genforce2, lambda made: {"G_ema": nvidia(made)}],
        ids=["rosinality", "genforce", "nvidia"],
    )
    def test_grey_is_three_equal_colours(self, layout: Callable, tmp_path: Path) -> None:
        path = write(tmp_path / "file.bin", layout(grey(noisy())))
        latent = noisy().sample(2, seed=0)
        wanted = noisy().synthesize(latent)[:, :1].expand(-1, 3, -1, -1)
        torch.testing.assert_close(load_generator(path).synthesize(latent), wanted, atol=1e-5, rtol=0)
        assert inspect(path).channels == "1, drawn as three equal colours"

    def test_alpha_lies_over_a_named_background(self, tmp_path: Path) -> None:
        path = write(tmp_path / "file.bin", {"G_ema": nvidia(noisy(image_channels=4))})
        found, latent = load_generator(path), noisy().sample(2, seed=0)
        whole = found.synthesize(latent, alpha=True)
        assert whole.shape == (2, 4, 32, 32) and inspect(path).channels == "4, with alpha"
        opacity = (whole[:, 3:] + 1) / 2
        assert opacity.std() > 0.01
        for background, shade in (("white", 1.0), ("grey", 0.0), ("black", -1.0)):
            found.background = background
            wanted = whole[:, :3] * opacity + shade * (1 - opacity)
            torch.testing.assert_close(found.synthesize(latent), wanted, atol=1e-5, rtol=0)
        convert(path, tmp_path / "mine")
        torch.testing.assert_close(load_generator(tmp_path / "mine").synthesize(latent, alpha=True), whole)
        with pytest.raises(BadValueError, match="draws no alpha channel: leave alpha out"):
            noisy().synthesize(latent, alpha=True)

    def test_other_numbers_are_told(self, tmp_path: Path) -> None:
        tree = rosinality(noisy(image_channels=4))
        for key, value in tree["g_ema"].items():
            if "to_rgb" in key and value.ndim > 2 and "kernel" not in key and "modulation" not in key:
                tree["g_ema"][key] = value[:, :2]
        with pytest.raises(CorruptFileError, match="image_channels is 2; it must be 3, or 4 with an alpha channel"):
            load_generator(write(tmp_path / "file.pt", tree))


class Homemade(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)


class TestNoCheckpoint:
    @pytest.mark.parametrize("old", [False, True])
    def test_a_whole_module(self, old: bool, tmp_path: Path) -> None:
        torch.save(Homemade(), tmp_path / "net.pt", _use_new_zipfile_serialization=not old)
        with pytest.raises(CorruptFileError) as caught:
            load_generator(tmp_path / "net.pt")
        told = str(caught.value)
        assert "net.pt holds a whole module" in told and "Homemade" in told
        assert "torch.save(torch.load('net.pt', weights_only=False).state_dict(), 'weights.pt')" in told

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS.*`git lfs pull`"),
            (b"\n<!DOCTYPE html>\n<html>", "is a web page, not the file that it was downloaded as"),
        ],
    )
    @pytest.mark.parametrize("name", ["model.pkl", "model.safetensors"])
    def test_what_lies_in_its_place(self, content: bytes, message: str, name: str, tmp_path: Path, zoo: Path) -> None:
        if name == "model.safetensors":
            folder = tmp_path / "folder"
            load_generator(zoo / "toy-stylegan2").save_pretrained(folder)
            (folder / name).write_bytes(content)
        else:
            folder = tmp_path
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptFileError, match=f"{name} {message}"):
            load_generator(folder)

    def test_pictures_that_are_not_square(self, tmp_path: Path) -> None:
        for layout, key in ((rosinality, "input.input"), (genforce2, "synthesis.early_layer.const")):
            tree = layout(noisy())
            state = tree.get("g_ema", tree.get("generator_smooth"))
            state[key] = state[key][..., :2]
            path = write(tmp_path / "file.pt", tree)
            with pytest.raises(CorruptFileError, match=r"draws pictures of 32 x 16 \(height x width\); square ones"):
                load_generator(path)


def test_a_latent_finds_its_layer() -> None:
    """The first rows of a w+ latent move the coarse features, in StyleGAN3 as well."""
    generator = load_generator(GOLDEN / "nvidia_stylegan3_t_32px.pkl")
    w = generator.to_w_plus(generator.sample(2, seed=0)).data
    for row in range(generator.num_layers):
        mixed = w[:1].clone()
        mixed[:, row] = w[1:, row]
        assert (
            generator.synthesize(Latent(mixed, "w+")) - generator.synthesize(Latent(w[:1], "w+"))
        ).abs().max() > 1e-4


@pytest.mark.parametrize("key", ["synthesis.output1.weight", "synthesis.layer1.weight", "synthesis.output1.bias"])
def test_layers_of_other_sizes_are_told(key: str, tmp_path: Path) -> None:
    """A tensor whose own shape says how it is arranged is held against ours as well."""
    for layout in (lambda made: genforce2(made), lambda made: genforce2(made, old=True)):
        for source in (noisy(), grey(noisy())):
            tree = layout(source)
            held = tree["generator_smooth"][key]
            cut = held[..., :1] if held.ndim == 1 else held[:, :1]
            tree["generator_smooth"][key] = cut
            with pytest.raises(CorruptFileError, match=key) if cut.shape != held.shape else nullcontext():
                load_generator(write(tmp_path / "file.pth", tree))
