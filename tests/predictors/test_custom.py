"""Predictors of the user's own, and joins of any predictors."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.predictors import CustomPredictor, ImagePredictor, PromptPredictor, join, load_predictor
from sgf_hub.types import ConditionSpec, Predictor
from tests.predictors.foreign import write_classifier, write_clip, write_vitpose
from tests.toys import ATTRIBUTES, GROUPS, KEYPOINTS, PlainPredictor


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def means(images: Tensor) -> Tensor:
    """A function: [B, 3, R, R] => [B, 3] in [-1, 1]."""
    return images.mean(dim=(2, 3))


class TestCustom:
    def test_a_function_of_scores_and_keypoints(self, images: Tensor) -> None:
        predictor = CustomPredictor(means, attributes=["red"], keypoints=["spot"])
        assert isinstance(predictor, Predictor)
        assert predictor.spec == ConditionSpec(("red",), ("spot",))
        torch.testing.assert_close(predictor(images), means(images))

    @pytest.mark.parametrize(
        ("activation", "scores"),
        [
            ("score", lambda x: x),
            ("probability", lambda x: 2 * x - 1),
            ("logit", lambda x: 2 * torch.sigmoid(x) - 1),
        ],
    )
    def test_what_it_gives_becomes_scores(self, images: Tensor, activation: str, scores: object) -> None:
        def given(images: Tensor) -> Tensor:
            return (images.mean(dim=(2, 3)) + 1) / 2 * (5 if activation == "logit" else 1)

        predictor = CustomPredictor(given, attributes=["r", "g"], keypoints=[], activation=activation)  # type: ignore[arg-type]
        with pytest.raises(BadValueError, match=r"\[3, 3\] for 3 pictures"):
            predictor(images)
        predictor = CustomPredictor(given, attributes=["r", "g", "b"], groups=[["r", "b"]], activation=activation)  # type: ignore[arg-type]
        torch.testing.assert_close(predictor(images), scores(given(images)))  # type: ignore[operator]
        assert predictor.spec.groups == (("r", "b"),)

    def test_a_module_has_no_dropout_and_no_gradients_of_its_own(self, images: Tensor) -> None:
        network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(3, 2))
        predictor = CustomPredictor(network, attributes=["a", "b"], activation="logit").train()
        assert torch.equal(predictor(images), predictor(images)) and not predictor.training
        images.requires_grad_()
        predictor(images).sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert not any(weight.requires_grad for weight in predictor.parameters())
        scripted = CustomPredictor(torch.jit.script(network), attributes=["a", "b"], activation="logit")
        torch.testing.assert_close(scripted(images), predictor(images))

    @pytest.mark.parametrize(
        ("network", "changes", "message"),
        [
            (3, {}, "the network is 3; it must be a module or a function"),
            (means, {"attributes": []}, r"name what the network predicts: attributes=\[...\]"),
            (means, {"attributes": "red"}, "attributes must be a list"),
            (means, {"keypoints": ["a"]}, "an attribute and a keypoint have the same name"),
            (means, {"groups": [["a", "z"]]}, "groups name unknown attributes: z"),
            (means, {"activation": "softmax"}, "activation is 'softmax'; it must be 'score', 'probability' or 'logit'"),
            (
                lambda x: {"logits": x},
                {},
                "the network gives a dict of 'logits' for 3 pictures; a predictor of 3 attributes gives",
            ),
            (lambda x: means(x)[:, :2], {}, r"gives torch.float32 \[3, 2\].*numbers \[3, 3\]: wrap it"),
            (nn.Conv2d(7, 3, 1), {}, r"cannot read images \[3, 3, 32, 32\] in \[-1, 1\] \(.*\): wrap it in a function"),
            (lambda x: means(x).long(), {}, "gives torch.int64"),
            (lambda x: means(x) * math.nan, {}, "not finite: are its weights loaded"),
            (lambda x: means(x) + 7, {}, "for attributes, and a score is -1 to 1: .*activation='logit'"),
            (lambda x: means(x) - 2, {"activation": "probability"}, "and a probability is 0 to 1"),
            (
                lambda x: means(x) * 0 + 200,
                {"attributes": ["a"], "keypoints": ["p"], "activation": "logit"},
                "gives keypoints from 200 to 200; they are fractions of the image's side: divide pixels by it",
            ),
        ],
    )
    def test_mistakes(self, images: Tensor, network: object, changes: dict, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            CustomPredictor(network, **{"attributes": ["a", "b", "c"], **changes})(images)  # type: ignore[arg-type]

    def test_what_is_no_image_is_refused(self) -> None:
        with pytest.raises(BadValueError, match="a predictor reads floating-point images"):
            CustomPredictor(means, attributes=["a", "b", "c"])(torch.zeros(3, 32, 32))


class TestJoin:
    def test_attributes_first_then_keypoints(self, images: Tensor) -> None:
        one = CustomPredictor(means, attributes=["a"], keypoints=["p"])
        two = CustomPredictor(lambda x: -means(x), attributes=["b", "c", "d"], groups=[["b", "c"]])
        both = join([one, two])
        assert both.spec == ConditionSpec(("a", "b", "c", "d"), ("p",), (("b", "c"),))
        first, second = one(images), two(images)
        assert torch.equal(both(images), torch.cat([first[:, :1], second, first[:, 1:]], dim=1))

    def test_heads_go_on_to_share_their_backbone(self, toy_zoo: Path, images: Tensor) -> None:
        heads = load_predictor([str(toy_zoo / "toy-attributes"), str(toy_zoo / "toy-keypoints")])
        own = CustomPredictor(means, attributes=["red", "green", "blue"])
        both = join([own, heads])
        assert isinstance(both, ImagePredictor) and both.spec.attributes == ("red", "green", "blue", *ATTRIBUTES)
        passes: list[int] = []
        for backbone in both.backbones:
            backbone.register_forward_hook(lambda *_: passes.append(1))
        torch.testing.assert_close(both(images), torch.cat([own(images), heads(images)], dim=1))
        assert len(passes) == 2  # once each

    def test_what_is_no_module_joins_too(self, images: Tensor) -> None:
        class Plain:
            spec = ConditionSpec(("r", "g"), (), (("r", "g"),))
            target = distance = PlainPredictor.distance

            def __call__(self, images: Tensor) -> Tensor:
                return means(images)[:, :2]

        other = PlainPredictor(torch.eye(1, 3 * 32 * 32))
        both = join([Plain(), other])  # type: ignore[list-item]
        assert both.spec == ConditionSpec(("r", "g", "a0"), (), (("r", "g"),))
        torch.testing.assert_close(both(images), torch.cat([means(images)[:, :2], other(images)], dim=1))

    def test_repos_of_all_kinds(self, toy_zoo: Path, tmp_path: Path, images: Tensor) -> None:
        clip = write_clip(tmp_path / "clip")
        PromptPredictor({"sad": ("a sad face", "a face")}, model=str(clip)).save_pretrained(tmp_path / "prompts")
        names = [
            str(write_vitpose(tmp_path / "vitpose", points=2, named=False)),
            str(write_classifier(tmp_path / "classifier", labels=("Young", "Old"), several=False)),
            str(toy_zoo / "toy-keypoints"),
            str(tmp_path / "prompts"),
            str(toy_zoo / "toy-attributes"),
        ]
        predictor = load_predictor(names)
        parts = [load_predictor(name) for name in names]
        assert predictor.spec == ConditionSpec(
            ("young", "old", "sad", *ATTRIBUTES),
            ("point_0", "point_1", *KEYPOINTS),
            (("young", "old"), *map(tuple, GROUPS)),
        )
        assert join(parts).spec == predictor.spec
        torch.testing.assert_close(predictor(images), join(parts)(images))
        assert not predictor.training

    def test_refusals(self, toy_zoo: Path) -> None:
        one = CustomPredictor(means, attributes=["a", "b", "c"])
        with pytest.raises(BadValueError, match="both give a, b, c"):
            join([one, CustomPredictor(means, attributes=["a", "b", "c"])])
        with pytest.raises(BadValueError, match="at least one"):
            join([])
        with pytest.raises(BadValueError, match="is no predictor: wrap a network or a function, CustomPredictor"):
            join([means])  # type: ignore[list-item]
        captions = PlainPredictor(torch.eye(1, 3), ConditionSpec(caption=1))
        with pytest.raises(BadValueError, match="a caption cannot be joined with other conditions"):
            join([one, captions])
