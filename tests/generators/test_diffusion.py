"""Consistency models: what diffusers' own pipeline draws, drawn here; and what another repo says."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.generators import inspect, load_generator
from sgf_hub.generators.diffusion import DiffusionGenerator, OneStep
from sgf_hub.types import Generator, Latent

pytest.importorskip("diffusers")

SIDE = 16


def write_consistency(
    folder: Path, *, classes: int | None = None, clip: bool = True, channels: int = 3, **saved: Any
) -> Path:
    """A pipeline of 16 px with random weights, as diffusers saves it."""
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline, UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet2DModel(
            sample_size=SIDE, in_channels=channels, out_channels=channels,
            layers_per_block=1, block_out_channels=(8, 16),
            down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"), norm_num_groups=4, attention_head_dim=8,
            resnet_time_scale_shift="scale_shift", num_class_embeds=classes,
        )  # fmt: skip
    scheduler = CMStochasticIterativeScheduler(clip_denoised=clip)
    ConsistencyModelPipeline(network, scheduler).save_pretrained(folder, **saved)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return write_consistency(tmp_path_factory.mktemp("diffusion") / "toy-consistency")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "toy-consistency"))


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def pipeline_draws(folder: Path, noise: torch.Tensor, label: int | None = None) -> torch.Tensor:
    from diffusers import ConsistencyModelPipeline

    pipeline = ConsistencyModelPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    labels = None if label is None else [label] * len(noise)
    return pipeline(
        batch_size=len(noise), num_inference_steps=1, latents=noise, class_labels=labels, output_type="pt"
    ).images


class TestPictures:
    @pytest.mark.parametrize("clip", [True, False])
    def test_they_are_what_the_pipeline_draws(self, tmp_path: Path, clip: bool) -> None:
        folder = write_consistency(tmp_path / "toy", clip=clip)
        generator = DiffusionGenerator.from_pretrained(folder)
        latent = generator.sample(3, seed=0)
        expected = 2 * pipeline_draws(folder, latent.data.unflatten(1, (3, SIDE, SIDE))) - 1
        assert expected.std() > 0.1
        torch.testing.assert_close(generator.synthesize(latent), expected, atol=1e-5, rtol=0)

    def test_of_a_class(self, tmp_path: Path) -> None:
        folder = write_consistency(tmp_path / "toy", classes=4)
        generator = DiffusionGenerator.from_pretrained(folder, class_label=2)
        latent = generator.sample(2, seed=0)
        noise = latent.data.unflatten(1, (3, SIDE, SIDE))
        images = generator.synthesize(latent)
        torch.testing.assert_close(images, 2 * pipeline_draws(folder, noise, 2) - 1, atol=1e-5, rtol=0)
        assert (
            images - DiffusionGenerator.from_pretrained(folder, class_label=1).synthesize(latent)
        ).abs().max() > 0.01

    def test_protocol(self, saved: Path) -> None:
        generator = DiffusionGenerator.from_pretrained(saved)
        assert isinstance(generator, Generator) and not generator.training
        assert (generator.latent_space, generator.latent_dim, generator.resolution) == ("z", 3 * SIDE**2, SIDE)
        assert not any(weight.requires_grad for weight in generator.parameters())
        latent = generator.sample(2, seed=0)
        assert latent.data.std().item() == pytest.approx(1, abs=0.05)  # not scaled by the scheduler's sigma
        assert generator.synthesize(latent, resolution=8).shape == (2, 3, 8, 8)

    def test_gradients(self, saved: Path) -> None:
        generator = DiffusionGenerator.from_pretrained(saved)
        z = generator.sample(1, seed=0).data.requires_grad_()
        generator.synthesize(Latent(z, "z")).square().sum().backward()
        assert z.grad is not None and z.grad.abs().sum() > 0


class TestFiles:
    """As diffusers writes them: in parts, in half precision, both."""

    @pytest.mark.parametrize(
        "saved", [{"max_shard_size": "20KB"}, {"variant": "fp16"}, {"max_shard_size": "20KB", "variant": "fp16"}]
    )
    def test_weights_in_other_files(self, saved: dict, tmp_path: Path) -> None:
        whole, other = write_consistency(tmp_path / "a"), write_consistency(tmp_path / "b", **saved)
        names = [path.name for path in (other / "unet").glob("*")]
        assert "diffusion_pytorch_model.safetensors" not in names and len(names) >= 2
        latent = DiffusionGenerator.from_pretrained(whole).sample(1, seed=0)
        pictures = (load_generator(folder).synthesize(latent) for folder in (whole, other))
        torch.testing.assert_close(*pictures)
        assert inspect(other).loadable

    def test_single_precision_goes_first(self, folder: Path) -> None:
        whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
        save_file({"junk": torch.zeros(1)}, whole.with_suffix(".fp16.safetensors"))
        load_generator(folder)
        whole.unlink()
        with pytest.raises(CorruptFileError, match="fp16.safetensors of 'toy-consistency' does not fit its config"):
            load_generator(folder)

    def test_an_index_of_other_weights(self, tmp_path: Path) -> None:
        folder = write_consistency(tmp_path / "toy", max_shard_size="20KB")
        index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
        listed = json.loads(index.read_text())["weight_map"]
        for changes, message in (
            ({"stranger": listed["conv_in.weight"]}, "unexpected 'stranger'"),
            ({"conv_in.weight": "../../evil.safetensors"}, "must name 1 to 64 files"),
        ):
            change(index, weight_map={**listed, **changes})
            with pytest.raises(CorruptFileError, match=message):
                load_generator(folder)
        del listed["conv_in.weight"]
        change(index, weight_map=listed)
        with pytest.raises(
            CorruptFileError, match="index.json of 'toy' does not fit its config: missing conv_in.weight"
        ):
            load_generator(folder)

    @torch.no_grad()
    def test_grey_is_three_equal_colours(self, tmp_path: Path) -> None:
        from diffusers import UNet2DModel

        folder = write_consistency(tmp_path / "toy", channels=1)
        generator = load_generator(folder)
        latent = generator.sample(2, seed=0)
        assert latent.data.shape == (2, SIDE**2)
        network = OneStep(UNet2DModel.from_pretrained(folder / "unet").eval())
        expected = network(latent.data.unflatten(1, (1, SIDE, SIDE))).expand(-1, 3, -1, -1)
        torch.testing.assert_close(generator.synthesize(latent), expected, atol=1e-5, rtol=0)
        told = inspect(folder)
        assert (told.channels, told.latent_dim) == ("1, drawn as three equal colours", SIDE**2)

    def test_a_class_is_asked_for_by_name(self, tmp_path: Path) -> None:
        folder = write_consistency(tmp_path / "toy", classes=4)
        assert load_generator(folder, class_label=3).class_label == 3
        assert inspect(folder).classes == 4 and inspect(folder).loadable
        with pytest.raises(BadValueError, match="draws 4 classes: say which"):
            load_generator(folder)


class TestRefusals:
    def test_other_pipelines_by_name(self, folder: Path) -> None:
        change(folder / "model_index.json", _class_name="StableDiffusionPipeline")
        with pytest.raises(
            CorruptFileError, match="'toy-consistency' holds a StableDiffusionPipeline; .* only Consist"
        ):
            DiffusionGenerator.from_pretrained(folder)
        change(folder / "model_index.json", _class_name="ConsistencyModelPipeline", unet=["evil", "Code"])
        with pytest.raises(CorruptFileError, match=r"the unet .* is \['evil', 'Code'\]; it must be .* UNet2DModel"):
            DiffusionGenerator.from_pretrained(folder)

    def test_no_pipeline(self, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match=r"lacks model_index\.json"):
            DiffusionGenerator.from_pretrained(tmp_path)

    def test_pickled_weights_are_not_read(self, folder: Path) -> None:
        weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
        torch.save(load_file(weights), weights.with_suffix(".bin"))
        weights.unlink()
        with pytest.raises(
            CorruptFileError,
            match=r"holds unet/diff.*\.bin, a pickle, .*safe_serialization=True",
        ):
            DiffusionGenerator.from_pretrained(folder)

    def test_labels(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(BadValueError, match="knows no classes: leave class_label out"):
            DiffusionGenerator.from_pretrained(saved, class_label=1)
        many = write_consistency(tmp_path / "many", classes=4)
        with pytest.raises(BadValueError, match="'many' draws 4 classes: say which, class_label=0 to 3"):
            DiffusionGenerator.from_pretrained(many)
        with pytest.raises(BadValueError, match="class_label is 4; it must be a number from 0 to 3"):
            DiffusionGenerator.from_pretrained(many, class_label=4)

    @pytest.mark.parametrize(
        ("file", "changes", "message"),
        [
            (
                "unet",
                {"in_channels": 4},
                "in_channels and out_channels are 4 and 3; both must be 3, 1, or 4",
            ),
            ("unet", {"out_channels": 6}, r"not usable as a generator"),
            ("unet", {"sample_size": 10**9}, "sample_size is 1000000000"),
            ("unet", {"sample_size": None}, "sample_size is None"),
            ("unet", {"layers_per_block": 10**9}, "layers_per_block is 1000000000"),
            ("unet", {"block_out_channels": [4] * 99}, "at most 16 numbers"),
            ("unet", {"block_out_channels": None}, "not usable as a generator"),
            ("unet", {"down_block_types": ["Evil", "Evil"]}, "not usable as a generator"),
            ("unet", {"block_out_channels": [8, 2**20]}, "does not fit its config"),
            ("unet", {"num_class_embeds": 3.5}, "not usable as a generator"),
            ("scheduler", {"sigma_max": -1.0}, "sigma_max is -1.0"),
            ("scheduler", {"sigma_data": "much"}, "sigma_data is 'much'"),
        ],
    )
    def test_a_wrong_config_is_one_sentence(self, folder: Path, file: str, changes: dict, message: str) -> None:
        change(folder / file / ("config.json" if file == "unet" else "scheduler_config.json"), **changes)
        with pytest.raises(CorruptFileError, match=message) as caught:
            DiffusionGenerator.from_pretrained(folder)
        assert "\n" not in str(caught.value)

    def test_damaged_weights(self, folder: Path) -> None:
        path = folder / "unet" / "diffusion_pytorch_model.safetensors"
        weights = load_file(path)
        save_file({key: value for key, value in weights.items() if key != "conv_in.weight"}, path)
        with pytest.raises(CorruptFileError, match=r"missing conv_in\.weight"):
            DiffusionGenerator.from_pretrained(folder)
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
            DiffusionGenerator.from_pretrained(folder)

    def test_diffusers_is_an_extra(self, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "diffusers.models.unets.unet_2d", None)
        with pytest.raises(SGFError, match=r"needs diffusers: pip install 'sgf-hub\[diffusion\]'"):
            DiffusionGenerator.from_pretrained(saved)
