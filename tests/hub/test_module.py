"""Repos are loaded strictly: whatever is wrong with a file is one sentence, and allocates nothing."""

import json
import math
import struct
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators import load_generator
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.module import Derived, HubModule, shapes_only
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import AttributeHead, KeypointHead
from sgf_hub.validation import bounded, names_of
from tests.toys import edit_config

KINDS = {
    "toy-stylegan2": StyleGAN2,
    "toy-progan": ProGAN,
    "toy-attributes": AttributeHead,
    "toy-keypoints": KeypointHead,
    "sgf-toy-attributes": SGFMapping,
}
every_kind = pytest.mark.parametrize("name", KINDS)
ABSURD = [10**12, 10**300, -1, 0, 1.5, "x", "", None, True, [], [[[[1]]]], {"a": {"b": []}}, math.nan, math.inf]

KEYS = {
    "toy-stylegan2": ("resolution", "latent_dim", "mapping_layers", "channels", "noise", "clamp"),
    "toy-progan": ("resolution", "latent_dim", "channels"),
    "toy-attributes": ("channels", "attributes", "groups", "hidden"),
    "toy-keypoints": ("keypoints", "squeeze"),
    "sgf-toy-attributes": (
        "latent_dim", "latent_space", "layers", "embedding", "attributes", "keypoints", "groups", "predictor",
        "generator",
    ),
}  # fmt: skip


def legal(name: str, key: str, value: object) -> bool:
    """The few of ABSURD that mean something: no clamp or one of 1.5, no groups, no keypoints, a generator called x."""
    empty = ("groups", "keypoints") if name.startswith("sgf") else ("groups",)
    if key == "clamp":
        return value is None or value == 1.5
    return (key in empty and value == []) or (key == "generator" and value == "x")


def refused(name: str, folder: Path, message: str = ".") -> str:
    """The sentence with which a repo is refused."""
    with pytest.raises(CorruptFileError, match=message) as caught:
        KINDS[name].from_pretrained(folder / name)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 1000
    return text


def change_weights(folder: Path, change) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


class TestLoading:
    @every_kind
    def test_for_reading_in_float32(self, toy_zoo: Path, name: str) -> None:
        module = KINDS[name].from_pretrained(toy_zoo / name)
        assert not module.training
        assert {tensor.dtype for tensor in module.state_dict().values()} == {torch.float32}
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert not any(tensor.is_meta for tensor in module.state_dict().values())

    @every_kind
    def test_weights_are_the_files(self, toy_zoo: Path, name: str) -> None:
        state, file = KINDS[name].from_pretrained(toy_zoo / name).state_dict(), load_file(toy_zoo / name / WEIGHTS)
        assert all(torch.equal(state[key], file[key].float()) for key in file)

    @every_kind
    def test_files_are_half_precision_and_there_is_no_card(self, toy_zoo: Path, name: str) -> None:
        assert {tensor.dtype for tensor in load_file(toy_zoo / name / WEIGHTS).values()} == {torch.float16}
        assert sorted(path.name for path in (toy_zoo / name).iterdir()) == [CONFIG, WEIGHTS]

    def test_the_config_says_class_and_format(self, toy_zoo: Path) -> None:
        config = json.loads((toy_zoo / "toy-stylegan2" / CONFIG).read_text())
        assert (config["class"], config["format"]) == ("StyleGAN2", 1)

    def test_options_are_not_dropped(self, toy_zoo: Path) -> None:
        with pytest.raises(BadValueError, match="there is no option 'map_location': revision, token, cache_dir, "):
            StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2", map_location="cpu")

    def test_loading_draws_no_initial_weights(self) -> None:
        with shapes_only():
            weight, layer = torch.randn(3, 4), torch.nn.Linear(2, 3)
        assert weight.is_meta and layer.weight.is_meta and layer.weight.shape == (3, 2)

    def test_the_global_random_stream_is_left_alone(self, toy_zoo: Path) -> None:
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2")
        assert torch.equal(torch.rand(3), expected)


