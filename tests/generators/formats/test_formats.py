"""Foreign layouts of toy generators read back as they were; and what is recognised and refused, by name."""

import random
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import CorruptFileError, SGFError
from sgf_hub.generators import inspect, load_generator
from sgf_hub.generators.formats import recognised
from sgf_hub.generators.formats.checkpoint import MEAN_DRAWS
from sgf_hub.generators.formats.reader import Opaque, read_checkpoint
from sgf_hub.generators.layers import draw_z
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from tests import foreign
from tests.foreign import GOLDEN, even_first_bias, gan_zoo, genforce, nvidia, rosinality, write
from tests.toys import toy_generator, toy_progan


def noisy(**changes: Any) -> StyleGAN2:
    return toy_generator(noise=True, **changes)


LAYOUTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "nvidia": (noisy, lambda generator: {"G_ema": nvidia(generator)}),
    "rosinality": (noisy, rosinality),
    "gan zoo": (toy_progan, gan_zoo),
    "genforce": (lambda: even_first_bias(toy_progan()), genforce),
    "genforce, fused": (lambda: even_first_bias(toy_progan()), lambda generator: genforce(generator, fused=True)),
}


def same_pictures(found: Any, wanted: Any) -> None:
    latent = wanted.sample(3, seed=0)
    torch.testing.assert_close(found.sample(3, seed=0).data, latent.data, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.synthesize(latent), wanted.synthesize(latent), atol=1e-5, rtol=0)


def loaded(tree: Any, folder: Path) -> Any:
    return load_generator(write(folder / "file.bin", tree))  # what it is called does not matter


def refused(tree: Any, folder: Path, message: str) -> None:
    """One sentence, the same when only shapes are read."""
    path = tree if isinstance(tree, Path) else write(folder / "file.pt", tree)
    with pytest.raises(CorruptFileError, match=message) as caught:
        load_generator(path)
    text = str(caught.value)
    assert path.name in text and "\n" not in text and text.endswith(".") and len(text) < 500
    told = inspect(path)
    assert (told.loadable, told.reason) == (False, text) and told.size == path.stat().st_size


class TestLayouts:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_read_back(self, name: str, tmp_path: Path) -> None:
        make, layout = LAYOUTS[name]
        same_pictures(loaded(layout(make()), tmp_path), make())

    @pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "nvidia"])  # whose files are all single
    def test_half_precision_becomes_single(self, name: str, tmp_path: Path) -> None:
        make, layout = LAYOUTS[name]
        generator = loaded(_each(layout(make()), Tensor.half), tmp_path)
        assert {value.dtype for value in generator.state_dict().values()} == {torch.float32}
        latent = generator.sample(2, seed=0)
        assert (generator.synthesize(latent) - make().synthesize(latent)).abs().max() < 0.05

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_every_weight_counts(self, name: str, tmp_path: Path) -> None:
        """Any one tensor missing, superfluous, misshapen or not finite is told by its name."""
        make, layout = LAYOUTS[name]
        path = write(tmp_path / "file.pt", layout(make()))
        tree = read_checkpoint(path)
        for holder, key in _tensors(tree):
            value = holder.pop(key)
            if key not in ("lod", "w_avg", "latent_avg") and not key.endswith(("kernel", "filter")):
                with pytest.raises(CorruptFileError, match=re.escape(key)):
                    _read(tree)
            for changed in (value[None].expand(2, *value.shape), torch.full_like(value, torch.nan)):
                holder[key] = changed
                with pytest.raises(CorruptFileError, match=re.escape(key)):
                    _read(tree)
            holder[key] = value
        _read(tree)

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_superfluous_tensors(self, name: str, tmp_path: Path) -> None:
        make, layout = LAYOUTS[name]
        tree = read_checkpoint(write(tmp_path / "file.pt", layout(make())))
        next(iter(_tensors(tree)))[0]["stranger"] = torch.zeros(3)
        with pytest.raises(CorruptFileError, match=r"'x' does not fit .*, 32 px: unexpected '.*stranger'\.$"):
            recognised(tree, "x")

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_random_damage(self, name: str, tmp_path: Path) -> None:
        """Whatever is changed in a tree, it loads or is refused in a sentence."""
        make, layout = LAYOUTS[name]
        path = write(tmp_path / "file.pt", layout(make()))
        rng, outcomes = random.Random(0), set()
        strange = [
            None,
            True,
            -1,
            1e300,
            float("nan"),
            "skip",
            [],
            {},
            (1,),
            Opaque("x.y"),
            torch.zeros(0),
            torch.ones(2),
        ]
        for _ in range(60):
            tree = read_checkpoint(path)
            for holder, key in rng.sample(list(_holders(tree)), 2):
                holder[key] = rng.choice(strange)
            try:
                recognised(tree, "x").generator()
                outcomes.add("loaded")
            except SGFError as error:
                assert "\n" not in str(error)
                outcomes.add("refused")
        assert "refused" in outcomes


