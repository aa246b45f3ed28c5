"""The command line: five files and one line of JSON, or one sentence on stderr and exit code 2."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sgf_hub.cli.main import main
from sgf_hub.data.pictures import to_pictures
from sgf_hub.generators import load_generator
from sgf_hub.types import Latent
from tests.toys import edit_config

ATTRIBUTES, KEYPOINTS = "sgf-toy-attributes", "sgf-toy-keypoints"


def pictured(image: torch.Tensor) -> np.ndarray:
    """A picture as the command writes it."""
    return np.asarray(to_pictures(image, side=256)[0], int)


class Run:
    """Runs the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys, self.home = monkeypatch, capsys, Path.cwd()

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self.monkeypatch.setattr(sys, "argv", ["sgf-hub", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = self.capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    def refused(self, *arguments: object) -> str:
        """The one sentence of a refusal."""
        code, out, err = self(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("sgf-hub: ") and err.endswith("\n") and err.count("\n") == 1
        assert "Traceback" not in err and len(err) < 1000
        return err[len("sgf-hub: ") : -1]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path) -> Run:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return Run(monkeypatch, capsys)


class TestEdit:
    @pytest.fixture
    def edited(self, run: Run, in_toy_zoo) -> tuple[dict, Path]:
        wishes = ("--set", "smile=1", "--set", "nose=0.5,0.55", "--release", "chin")
        code, out, _ = run("edit", KEYPOINTS, "--seed", 7, *wishes, "--steps", 4, "--out", "a/b")
        assert (code, out.count("\n")) == (0, 1)
        return json.loads(out), Path("a/b")

    def test_prints_one_line_of_json(self, edited) -> None:
        told, _ = edited
        assert told.keys() == {"stop_reason", "step", "steps", "distance", "changed", "excluded"}
        assert told["stop_reason"] in ("target reached", "step limit", "stalled")
        assert 0 <= told["steps"] <= 4 and told["distance"] >= 0

    def test_tells_of_every_wish_from_and_to(self, edited) -> None:
        changed = edited[0]["changed"]
        assert {"smile", "nose"} <= changed.keys()
        assert len(changed["smile"]) == 2 and all(0 <= p <= 1 for p in changed["smile"])
        assert [len(point) for point in changed["nose"]] == [2, 2]

    def test_writes_five_files(self, edited) -> None:
        assert sorted(path.name for path in edited[1].iterdir()) == [
            "after.png", "before.png", "latent.safetensors", "steps.gif", "trajectory.json",
        ]  # fmt: skip

    def test_pictures(self, edited, in_toy_zoo) -> None:
        before = Image.open(edited[1] / "before.png")
        assert before.size == (256, 256)  # enlarged from 32 px
        generator = load_generator("toy-stylegan2")
        image = generator.synthesize(generator.sample(1, seed=7))[0, :, 16, 16]
        pixel = torch.tensor(before.resize((32, 32), Image.Resampling.BOX).getpixel((16, 16))) / 127.5 - 1
        assert (pixel - image).abs().max() < 0.2
        assert Image.open(edited[1] / "steps.gif").size == (256, 256)

    def test_latent_draws_the_after_picture(self, edited, in_toy_zoo) -> None:
        latent = Latent.load(edited[1] / "latent.safetensors")
        drawn = to_pictures(load_generator("toy-stylegan2").synthesize(latent), side=256)[0]
        difference = torch.tensor(list(drawn.tobytes())) - torch.tensor(
            list(Image.open(edited[1] / "after.png").tobytes())
        )
        assert difference.abs().max() <= 1

    def test_trajectory(self, edited) -> None:
        told = json.loads((edited[1] / "trajectory.json").read_text())
        assert told["mapping"] == KEYPOINTS
        assert told["names"][:1] == ["smile"] and len(told["names"]) == 7
        assert [step["step"] for step in told["path"]] == list(range(len(told["path"])))
        assert all(len(step["c"]) == 7 for step in told["path"])
        assert {key: told[key] for key in edited[0]} == edited[0]

    def test_goes_on_from_a_latent(self, edited, run: Run) -> None:
        latent = edited[1] / "latent.safetensors"
        code, out, _ = run("edit", KEYPOINTS, "--latent", latent, "--set", "smile=0", "--steps", 2, "--out", "c")
        assert code == 0 and json.loads(out)["steps"] <= 2
        assert (Path("c") / "before.png").read_bytes() == (edited[1] / "after.png").read_bytes()

    def test_of_a_w_plus_latent(self, run: Run, in_toy_zoo) -> None:
        generator = load_generator("toy-stylegan2")
        generator.to_w_plus(generator.sample(1, seed=0)).save("plus.safetensors")
        code, _, _ = run("edit", ATTRIBUTES, "--latent", "plus.safetensors", "--set", "smile=1", "--steps", 2)
        assert code == 0 and Latent.load("out/latent.safetensors").space == "w+"

    def test_of_another_tool(self, run: Run, in_toy_zoo) -> None:
        generator = load_generator("toy-stylegan2")
        start = generator.sample(5, seed=0)
        np.save("codes.npy", start.data.numpy())
        words = ("edit", ATTRIBUTES, "--latent", "codes.npy", "--index", 3, "--set", "smile=1", "--steps", 1)
        assert run(*words)[0] == 0
        in_w = pictured(generator.synthesize(start[3]))
        assert np.abs(in_w - np.asarray(Image.open("out/before.png"), int)).max() <= 1
        assert run(*words, "--space", "z")[0] == 0
        in_z = pictured(generator.synthesize(generator.to_w(Latent(start[3].data, "z"))))
        assert np.abs(in_z - np.asarray(Image.open("out/before.png"), int)).max() <= 1

    def test_along_a_direction(self, run: Run, in_toy_zoo) -> None:
        np.save("way.npy", 7 * np.eye(16, dtype=np.float32)[3:4])
        words = ("edit", ATTRIBUTES, "--seed", 3, "--direction", "way.npy")
        code, out, err = run(*words, "--strength", -2, "--steps", 5)
        told = json.loads(out)
        assert (code, told["steps"], told["stop_reason"], err) == (0, 5, "step limit", "") and "distance" not in told
        moved = Latent.load("out/latent.safetensors").data - load_generator("toy-stylegan2").sample(1, seed=3).data
        torch.testing.assert_close(moved, -2 * torch.eye(16)[3:4], atol=1e-5, rtol=0)
        assert Image.open("out/steps.gif").size == (256, 256)
        whole = json.loads(Path("out/trajectory.json").read_text())
        assert len(whole["path"]) == 6 and "distance" not in whole["path"][0]
        assert (whole["direction"], whole["strength"]) == ("way.npy", -2)
        code, out, _ = run("edit", ATTRIBUTES, "--seeds", "0-1", *words[4:], "--out", "many")
        assert code == 0 and json.loads(out)["mean_steps"] == 10

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--strength", 2), "--strength says how far along a direction: give --direction"),
            (("--direction", "x.npy", "--set", "smile=1"), "--direction goes its own way: leave --set"),
            (
                ("--direction", "x.npy", "--stepping", "paper"),
                "leave --set, --caption, --release, --hold, --choose and --stepping out",
            ),
            (("--direction", "x.npy", "--choose", "arrived"), "--hold, --choose and --stepping out"),
            (("--direction", "none.npy"), "there is no file at none.npy"),
            (("--direction", "x.npy"), "and latents of this generator are 'w' of 16 dimensions"),
        ],
    )
    def test_directions_that_are_refused(self, run: Run, in_toy_zoo, words: tuple, message: str) -> None:
        np.save("x.npy", np.ones((1, 5), np.float32))
        assert message in run.refused("edit", ATTRIBUTES, "--seed", 3, *words)

    def test_repeats(self, run: Run, in_toy_zoo) -> None:
        first, second = (
            run("edit", ATTRIBUTES, "--seed", 3, "--set", "smile=1", "--steps", 3, "--out", out) for out in "xy"
        )
        assert first == second

    def test_the_papers_stepping(self, run: Run, in_toy_zoo) -> None:
        arguments = ("edit", ATTRIBUTES, "--seed", 3, "--set", "black_hair=1", "--steps", 3)
        ours, paper = (run(*arguments, "--stepping", name)[1] for name in ("tuned", "paper"))
        assert ours != paper

    def test_a_short_stop_is_explained(self, run: Run, in_toy_zoo) -> None:
        code, out, err = run("edit", ATTRIBUTES, "--seed", 3, "--set", "smile=1", "--stepping", "paper", "--steps", 1)
        assert code == 0 and json.loads(out)["stop_reason"] == "step limit"
        assert "allow more steps" in err


