"""The commands, and what a push is made of; nothing here needs more than the plan, or the loopback Hub."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sgf_hub.cli import main as cli
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.files import INDEX, shards_of
from sgf_hub.hub.publishing.cards import code_of
from sgf_hub.hub.publishing.code import code_block
from sgf_hub.hub.publishing.push import plan, push_folder
from sgf_hub.hub.publishing.space import HARDWARE, space_upload
from sgf_hub.hub.publishing.upload import check_namespace
from sgf_hub.predictors.backbone import load_backbone
from tests.hub.client import World, world
from tests.toys import edit_config


@pytest.fixture
def here(toy_zoo: Path, tmp_path: Path) -> Iterator[World]:
    with world(toy_zoo, tmp_path / "home") as made:
        yield made


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["sgf-hub", *arguments])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


class TestCommands:
    def test_push(self, here: World, monkeypatch, capsys) -> None:
        code, out, err = run(monkeypatch, capsys, "push", "toy-stylegan2", "--namespace", "ann", "--private")
        assert code == 0 and here.hub.model("ann/toy-stylegan2").private
        assert json.loads(out)["pushed"][0]["repo"] == "ann/toy-stylegan2" and "ann/toy-stylegan2: pushed" in err
        again = run(monkeypatch, capsys, "push", "toy-stylegan2", "--namespace", "ann", "--private")
        assert "nothing has changed" in again[2] and json.loads(again[1])["pushed"][0]["commit"] is None

    def test_a_folder_is_the_logged_in_users(self, here: World, monkeypatch, capsys, tmp_path: Path) -> None:
        shutil.copytree(here.zoo / "toy-progan", tmp_path / "mine")
        assert run(monkeypatch, capsys, "push", str(tmp_path / "mine"))[0] == 0
        assert "config.json" in here.hub.model("ann/mine").head.files

    def test_an_entry_of_the_zoo_is_ours(self, here: World, monkeypatch, capsys) -> None:
        code, out, _ = run(monkeypatch, capsys, "push", "toy-stylegan2", "--dry-run")
        assert code == 0 and not here.hub.requests
        told = json.loads(out)["would push"][0]
        assert told["repo"] == "sgf-hub/toy-stylegan2" and told["bytes"] == sum(told["files"].values())
        assert set(told["files"]) == {"config.json", "README.md", "model.safetensors"}

    def test_all(self, here: World, monkeypatch, capsys) -> None:
        code, out, err = run(monkeypatch, capsys, "push", "--all", "--namespace", "ann")
        assert code == 0 and "sgf-hub model zoo: 7 models" in err
        assert json.loads(out)["collection"] in here.hub.collections

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ((), "give the name of one model or folder, or --all"),
            (("toy-stylegan2", "--all"), "give the name of one model or folder, or --all"),
            (("toy-stylegan",), "is not a folder, and not in the embedded zoo (did you mean 'toy-stylegan2'"),
            (("toy-stylegan2", "--namespace", "a/b"), "'a/b' is no namespace of the Hub"),
            (("toy-stylegan2", "--namespace", "bob"), "your token may not write to bob"),
        ],
    )
    def test_refused(self, here: World, monkeypatch, capsys, arguments: tuple, sentence: str) -> None:
        code, out, err = run(monkeypatch, capsys, "push", *arguments)
        assert code == 2 and out == "" and sentence in err and len(err.strip().splitlines()) == 1

    def test_cards(self, here: World, monkeypatch, capsys) -> None:
        assert run(monkeypatch, capsys, "cards", "toy-stylegan2")[0] == 0
        folder = here.zoo / "toy-stylegan2"
        assert (folder / "strip.png").is_file() and "](strip.png)" in (folder / "README.md").read_text()
        assert run(monkeypatch, capsys, "cards", "toy-stylegan2", "--check")[0] == 0
        (folder / "README.md").write_text("old")
        code, _, err = run(monkeypatch, capsys, "cards", "--check", "toy-stylegan2")
        assert code == 2 and "not up to date: run `sgf-hub cards toy-stylegan2`" in err
        assert "strip.png" in plan(["toy-stylegan2"])[0].files or "strip.png" not in (folder / "README.md").read_text()


class TestSpace:
    def test_push_space_twice(self, here: World, monkeypatch, capsys) -> None:
        arguments = ("push-space", "--namespace", "ann", "--name", "demo")
        assert run(monkeypatch, capsys, *arguments)[0] == 0
        repo = here.hub.repos["space", "ann/demo"]
        assert repo.sdk == "gradio" and len(repo.commits) == 2
        files = repo.head.files
        assert {
            "app.py",
            "packages.txt",
            "app/server/page.py",
            "app/static/style.css",
            "sgf_hub/editing/editor.py",
        } <= set(files)
        assert files["zoo/toy-stylegan2/model.safetensors"] and not any("__pycache__" in path for path in files)
        assert b"torch==2.11.0" in files["requirements.txt"] and b"gradio==" in files["requirements.txt"]
        card = files["README.md"].decode().split("---")[1]
        for line in ("sdk: gradio", "app_file: app.py", f"suggested_hardware: {HARDWARE}", "- sgf-hub/toy-stylegan2"):
            assert line in card
        assert "python_version: '3.12'" in card or 'python_version: "3.12"' in card
        code, out, _ = run(monkeypatch, capsys, *arguments)
        assert code == 0 and json.loads(out)["pushed"][0]["commit"] is None and len(repo.commits) == 2

    def test_what_is_gone_here_goes_there(self, here: World, monkeypatch, capsys) -> None:
        run(monkeypatch, capsys, "push-space")
        repo = here.hub.repos["space", "ann/sgf-hub"]
        repo.commit({**repo.head.files, "sgf_hub/old.py": b"", "notes.md": b"theirs"}, "theirs")
        run(monkeypatch, capsys, "push-space")
        assert "sgf_hub/old.py" not in repo.head.files and "notes.md" in repo.head.files

    def test_dry_run(self, here: World, monkeypatch, capsys) -> None:
        code, out, _ = run(monkeypatch, capsys, "push-space", "--dry-run")
        assert code == 0 and json.loads(out)["would push"][0]["repo"] == "ann/sgf-hub" and not here.hub.writes

    def test_a_bad_name(self) -> None:
        with pytest.raises(BadValueError, match="'a b' is no name for a Space"):
            space_upload("ann", "a b")


class TestNames:
    def test_code_of_your_own_stays(self, here: World, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(here.zoo / "sgf-toy-attributes", tmp_path / "mine"))
        edit_config(folder, generator="my_gan.py:generator")
        upload = plan([folder], namespace="ann")[-1]
        assert "names code of your own, my_gan.py:generator, which is not pushed" in upload.notes[0]
        assert "config.json" in upload.files and upload.files["config.json"] == folder / "config.json"
        code = code_of(upload.files["README.md"].decode())
        assert "from my_gan import generator as my_generator" in code
        assert 'SGFEditor.from_pretrained("ann/mine", generator=my_generator)' in code

    @pytest.mark.parametrize("name", ["gone", "../../gone", "..", "/home/ann/gone", "https://e.org/gone"])
    def test_a_name_that_nothing_answers_to(self, here: World, tmp_path: Path, name: str) -> None:
        folder = Path(shutil.copytree(here.zoo / "sgf-toy-attributes", tmp_path / "mine"))
        edit_config(folder, generator=name)
        with pytest.raises(CorruptFileError, match=f"names '{name}', which is no Hub id and no folder beside it"):
            plan([folder], namespace="ann")

    def test_an_entry_of_the_zoo_by_its_bare_name(self, here: World, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(here.zoo / "sgf-toy-attributes", tmp_path / "mine"))
        edit_config(folder, generator="toy-stylegan2")
        [upload] = plan([folder], namespace="ann")
        assert json.loads(upload.files["config.json"])["generator"] == "sgf-hub/toy-stylegan2"

    def test_two_folders_of_one_name(self, here: World, tmp_path: Path) -> None:
        other = shutil.copytree(here.zoo / "toy-progan", tmp_path / "toy-progan")
        with pytest.raises(BadValueError, match="two folders are called 'toy-progan'"):
            plan(["toy-progan", other], namespace="ann")

    def test_a_card_of_the_owners_keeps_its_words(self, here: World) -> None:
        folder = here.zoo / "sgf-toy-attributes"
        names = "`sgf-hub/toy-stylegan2`, sgf-hub/toy-stylegan2x, sgf-hub/sgf-toy-attributes"
        text = f"---\nlicense: mit\n---\nMine: {names}.\n"
        (folder / "README.md").write_text(text)
        uploads = {one.repo_id: one for one in plan(["toy-stylegan2", folder], namespace="ann")}
        assert uploads["ann/sgf-toy-attributes"].files["README.md"].decode() == text.replace(
            "`sgf-hub/toy-stylegan2`", "`ann/toy-stylegan2`"
        ).replace("sgf-hub/sgf-toy-attributes", "ann/sgf-toy-attributes")

    @pytest.mark.parametrize("picture", ["../secret.png", "/etc/hostname", "gone.png"])
    def test_a_card_shows_pictures_of_its_folder_only(self, here: World, picture: str) -> None:
        (here.zoo / "secret.png").write_bytes(b"x")
        (here.zoo / "toy-progan" / "README.md").write_text(f"![x]({picture})")
        with pytest.raises(CorruptFileError, match="which is not in its folder"):
            plan(["toy-progan"])

    @pytest.mark.parametrize("owner", ["", "a b", "-a", "a-", "a--b", "a/b", "é", "x" * 200, None])
    def test_namespaces(self, owner: object) -> None:
        with pytest.raises(BadValueError, match="is no namespace of the Hub"):
            check_namespace(owner)  # type: ignore[arg-type]


class TestFolders:
    def test_only_safetensors(self, here: World) -> None:
        folder = here.zoo / "toy-progan"
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(CorruptFileError, match="it holds pytorch_model.bin; only safetensors are pushed"):
            plan([folder], namespace="ann")

    def test_a_damaged_file_is_not_pushed(self, here: World) -> None:
        path = here.zoo / "toy-progan" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
            plan(["toy-progan"])

    def test_no_config(self, here: World, tmp_path: Path) -> None:
        with pytest.raises(CorruptFileError, match="lacks config.json: it is not a complete model"):
            plan([tmp_path], namespace="ann")

    def test_nothing(self, here: World) -> None:
        with pytest.raises(UnknownNameError, match="'nothing' is not a folder"):
            plan(["nothing"])

    @pytest.mark.parametrize("shards", [[], ["../x.safetensors"], ["model-00001-of-00002.bin"], 3])
    def test_an_index_names_files_of_weights(self, tmp_path: Path, shards: object) -> None:
        weights = {str(i): one for i, one in enumerate(shards)} if isinstance(shards, list) else shards
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": weights}))
        with pytest.raises(CorruptFileError, match="must name 1 to 64 files"):
            shards_of(tmp_path / INDEX)

    def test_a_backbone(self, here: World) -> None:
        backbone = load_backbone("toy-backbone")
        assert backbone.push_to_hub("ann/seen").endswith("/ann/seen")
        files = here.hub.model("ann/seen").head.files
        assert files["model.safetensors"] == (here.zoo / "toy-backbone" / "model.safetensors").read_bytes()
        assert b"library_name: transformers" in files["README.md"]

    def test_an_error_names_the_repo_and_not_the_commit(self, here: World) -> None:
        push_folder(here.zoo / "toy-stylegan2", "ann/toy")
        here.hub.model("ann/toy").head.files["config.json"] = b'{"class": "StyleGAN2", "format": 9}'
        from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2

        with pytest.raises(CorruptFileError, match="'ann/toy' is written in format 9"):
            StyleGAN2.from_pretrained("ann/toy")


def test_no_sentence_tells_a_token(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.hub.loopback import Fault

    here.hub.faults = [Fault("POST", "/commit/", status=400, body={"error": "token hf_anns_secret is bad"})]
    with pytest.raises(SGFError) as caught:
        push_folder(here.zoo / "toy-stylegan2", "ann/toy")
    assert "400" in str(caught.value) and "anns_secret" not in str(caught.value)


def test_every_kind_has_lines_to_run() -> None:
    config = {"generator": "a/b", "predictor": ["a/c"], "attributes": ["x"], "latent_space": "w"}
    for kind in ("SGFMapping", "StyleGAN2", "Boundaries", "Components", "AttributeHead", "KeypointHead", "captioner",
                 "backbone", "classifier", "CaptionPredictor", "PromptPredictor"):  # fmt: skip
        for world_name in ("", "avatars"):
            compile(code_block(kind, config, "me/it", world_name), kind, "exec")