class TestNvidia:
    @pytest.mark.parametrize(
        "changes",
        [
            {"z_dim": 24},
            {"z_dim": 8, "mapping_width": 20, "mapping_layers": 3},
            {"mapping_layers": 1, "z_dim": 5},
            {"clamp": 0.5},
            {"noise": False},
        ],
    )
    def test_variants(self, changes: dict, tmp_path: Path) -> None:
        generator = toy_generator(**{"noise": True, **changes})
        same_pictures(loaded({"G_ema": nvidia(generator), "D": None}, tmp_path), generator)

    def test_a_missing_mean_is_computed(self, tmp_path: Path) -> None:
        tree = nvidia(noisy())
        del tree.modules["mapping"].buffers["w_avg"]
        self_made = loaded({"G_ema": tree}, tmp_path)
        assert (self_made.w_avg - noisy().map(draw_z(MEAN_DRAWS, 16, seed=0)).mean(dim=0)).abs().max() < 1e-5
        assert inspect(tmp_path / "file.bin").notes == ("the mean w is that of 10,000 draws: the file holds none",)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda g: g.facts.update(c_dim=10, z_dim=16),
                "says that it draws 10 classes, and its mapping's first layers do not fit that",
            ),
            (
                lambda g: g.modules["synthesis"].modules["b16"].facts.update(architecture="resnet"),
                "has synthesis blocks of architecture 'resnet and skip': only 'skip' is supported",
            ),
            (
                lambda g: [b.facts.update(architecture="orig") for b in g.modules["synthesis"].modules.values()],
                "of architecture 'orig': only 'skip' is supported",
            ),
            (
                lambda g: g.modules["synthesis"].modules["b8"].buffers.update(resample_filter=torch.ones(2, 2) / 4),
                r"resamples with another filter \(synthesis.b8.resample_filter, \[2, 2\]\)",
            ),
            (
                lambda g: g.modules["mapping"].modules["fc0"].facts.update(activation="relu"),
                r"has the activations \['lrelu', 'relu'\]: only 'lrelu'",
            ),
            (
                lambda g: g.modules["synthesis"].modules["b8"].modules["conv1"].facts.update(conv_clamp=256.0),
                "clamps its layers differently",
            ),
            (
                lambda g: setattr(g, "class_name", "SongUNet"),
                "holds NVIDIA's 'SongUNet', not a generator: StyleGAN2 and",
            ),
            (
                lambda g: g.modules["synthesis"].modules.update(input=foreign.Persistent("SynthesisInput")),
                "lacks layers of a StyleGAN3: it is truncated, or not a whole generator",
            ),
            (lambda g: g.facts.update(c_dim="none"), "says 'none' for c_dim, where a number is needed"),
            (lambda g: g.modules.pop("mapping"), "holds NVIDIA's 'Generator', not a generator"),
            (
                lambda g: g.modules["synthesis"].modules.pop("b16"),
                "lacks synthesis.b16|does not fit an NVIDIA StyleGAN2-ADA pickle",
            ),
            (lambda g: g.modules.update(synthesis=None), "not a generator: StyleGAN2 and"),
        ],
    )
    def test_refusals(self, change: Callable, message: str, tmp_path: Path) -> None:
        generator = nvidia(noisy())
        change(generator)
        refused({"G_ema": generator}, tmp_path, message)

    def test_another_filter_of_the_same_size(self, tmp_path: Path) -> None:
        """Only its values tell, which inspect does not read."""
        generator = nvidia(noisy())
        generator.modules["synthesis"].modules["b8"].buffers["resample_filter"] = torch.ones(4, 4) / 16
        with pytest.raises(CorruptFileError, match=r"resamples with another filter \(synthesis.b8.resample_filter"):
            loaded({"G_ema": generator}, tmp_path)

    def test_a_discriminator_alone(self, tmp_path: Path) -> None:
        tree = {"D": foreign.Persistent("Discriminator"), "G_ema": None}
        refused(tree, tmp_path, "holds 'D' and no G_ema, the averaged generator")

    def test_a_network_in_many_places(self) -> None:
        """A tree that unfolds without end is visited once."""
        meta: dict = {"class_name": "Generator"}
        module = Opaque("torch_utils.persistence._reconstruct_persistent_obj", (meta,))
        meta["state"] = {"_modules": {"a": module, "b": module}, "_parameters": {}, "_buffers": {}}
        with pytest.raises(CorruptFileError, match="is no pickle as NVIDIA's code writes it: 'b' is odd"):
            recognised({"G_ema": module}, "file.pkl")


