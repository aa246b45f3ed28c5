"""Names: a folder, then the embedded zoo, then the Hub; and what is said when nothing answers."""

import json
import os
import shutil
from pathlib import Path

import pytest

import sgf_hub.hub.names
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.kinds import kind_of
from sgf_hub.hub.names import entries, locate, repo_name, sibling
from sgf_hub.hub.options import HubOptions


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "cwd"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list:
    """Downloads that are asked for, and not made."""
    asked: list = []
    monkeypatch.setattr(sgf_hub.hub.names, "download", lambda *args: asked.append(args) or Path("downloaded"))
    return asked


class TestOrder:
    @pytest.mark.parametrize("name", ["toy-stylegan2", "sgf-hub/toy-stylegan2"])
    def test_the_zoo_with_or_without_its_owner(self, in_toy_zoo: Path, elsewhere: Path, hub: list, name: str) -> None:
        assert locate(name) == in_toy_zoo / "toy-stylegan2"
        assert hub == []

    @pytest.mark.parametrize("name", ["toy-stylegan2", "sgf-hub/toy-stylegan2"])
    def test_a_folder_comes_first(self, in_toy_zoo: Path, elsewhere: Path, hub: list, name: str) -> None:
        shutil.copytree(in_toy_zoo / "toy-attributes", elsewhere / name)
        assert locate(name).resolve() == elsewhere / name

    def test_an_absolute_folder(self, in_toy_zoo: Path, tmp_path: Path) -> None:
        shutil.copytree(in_toy_zoo / "toy-attributes", tmp_path / "mine")
        assert locate(str(tmp_path / "mine")) == tmp_path / "mine"

    def test_then_the_hub(self, in_toy_zoo: Path, elsewhere: Path, hub: list) -> None:
        assert locate("someone/model", files=("config.json", "x")) == Path("downloaded")
        assert hub == [("someone/model", ("config.json", "x"), HubOptions())]

    def test_a_revision_is_the_hubs(self, in_toy_zoo: Path, elsewhere: Path, hub: list) -> None:
        locate("sgf-hub/toy-stylegan2", HubOptions(revision="v1"))
        assert hub == [("sgf-hub/toy-stylegan2", ("config.json",), HubOptions(revision="v1"))]

    def test_anothers_repo_is_not_ours(self, in_toy_zoo: Path, elsewhere: Path, hub: list) -> None:
        locate("someone/toy-stylegan2")
        assert len(hub) == 1


class TestRevisions:
    def test_a_folder_has_none(self, in_toy_zoo: Path, elsewhere: Path) -> None:
        shutil.copytree(in_toy_zoo / "toy-attributes", elsewhere / "mine")
        with pytest.raises(
            BadValueError, match="'mine' is a folder, and revision 'v1' was asked for: only repos of the"
        ):
            locate("mine", HubOptions(revision="v1"))

    def test_an_entry_of_the_zoo_has_none(self, in_toy_zoo: Path, elsewhere: Path) -> None:
        with pytest.raises(
            BadValueError, match="is in the embedded zoo; 'sgf-hub/toy-stylegan2' is on the Hub, and rev"
        ):
            locate("toy-stylegan2", HubOptions(revision="v1"))


class TestWithoutAZoo:
    def test_a_bare_name_is_ours_on_the_hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: list) -> None:
        monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path / "none")
        locate("toy-stylegan2", HubOptions(revision="v1"))
        locate("someone/model")
        assert [name for name, *_ in hub] == ["sgf-hub/toy-stylegan2", "someone/model"]


