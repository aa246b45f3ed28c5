"""Image classifiers of transformers: what they say there, they say here; and what a foreign or damaged repo says."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.predictors import TransformersClassifier, load_predictor
from sgf_hub.predictors.pretrained.preprocessing import read_preprocessing
from sgf_hub.types import Predictor
from tests.predictors.foreign import change, processed, processor, whole, write_classifier

NAMES = ("smiling", "wearing_hat", "5_o_clock_shadow")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multi-label ViT; read only."""
    return write_classifier(tmp_path_factory.mktemp("classifiers") / "toy-classifier")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "toy-classifier"))


@pytest.fixture
def images() -> Tensor:
    """Smooth pictures of 40 px."""
    noise = torch.randn(3, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    return whole(torch.nn.functional.interpolate(noise, (40, 40), mode="bicubic").clamp(-1, 1))


def logits(folder: Path, pixels: Tensor) -> Tensor:
    from transformers import AutoModelForImageClassification

    with torch.no_grad():
        return AutoModelForImageClassification.from_pretrained(folder)(pixel_values=pixels).logits


class TestAttributes:
    @pytest.mark.parametrize(("kind", "prepares"), [("vit", "ViT"), ("resnet", "ConvNext"), ("convnextv2", "ConvNext")])
    def test_scores_are_2p_minus_1_of_transformers(
        self, tmp_path: Path, images: Tensor, kind: str, prepares: str
    ) -> None:
        folder = write_classifier(tmp_path / kind, kind=kind)
        predictor = TransformersClassifier(folder)
        expected = 2 * logits(folder, predictor.preprocessing(images)).sigmoid() - 1
        assert isinstance(predictor, Predictor) and predictor.spec.attributes == NAMES and not predictor.spec.groups
        assert expected.std(dim=0).max() > 0.02
        torch.testing.assert_close(predictor(images), expected, atol=1e-5, rtol=1e-4)
        through_pil = 2 * logits(folder, processed(folder, images, prepares)).sigmoid() - 1
        torch.testing.assert_close(predictor(images), through_pil, atol=0.03, rtol=0)  # PIL rounds pixels

    def test_softmax_is_one_group(self, tmp_path: Path, images: Tensor) -> None:
        folder = write_classifier(tmp_path / "toy", labels=("smiling", "not smiling"), several=False)
        predictor = TransformersClassifier(folder)
        assert predictor.spec.attributes == ("smiling", "not_smiling")
        assert predictor.spec.groups == (("smiling", "not_smiling"),)
        c = predictor(images)
        torch.testing.assert_close(c.sum(dim=1), torch.zeros(3), atol=1e-6, rtol=0)  # p and 1 - p
        expected = 2 * logits(folder, predictor.preprocessing(images)).softmax(dim=1) - 1
        torch.testing.assert_close(c, expected, atol=1e-5, rtol=1e-4)

    def test_a_subset_and_other_names(self, saved: Path, tmp_path: Path, images: Tensor) -> None:
        full = TransformersClassifier(saved)(images)
        some = TransformersClassifier(saved, labels=["5_o_clock_shadow", "Smiling"])
        assert some.spec.attributes == (NAMES[2], NAMES[0])
        assert torch.equal(some(images), full[:, [2, 0]])
        renamed = TransformersClassifier(saved, labels={"wearing_hat": "hat", "smiling": "smile"}, groups=[["hat"]])
        assert (renamed.spec.attributes, renamed.spec.groups) == (("hat", "smile"), (("hat",),))
        assert torch.equal(renamed(images), full[:, [1, 0]])
        softmax = write_classifier(tmp_path / "toy", several=False)
        assert TransformersClassifier(softmax, labels=NAMES[:1]).spec.groups == ()
        picked = TransformersClassifier(softmax, labels=NAMES[1:], groups=())
        assert picked.spec.groups == ()
        assert torch.equal(picked(images), TransformersClassifier(softmax)(images)[:, 1:])  # of all three labels

    def test_labels_become_distinct_names(self, tmp_path: Path) -> None:
        folder = write_classifier(tmp_path / "toy", labels=("crane", "Crane", "tench, Tinca tinca", "???"))
        assert TransformersClassifier(folder).spec.attributes == ("crane", "crane_1", "tench_tinca_tinca", "label_3")

    def test_target_and_distance(self, saved: Path, images: Tensor) -> None:
        predictor = TransformersClassifier(saved)
        c = predictor(images)
        target = predictor.target(c, smiling=1)
        assert torch.equal(target.c[:, 0], torch.ones(3))
        torch.testing.assert_close(predictor.distance(c, target), (1 - (c[:, 0] + 1) / 2) / 0.1)

    def test_gradients_and_batches(self, saved: Path, images: Tensor) -> None:
        predictor = TransformersClassifier(saved)
        assert not predictor.training and not any(weight.requires_grad for weight in predictor.parameters())
        torch.testing.assert_close(predictor(images)[1:2], predictor(images[1:2]), atol=1e-5, rtol=0)
        images.requires_grad_()
        predictor(images).sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0

    def test_by_name(self, saved: Path, images: Tensor) -> None:
        loaded = load_predictor(str(saved))
        assert isinstance(loaded, TransformersClassifier)
        assert torch.equal(loaded(images), TransformersClassifier(saved)(images))

    @pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 40)])
    def test_what_is_no_image_is_refused(self, saved: Path, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match="a predictor reads floating-point images"):
            TransformersClassifier(saved)(torch.zeros(shape))


