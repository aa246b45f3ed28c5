"""Sources and what they lead to, conversions and what they leave behind, and what `inspect` tells."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, constants
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from sgf_hub.cli.main import app
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.generators import Description, convert, inspect, load_generator
from sgf_hub.generators.convert import SOURCE
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.sources import Found, find
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub import download, names
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.options import HubOptions
from tests.foreign import GOLDEN, even_first_bias, gan_zoo, genforce, nvidia, rosinality, write
from tests.hub.client import world
from tests.toys import edit_config, toy_generator, toy_progan


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A rosinality file."""
    return write(tmp_path / "toy.pt", rosinality(toy_generator(noise=True)))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestConvert:
    def test_what_is_written(self, checkpoint: Path, tmp_path: Path) -> None:
        generator = convert(checkpoint, tmp_path / "new" / "mine")
        assert type(generator) is StyleGAN2 and generator.folder == tmp_path / "new" / "mine"
        assert files(tmp_path / "new") == {"mine"} and files(tmp_path / "new" / "mine") == {CONFIG, WEIGHTS, SOURCE}
        made = json.loads((tmp_path / "new" / "mine" / SOURCE).read_text())
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert made == {
            "source": {"file": "toy.pt", "sha256": digest, "format": "a rosinality StyleGAN2 checkpoint", "notes": []}
        }
        w = generator.sample(2, seed=0)
        pictures = load_generator(checkpoint).synthesize(w)
        assert torch.equal(generator.synthesize(w), pictures)
        assert torch.equal(load_generator(tmp_path / "new" / "mine").synthesize(w), pictures)

    @pytest.mark.parametrize(
        ("tree", "kind"),
        [
            ({"G_ema": nvidia(toy_generator(noise=True, z_dim=8, mapping_width=20, clamp=0.7))}, StyleGAN2),
            (gan_zoo(toy_progan(fade=0.5)), ProGAN),
            (genforce(even_first_bias(toy_progan()), fused=True), ProGAN),
        ],
    )
    def test_round_trips(self, tree: dict, kind: type, tmp_path: Path) -> None:
        path = write(tmp_path / "file", tree)
        generator, found = convert(path, tmp_path / "mine"), load_generator(path)
        assert type(generator) is kind
        latent = found.sample(2, seed=1)
        assert torch.equal(generator.sample(2, seed=1).data, latent.data)
        assert torch.equal(generator.synthesize(latent), found.synthesize(latent))

    def test_precision(self, checkpoint: Path, zoo: Path, tmp_path: Path) -> None:
        """Half where it changes no weight (our own repos), single otherwise."""
        convert(checkpoint, tmp_path / "foreign")
        convert(zoo / "toy-stylegan2", tmp_path / "ours")
        kinds = [{value.dtype for value in load_file(tmp_path / one / WEIGHTS).values()} for one in ("foreign", "ours")]
        assert kinds == [{torch.float32}, {torch.float16}]

    def test_a_loaded_generator_is_saved_in_single_precision(self, checkpoint: Path, tmp_path: Path) -> None:
        load_generator(checkpoint).save_pretrained(tmp_path / "saved")
        assert {value.dtype for value in load_file(tmp_path / "saved" / WEIGHTS).values()} == {torch.float32}

    def test_an_earlier_conversion_is_replaced(self, checkpoint: Path, tmp_path: Path) -> None:
        convert(checkpoint, tmp_path / "mine")
        (tmp_path / "mine").rename(tmp_path / "again")
        assert type(convert(GOLDEN / "genforce_pggan_32px.pth", tmp_path / "again")) is ProGAN
        assert files(tmp_path) == {"toy.pt", "again"}
        assert json.loads((tmp_path / "again" / CONFIG).read_text())["class"] == "ProGAN"

    @pytest.mark.parametrize("held", ["notes.txt", CONFIG])
    def test_other_folders_are_refused(self, held: str, checkpoint: Path, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / held).write_text("{}")
        with pytest.raises(BadValueError, match=f"the folder 'mine' holds '{held}', and is no earlier conversion"):
            convert(checkpoint, tmp_path / "mine")
        assert files(tmp_path / "mine") == {held}

    def test_a_conversion_with_notes_of_the_user_is_kept(self, checkpoint: Path, tmp_path: Path) -> None:
        convert(checkpoint, tmp_path / "mine")
        (tmp_path / "mine" / "README.md").write_text("mine")
        with pytest.raises(BadValueError, match="holds 'README.md', and is no earlier conversion: give a new --out"):
            convert(checkpoint, tmp_path / "mine")

    def test_a_file_for_a_folder(self, checkpoint: Path) -> None:
        with pytest.raises(BadValueError, match=r"toy.pt' is no folder \(Not a directory\): give another --out"):
            convert(checkpoint, checkpoint)

    @pytest.mark.parametrize("earlier", [False, True])
    @pytest.mark.parametrize("moment", ["save_pretrained", "write_text", "rename"])
    def test_a_kill_leaves_no_half_folder(
        self, earlier: bool, moment: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "mine"
        before = convert(GOLDEN / "genforce_pggan_32px.pth", out).state_dict() if earlier else None

        def kill(*args: object, **kwargs: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr({"save_pretrained": StyleGAN2, "write_text": Path, "rename": os}[moment], moment, kill)
            convert(checkpoint, out)
        assert out.exists() == earlier
        if before is not None:
            assert load_generator(out).state_dict().keys() == before.keys()
        convert(checkpoint, out)
        assert files(tmp_path) == {"toy.pt", "mine"}

    @pytest.mark.parametrize("name", ["sgf-toy-attributes", "toy-attributes"])
    def test_other_kinds(self, name: str, in_toy_zoo: Path, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match=f"'{name}' holds '.*', which is not converted: give a checkpoint"):
            convert(name, tmp_path / "mine")
        assert not (tmp_path / "mine").exists()


def test_configs_of_earlier_versions_are_read(zoo: Path) -> None:
    """Before z_dim, mapping_width and fade."""
    for name, added in (("toy-stylegan2", {"z_dim", "mapping_width"}), ("toy-progan", {"fade"})):
        path = zoo / name / CONFIG
        before, config = load_generator(zoo / name), json.loads(path.read_text())
        assert config.keys() >= added
        path.write_text(json.dumps({key: value for key, value in config.items() if key not in added}))
        latent = before.sample(1, seed=0)
        assert torch.equal(load_generator(zoo / name).synthesize(latent), before.synthesize(latent))


class TestSources:
    def test_a_folder_with_one_checkpoint(self, checkpoint: Path) -> None:
        assert find(checkpoint.parent) == Found("checkpoint", checkpoint)
        assert type(load_generator(checkpoint.parent)) is StyleGAN2

    def test_a_folder_with_several(self) -> None:
        with pytest.raises(CorruptFileError) as caught:
            find(GOLDEN)
        assert "holds 12 checkpoints (e4e_latents_32px.pt, genforce" in str(caught.value)
        assert str(caught.value).endswith("name one of them, as '" + str(GOLDEN / "e4e_latents_32px.pt") + "'.")

    def test_ours_goes_first(self, checkpoint: Path, zoo: Path) -> None:
        (checkpoint.parent / CONFIG).write_text("{}")
        assert find(checkpoint.parent).kind == "checkpoint"  # the config is of another library
        assert find(zoo / "toy-progan") == Found("folder", zoo / "toy-progan")
        write(zoo / "toy-progan" / "old.pt", {})
        assert find(zoo / "toy-progan").kind == "folder"

    def test_diffusers(self, tmp_path: Path) -> None:
        (tmp_path / "model_index.json").write_text("{}")
        assert find(tmp_path) == Found("diffusers", tmp_path)

    @pytest.mark.parametrize(
        ("held", "told"),
        [
            ("model.onnx", "it holds model.onnx, ONNX, which sgf-hub does not run"),
            ("model.safetensors", "it holds model.safetensors, safetensors without a config.json of ours"),
            ("notes.txt", "it holds neither config.json nor a checkpoint"),
        ],
    )
    def test_folders_without_a_generator(self, held: str, told: str, tmp_path: Path) -> None:
        (tmp_path / held).write_text("x")
        with pytest.raises(CorruptFileError, match=f"is no generator that sgf-hub can load: {told}.*CustomGenerator"):
            load_generator(tmp_path)

    @pytest.mark.parametrize("name", ["missing.pkl", "/no/where/it.pt", "./a.pth", "owner/name/../../x.pkl"])
    def test_missing_files(self, name: str) -> None:
        with pytest.raises(
            UnknownNameError, match="there is no file '.*'; a file of a Hub repo is written 'owner/name/"
        ):
            load_generator(name)

    @pytest.mark.parametrize("name", ["", "no-such-thing", "a\0b", "x" * 5000])
    def test_names_of_nothing(self, name: str) -> None:
        with pytest.raises(SGFError):
            load_generator(name)

    def test_devices(self) -> None:
        with pytest.raises(CorruptFileError, match=r"'/dev/null' cannot be read \(Not a directory\): give a file or a"):
            load_generator("/dev/null")

    def test_files_have_no_revision(self, checkpoint: Path) -> None:
        with pytest.raises(BadValueError, match="is a file, and only repos of the Hub have revisions"):
            load_generator(checkpoint, revision="main")

    def test_mappings_are_no_generators(self, in_toy_zoo: Path) -> None:
        with pytest.raises(CorruptFileError, match="holds 'SGFMapping', not a generator: StyleGAN2, StyleGAN3, ProGAN"):
            load_generator("sgf-toy-attributes")


class FakeHub:
    """Repos in folders, in place of the Hub."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.asked = root, []
        for name in ("fetch", "listing"):
            monkeypatch.setattr(download, name, getattr(self, name))
        monkeypatch.setattr(names, "download", self.download)

    def fetch(self, name: str, file: str, hub: HubOptions) -> Path:
        self.asked.append((name, file, hub))
        return self.root / name / file

    def listing(self, name: str, hub: HubOptions) -> list[str]:
        return [str(path.relative_to(self.root / name)) for path in (self.root / name).rglob("*") if path.is_file()]

    def download(self, name: str, files: tuple[str, ...], hub: HubOptions) -> Path:
        if not all((self.root / name / file).is_file() for file in files):
            raise CorruptFileError(f"{name!r} on the Hub lacks {files}.")
        return self.root / name


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the Hub repo "me/gan"."""
    FakeHub(tmp_path, monkeypatch)
    (tmp_path / "me" / "gan" / "runs").mkdir(parents=True)
    return tmp_path / "me" / "gan"


class TestHub:
    def test_a_repo_of_ours(self, repo: Path) -> None:
        toy_progan().save_pretrained(repo)
        assert type(load_generator("me/gan")) is ProGAN

    def test_a_repo_with_one_checkpoint(self, repo: Path) -> None:
        write(repo / "runs" / "best.pt", rosinality(toy_generator(noise=True)))
        (repo / "README.md").write_text("a GAN")
        assert find("me/gan") == Found("checkpoint", repo / "runs" / "best.pt")
        assert type(load_generator("me/gan")) is StyleGAN2
        assert inspect("me/gan").format == "a rosinality StyleGAN2 checkpoint"

    def test_one_of_several(self, repo: Path) -> None:
        for name in ("a.pt", "runs/b.pt"):
            write(repo / name, rosinality(toy_generator(noise=True)))
        with pytest.raises(CorruptFileError, match=r"holds 2 checkpoints \(a.pt, runs/b.pt\): .*, as 'me/gan/a.pt'\.$"):
            load_generator("me/gan")
        assert find("me/gan/runs/b.pt", HubOptions(revision="v1")) == Found("checkpoint", repo / "runs" / "b.pt")
        assert type(load_generator("me/gan/runs/b.pt")) is StyleGAN2

    def test_diffusers(self, repo: Path) -> None:
        (repo / "model_index.json").write_text("{}")
        assert find("me/gan") == Found("diffusers", repo)

    def test_nothing_of_use(self, repo: Path) -> None:
        (repo / "model.onnx").write_text("x")
        with pytest.raises(
            CorruptFileError, match="'me/gan' is no generator that sgf-hub can load: it holds model.onnx"
        ):
            load_generator("me/gan")


class TestRealClient:
    """The same through huggingface_hub's own client and a Hub on this machine."""

    def test_checkpoints_of_a_repo(self, toy_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {
            name: write(tmp_path / name, rosinality(toy_generator(noise=True))).read_bytes()
            for name in ("a.pt", "b.pt")
        }
        with world(toy_zoo, tmp_path / "home") as here:
            for name in ("one", "two"):
                HfApi().create_repo(f"ann/{name}")
            here.hub.model("ann/one").commit({"runs/a.pt": files["a.pt"], "README.md": b"a GAN"}, "first")
            here.hub.model("ann/two").commit(files, "first")
            with pytest.raises(
                CorruptFileError, match=r"'ann/two' holds 2 checkpoints \(a.pt, b.pt\): .*'ann/two/a.pt'"
            ):
                load_generator("ann/two")
            assert all(
                type(load_generator(one)) is StyleGAN2 for one in ("ann/one", "ann/two/b.pt", "ann/one/runs/a.pt")
            )
            with pytest.raises(SGFError, match="lacks c.pt|no such file"):
                load_generator("ann/two/c.pt")
            with pytest.raises(UnknownNameError, match="the Hub has no such repo"):
                load_generator("ann/three")
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # what is cached is used
            assert all(type(load_generator(one)) is StyleGAN2 for one in ("ann/one", "ann/two/b.pt"))
            with pytest.raises(UnknownNameError, match="the Hub cannot be reached"):
                load_generator("ann/two/a.pt")


class TestInspect:
    def test_checkpoints_are_told_without_their_values(self, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StyleGAN2, "forward", None)
        assert inspect(checkpoint) == Description(
            source=str(checkpoint),
            format="a rosinality StyleGAN2 checkpoint",
            architecture="StyleGAN2",
            resolution=32,
            latent_space="w",
            latent_dim=16,
            layers=8,
            channels="3",
            editable="once a mapping is fitted to it: sgf-hub fit",
            parameters=sum(p.numel() for p in toy_generator(noise=True).parameters()),
            size=checkpoint.stat().st_size,
        )

    def test_the_zoo(self, in_toy_zoo: Path) -> None:
        progan, mapping, head = (inspect(name) for name in ("toy-progan", "sgf-toy-keypoints", "toy-attributes"))
        assert (progan.architecture, progan.latent_space, progan.layers, progan.loadable) == ("ProGAN", "z", 8, True)
        assert (mapping.architecture, mapping.layers, mapping.latent_dim, mapping.loadable) == (
            "SGFMapping",
            4,
            16,
            True,
        )
        assert mapping.notes == (
            "edits sgf-hub/toy-stylegan2 by 3 attributes, 2 keypoints, read by sgf-hub/toy-attributes, "
            "sgf-hub/toy-keypoints",
        )
        assert (head.architecture, head.loadable) == ("AttributeHead", False)
        assert head.reason == "'toy-attributes' holds AttributeHead, which is neither a generator nor a mapping."
        assert inspect("toy-backbone").format == "a repo of another library"

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda folder: edit_config(folder, resolution=64), "64 px takes one width for each of 4, 8, ... 64 px"),
            (lambda folder: edit_config(folder, colour="red"), "does not describe a ProGAN: unknown colour"),
            (
                lambda folder: edit_config(folder, channels=[12, 8, 8, 7]),
                "model.safetensors of .* does not fit its config",
            ),
            (lambda folder: (folder / WEIGHTS).unlink(), "lacks model.safetensors"),
            (lambda folder: (folder / WEIGHTS).write_bytes(b"\0" * 64), "cannot be read as safetensors"),
            (lambda folder: save_file({"x": torch.ones(1)}, folder / WEIGHTS), "missing blocks.*and 2[0-9] more"),
        ],
    )
    def test_damage(self, damage, message: str, zoo: Path) -> None:
        damage(zoo / "toy-progan")
        told = inspect(zoo / "toy-progan")
        assert (told.architecture, told.loadable) in {("ProGAN", False), (None, False)}
        with pytest.raises(CorruptFileError, match=message):
            raise CorruptFileError(told.reason)

    @pytest.mark.parametrize(
        ("index", "config", "reason"),
        [
            (
                {"_class_name": "StableDiffusionPipeline"},
                {},
                "only ConsistencyModelPipeline draws a picture in one step",
            ),
            (None, {"sample_size": 16, "num_class_embeds": 10}, "draws 10 classes: say which"),
            (None, {"block_out_channels": 3}, "describes no network of diffusers"),
            (None, {"sample_size": 16, "block_out_channels": [8, 8]}, ""),
        ],
    )
    def test_diffusers(self, index: dict | None, config: dict, reason: str, tmp_path: Path) -> None:
        whole = {
            "_class_name": "ConsistencyModelPipeline",
            "unet": ["diffusers", "UNet2DModel"],
            "scheduler": ["diffusers", "CMStochasticIterativeScheduler"],
        }
        (tmp_path / "unet").mkdir()
        (tmp_path / "model_index.json").write_text(json.dumps(index or whole))
        (tmp_path / "unet" / CONFIG).write_text(json.dumps(config))
        told = inspect(tmp_path)
        assert (told.format, told.loadable) == ("diffusers", not reason) and reason in told.reason
        if not reason:
            assert (told.resolution, told.latent_space, told.latent_dim) == (16, "z", 768)