class TestKinds:
    @pytest.mark.parametrize(
        ("config", "kind"),
        [
            ({"class": "SGFMapping", "model_type": "x"}, "SGFMapping"),
            ({"model_type": "resnet", "architectures": ["ResNetBackbone"]}, "backbone"),
            ({"model_type": "convnextv2"}, "backbone"),
            ({"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}, "classifier"),
            ({"model_type": "blip", "architectures": ["BlipForConditionalGeneration"]}, "captioner"),
            ({"model_type": "bert"}, "unknown"),
            ({}, "unknown"),
        ],
    )
    def test_kind_of(self, config: dict, kind: str) -> None:
        assert kind_of(config) == kind

    def test_what_a_cached_repo_is_called(self) -> None:
        assert repo_name(Path("cache/models--me--my--model/snapshots/0123")) == "me/my--model"
        assert repo_name(Path("cache/models--me--model/snapshots/0123/gan/big")) == "me/model/gan/big"
        assert repo_name(Path("models--me--model/snapshots/0123")) == "me/model"
        assert repo_name(Path("zoo/toy")) == "toy"


class TestNothingAnswers:
    def test_a_typo_gets_the_nearest_and_the_list(self, in_toy_zoo: Path, elsewhere: Path, hub: list) -> None:
        with pytest.raises(UnknownNameError) as caught:
            locate("toy-stylegan")
        assert "not a folder, not in the zoo (did you mean 'toy-stylegan2' or 'toy-progan'?)" in str(caught.value)
        assert "The zoo holds: sgf-toy-attributes, sgf-toy-keypoints, toy-attributes" in str(caught.value)

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a\0b", "\0", "..", "sgf-hub/..", "../..", "../../etc", "/etc/passwd", "/no/such/place", "a/b/c",
         "x/..", "a" * 5000, "a/" + "b" * 5000, "sgf-hub/" + "x" * 300, "~/model", "C:\\models", "https://hf.co/a/b",
         "a b", "é/ü", "\ud800", "a/b\n", "-x/y", "a--b/c", "a/b.", "a/b-", "owner/mo..del", "x.git/y.git"],
    )  # fmt: skip
    def test_names_that_are_none(self, in_toy_zoo: Path, elsewhere: Path, name: str) -> None:
        with pytest.raises(SGFError) as caught:
            locate(name)
        assert "\n" not in str(caught.value) and "\0" not in str(caught.value)

    @pytest.mark.parametrize("name", ["..", "sgf-hub/..", "sgf-hub/.", "../zoo2"])
    def test_names_do_not_leave_the_zoo(self, in_zoo: Path, elsewhere: Path, name: str) -> None:
        for folder in (in_zoo.parent, in_zoo.parent / "zoo2"):
            folder.mkdir(exist_ok=True)
            (folder / "config.json").write_text("{}")
        os.chdir("/")  # so that they are no local folders with a config
        with pytest.raises(SGFError):
            locate(name)

    def test_another_type(self) -> None:
        with pytest.raises(UnknownNameError, match="3 is not a name"):
            locate(3)  # type: ignore[arg-type]

    def test_a_folder_without_the_files(self, in_toy_zoo: Path, elsewhere: Path) -> None:
        (elsewhere / "mine").mkdir()
        with pytest.raises(CorruptFileError, match=r"the folder 'mine' lacks config\.json: it is not a complete model"):
            locate("mine")

    @pytest.mark.parametrize("name", ["sgf-hub/not-here", "someone/model"])
    def test_network_off(self, in_toy_zoo: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(UnknownNameError) as caught:
            locate(name)
        assert str(caught.value) == (
            f"{name!r} is not in the zoo, and the Hub cannot be reached: check the name, or the network."
        )


class TestEntries:
    def test_all_kinds(self, in_toy_zoo: Path) -> None:
        assert {entry.name: entry.kind for entry in entries()} == {
            "sgf-toy-attributes": "SGFMapping",
            "sgf-toy-keypoints": "SGFMapping",
            "toy-attributes": "AttributeHead",
            "toy-backbone": "backbone",
            "toy-keypoints": "KeypointHead",
            "toy-progan": "ProGAN",
            "toy-stylegan2": "StyleGAN2",
        }

    def test_size_is_that_of_the_weights(self, in_toy_zoo: Path) -> None:
        weights = in_toy_zoo / "toy-stylegan2" / "model.safetensors"
        assert next(e for e in entries() if e.name == "toy-stylegan2").size == weights.stat().st_size

    def test_a_damaged_entry_hides_no_other(self, in_zoo: Path) -> None:
        (in_zoo / "toy-stylegan2" / "config.json").write_text("{")
        kinds = {entry.name: entry.kind for entry in entries()}
        assert kinds["toy-stylegan2"] == "damaged" and kinds["toy-backbone"] == "backbone"

    def test_an_empty_zoo(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path)
        assert entries() == []

    def test_configs_are_read(self, in_toy_zoo: Path) -> None:
        entry = next(e for e in entries() if e.kind == "StyleGAN2")
        assert entry.config == json.loads((entry.path / "config.json").read_text())


@pytest.mark.parametrize("name", ["..", "../..", "x/..", ".", "x/."])
def test_nothing_above_is_beside(zoo: Path, name: str) -> None:
    deep = zoo / "toy-stylegan2" / "deeper"
    deep.mkdir()
    shutil.copy(zoo / "toy-stylegan2" / "config.json", zoo / "config.json")
    assert sibling(deep, name) is None and sibling(zoo / "toy-stylegan2", name) is None