class TestRosinality:
    def test_training_checkpoints(self, tmp_path: Path) -> None:
        """{g, d, g_ema, ..., args}: the averaged generator, and a mean w of seeded draws."""
        import argparse

        state = rosinality(noisy())["g_ema"]
        other = {key: value + 1 for key, value in state.items()}
        tree = {"g": other, "d": {"x": torch.ones(1)}, "g_ema": state, "args": argparse.Namespace(size=32)}
        generator = loaded({**tree, "g_optim": {"state": {}, "param_groups": [{"lr": 0.002}]}}, tmp_path)
        wanted = noisy()
        wanted.w_avg = wanted.map(draw_z(MEAN_DRAWS, 16, seed=0)).mean(dim=0)
        same_pictures(generator, wanted)
        assert inspect(tmp_path / "file.bin").notes == ("the mean w is that of 10,000 draws: the file holds none",)

    def test_without_stored_noise(self, tmp_path: Path) -> None:
        tree = rosinality(noisy())
        tree["g_ema"] = {key: value for key, value in tree["g_ema"].items() if not key.startswith("noises.")}
        plain = loaded(tree, tmp_path)
        assert (
            not plain.blocks[0].conv1.noise and "the original draws it anew" in inspect(tmp_path / "file.bin").notes[0]
        )
        wanted = noisy()
        for name, strength in wanted.named_parameters():
            if name.endswith("noise_strength"):
                strength.zero_()
        same_pictures(plain, wanted)

    def test_offsets_of_older_checkpoints(self, tmp_path: Path) -> None:
        tree = rosinality(noisy())
        for key, value in tree["g_ema"].items():
            if key.endswith("activate.bias"):
                tree["g_ema"][key] = value[None, :, None, None]
        same_pictures(loaded(tree, tmp_path), noisy())

    def test_refusals(self, tmp_path: Path) -> None:
        tree = rosinality(noisy())
        tree["g_ema"]["convs.0.conv.blur.kernel"] = torch.ones(3, 3)
        refused(
            tree, tmp_path, r"resamples with another filter \(convs.0.conv.blur.kernel, \[3, 3\]\): only StyleGAN2's"
        )


class TestProGAN:
    @pytest.mark.parametrize("alpha", [0, 0.25, 1.0])
    def test_unfinished_growth(self, alpha: float, tmp_path: Path) -> None:
        """alpha blends the picture of the side below, doubled, into the last one's."""
        generator, z = toy_progan(), draw_z(2, 16, seed=0)
        found = loaded({**gan_zoo(generator), "config": {"alpha": alpha}}, tmp_path)
        below, last = generator.grown(z, level=2), generator.grown(z, level=3)
        wanted = alpha * F.interpolate(below, scale_factor=2) + (1 - alpha) * last
        torch.testing.assert_close(found(z), wanted, atol=1e-5, rtol=0)
        assert bool(inspect(tmp_path / "file.bin").notes) == (alpha > 0)

    def test_without_an_average(self, tmp_path: Path) -> None:
        tree = gan_zoo(toy_progan())
        same_pictures(loaded({"netG": tree["avgG"]}, tmp_path), toy_progan())
        assert inspect(tmp_path / "file.bin").notes == ("the generator in training: the file holds no averaged one",)

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            (
                {"categoryVectorDim": 4},
                "was trained with categoryVectorDim = 4: only categoryVectorDim = 0 is supported",
            ),
            ({"equalizedlR": False}, "was trained with equalizedlR = False"),
            ({"leakyReluLeak": torch.ones(2)}, "was trained with leakyReluLeak = tensor"),
            ({"lossCriterion": "MSE"}, "whose generator ends in a tanh: that is not supported"),
            ({"alpha": 1.5}, "says that alpha is 1.5; it must be a number from 0 to 1"),
        ],
    )
    def test_settings(self, setting: dict, message: str, tmp_path: Path) -> None:
        tree = gan_zoo(toy_progan())
        with pytest.raises(CorruptFileError, match=message):
            loaded({**tree, "config": {**tree["config"], **setting}}, tmp_path)

    def test_level_of_detail(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match=r"is of an unfinished growth \(lod 1.5\): only whole networks"):
            loaded({**genforce(toy_progan()), "lod": torch.tensor(1.5)}, tmp_path)


