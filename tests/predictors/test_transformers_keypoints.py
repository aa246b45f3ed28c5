"""ViTPose of transformers: the same frame, the same points; and what other models and damaged repos say."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.predictors import TransformersKeypoints, load_predictor
from sgf_hub.predictors.pretrained.keypoints import centres
from sgf_hub.types import Predictor
from tests.predictors.foreign import change, processed, processor, whole, write_vitpose


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return write_vitpose(tmp_path_factory.mktemp("keypoints") / "toy-vitpose")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "toy-vitpose"))


@pytest.fixture
def images() -> Tensor:
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return whole(torch.nn.functional.interpolate(noise, (64, 64), mode="bicubic").clamp(-1, 1))


def bumps(points: Tensor, height: int, width: int, *, spread: float = 2.0) -> Tensor:
    """Gaussian heatmaps about points given in cells, [B, K, 2] => [B, K, H, W]."""
    x, y = torch.arange(width), torch.arange(height)
    across = (x - points[..., :1]).square()[..., None, :] + (y - points[..., 1:]).square()[..., :, None]
    return torch.exp(-across / 2 / spread**2)


class TestKeypoints:
    def test_the_frame_is_that_of_transformers(self, saved: Path, images: Tensor) -> None:
        predictor = TransformersKeypoints(saved)
        ours = predictor.preprocessing.normalized(predictor._framed((images + 1) / 2))
        theirs = processed(saved, images, "VitPose", boxes=[[[0, 0, 64, 64]]] * 2)
        assert ours.shape == theirs.shape == (2, 3, 48, 32)
        apart = (ours - theirs).abs()
        # but for the outermost line of the picture, which theirs ends half a pixel earlier
        assert apart.median() < 1e-3 and (apart > 0.02).float().mean() < 0.05

    def test_points_are_where_transformers_finds_them(self, saved: Path) -> None:
        """Heatmaps => points of the picture, through the repo's own post-processing."""
        predictor = TransformersKeypoints(saved)
        cells = torch.tensor([[[6.3, 12.8], [20.0, 31.5], [14.6, 20.2], [25.1, 8.0]]])
        heatmaps = bumps(cells, 48, 32)
        predictor.network.forward = lambda **_: type("Output", (), {"heatmaps": heatmaps})
        outputs = type("Output", (), {"heatmaps": heatmaps})
        made = processor("VitPose", size={"height": 48, "width": 32})
        found = made.post_process_pose_estimation(outputs, boxes=[[[0, 0, 64, 64]]])[0][0]["keypoints"]
        points = predictor.spec.points(predictor(torch.zeros(1, 3, 64, 64)))[0]
        torch.testing.assert_close(points, found / 64, atol=0.005, rtol=0)

    @pytest.mark.parametrize("height", [0.05, 1.0, 30.0])
    def test_centres_of_bumps(self, height: float) -> None:
        cells = torch.tensor([[[6.3, 12.8], [20.0, 31.5], [14.6, 20.2]]])
        noise = 0.1 * torch.rand(1, 3, 48, 32, generator=torch.Generator().manual_seed(0))
        found = centres(height * (bumps(cells, 48, 32) + noise)) * torch.tensor([31, 47])
        assert (found - cells).abs().max() < 0.15  # of a cell
        torch.testing.assert_close(centres(-torch.ones(1, 1, 5, 5)), torch.full((1, 1, 2), 0.5))  # nothing seen

    def test_names_and_protocol(self, saved: Path, tmp_path: Path, images: Tensor) -> None:
        predictor = load_predictor(str(saved))
        assert isinstance(predictor, TransformersKeypoints) and isinstance(predictor, Predictor)
        assert predictor.spec.keypoints == ("nose", "l_eye", "r_eye", "left_ear") and predictor.spec.kind == "keypoints"
        c = predictor(images)
        assert c.shape == (2, 8) and c.std(dim=0).max() > 0.01
        target = predictor.target(c, nose=(0.4, 0.5))
        torch.testing.assert_close(predictor.distance(c, target), (c[:, :2] - target.c[:, :2]).norm(dim=1) / 0.01)
        unnamed = TransformersKeypoints(write_vitpose(tmp_path / "toy", points=3, named=False))
        assert unnamed.spec.keypoints == ("point_0", "point_1", "point_2")

    def test_a_network_of_several_experts(self, tmp_path: Path, images: Tensor) -> None:
        assert TransformersKeypoints(write_vitpose(tmp_path / "toy", experts=2))(images).shape == (2, 8)

    def test_gradients_and_sizes(self, saved: Path, images: Tensor) -> None:
        predictor = TransformersKeypoints(saved)
        large = torch.nn.functional.interpolate(images, (128, 128), mode="bilinear")
        assert predictor(large).shape == predictor(images[..., :16, :16]).shape
        images.requires_grad_()
        predictor(images).sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert not any(weight.requires_grad for weight in predictor.parameters())
        with pytest.raises(BadValueError, match="a predictor reads floating-point images"):
            predictor(torch.zeros(1, 3, 64, 48))


class TestRefusals:
    @pytest.mark.parametrize("name", ["SuperPointForKeypointDetection", "LightGlueForKeypointMatching"])
    def test_other_models_by_name(self, folder: Path, name: str) -> None:
        change(folder, architectures=[name])
        with pytest.raises(CorruptFileError, match=f"'toy-vitpose' holds a {name}; of .* VitPoseForPoseEstimation"):
            TransformersKeypoints(folder)
        with pytest.raises(CorruptFileError, match=f"holds a {name}; a predictor is made of"):
            load_predictor(str(folder))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"id2label": {"0": "nose"}, "label2id": {"nose": 0}}, "not usable as a keypoint model"),
            ({"id2label": {"1": "nose"}}, "not usable as a keypoint model"),
            (
                {"backbone_config": {"model_type": "vitpose_backbone", "num_hidden_layers": 10**9}},
                "num_hidden_layers is 1",
            ),
            ({"backbone_config": {"model_type": "vitpose_backbone", "image_size": [10**6] * 2}}, "image_size is"),
            ({"backbone_config": {"model_type": "resnet"}}, "not usable as a keypoint model"),
            ({"backbone_config": None}, "not fit its config|not usable as a keypoint model"),
        ],
    )
    def test_a_wrong_config_is_one_sentence(self, folder: Path, changes: dict, message: str) -> None:
        change(folder, **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            TransformersKeypoints(folder)
        assert "\n" not in str(caught.value)

    def test_damaged_weights(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        weights = load_file(path)
        weights.pop("head.conv.bias")
        save_file(weights, path, metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match=r"missing head\.conv\.bias"):
            TransformersKeypoints(folder)
        path.unlink()
        with pytest.raises(CorruptFileError, match=r"lacks model\.safetensors"):
            TransformersKeypoints(folder)