class TestPreprocessing:
    """Tensors in place of PIL, to the rounding of pixels."""

    @pytest.mark.parametrize("side", [24, 40, 100])
    @pytest.mark.parametrize(
        ("kind", "settings"),
        [
            ("ViT", {"size": {"height": 32, "width": 24}}),
            ("ViT", {"size": 32, "resample": 3}),
            ("ViT", {"size": 32, "resample": 2, "do_normalize": False}),
            ("ViT", {"size": 32, "do_rescale": False}),
            ("ViT", {"do_resize": False}),
            ("ConvNext", {"size": {"shortest_edge": 30}}),
            ("ConvNext", {"size": {"shortest_edge": 30}, "crop_pct": 0.7}),
            ("ConvNext", {"size": {"shortest_edge": 384}}),
            ("CLIP", {"size": {"shortest_edge": 33}, "crop_size": {"height": 28, "width": 28}}),
            ("CLIP", {"size": {"shortest_edge": 20}, "crop_size": {"height": 27, "width": 24}}),
            ("EfficientNet", {"size": {"height": 32, "width": 32}, "resample": 3}),
            ("EfficientNet", {"size": {"height": 32, "width": 32}, "rescale_offset": True, "include_top": False}),
            ("DeiT", {"size": {"height": 36, "width": 36}, "crop_size": {"height": 32, "width": 32}}),
            ("Segformer", {"size": {"height": 32, "width": 32}}),
        ],
    )
    def test_it_is_transformers_own(self, tmp_path: Path, side: int, kind: str, settings: dict) -> None:
        noise = torch.randn(2, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(1))
        images = whole(torch.nn.functional.interpolate(noise, (side, side), mode="bicubic").clamp(-1, 1))
        processor(kind, **settings).save_pretrained(tmp_path)
        theirs, ours = processed(tmp_path, images, kind), read_preprocessing(tmp_path)(images)
        assert ours.shape == theirs.shape
        # in units of one pixel value: two, where resizing rounds in each direction
        step = ours.max() / 255 if settings.get("do_rescale") is False else 1 / 255 / _deviation(tmp_path)
        assert (ours - theirs).abs().max() <= 2.1 * step

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"image_processor_type": "LevitImageProcessor"}, "'LevitImageProcessor' is none of the image processors"),
            ({"image_processor_type": ["ViT"]}, "is none of the image processors known here: Beit, Bit"),
            ({"size": {"longest_edge": 3}}, "size is None"),
            ({"size": 10**9}, "size is 1000000000"),
            ({"size": None}, "size is None; it must be a side, or a height and a width"),
            ({"size": "big"}, "size is 'big'"),
            ({"resample": 5}, "resample is 5; it must be one of 0, 1, 2, 3"),
            ({"image_mean": [0.5]}, r"image_mean is \[0.5\]; it must be three numbers"),
            ({"image_std": [0, 1, 1]}, "image_std is 0"),
            ({"image_std": None}, "image_std is None"),
            ({"rescale_factor": "x"}, "rescale_factor is 'x'"),
        ],
    )
    def test_nonsense_is_one_sentence(self, folder: Path, changes: dict, message: str) -> None:
        change(folder, "preprocessor_config.json", **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            TransformersClassifier(folder)
        assert "\n" not in str(caught.value)

    def test_old_and_new_files(self, folder: Path, images: Tensor) -> None:
        expected = TransformersClassifier(folder)(images)
        path = folder / "preprocessor_config.json"
        settings = json.loads(path.read_text())
        settings.pop("image_processor_type")  # before 2022
        path.write_text(json.dumps({**settings, "size": 32}))
        assert torch.equal(TransformersClassifier(folder)(images), expected)
        path.unlink()
        (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
        assert torch.equal(TransformersClassifier(folder)(images), expected)
        (folder / "processor_config.json").unlink()
        with pytest.raises(CorruptFileError, match=r"lacks preprocessor_config.json: it does not say how"):
            TransformersClassifier(folder)


def _deviation(folder: Path) -> float:
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    if not settings["do_normalize"]:
        return 1.0
    twice = settings["image_processor_type"] == "EfficientNetImageProcessor" and settings["include_top"]
    return min(settings["image_std"]) ** (2 if twice else 1)


class TestRefusals:
    def test_what_is_no_classifier(self, folder: Path) -> None:
        change(folder, architectures=["BertForMaskedLM"])
        with pytest.raises(CorruptFileError, match="'toy-classifier' holds a BertForMaskedLM; an image classifier"):
            TransformersClassifier(folder)
        with pytest.raises(CorruptFileError, match="holds a BertForMaskedLM; a predictor is made of AttributeHead"):
            load_predictor(str(folder))
        change(folder, architectures=None)
        with pytest.raises(CorruptFileError, match="holds a foreign model"):
            TransformersClassifier(folder)

    def test_pickled_weights_are_not_read(self, folder: Path) -> None:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
        with pytest.raises(CorruptFileError, match=r"lacks model.safetensors.*safetensors only"):
            TransformersClassifier(folder)

    def test_no_code_of_a_repo_is_run(self, folder: Path) -> None:
        (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
        classes = {"AutoConfig": "evil.Config", "AutoModelForImageClassification": "evil.Model"}
        change(folder, model_type="evil", auto_map=classes)
        with pytest.raises(CorruptFileError, match="not usable as a classifier"):
            TransformersClassifier(folder)
        assert not (folder / "ran").exists()

    def test_labels_that_are_not_there(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(
            UnknownNameError, match=r"'smilling' is no label of this classifier \(did you mean 'smiling'"
        ):
            TransformersClassifier(saved, labels=["smilling"])
        with pytest.raises(BadValueError, match="at least one label, and each label once"):
            TransformersClassifier(saved, labels=[])
        with pytest.raises(BadValueError, match="at least one label, and each label once"):
            TransformersClassifier(saved, labels=["smiling", "Smiling"])
        with pytest.raises(BadValueError, match="labels must be a list"):
            TransformersClassifier(saved, labels="smiling")
        with pytest.raises(BadValueError, match="the names that labels give must be a list of at most .* distinct"):
            TransformersClassifier(saved, labels={"smiling": "a", "wearing_hat": "a"})
        with pytest.raises(BadValueError, match="groups name unknown attributes: beard"):
            TransformersClassifier(saved, groups=[["smiling", "beard"]])

    def test_a_config_without_labels(self, tmp_path: Path, images: Tensor) -> None:
        folder = write_classifier(tmp_path / "toy", labels=("LABEL_0", "LABEL_1"))
        for labels in (None, ["label_0"]):
            with pytest.raises(BadValueError, match=r"'toy' does not say what its 2 outputs mean .*labels=\{'label_0'"):
                TransformersClassifier(folder, labels=labels)
        named = TransformersClassifier(folder, labels={"label_1": "smiling"})
        assert named.spec.attributes == ("smiling",) and named(images).shape == (3, 1)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"problem_type": "regression"}, "it gives quantities"),
            (
                {"id2label": {"0": "a", "2": "b", "1": "c", "7": "d"}},
                "id2label must give at most 1024 labels, numbered",
            ),
            ({"id2label": [1]}, "not usable as a classifier"),
            ({"id2label": {"0": "a", "1": "b"}}, "not usable as a classifier|does not fit its config"),
            ({"model_type": "timm_wrapper"}, "not usable as a classifier"),
            ({"model_type": "no-such"}, "not usable as a classifier"),
            ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
            ({"hidden_size": 2**20}, "does not fit its config: it holds"),
            ({"num_hidden_layers": 3}, "does not fit its config: missing vit.*layer"),
            ({"hidden_size": "wide"}, "not usable as a classifier"),
            ({"image_size": 16}, "not usable as a classifier"),
            ({"num_channels": 1}, "not usable as a classifier"),
        ],
    )
    def test_a_wrong_config_is_one_sentence(self, folder: Path, changes: dict, message: str) -> None:
        change(folder, **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            TransformersClassifier(folder)
        assert "\n" not in str(caught.value)

    def test_damaged_weights(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        weights = load_file(path)
        weights.pop("classifier.bias")
        save_file(weights, path, metadata={"format": "pt"})
        with pytest.raises(CorruptFileError, match=r"does not fit its config: missing classifier\.bias"):
            TransformersClassifier(folder)
        path.write_bytes(path.read_bytes()[:-99])
        with pytest.raises(
            CorruptFileError, match="not usable as a classifier: .*safetensors|Error while deserializing"
        ):
            TransformersClassifier(folder)

    def test_nowhere(self) -> None:
        with pytest.raises(UnknownNameError, match="nowhere-to-be-found"):
            TransformersClassifier("nowhere-to-be-found")
