"""Consistency models: what diffusers' own pipeline draws, drawn here; and what another repo says."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.generators.diffusion import DiffusionGenerator
from sgf_hub.types import Generator, Latent

pytest.importorskip("diffusers")

SIDE = 16


def write_consistency(folder: Path, *, classes: int | None = None, clip: bool = True) -> Path:
    """A pipeline of 16 px with random weights, as diffusers saves it."""
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline, UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet2DModel(
            sample_size=SIDE, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16),
            down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"), norm_num_groups=4, attention_head_dim=8,
            resnet_time_scale_shift="scale_shift", num_class_embeds=classes,
        )  # fmt: skip
    ConsistencyModelPipeline(network, CMStochasticIterativeScheduler(clip_denoised=clip)).save_pretrained(folder)
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
        with pytest.raises(CorruptFileError, match=r"lacks .*safetensors.* only safetensors are read, never pickled"):
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
            ("unet", {"in_channels": 4}, "not usable as a generator"),
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
