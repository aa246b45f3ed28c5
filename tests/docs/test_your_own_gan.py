"""The page docs/your-own-gan.md: its commands and code run, at toy size."""

import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-own-gan.md").read_text()
SMALLER = {"--pairs 20000": "--pairs 800", "--iterations 3000": "--iterations 250"}
STEPS = "60"  # of the GAN


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def commands(begin: str) -> list[list[str]]:
    """The page's commands that begin so, each as a list of words."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    chosen = [line for line in lines if line.startswith(begin)]
    for large, small in SMALLER.items():
        chosen = [line.replace(large, small) for line in chosen]
    return [shlex.split(line)[1:] for line in chosen]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example and its weights."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "examples").mkdir()
    script = shutil.copy(ROOT / "examples" / "digits.py", folder / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), STEPS])
        runpy.run_path(str(script), run_name="__main__")
    return folder


@pytest.fixture
def run(trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    return Run(monkeypatch, capsys)


def test_its_lines_for_sgf_hub_are_the_examples(trained: Path) -> None:
    shown = next(block for block in blocks("python") if "CustomGenerator(" in block)
    code = (trained / "examples" / "digits.py").read_text()
    assert all(line.strip() in code for line in shown.splitlines())


def test_the_page_as_it_stands(run: Run, trained: Path) -> None:
    dry, whole, faces, paper = commands("sgf-hub fit")
    assert all((ROOT / "zoo" / name).is_dir() for name in faces[2:7:2]), "the second example is of the zoo"
    assert dry[-1] == "--dry-run" and paper[1:3] == ["--recipe", "ffhq-attributes"]
    code, out, _ = run(*dry)
    assert code == 0 and json.loads(out)["seconds_in_all"] > 0 and not Path("my-digits").exists()
    code, out, err = run(*whole)
    assert code == 0, err
    assert json.loads(out)["out"] == "my-digits"
    assert sorted(path.name for path in Path("my-digits").iterdir()) == [
        "README.md", "config.json", "measured.json", "model.safetensors", "preview.png", "training.json",
    ]  # fmt: skip
    edit, of_faces = commands("sgf-hub edit")
    assert (ROOT / "zoo" / of_faces[1]).is_dir()
    code, out, err = run(*edit)
    assert code == 0 and json.loads(out)["changed"]["8"], err
    assert Path("out/eight/after.png").is_file()
    monkeypatch = run.monkeypatch
    monkeypatch.setattr(sys, "path", sys.path[:])
    exec(next(block for block in blocks("python") if "from_pretrained" in block), {})
    assert "StopReason." in run.capsys.readouterr().out
    (push,) = commands("sgf-hub push")
    code, out, err = run(*push)
    assert code == 0 and "me/my-digits" in out + err


def test_a_second_fit_has_nothing_to_do(run: Run) -> None:
    whole = commands("sgf-hub fit")[1]
    before = Path("my-digits/model.safetensors").read_bytes()
    assert run(*whole)[0] == 0
    assert Path("my-digits/model.safetensors").read_bytes() == before


def test_without_the_code_the_mapping_says_what_it_needs(run: Run) -> None:
    assert "maker's own code, examples/digits.py:generator: give the generator" in run.refused(
        "edit", "my-digits", "--seed", 3, "--set", "8=1"
    )


class TestNamesInCode:
    """FILE.py:NAME on the command line: one sentence for whatever is wrong with it."""

    @pytest.mark.parametrize(
        ("name", "text", "told"),
        [
            ("missing.py:generator", None, "there is no file 'missing.py'"),
            ("mine.py:generatr", "generator = 1", "mine.py has no 'generatr' (did you mean 'generator'?)"),
            ("mine.py:generator", "def generator(z): ...", "is of type function, and no generator: wrap it, Custom"),
            (
                "mine.py:generator",
                "x = 1\nraise ValueError('weights?')",
                "mine.py line 2 fails with ValueError: weights?",
            ),
            ("mine.py:generator", "import sys; sys.exit(3)", "mine.py line 1 fails with SystemExit: 3"),
            ("mine.py:generator", "def (", "fails with SyntaxError"),
        ],
    )
    def test_what_is_wrong_is_told(self, run: Run, name: str, text: str | None, told: str) -> None:
        sys.modules.pop(f"_sgf_hub_user_{Path('mine.py').resolve().as_posix()}", None)
        if text is not None:
            Path("mine.py").write_text(text)
        given = ("--generator", name, "--predictor", "sgf-hub/avatars-attributes")
        assert told in run.refused("fit", *given, "--out", "never")

    def test_a_config_is_never_a_reason_to_run_code(self, run: Run) -> None:
        from tests.toys import toy_mapping

        Path("trap.py").write_text("from pathlib import Path; Path('ran').touch(); generator = 1")
        toy_mapping(generator="trap.py:generator", predictor=["trap.py:predictor"]).save_pretrained("trapped")
        assert "maker's own code, trap.py:generator" in run.refused("edit", "trapped", "--seed", 1, "--set", "smile=1")
        assert not Path("ran").exists()


def test_a_folder_converted_from_another_checkpoint_is_not_taken(run: Run) -> None:
    golden = ROOT / "tests" / "golden"
    for name in ("rosinality_stylegan2_32px.pt", "pytorch_gan_zoo_pgan_32px.pth"):
        shutil.copy(golden / name, name)
    assert run("convert", "rosinality_stylegan2_32px.pt", "--out", "mixed-generator")[0] == 0
    before = Path("mixed-generator/source.json").read_text()
    given = ("--predictor", "sgf-hub/avatars-attributes", "--out", "mixed")
    told = run.refused("fit", "--generator", "pytorch_gan_zoo_pgan_32px.pth", *given)
    assert "was converted from another checkpoint than 'pytorch_gan_zoo_pgan_32px.pth'" in told
    assert Path("mixed-generator/source.json").read_text() == before


@pytest.mark.parametrize("end", ["", ".py:generator"])
def test_a_name_too_long_for_a_path(run: Run, end: str) -> None:
    given = ("--predictor", "sgf-hub/avatars-attributes", "--out", "x")
    assert "aaa...aaa" in run.refused("fit", "--generator", "a" * 5000 + end, *given)


def test_options_are_checked_before_any_work(run: Run) -> None:
    given = ("--generator", "avatars-stylegan2", "--predictor", "avatars-attributes")
    assert "is no recipe (did you mean 'ffhq-attributes'" in run.refused(
        "fit", *given, "--out", "x", "--recipe", "ffhq-attribute"
    )
    assert "pairs is 3" in run.refused("fit", *given, "--out", "x", "--pairs", 3)
    assert "choose 'paper' or 'fast'" in run.refused("fit", *given, "--out", "x", "--preset", "slow")
    assert "is a file: give a folder" in run.refused("fit", *given, "--out", "examples/digits.py")
    assert "edits ProgressiveGAN of CelebA-HQ in Z" in run.refused(
        "fit", *given, "--out", "x", "--recipe", "celebahq-attributes"
    )
    assert "noise is nan" in run.refused("fit", *given, "--out", "x", "--noise", "nan", "--dry-run")
    assert "is no earlier fit of this" in run.refused("fit", *given, "--out", "examples", "--dry-run")
    assert not Path("x").exists()