class TestBadInput:
    """Every line of the issue's list."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--set", "smlie=1"), "'smlie' is unknown here (did you mean 'smile'?)"),
            (("--set", "nose=0.5,0.5"), "'nose' is unknown here"),  # attributes only
            (("--set", "release=1"), "'release' is unknown here"),
            (("--set", "c0=1"), "'c0' is unknown here"),
            (("--set", "smile=1", "--release", "hat"), "'hat' is unknown here"),
            (("--set", "smile=1.5"), "'smile' takes values in [0, 1], not 1.5"),
            (("--set", "smile=nan"), "'smile' takes values in [0, 1], not nan"),
            (("--set", "smile=0.5,0.5"), "'smile' takes one number in [0, 1]"),
            (("--set", "smile"), "--set 'smile' is not a wish: write name=1, name=0, or keypoint=x,y."),
            (("--set", "smile="), "is not a wish"),
            (("--set", "=1"), "is not a wish"),
            (("--set", "smile=yes"), "is not a wish"),
            (("--set", "smile=1", "--set", "smile=0"), "a name is wished for twice"),
            ((), "no wish was given"),
            (("--set", "smile=1", "--stepping", "fast"), "stepping is 'fast'; choose 'tuned' or 'paper'."),
            (("--set", "smile=1", "--steps", "0"), "max_steps is 0; it must be a number from 1 to 10000."),
            (("--set", "smile=1", "--truncation", "1.5"), "truncation is 1.5"),
            (("--set", "smile=1", "--truncation", "nan"), "truncation is nan"),
        ],
    )
    def test_options(self, run: Run, in_toy_zoo, arguments: tuple[str, ...], message: str) -> None:
        assert message in run.refused("edit", ATTRIBUTES, "--seed", "7", *arguments)
        assert not Path("out").exists()

    @pytest.mark.parametrize("value", ["1.2,0.5", "-0.1,0.5", "nan,0.5", "0.5,inf", "0.5", "0.5,0.5,0.5"])
    def test_keypoints(self, run: Run, in_toy_zoo, value: str) -> None:
        assert "'nose' takes" in run.refused("edit", KEYPOINTS, "--seed", "7", "--set", f"nose={value}")

    @pytest.mark.parametrize("seed", ["-1", "1.5", "seven", "", "nan", str(2**63), "9" * 5000])
    def test_seeds(self, run: Run, in_toy_zoo, seed: str) -> None:
        told = run.refused("edit", ATTRIBUTES, f"--seed={seed}", "--set", "smile=1")
        assert told.startswith("a seed is a whole number from 0 to 2**63 - 1, not '")

    @pytest.mark.parametrize("both", [True, False])
    def test_seed_or_latent(self, run: Run, in_toy_zoo, both: bool) -> None:
        given = ("--seed", "1", "--latent", "x") if both else ()
        assert "give either --seed or --latent" in run.refused("edit", ATTRIBUTES, *given, "--set", "smile=1")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("sgf-toy-atributes", "not in the zoo (did you mean 'sgf-toy-attributes'"),
            ("sgf-hub/nothing-here", "the Hub cannot be reached: check the name, or the network."),
            ("someone/model", "the Hub cannot be reached"),
            ("../..", "is not"),
            ("/no/such/place", "is not a folder"),
            ("x" * 5000, "is not a folder"),
            ("", "is not a name"),
            ("toy-stylegan2", "holds a StyleGAN2, not a SGFMapping"),
        ],
    )
    def test_mapping_names(self, run: Run, in_toy_zoo, monkeypatch, name: str, message: str) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert message in run.refused("edit", name, "--seed", "7", "--set", "smile=1")

    @pytest.mark.parametrize(
        ("latent", "message"),
        [
            (
                Latent(torch.zeros(1, 8), "w"),
                "shape [1, 8] in the space 'w', and latents of this generator are 'w' of 16",
            ),
            (Latent(torch.zeros(1, 5, 16), "w+"), "shape [1, 5, 16] in the space 'w+', and latents of this generator"),
            (Latent(torch.zeros(2, 16), "w"), "x.safetensors holds 2 latents: say which, by an index from 0 to 1."),
        ],
    )
    def test_latents_of_another_shape_or_space(self, run: Run, in_toy_zoo, latent: Latent, message: str) -> None:
        latent.save("x.safetensors")
        assert message in run.refused("edit", ATTRIBUTES, "--latent", "x.safetensors", "--set", "smile=1")

    @pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100, None])
    def test_corrupt_latents(self, run: Run, in_toy_zoo, content: bytes | None) -> None:
        Latent(torch.zeros(1, 16), "w").save("x.safetensors")
        path = Path("x.safetensors")
        path.write_bytes(path.read_bytes()[:-9] if content is None else content)
        told = run.refused("edit", ATTRIBUTES, "--latent", path, "--set", "smile=1")
        assert "x.safetensors cannot be read as safetensors" in told

    def test_options_of_a_latent_without_one(self, run: Run, in_toy_zoo) -> None:
        for option in (("--index", 1), ("--space", "w")):
            told = run.refused("edit", ATTRIBUTES, "--seed", 1, *option, "--set", "smile=1")
            assert "--index and --space say which latent of a file: give --latent, or leave them out." in told

    def test_a_missing_latent(self, run: Run, in_toy_zoo) -> None:
        told = run.refused("edit", ATTRIBUTES, "--latent", "none.safetensors", "--set", "smile=1")
        assert "there is no file at none.safetensors" in told

    @pytest.mark.parametrize("name", [ATTRIBUTES, "toy-stylegan2", "toy-attributes", "toy-backbone"])
    @pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
    @pytest.mark.parametrize("damage", ["truncated", "garbage", "missing"])
    def test_damaged_zoo_files(self, run: Run, in_zoo: Path, name: str, file: str, damage: str) -> None:
        path = in_zoo / name / file
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-20] if damage == "truncated" else b"\xffgarbage" * 20)
        told = run.refused("edit", ATTRIBUTES, "--seed", "7", "--set", "smile=1")
        assert name in told

    def test_a_missing_zoo_entry(self, run: Run, in_zoo: Path, monkeypatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        shutil.rmtree(in_zoo / "toy-stylegan2")
        told = run.refused("edit", ATTRIBUTES, "--seed", "7", "--set", "smile=1")
        assert told.startswith("'sgf-hub/toy-stylegan2' is not in the zoo, and the Hub cannot be reached")

    def test_parts_that_do_not_belong_together(self, run: Run, in_zoo: Path) -> None:
        edit_config(in_zoo / ATTRIBUTES, attributes=["smile", "black_hair", "hat"])
        told = run.refused("edit", ATTRIBUTES, "--seed", "7", "--set", "smile=1")
        assert "was trained with other conditions than this predictor's: use sgf-hub/toy-attributes" in told

    def test_an_out_that_is_a_file(self, run: Run, in_toy_zoo) -> None:
        Path("taken").write_text("mine")
        told = run.refused("edit", ATTRIBUTES, "--seed", "7", "--set", "smile=1", "--out", "taken")
        assert "taken cannot be made a folder" in told
        assert Path("taken").read_text() == "mine"


class TestZooList:
    def test_json(self, run: Run, in_toy_zoo) -> None:
        code, out, _ = run("zoo", "list", "--json")
        rows = json.loads(out)
        assert code == 0 and len(rows) == 7
        assert all(row.keys() == {"name", "kind", "bytes", "path"} for row in rows)
        assert {row["name"]: row["kind"] for row in rows}["toy-stylegan2"] == "StyleGAN2"

    def test_table(self, run: Run, in_toy_zoo) -> None:
        code, out, _ = run("zoo", "list")
        assert code == 0 and "toy-stylegan2" in out and "MB" in out


class TestData:
    def test_a_sheet(self, run: Run) -> None:
        code, out, _ = run("data", "avatars", "--count", 6, "--resolution", 32, "--out", "new/sheet.png")
        assert (code, json.loads(out)) == (0, {"out": "new/sheet.png", "faces": 6})
        assert Image.open("new/sheet.png").size == (4 * 32, 2 * 32)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--count", "0"), "--count is 0"),
            (("--count", "1000000"), "--count is 1000000"),
            (("--seed", "x"), "a seed is a whole number"),
            (("--resolution", "7"), "7"),
            (("--resolution", "100000"), "100000"),
            (("--count", "10000", "--resolution", "512"), "10000 faces of 512 px make too large a sheet"),
            (("--out", "sheet.txt"), "--out is 'sheet.txt'; give a picture's name"),
            (("--out", "sheet"), "--out is 'sheet'"),
        ],
    )
    def test_bad_input(self, run: Run, arguments: tuple[str, ...], message: str) -> None:
        assert message in run.refused("data", "avatars", "--count", "2", "--resolution", "32", *arguments)


class TestTraining:
    def test_pairs_then_a_mapping(self, run: Run, in_zoo: Path) -> None:
        parts = ("--generator", "toy-stylegan2", "--predictor", "toy-attributes", "--predictor", "toy-keypoints")
        code, out, _ = run("sample-pairs", "--out", "pairs", *parts, "--count", 60)
        assert (code, json.loads(out)) == (0, {"pairs": 60, "out": "pairs"})
        told = run.refused("train", "mapping", "sgf-new", "--pairs", "pairs", "--iterations", 1, "--layers", 0)
        assert "layers is 0" in told

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("gan", "houses"), "world is 'houses'; choose 'avatars' or 'flowers'."),
            (("gan", "avatars", "--preset", "tpu"), "--preset is 'tpu'; choose 'cpu' or 'gpu' or 'finish' or 'toy'."),
            (("gan", "avatars", "--architecture", "vae"), "--architecture is 'vae'; choose 'stylegan2' or 'progan'."),
            (("predictor", "houses"), "preset is 'houses'; choose 'avatars' or"),
            (("mapping", "x", "--pairs", "none"), "pairs.json cannot be read"),
            (("mapping", "x", "--pairs", "none", "--preset", "y"), "--preset is 'y'; choose 'paper' or 'fast'."),
            (("mapping", "x", "--pairs", "none", "--condition", "y"), "--condition is 'y'; choose 'all' or"),
        ],
    )
    def test_bad_input(self, run: Run, arguments: tuple[str, ...], message: str) -> None:
        assert message in run.refused("train", *arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("edits", ATTRIBUTES, "--samples", "1"), "--samples is at least 2"),
            (("generator", "toy-stylegan2"), "is not named after a drawn world"),
            (("generator", "avatars-x", "--seeds", "0"), "--seeds at least 1"),
            (("edits", "nothing"), "is not a folder, not in the zoo"),
            (("captions", ATTRIBUTES), "is no mapping of captions: measure it with `sgf-hub measure edits`"),
            (("sentences", ATTRIBUTES), "is no mapping of captions"),
        ],
    )
    def test_bad_measurements(self, run: Run, in_toy_zoo, arguments: tuple[str, ...], message: str) -> None:
        assert message in run.refused("measure", *arguments)


@pytest.mark.parametrize(
    "arguments", [[], ["zoo"], ["data"], ["train"], ["measure"], ["edit", "--steps", "x"], ["fly"]]
)
def test_usage_errors_exit_with_2(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2 and "Traceback" not in err


class TestMistakes:
    """What typer, the disk and the keyboard say is told as our own sentences are."""

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("fit",), "Missing option '--generator'"),
            (("zoo", "lst"), "No such command 'lst'"),
            (("edit", "x", "--steps", "abc"), "Invalid value for '--steps'"),
            (("edit", "x", "--sed", "1"), "No such option: --sed"),
        ],
    )
    def test_usage(self, run: Run, arguments: tuple[str, ...], told: str) -> None:
        sentence = run.refused(*arguments)
        assert sentence.startswith(told) and sentence.endswith(" --help`.")

    @pytest.mark.parametrize("arguments", [(), ("zoo",)])
    def test_nothing_given_shows_the_help(self, run: Run, arguments: tuple[str, ...]) -> None:
        code, out, err = run(*arguments)
        assert "Usage:" in out + err and "sgf-hub: " not in err

    def test_help_ends_well(self, run: Run) -> None:
        code, out, _ = run("fit", "--help")
        assert code == 0 and "--generator" in out

    def test_a_full_disk(self, run: Run, in_toy_zoo, monkeypatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device", "out/before.png")

        monkeypatch.setattr(Image.Image, "save", full)
        told = run.refused("edit", ATTRIBUTES, "--seed", 1, "--set", "smile=1", "--steps", 1)
        assert told == "'out/before.png' cannot be used: No space left on device."

    def test_control_c(self, run: Run, monkeypatch) -> None:
        def interrupted() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("sgf_hub.hub.names.entries", interrupted)
        code, out, err = run("zoo", "list")
        assert (code, out) == (130, "") and err.startswith("sgf-hub: stopped; ") and err.count("\n") == 1