class TestWeights:
    @every_kind
    def test_missing(self, zoo: Path, name: str) -> None:
        change_weights(zoo / name, lambda weights: weights.pop(sorted(weights)[0]))
        refused(name, zoo, f"of '{name}' does not fit its config: missing ")

    @every_kind
    def test_unexpected(self, zoo: Path, name: str) -> None:
        change_weights(zoo / name, lambda weights: weights.update(stranger=torch.zeros(1)))
        refused(name, zoo, "does not fit its config: unexpected stranger")

    @every_kind
    def test_misshapen(self, zoo: Path, name: str) -> None:
        key = sorted(load_file(zoo / name / WEIGHTS))[0]
        change_weights(zoo / name, lambda weights: weights.update({key: torch.zeros(2, 3)}))
        refused(name, zoo, rf"{key.replace('.', '[.]')} is \[2, 3\] where \[.*\] is needed")

    @every_kind
    @pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8])
    def test_not_floating(self, zoo: Path, name: str, dtype: torch.dtype) -> None:
        key = sorted(load_file(zoo / name / WEIGHTS))[0]
        change_weights(zoo / name, lambda weights: weights.update({key: torch.zeros_like(weights[key], dtype=dtype)}))
        refused(name, zoo, f"does not fit its config: {key} holds {dtype}")

    @every_kind
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_finite(self, zoo: Path, name: str, value: float) -> None:
        key = sorted(load_file(zoo / name / WEIGHTS))[0]
        change_weights(zoo / name, lambda weights: weights[key].view(-1)[:1].fill_(value))
        refused(name, zoo, f"holds values that are not finite, in {key}")

    def test_many_problems_are_summed_up(self, zoo: Path) -> None:
        save_file({"a": torch.zeros(1)}, zoo / "toy-stylegan2" / WEIGHTS)
        refused("toy-stylegan2", zoo, r"does not fit its config: missing .*; missing .*; missing .* and \d+ more\.$")

    def test_truncated_anywhere(self, zoo: Path) -> None:
        path = zoo / "toy-attributes" / WEIGHTS
        whole = path.read_bytes()
        for size in [*range(0, 64), *range(64, len(whole), 97), len(whole) - 1]:
            path.write_bytes(whole[:size])
            refused("toy-attributes", zoo, "cannot be read as safetensors .*: fetch or save it again")

    @pytest.mark.parametrize("content", [b"hello" * 10, b"PK\x03\x04" * 99, struct.pack("<Q", 2**62) + b"{}"])
    def test_foreign(self, zoo: Path, content: bytes) -> None:
        (zoo / "toy-attributes" / WEIGHTS).write_bytes(content)
        refused("toy-attributes", zoo, "cannot be read as safetensors")

    def test_a_pickle_is_not_run(self, zoo: Path, tmp_path: Path) -> None:
        class Bomb:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "ran",))

        torch.save({"weight": Bomb()}, zoo / "toy-attributes" / WEIGHTS)
        refused("toy-attributes", zoo, "cannot be read as safetensors")
        assert not (tmp_path / "ran").exists()


class TestConfig:
    @every_kind
    def test_unknown_key(self, zoo: Path, name: str) -> None:
        edit_config(zoo / name, dropout=0.1)
        refused(name, zoo, f"does not describe a {KINDS[name].__name__}: unknown dropout[.]")

    def test_missing_key(self, zoo: Path) -> None:
        config = json.loads((zoo / "sgf-toy-attributes" / CONFIG).read_text())
        del config["latent_dim"], config["generator"]
        (zoo / "sgf-toy-attributes" / CONFIG).write_text(json.dumps(config))
        refused("sgf-toy-attributes", zoo, "does not describe a SGFMapping: missing generator, latent_dim[.]")

    def test_very_many_unknown_keys(self, zoo: Path) -> None:
        edit_config(zoo / "toy-attributes", **{f"k{i}" * 50: i for i in range(2000)})
        refused("toy-attributes", zoo, "and 1995 more")

    @pytest.mark.parametrize("kind", ["StyleGAN2", None, "", ["AttributeHead"], 3, "x" * 10**5])
    def test_another_class(self, zoo: Path, kind: object) -> None:
        edit_config(zoo / "toy-attributes", **{"class": kind})
        refused("toy-attributes", zoo, "holds a .*, not a AttributeHead")

    @pytest.mark.parametrize("version", [5, 10**12, 0, -1, "1", None, [1], 1.5, True])
    def test_another_format(self, zoo: Path, version: object) -> None:
        edit_config(zoo / "toy-attributes", format=version)
        refused("toy-attributes", zoo, r"is written in format .*, this sgf-hub reads up to 4: upgrade sgf-hub\.")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "cannot be read as JSON"),
            ("not json", "cannot be read as JSON"),
            ("[1, 2]", "holds list, not a JSON object"),
            ('"StyleGAN2"', "holds str, not a JSON object"),
            ("[" * 50_000, "cannot be read as JSON"),
            ('{"a": "' + "x" * 2**21 + '"}', "is larger than 1024 KB"),
        ],
    )
    def test_not_a_config(self, zoo: Path, content: str, message: str) -> None:
        (zoo / "toy-attributes" / CONFIG).write_text(content)
        refused("toy-attributes", zoo, message)

    @pytest.mark.parametrize(
        ("name", "key", "value"),
        [
            (name, key, value)
            for name, keys in KEYS.items()
            for key in keys
            for value in ABSURD
            if not legal(name, key, value)
        ],
    )
    def test_absurd_values(self, zoo: Path, name: str, key: str, value: object) -> None:
        edit_config(zoo / name, **{key: value})
        refused(name, zoo)

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("sgf-toy-attributes", {"latent_dim": 65536, "layers": 256, "embedding": 65536}),
            ("toy-stylegan2", {"latent_dim": 4096, "mapping_layers": 32, "channels": [4096] * 4}),
            ("toy-progan", {"latent_dim": 4096, "channels": [4096] * 4}),
            ("toy-attributes", {"channels": 8192, "hidden": 8192, "side": 256}),
        ],
    )
    def test_large_but_legal_sizes_allocate_nothing(self, zoo: Path, name: str, changes: dict) -> None:
        edit_config(zoo / name, **changes)
        tracemalloc.start()
        resident = _resident()
        refused(name, zoo, "where .* is needed")
        assert tracemalloc.get_traced_memory()[1] < 2**26
        tracemalloc.stop()
        assert _resident() - resident < 2**28

    @every_kind
    def test_incomplete_folder(self, zoo: Path, name: str) -> None:
        (zoo / name / WEIGHTS).unlink()
        refused(name, zoo, f"the folder '{name}' lacks model.safetensors: it is not a complete model")