class TestCommands:
    def test_convert(self, checkpoint: Path, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["convert", str(checkpoint), "--out", str(tmp_path / "mine")])
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["class"], told["source"]["file"]) == ("StyleGAN2", "toy.pt")
        assert told["bytes"] == sum(path.stat().st_size for path in (tmp_path / "mine").iterdir())

    def test_inspect(self, checkpoint: Path) -> None:
        table = CliRunner().invoke(app, ["inspect", str(checkpoint)]).stdout
        assert all(word in table for word in ("rosinality", "StyleGAN2", "32 px", "W, 16 dimensions", "yes"))
        told = json.loads(CliRunner().invoke(app, ["inspect", str(checkpoint), "--json"]).stdout)
        assert (told["latent_dim"], told["loadable"], told["notes"]) == (16, True, [])

    def test_what_cannot_be_loaded_is_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "[x].pt", {"a": torch.ones(1)})
        table = CliRunner().invoke(app, ["inspect", str(path)])
        assert table.exit_code == 0 and "no: '[x].pt' is of a format that" in table.stdout

    @pytest.mark.parametrize("command", [["inspect"], ["convert", "--out", "x"]])
    def test_mistakes(self, command: list[str]) -> None:
        result = CliRunner().invoke(app, [*command, "missing.pkl"])
        assert isinstance(result.exception, UnknownNameError)
