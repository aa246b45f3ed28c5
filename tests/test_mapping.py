"""F: what it computes, spectral normalisation in training and folded away, and its files."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.field import ForwardMode
from sgf_hub.mapping import SGFMapping
from tests.toys import ATTRIBUTES, GROUPS, KEYPOINTS, toy_mapping


def inputs(mapping: SGFMapping, batch: int = 3, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(3)
    sizes = (mapping.latent_dim, mapping.spec.dimension)
    return tuple(torch.randn(batch, size, generator=rng, dtype=dtype) for size in sizes)


class TestFunction:
    def test_it_is_the_layers_written_out(self) -> None:
        mapping = toy_mapping().double()
        z, c = inputs(mapping, dtype=torch.float64)
        x = (z - mapping.z_mean) / mapping.z_std
        h = F.leaky_relu((c - mapping.c_mean) / mapping.c_std @ mapping.embed_weight[0].T + mapping.embed_bias, 0.2)
        for n in range(mapping.layers):
            gamma, beta = (h @ mapping.affine_weight[n].T + mapping.affine_bias[n]).chunk(2, dim=1)
            normal = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
            x = F.leaky_relu((1 + gamma) * normal + beta, 0.2) @ mapping.weight[n].T + mapping.bias[n]
        torch.testing.assert_close(mapping(z, c), x * mapping.z_std + mapping.z_mean, rtol=1e-10, atol=1e-10)

    @pytest.mark.parametrize("what", ["z", "c"])
    def test_units_do_not_matter(self, what: str) -> None:
        """Rescaling z (or c) together with its statistics changes F by the same scale (or not at all)."""
        mapping = toy_mapping().double()
        z, c = inputs(mapping, dtype=torch.float64)
        before = mapping(z, c)
        for part in ("mean", "std"):
            getattr(mapping, f"{what}_{part}").mul_(7)
        after = mapping(7 * z, c) / 7 if what == "z" else mapping(z, 7 * c)
        torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-10)

    def test_modulation_has_a_scale_and_a_shift_per_feature(self) -> None:
        """dF/dc has rank min(C, E): one scalar pair a layer would bound it by 2 N."""
        names = [f"a{i}" for i in range(14)]
        mapping = SGFMapping(
            generator="g", predictor=["p"], latent_dim=16, layers=2, embedding=32, attributes=names
        ).double()
        z, c = inputs(mapping, batch=1, dtype=torch.float64)
        tangents = torch.eye(14).double().unsqueeze(1)  # C, B, C
        jacobian = torch.cat([ForwardMode(mapping, z, c, tangent).along for tangent in tangents])  # C, D
        assert torch.linalg.matrix_rank(jacobian) == 14 > 2 * mapping.layers

    def test_samples_do_not_see_each_other(self) -> None:
        mapping = toy_mapping()
        z, c = inputs(mapping)
        torch.testing.assert_close(mapping(z, c)[1:2], mapping(z[1:2], c[1:2]))


class TestFiles:
    def test_round_trip_in_half_precision(self, tmp_path) -> None:
        mapping = toy_mapping(keypoints=KEYPOINTS, groups=GROUPS)
        mapping.save_pretrained(tmp_path)
        again = SGFMapping.from_pretrained(tmp_path)
        for key, value in mapping.state_dict().items():
            assert torch.equal(again.state_dict()[key], value.half().float()), key
        z, c = inputs(mapping)
        torch.testing.assert_close(again(z, c), mapping(z, c), rtol=0, atol=0.03)

    def test_config_says_what_it_was_trained_with(self, tmp_path) -> None:
        toy_mapping(keypoints=KEYPOINTS, groups=GROUPS).save_pretrained(tmp_path)
        again = SGFMapping.from_pretrained(tmp_path)
        assert again.config() == {
            "class": "SGFMapping",
            "format": 1,
            "generator": "sgf-hub/toy-stylegan2",
            "predictor": ["sgf-hub/toy-attributes"],
            "latent_dim": 16,
            "latent_space": "w",
            "layers": 4,
            "embedding": 8,
            "attributes": ATTRIBUTES,
            "keypoints": KEYPOINTS,
            "groups": GROUPS,
            "caption": 0,
            "latent_statistics": False,
            "condition_factors": 0,
            "class_label": None,
        }
        assert again.spec.names == ("smile", "black_hair", "blond_hair", "nose.x", "nose.y", "chin.x", "chin.y")

    def test_saving_again_changes_nothing(self, tmp_path) -> None:
        toy_mapping().save_pretrained(tmp_path / "a")
        SGFMapping.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
        for file in ("config.json", "model.safetensors"):
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"layers": 257}, "layers is 257"),
        ({"embedding": 1.5}, "embedding is 1.5"),
        ({"latent_space": "w+"}, r"latent_space is 'w\+'; it must be 'z' or 'w'"),
        ({"latent_space": ["w"]}, "latent_space is"),
        ({"attributes": []}, "the condition's size is 0"),
        ({"attributes": ["a", "a"]}, "distinct names"),
        ({"predictor": "sgf-hub/toy"}, "predictor must be a list"),
        ({"generator": 3}, "generator must be a list"),
        ({"predictor": []}, "must name at least one head"),
        ({"groups": "ab"}, "groups must be a list of lists"),
    ],
)
def test_arguments_are_checked(change: dict, message: str) -> None:
    arguments = {"generator": "g", "predictor": ["p"], "latent_dim": 8, "layers": 2, "attributes": ["smile"]}
    with pytest.raises(BadValueError, match=message):
        SGFMapping(**{**arguments, **change})