def _resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("kind", ["SGFMapping", None, ["StyleGAN2"], 3, {}])
def test_load_generator_wants_a_generator(zoo: Path, kind: object) -> None:
    edit_config(zoo / "toy-stylegan2", **{"class": kind})
    with pytest.raises(CorruptFileError, match="holds .*, not a generator: StyleGAN2, StyleGAN3, ProGAN, DCGAN"):
        load_generator(zoo / "toy-stylegan2")


class TestDerived:
    def test_it_follows_the_weight(self) -> None:
        derived, weight = Derived(lambda w: 2 * w), nn.Parameter(torch.ones(2), requires_grad=False)
        assert derived(weight).tolist() == [2, 2]
        weight.fill_(3)  # in place
        assert derived(weight).tolist() == [6, 6]
        assert derived(nn.Parameter(torch.ones(2), requires_grad=False)).tolist() == [2, 2]  # another tensor

    def test_it_is_kept(self) -> None:
        calls = []
        derived, weight = Derived(lambda w: calls.append(1)), torch.ones(2)
        derived(weight), derived(weight)
        assert len(calls) == 1

    def test_of_a_weight_loaded_in_inference_mode(self, toy_zoo: Path) -> None:
        with torch.inference_mode():
            generator = StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2")
            images = generator.synthesize(generator.sample(1, seed=0))
        assert torch.isfinite(images).all()

    def test_what_inference_mode_made_takes_part_in_gradients(self, toy_zoo: Path) -> None:
        generator = StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2")
        latent = generator.sample(1, seed=0)
        with torch.inference_mode():
            generator.synthesize(latent)
        ws = generator.to_w_plus(latent).data.requires_grad_()
        generator(ws).sum().backward()
        assert ws.grad.abs().sum() > 0


class TestChecks:
    @pytest.mark.parametrize(("value", "low", "high"), [(1, 1, 2), (2, 1, 2), (0.5, 0.0, 1.0), (1, 0.0, 1.0)])
    def test_bounded_gives_back_what_fits(self, value: float, low: float, high: float) -> None:
        assert bounded("it", value, low, high) == value

    @pytest.mark.parametrize("value", [0, 3, 1.0, "1", True, None, [1], math.nan])
    def test_bounded_refuses(self, value: object) -> None:
        with pytest.raises(BadValueError, match=r"it is .*; it must be a number from 1 to 2\."):
            bounded("it", value, 1, 2)

    def test_names(self) -> None:
        assert names_of("names", ["a", "b"]) == ("a", "b")

    @pytest.mark.parametrize("value", ["ab", None, 3, ["a", 3], ["a", "a"], [""], ["x" * 201], ["a"] * 2000, [["a"]]])
    def test_names_refused(self, value: object) -> None:
        with pytest.raises(BadValueError, match="names must be a list of at most 1024 distinct names"):
            names_of("names", value)


def test_every_module_is_keyword_only() -> None:
    for kind in HubModule.__subclasses__():
        with pytest.raises((TypeError, BadValueError)):  # prompts are given by their place, and are no number
            kind(1)
