"""Latents and their files, wishes and seeds: what is accepted, and what is said otherwise."""

import json
import math
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, SpaceError, UnknownNameError
from sgf_hub.types import ConditionSpec, Latent, aim
from sgf_hub.validation import check_seed, read_json

SPEC = ConditionSpec(("smile", "black_hair", "blond_hair"), ("nose", "chin"), (("black_hair", "blond_hair"),))


class TestLatent:
    @pytest.mark.parametrize("space", ["", "W", "x", None, ["w"]])
    def test_unknown_space(self, space: object) -> None:
        with pytest.raises(SpaceError, match=r"use 'z', 'w', 'w\+' or 's'"):
            Latent(torch.zeros(1, 4), space)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("space", "shape"), [("z", (4,)), ("w", (1, 2, 4)), ("w+", (1, 4)), ("w+", (1, 1, 2, 4)), ("s", (1, 2, 4))]
    )
    def test_shape_must_fit_the_space(self, space: str, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match=r"has shape \[batch, .*dimension\], not \[") as caught:
            Latent(torch.zeros(shape), space)
        assert str(list(shape)) in str(caught.value)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_values_must_be_finite(self, value: float) -> None:
        with pytest.raises(BadValueError, match="finite floating-point numbers"):
            Latent(torch.tensor([[0.0, value]]), "w")

    def test_values_must_be_floating(self) -> None:
        with pytest.raises(BadValueError, match="finite floating-point numbers"):
            Latent(torch.zeros(1, 4, dtype=torch.long), "w")

    @pytest.mark.parametrize("index", [0, 2, -1, -3])
    def test_one_sample_stays_a_batch(self, index: int) -> None:
        data = torch.randn(3, 4)
        assert torch.equal(Latent(data, "w")[index].data, data[index][None])

    def test_slices_keep_the_space(self) -> None:
        part = Latent(torch.randn(3, 2, 4), "w+")[1:]
        assert (len(part), part.space) == (2, "w+")

    def test_iterating_ends(self) -> None:
        assert [len(one) for one in Latent(torch.zeros(3, 4), "w")] == [1, 1, 1]

    @pytest.mark.parametrize("index", [3, -4])
    def test_no_such_sample(self, index: int) -> None:
        with pytest.raises(IndexError):
            Latent(torch.zeros(3, 4), "w")[index]


class TestLatentFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        Latent(torch.randn(2, 8), "w").save(tmp_path / "latent.safetensors", generator="toy")
        return tmp_path / "latent.safetensors"

    @pytest.mark.parametrize(("space", "shape"), [("z", (2, 8)), ("w", (1, 8)), ("w+", (2, 3, 8))])
    def test_round_trip(self, tmp_path: Path, space: str, shape: tuple[int, ...]) -> None:
        latent = Latent(torch.randn(shape), space)
        latent.save(tmp_path / "one.safetensors")
        again = Latent.load(str(tmp_path / "one.safetensors"))
        assert again.space == space and torch.equal(again.data, latent.data)

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_a_file_that_is_written_again_changes_nothing(self, path: Path, overwrite: bool) -> None:
        latent = Latent.load(path)
        whole = latent.data.clone()
        if overwrite:
            Latent(torch.zeros(2, 8), "w").save(path)
        else:
            path.write_bytes(b"")
        assert torch.equal(latent.data, whole)

    def test_half_precision_is_read_as_float32(self, tmp_path: Path) -> None:
        Latent(torch.ones(1, 4).half(), "w").save(tmp_path / "one.safetensors")
        assert Latent.load(tmp_path / "one.safetensors").data.dtype == torch.float32

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="there is no latent file at"):
            Latent.load(tmp_path / "none.safetensors")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="there is no latent file at"):
            Latent.load(tmp_path)

    def test_truncated_anywhere(self, path: Path) -> None:
        whole = path.read_bytes()
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
                Latent.load(path)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=4))
    def test_damaged_bytes_are_one_sentence_or_a_latent(self, path: Path, changes: list[tuple[int, int]]) -> None:
        original = path.read_bytes()
        broken = bytearray(original)
        for where, value in changes:
            broken[where % len(broken)] = value
        path.write_bytes(bytes(broken))
        try:
            Latent.load(path)
        except SGFError as error:
            assert "\n" not in str(error)
        finally:
            path.write_bytes(original)

    @pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04garbage" * 50, b"PK\x03\x04" * 40])
    def test_other_files(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match="latent.safetensors cannot be read as safetensors"):
            Latent.load(path)

    @pytest.mark.parametrize("size", [2**63, 2**40, 10**8])
    def test_a_header_that_claims_too_much(self, path: Path, size: int) -> None:
        path.write_bytes(struct.pack("<Q", size) + b"{}" + b" " * 100)
        with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
            Latent.load(path)

    def test_a_header_that_claims_a_huge_tensor(self, path: Path) -> None:
        header = json.dumps({"latent": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 8]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
        with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
            Latent.load(path)

    def test_a_file_too_large(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(2**26 + 1)  # sparse
        with pytest.raises(CorruptFileError, match="larger than any latent file"):
            Latent.load(path)

    @pytest.mark.parametrize(
        ("tensors", "metadata", "told"),
        [
            ({"weight": torch.zeros(1, 4)}, {"space": "w"}, "holds weight; sgf"),
            ({"latent": torch.zeros(1, 4), "more": torch.zeros(1)}, {"space": "w"}, "holds latent, more; sgf"),
            ({"latent": torch.zeros(1, 4)}, None, "holds latent and does not say in which space; sgf"),
            ({"latent": torch.zeros(1, 4)}, {"format": "pt"}, "holds latent and does not say in which space; sgf"),
        ],
    )
    def test_foreign_safetensors(self, path: Path, tensors: dict, metadata: dict | None, told: str) -> None:
        save_file(tensors, path, metadata=metadata)
        with pytest.raises(CorruptFileError, match=told):
            Latent.load(path)

    @pytest.mark.parametrize(
        ("data", "space", "error", "message"),
        [
            (torch.zeros(1, 4), "q", SpaceError, "'q' is unknown"),
            (torch.zeros(1, 4), "w+", BadValueError, r"\[batch, layers, dimension\], not \[1, 4\]"),
            (torch.full((1, 4), math.nan), "w", BadValueError, "finite"),
            (torch.zeros(1, 4, dtype=torch.int64), "w", BadValueError, "finite floating-point"),
        ],
    )
    def test_a_latent_that_is_none(self, path: Path, data, space: str, error: type, message: str) -> None:
        save_file({"latent": data}, path, metadata={"space": space})
        with pytest.raises(error, match=message):
            Latent.load(path)


class TestAim:
    c0 = torch.tensor([[-0.5, 0.2, 0.3, 0.5, 0.5, 0.4, 0.9], [0.5, 0.0, 0.1, 0.6, 0.6, 0.4, 0.8]])

    def test_asked_coordinates_take_their_value_and_others_are_held(self) -> None:
        target = aim(SPEC, self.c0, {"smile": 1, "nose": (0.25, 0.75)})
        expected = self.c0.clone()
        expected[:, 0], expected[:, 3], expected[:, 4] = 1, 0.25, 0.75
        assert torch.equal(target.c, expected)

    def test_attributes_are_probabilities(self) -> None:
        assert aim(SPEC, self.c0, {"smile": 0.25}).c[:, 0].tolist() == [-0.5, -0.5]  # 2 p - 1

    def test_c0_is_left_alone(self) -> None:
        before = self.c0.clone()
        aim(SPEC, self.c0, {"smile": 1})
        assert torch.equal(self.c0, before)

    def test_asked_and_released(self) -> None:
        target = aim(SPEC, self.c0, {"smile": 1, "chin": [0, 1]}, release=["nose", "smile"])
        assert target.asked.tolist() == [True, False, False, False, False, True, True]
        assert target.released.tolist() == [False, False, False, True, True, False, False]  # asked wins

    @pytest.mark.parametrize("wish", [-0.01, 1.01, math.nan, math.inf, -1, 1e30])
    def test_attribute_out_of_range(self, wish: float) -> None:
        with pytest.raises(BadValueError, match=r"'smile' takes values in \[0, 1\], not"):
            aim(SPEC, self.c0, {"smile": wish})

    @pytest.mark.parametrize("wish", [(0.5, math.nan), (-0.1, 0.5), (0.5, 1.1), (math.inf, 0)])
    def test_keypoint_out_of_range(self, wish: tuple) -> None:
        with pytest.raises(BadValueError, match=r"'nose' takes values in \[0, 1\], not"):
            aim(SPEC, self.c0, {"nose": wish})

    @pytest.mark.parametrize(
        ("name", "wish", "message"),
        [
            ("nose", 0.5, r"two numbers x, y in \[0, 1\], not 0.5"),
            ("nose", (0.5,), "two numbers x, y"),
            ("nose", (0.5, 0.5, 0.5), "two numbers x, y"),
            ("smile", (0.5, 0.5), "one number in"),
            ("smile", (), "one number in"),
            ("smile", "yes", "takes numbers in"),
            ("smile", None, "takes numbers in"),
            ("smile", [None], "takes numbers in"),
            ("nose", {"x": 1, "y": 2}, "takes numbers in"),
            ("nose", [[0.1], [0.2]], "takes numbers in"),
            ("smile", 10**400, "takes numbers in"),
        ],
    )
    def test_wishes_of_the_wrong_kind(self, name: str, wish: object, message: str) -> None:
        with pytest.raises(BadValueError, match=message) as caught:
            aim(SPEC, self.c0, {name: wish})
        assert len(str(caught.value)) < 200

    def test_unknown_names_get_the_nearest(self) -> None:
        with pytest.raises(UnknownNameError, match=r"'smlie' is unknown here \(did you mean 'smile'\?\)\. Known: "):
            aim(SPEC, self.c0, {"smlie": 1})

    def test_unknown_release(self) -> None:
        with pytest.raises(UnknownNameError, match="'hat' is unknown here. Known"):
            aim(SPEC, self.c0, {"smile": 1}, release=["hat"])

    def test_a_caption_is_its_predictors_to_aim(self) -> None:
        with pytest.raises(BadValueError, match=r"call predictor\.target\(c0, caption=\.\.\.\)"):
            aim(ConditionSpec(caption=3), torch.zeros(1, 3), {"caption": "a red flower"})

    def test_a_sentence_is_no_number(self) -> None:
        with pytest.raises(BadValueError, match=r"'smile' takes numbers in \[0, 1\], not 'a red flower'"):
            aim(SPEC, self.c0, {"smile": "a red flower"})

    def test_no_wish(self) -> None:
        with pytest.raises(BadValueError, match="no wish was given"):
            aim(SPEC, self.c0, {})


class TestSpec:
    @pytest.mark.parametrize(
        ("spec", "kind", "dimension"),
        [
            (SPEC, "joint", 7),
            (ConditionSpec(("a", "b")), "attributes", 2),
            (ConditionSpec(keypoints=("k",)), "keypoints", 2),
        ],
    )
    def test_kind_and_dimension(self, spec: ConditionSpec, kind: str, dimension: int) -> None:
        assert (spec.kind, spec.dimension, len(spec.names)) == (kind, dimension, dimension)

    def test_points_are_x_y_pairs(self) -> None:
        c = torch.arange(7.0)[None]
        assert SPEC.points(c).tolist() == [[[3, 4], [5, 6]]]
        assert SPEC.names[3:] == ("nose.x", "nose.y", "chin.x", "chin.y")

    def test_a_caption(self) -> None:
        spec = ConditionSpec(caption=3)
        assert (spec.kind, spec.dimension, spec.names) == ("caption", 3, ("caption.0", "caption.1", "caption.2"))
        assert spec.index("caption") == slice(0, 3)
        c = torch.arange(6.0).view(2, 3)
        assert spec.scores(c).shape == (2, 0) and spec.points(c).shape == (2, 0, 2)
        with pytest.raises(UnknownNameError, match=r"'captoin' is unknown here \(did you mean 'caption'\?\)"):
            spec.index("captoin")

    @pytest.mark.parametrize("others", [{"attributes": ("a",)}, {"keypoints": ("k",)}, {"groups": (("a",),)}])
    def test_a_caption_is_alone(self, others: dict) -> None:
        with pytest.raises(
            BadValueError, match="a caption cannot be joined with attributes or keypoints: use it alone"
        ):
            ConditionSpec(caption=3, **others)

    def test_siblings(self) -> None:
        assert SPEC.siblings("black_hair") == ("blond_hair",)
        assert SPEC.siblings("smile") == ()


class TestSeed:
    @pytest.mark.parametrize(("seed", "value"), [(0, 0), ("7", 7), (3.0, 3), (2**63 - 1, 2**63 - 1)])
    def test_accepted(self, seed: object, value: int) -> None:
        assert check_seed(seed) == value

    @pytest.mark.parametrize("seed", [-1, "-1", 2**63, 1.5, "1.5", "x", "", None, math.nan, math.inf, [], "9" * 5000])
    def test_refused(self, seed: object) -> None:
        with pytest.raises(BadValueError, match=r"a seed is a whole number from 0 to 2\*\*63 - 1, not") as caught:
            check_seed(seed)
        assert len(str(caught.value)) < 200


class TestJson:
    @pytest.mark.parametrize(
        "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": 1e', b'{"a": ' + b"9" * 5000 + b"}"]
    )
    def test_not_json(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(CorruptFileError, match="cannot be read as JSON"):
            read_json(tmp_path / "x.json")

    @pytest.mark.parametrize("content", ["[1]", "3", '"text"', "null"])
    def test_not_an_object(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(CorruptFileError, match="not a JSON object"):
            read_json(tmp_path / "x.json")

    def test_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_text('{"a": "' + "x" * 2**21 + '"}')
        with pytest.raises(CorruptFileError, match="larger than 1024 KB"):
            read_json(tmp_path / "x.json")
