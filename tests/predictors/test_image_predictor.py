"""Predictors: what c means, how far it is from a target, one backbone pass, and what a damaged repo says."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.predictors import (
    AttributeHead,
    BasePredictor,
    ImagePredictor,
    KeypointHead,
    load_backbone,
    load_predictor,
)
from sgf_hub.predictors.backbone import resize
from sgf_hub.types import ConditionSpec, Predictor
from tests.toys import ATTRIBUTES, KEYPOINTS, edit_config, write_predictor


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def joint(zoo: Path) -> ImagePredictor:
    return load_predictor([str(zoo / "toy-attributes"), str(zoo / "toy-keypoints")])


class TestCondition:
    def test_it_is_a_predictor_and_says_what_c_means(self, toy_zoo: Path, images: Tensor) -> None:
        predictor = joint(toy_zoo)
        assert isinstance(predictor, Predictor)
        assert predictor.spec == ConditionSpec(tuple(ATTRIBUTES), tuple(KEYPOINTS), (("black_hair", "blond_hair"),))
        c = predictor(images)
        assert c.shape == (3, predictor.spec.dimension) and c.dtype == torch.float32
        assert predictor.spec.scores(c).abs().max() <= 1
        assert (predictor.spec.points(c) - 0.5).abs().max() < 0.5  # about the stored mean, not logits

    def test_score_is_2p_minus_1(self, toy_zoo: Path) -> None:
        head = AttributeHead.from_pretrained(toy_zoo / "toy-attributes")
        features = torch.randn(2, head.channels, head.side, head.side)
        logits = head.output(head.trunk(features))
        torch.testing.assert_close(head(features), 2 * torch.sigmoid(logits) - 1)

    def test_attributes_come_first_whatever_the_order(self, toy_zoo: Path, images: Tensor) -> None:
        turned = load_predictor([str(toy_zoo / "toy-keypoints"), str(toy_zoo / "toy-attributes")])
        assert turned.spec == joint(toy_zoo).spec
        torch.testing.assert_close(turned(images), joint(toy_zoo)(images))

    def test_join_equals_the_heads_apart(self, toy_zoo: Path, images: Tensor) -> None:
        apart = [load_predictor(str(toy_zoo / f"toy-{part}")) for part in ("attributes", "keypoints")]
        assert [one.spec.kind for one in apart] == ["attributes", "keypoints"]
        assert joint(toy_zoo).spec.kind == "joint"
        torch.testing.assert_close(joint(toy_zoo)(images), torch.cat([one(images) for one in apart], dim=1))

    def test_join_runs_the_backbone_once(self, toy_zoo: Path, images: Tensor) -> None:
        predictor, passes = joint(toy_zoo), []
        for backbone in predictor.backbones:
            backbone.register_forward_hook(lambda *_: passes.append(1))
        predictor(images)
        assert len(passes) == 1

    def test_heads_of_different_backbones_join_too(self, toy_zoo: Path, tmp_path: Path, images: Tensor) -> None:
        other = write_predictor(tmp_path, name="other", seed=5, image_size=48)
        names = [str(toy_zoo / "toy-attributes"), str(other / "other-keypoints")]
        predictor = load_predictor(names)
        assert len(predictor.backbones) == 2
        torch.testing.assert_close(predictor(images), torch.cat([load_predictor(name)(images) for name in names], 1))

    def test_each_image_is_read_alone(self, toy_zoo: Path, images: Tensor) -> None:
        torch.testing.assert_close(joint(toy_zoo)(images)[1:2], joint(toy_zoo)(images[1:2]))

    @pytest.mark.parametrize("side", [16, 32, 64, 80])
    def test_any_side_is_read(self, toy_zoo: Path, side: int) -> None:
        smooth = torch.linspace(-1, 1, side).expand(1, 3, side, side)
        reference = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
        predictor = joint(toy_zoo)
        torch.testing.assert_close(predictor(smooth), predictor(reference), atol=0.02, rtol=0)

    def test_images_can_carry_a_gradient(self, toy_zoo: Path, images: Tensor) -> None:
        images.requires_grad_()
        joint(toy_zoo)(images)[:, 0].sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert not any(weight.requires_grad for weight in joint(toy_zoo).parameters())

    @pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 4, 32, 32)])
    def test_what_is_no_image_is_refused(self, toy_zoo: Path, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match="a predictor reads floating-point images"):
            joint(toy_zoo)(torch.zeros(shape))
        with pytest.raises(BadValueError, match="not torch.uint8"):
            joint(toy_zoo)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


class TestTarget:
    @pytest.fixture
    def predictor(self) -> BasePredictor:
        predictor = BasePredictor()
        predictor.spec = ConditionSpec(("smile", "hat"), ("nose", "chin"))
        return predictor

    def test_wishes(self, predictor: BasePredictor) -> None:
        c0 = torch.tensor([[-0.5, 0.25, 0.5, 0.5, 0.5, 0.9]])
        target = predictor.target(c0, release=["hat"], smile=1, nose=(0.6, 0.4))
        torch.testing.assert_close(target.c, torch.tensor([[1.0, 0.25, 0.6, 0.4, 0.5, 0.9]]))
        assert target.asked.tolist() == [True, False, True, True, False, False]
        assert target.released.tolist() == [False, True, False, False, False, False]
        with pytest.raises(UnknownNameError, match="did you mean 'smile'"):
            predictor.target(c0, smiel=1)

    def test_distance_is_in_units_of_the_tolerance(self, predictor: BasePredictor) -> None:
        c0 = torch.zeros(2, 6)
        target = predictor.target(c0, smile=1, nose=(0.3, 0.4))
        # probabilities 0.9 and 0.7 against 1; the nose off by (3, 4) thousandths and by 3 hundredths
        c = torch.tensor([[0.8, 0, 0.303, 0.404, 9, 9], [0.4, 0, 0.3, 0.43, 9, 9]])
        torch.testing.assert_close(predictor.distance(c, target), torch.tensor([1.0, 3.0]), atol=1e-4, rtol=0)
        target = predictor.target(c0, nose=(0.3, 0.4))
        torch.testing.assert_close(predictor.distance(c, target), torch.tensor([0.5, 3.0]), atol=1e-4, rtol=0)

    def test_asked_keypoints_are_averaged(self, predictor: BasePredictor) -> None:
        target = predictor.target(torch.zeros(1, 6), nose=(0.3, 0.4), chin=(1, 1))
        c = torch.tensor([[5, 5, 0.3, 0.4, 1, 0.98]])
        torch.testing.assert_close(predictor.distance(c, target), torch.tensor([1.0]), atol=1e-4, rtol=0)

    def test_the_worst_attribute_counts(self, predictor: BasePredictor) -> None:
        target = predictor.target(torch.zeros(1, 6), smile=1, hat=0)
        c = torch.tensor([[0.9, -0.4, 9, 9, 9, 9]])
        torch.testing.assert_close(predictor.distance(c, target), torch.tensor([3.0]))


class TestRepo:
    def test_head_survives_saving(self, toy_zoo: Path, tmp_path: Path) -> None:
        head = KeypointHead.from_pretrained(toy_zoo / "toy-keypoints")
        head.save_pretrained(tmp_path / "again")
        again = KeypointHead.from_pretrained(tmp_path / "again")
        assert again.config() == head.config() and not again.training
        features = torch.randn(2, head.channels, head.side, head.side)
        torch.testing.assert_close(again(features), head(features))

    def test_transformers_reads_the_backbone_and_agrees(self, toy_zoo: Path, images: Tensor) -> None:
        from transformers import ResNetBackbone

        network = ResNetBackbone.from_pretrained(toy_zoo / "toy-backbone").float().eval()
        with torch.no_grad():
            expected = network(images).feature_maps[-1]
        # so folding BatchNorm changes nothing but the last digits
        torch.testing.assert_close(load_backbone(toy_zoo / "toy-backbone")(images), expected, atol=1e-5, rtol=1e-4)

    def test_convnext_is_a_backbone_too(self, tmp_path: Path, images: Tensor) -> None:
        convnext = {
            "model_type": "convnextv2",
            "patch_size": 2,
            "num_stages": 2,
            "embedding_size": None,
            "layer_type": None,
        }
        write_predictor(tmp_path, **convnext)
        assert joint(tmp_path)(images).shape == (3, 7)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"model_type": ["resnet"]}, "a backbone is one of resnet, convnextv2"),
            ({"model_type": "vit"}, "model_type is 'vit'; a backbone is one of resnet, convnextv2"),
            ({"image_size": 0}, "image_size is 0"),
            ({"dropout": 0.1, "heads": 4}, "unknown dropout, heads[.]"),
            ({"transformers_version": "6.0.0"}, "written by transformers 6.0.0, and 5.* upgrade transformers"),
            ({"image_size": "big"}, "image_size is 'big'"),
            ({"hidden_sizes": [4, 10**9]}, "hidden_sizes is 1000000000"),
            ({"hidden_sizes": None}, "hidden_sizes is None"),
            ({"depths": [10**6, 1]}, "depths is 1000000"),
            ({"depths": []}, r"depths is \[\]"),
            ({"layer_type": 3}, "not usable as a backbone"),
            ({"hidden_act": "no_such"}, "not usable as a backbone"),
            ({"num_channels": 1}, "not usable as a backbone"),
            ({"hidden_sizes": [4, 8]}, "does not fit its config"),
        ],
    )
    def test_a_wrong_backbone_config_is_one_sentence(self, zoo: Path, changes: dict, message: str) -> None:
        edit_config(zoo / "toy-backbone", **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            joint(zoo)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("damage", [b"", b"garbage" * 100, None])
    def test_damaged_backbone_weights(self, zoo: Path, damage: bytes | None) -> None:
        path = zoo / "toy-backbone" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
        with pytest.raises(CorruptFileError, match="of 'toy-backbone' cannot be read as safetensors"):
            joint(zoo)

    def test_missing_weight(self, zoo: Path) -> None:
        path = zoo / "toy-backbone" / "model.safetensors"
        weights = load_file(path)
        weights.pop("embedder.embedder.convolution.weight")
        save_file(weights, path)
        with pytest.raises(CorruptFileError, match=r"missing embedder\.embedder\.convolution\.weight"):
            joint(zoo)

    def test_missing_backbone(self, zoo: Path) -> None:
        (zoo / "toy-backbone" / "model.safetensors").unlink()
        with pytest.raises(CorruptFileError, match=r"lacks model\.safetensors"):
            joint(zoo)
        edit_config(zoo / "toy-attributes", backbone="nowhere-to-be-found")
        with pytest.raises(UnknownNameError, match="nowhere-to-be-found"):
            joint(zoo)

    def test_head_of_another_backbone(self, zoo: Path) -> None:
        edit_config(zoo / "toy-attributes", fingerprint="0" * 16)
        with pytest.raises(CorruptFileError, match="trained on other weights of 'sgf-hub/toy-backbone'"):
            joint(zoo)
        shutil.rmtree(zoo / "toy-backbone")
        write_predictor(zoo, image_size=64)
        shutil.rmtree(zoo / "toy-attributes")
        other = write_predictor(zoo.parent / "small")
        shutil.copytree(other / "toy-attributes", zoo / "toy-attributes")
        with pytest.raises(CorruptFileError, match=r"reads a feature map \[6, 4, 4\].*gives \[6, 8, 8\]"):
            joint(zoo)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"attributes": []}, "no attribute"),
            ({"attributes": ["a", "a"]}, "distinct names"),
            ({"attributes": 3}, "distinct names"),
            ({"groups": [["smile", "hat"]]}, "unknown attributes: hat"),
            ({"groups": 1}, "groups must be"),
            ({"side": 10**9}, "side is 1000000000"),
            ({"squeeze": 2.5}, "squeeze is 2.5"),
            ({"backbone": 7}, "backbone is 7"),
            ({"fingerprint": "xyz"}, "fingerprint is 'xyz'"),
            ({"temperature": 1}, "unknown temperature"),
            ({"class": "SGFMapping"}, "holds a SGFMapping; a predictor is made of"),
            ({"class": ["AttributeHead"]}, "a predictor is made of"),
        ],
    )
    def test_a_wrong_head_config_is_one_sentence(self, zoo: Path, changes: dict, message: str) -> None:
        edit_config(zoo / "toy-attributes", **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            joint(zoo)
        assert "\n" not in str(caught.value)

    def test_no_head_and_the_same_head_twice(self, toy_zoo: Path) -> None:
        with pytest.raises(BadValueError, match="at least one head"):
            load_predictor([])
        with pytest.raises(BadValueError, match="both give black_hair, blond_hair, smile"):
            load_predictor([str(toy_zoo / "toy-attributes")] * 2)


def test_resize_is_antialiased_and_leaves_its_own_size_alone() -> None:
    stripes = torch.ones(1, 3, 64, 64)
    stripes[..., ::2] = -1
    assert resize(stripes, 64) is stripes
    assert resize(stripes, 16)[..., 2:-2].abs().max() < 0.1  # without, one stripe of four would be picked
    assert resize(stripes, 96).shape == (1, 3, 96, 96)
