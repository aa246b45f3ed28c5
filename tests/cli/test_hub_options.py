"""`--revision` and `--token`: on every command that loads by name, and a token is written down nowhere."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from sgf_hub.cli.main import app, main
from sgf_hub.cli.train import typed
from tests.hub.client import ANN, World, world

LOAD_NOTHING_BY_NAME = {
    "zoo list", "zoo status", "zoo build", "data avatars", "data flowers", "train gan", "train predictor",
    "train captioner", "train encoder", "train mapping", "measure page", "study summarise", "fetch", "cards",
}  # fmt: skip


def commands() -> Iterator[tuple[str, set[str]]]:
    """Every command and its options."""
    waiting = [("", typer.main.get_command(app))]
    while waiting:
        path, one = waiting.pop()
        if hasattr(one, "commands"):
            waiting += [(f"{path} {name}".strip(), inner) for name, inner in one.commands.items()]
        else:
            yield path, {option for parameter in one.params for option in parameter.opts}


def test_every_command_that_loads_by_name_has_both() -> None:
    found = dict(commands())
    assert LOAD_NOTHING_BY_NAME < found.keys()
    lacking = {path for path, options in found.items() if not {"--revision", "--token"} <= options}
    assert lacking == LOAD_NOTHING_BY_NAME


@pytest.fixture
def here(toy_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The Hub has the zoo in private repos of ann's, and nobody is logged in."""
    monkeypatch.chdir(tmp_path)
    with world(toy_zoo, tmp_path / "home", by_xet=False) as made:
        made.hold_zoo()
        yield made


@pytest.mark.parametrize(
    "arguments",
    [
        ("edit", "ann/sgf-toy-attributes", "--seed", "1", "--set", "smile=1", "--steps", "1"),
        ("inspect", "ann/toy-stylegan2", "--json"),
        ("label", "sheets", "--generator", "ann/toy-stylegan2", "--attributes", "smile", "--count", "1"),
    ],
)
def test_a_private_repo_by_token_and_revision(here: World, monkeypatch, capsys, arguments: tuple[str, ...]) -> None:
    def run(*more: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["sgf-hub", *arguments, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    code, told = run()
    assert code == 2 and "has no such repo (or it is private" in told
    code, told = run("--token", ANN, "--revision", "v2")
    assert code == 2 and "has no revision 'v2' on the Hub" in told
    assert run("--token", ANN, "--revision", "v1")[0] == 0
    written = [path for path in Path().rglob("*") if path.is_file() and "home" not in path.parts]
    assert not any(ANN.encode() in path.read_bytes() for path in written)


@pytest.mark.parametrize("given", [["--token", "hf_secret"], ["--token=hf_secret"]])
def test_a_token_is_not_written_down(monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["sgf-hub", "sample-pairs", *given, "--out", "a b"])
    assert typed() == "sgf-hub sample-pairs --out 'a b'"


def test_push_says_how(here: World, toy_zoo: Path, monkeypatch, capsys) -> None:
    shutil.copytree(toy_zoo / "toy-stylegan2", "mine")
    options = ("--token", ANN, "--message", "Say so", "--revision", "next", "--private")
    monkeypatch.setattr(sys, "argv", ["sgf-hub", "push", "mine", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0 and json.loads(capsys.readouterr().out)["pushed"][0]["repo"] == "ann/mine"
    repo = here.hub.model("ann/mine")
    assert repo.private and repo.branches["next"][-1].message == "Say so" and len(repo.commits) == 1