class TestStrangers:
    @pytest.mark.parametrize(
        ("tree", "message"),
        [
            (
                {"conv1.weight": torch.ones(2), "fc.bias": torch.ones(1)},
                r"does not know \(its keys: 'conv1.weight', 'fc",
            ),
            ({"discriminator": {"b64.fromrgb.weight": torch.ones(1)}}, "holds a discriminator and no generator"),
            ({"synthesis.layer0.epilogue.bias": torch.ones(1)}, "is a StyleGAN of the first version"),
            ({"g_running": {"generator.progression.0.conv1": torch.ones(1)}}, "is a StyleGAN of the first version"),
            ({"synthesis.input.freqs": torch.ones(1)}, "is a bare state dict of StyleGAN3, .*give NVIDIA's .pkl"),
            ({"synthesis.b4.const": torch.ones(1)}, "is a bare state dict of StyleGAN2-ADA.*give NVIDIA's .pkl"),
            ({"epoch": 3, "lr": 0.1}, r"does not know \(its keys: 'epoch', 'lr'\): StyleGAN2 of NVIDIA, rosinality"),
            ([1, 2], "holds 'list': StyleGAN2 of"),
            ({}, "is of a format that sgf-hub does not know: StyleGAN2 of"),
        ],
    )
    def test_trees(self, tree: Any, message: str, tmp_path: Path) -> None:
        refused(tree, tmp_path, message)

    def test_torchscript(self, tmp_path: Path) -> None:
        torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2)).save(str(tmp_path / "file.pt"))
        refused(
            tmp_path / "file.pt", tmp_path, "is a TorchScript file, .*: load it with torch.jit.load and wrap it in a"
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x10", "is an ONNX file, which is not run here"),
            (
                struct.pack("<Q", 20) + b'{"w":{"dtype":"F32"}',
                "is a safetensors file, .*: give the folder with its config",
            ),
            (b"\x89HDF\r\n\x1a\n" + bytes(8), r"is an HDF5 file \(Keras\): StyleGAN2 of"),
            (b"", "is empty"),
            (b"hello there, no model", "is neither a pickle nor a torch file"),
        ],
    )
    def test_files(self, content: bytes, message: str, tmp_path: Path) -> None:
        (tmp_path / "model.pt").write_bytes(content)
        refused(tmp_path / "model.pt", tmp_path, message)

    @pytest.mark.parametrize("name", ["nvidia_stylegan2_ada_64px.pkl", "rosinality_stylegan2_32px.pt"])
    def test_truncation(self, name: str, tmp_path: Path) -> None:
        whole = (GOLDEN / name).read_bytes()
        for share in (0.0, 0.3, 0.9, 0.999):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            refused(tmp_path / name, tmp_path, name)

    def test_sizes_out_of_bounds(self, tmp_path: Path) -> None:
        tree = genforce(toy_progan())
        tree |= {"layer0.conv.weight": torch.ones(1, 5000, 4, 4), "layer1.conv.weight": torch.ones(1, 1, 3, 3)}
        refused(tree, tmp_path, r"has sizes we cannot take: latent_dim is 5000; it must be a number from 1 to 4096")


def _read(tree: Any) -> None:
    recognised(tree, "x").generator()


def _each(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(tree, dict):
        return {key: _each(value, change) for key, value in tree.items()}
    return change(tree) if isinstance(tree, Tensor) else tree


def _holders(value: Any) -> Any:
    """All (dict, key) below a tree."""
    if isinstance(value, Opaque):
        value = value.args
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from _holders(value[key])
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _holders(part)


def _tensors(value: Any) -> Any:
    """All (dict, key) of tensors in the generator that is read."""
    parts = [(holder, key) for holder, key in _holders(value) if isinstance(holder[key], Tensor)]
    return [(holder, key) for holder, key in parts if holder is not (value.get("netG") if "netG" in value else None)]
