"""What callers say by keyword: revision, token, cache_dir and the others, by every way that something is loaded."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import FileMetadataError

from sgf_hub import SGFEditor, load_generator, load_predictor
from sgf_hub.errors import BadValueError, SGFError, UnknownNameError
from sgf_hub.generators import inspect
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.download import hub_errors
from sgf_hub.hub.options import HubOptions, PushOptions
from sgf_hub.hub.publishing.push import plan, push
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import AttributeHead, CaptionPredictor, PromptPredictor
from sgf_hub.predictors.backbone import load_backbone
from sgf_hub.predictors.captions import captioner
from sgf_hub.predictors.pretrained import prompts
from tests.hub.client import ANN, World, world
from tests.hub.scenarios import GAN, change

MAPPING = "ann/sgf-toy-attributes"
LOADS: dict[str, tuple[Callable[..., Any], str]] = {
    "StyleGAN2": (StyleGAN2.from_pretrained, GAN),
    "SGFMapping": (SGFMapping.from_pretrained, MAPPING),
    "AttributeHead": (AttributeHead.from_pretrained, "ann/toy-attributes"),
    "load_generator": (load_generator, GAN),
    "load_backbone": (load_backbone, "ann/toy-backbone"),
    "inspect": (inspect, GAN),
    "load_predictor": (load_predictor, "ann/toy-attributes"),
    "SGFEditor": (SGFEditor.from_pretrained, MAPPING),
}
every_way = pytest.mark.parametrize("way", LOADS)


@pytest.fixture
def here(toy_zoo: Path, tmp_path: Path) -> Iterator[World]:
    """The Hub has the zoo in private repos of ann's; nobody is logged in, and the embedded zoo is gone."""
    with world(toy_zoo, tmp_path / "home", by_xet=False) as made:
        made.hold_zoo()
        yield made


class TestEveryWay:
    @every_way
    def test_token(self, here: World, way: str) -> None:
        load, name = LOADS[way]
        with pytest.raises(UnknownNameError, match="has no such repo"):
            load(name)
        load(name, token=ANN)

    @every_way
    def test_cache_dir_is_where_all_of_it_is_kept(self, here: World, way: str, tmp_path: Path) -> None:
        load, name = LOADS[way]
        load(name, token=ANN, cache_dir=tmp_path / "mine")
        kept = {path.name.rpartition("--")[2] for path in (tmp_path / "mine").glob("models--*")}
        parts = {
            "SGFEditor": {"toy-stylegan2", "toy-attributes", "toy-backbone"},
            "load_predictor": {"toy-backbone"},
        }
        assert kept == {name.removeprefix("ann/")} | parts.get(way, set())
        assert not (here.home / "cache").exists()

    @every_way
    def test_local_files_only_asks_nobody(self, here: World, way: str) -> None:
        load, name = LOADS[way]
        with pytest.raises(UnknownNameError, match="is not in the cache .*cache, and local_files_only keeps it from"):
            load(name, local_files_only=True)
        load(name, token=ANN)
        del here.hub.requests[:]
        load(name, local_files_only=True)
        assert not here.hub.requests

    @every_way
    def test_a_revision_is_that_of_the_named_repo_alone(self, here: World, way: str) -> None:
        load, name = LOADS[way]
        load(name, token=ANN, revision="v1")
        with pytest.raises(UnknownNameError, match=f"'{name}' has no revision 'v2' on the Hub"):
            load(name, token=ANN, revision="v2")

    @every_way
    def test_what_is_unknown_or_of_another_type(self, way: str) -> None:
        load, name = LOADS[way]
        with pytest.raises(BadValueError, match="there is no option 'revison'.* mean 'revision'"):
            load(name, revison="v1")
        with pytest.raises(BadValueError, match="local_files_only is 'yes'; it must be True or False"):
            load(name, local_files_only="yes")


class TestOne:
    def test_force_download(self, here: World) -> None:
        for again in (False, False, True):
            del here.hub.requests[:]
            StyleGAN2.from_pretrained(GAN, token=ANN, force_download=again)
        assert here.hub.count("GET", "/resolve/.*/model.safetensors") == 1

    def test_subfolder(self, here: World) -> None:
        repo = here.hub.model(GAN)
        repo.commit({f"runs/best/{path}": held for path, held in repo.head.files.items()}, "moved")
        for load in (StyleGAN2.from_pretrained, load_generator):
            loaded = load(GAN, token=ANN, subfolder="runs/best")
            assert loaded.folder is not None and loaded.folder.parts[-2:] == ("runs", "best")
        with pytest.raises(SGFError, match=r"'ann/toy-stylegan2' on the Hub lacks config\.json"):
            StyleGAN2.from_pretrained(GAN, token=ANN)
        with pytest.raises(SGFError, match=r"lacks runs/worst/config\.json"):
            StyleGAN2.from_pretrained(GAN, token=ANN, subfolder="runs/worst")

    def test_a_subfolder_of_a_folder(self, toy_zoo: Path, tmp_path: Path) -> None:
        shutil.copytree(toy_zoo / "toy-stylegan2", tmp_path / "runs" / "best")
        for load in (StyleGAN2.from_pretrained, load_generator):
            assert load(tmp_path, subfolder="runs/best").folder == tmp_path / "runs" / "best"

    @pytest.mark.parametrize("subfolder", ["..", "a/../../b", "/etc", "a\0b", "..\\b"])
    def test_a_subfolder_does_not_leave_the_repo(self, subfolder: str) -> None:
        with pytest.raises(BadValueError, match="it must be a path within the repo"):
            HubOptions(subfolder=subfolder)

    def test_folders_need_none_of_it(self, toy_zoo: Path, tmp_path: Path) -> None:
        options = {"token": "hf_x", "cache_dir": tmp_path, "force_download": True, "local_files_only": True}
        StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2", **options)
        with pytest.raises(BadValueError, match="is a folder, and revision 'v1' was asked for"):
            StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2", revision="v1")

    def test_a_token_is_not_shown(self) -> None:
        assert "hf_x" not in repr(HubOptions(token="hf_x")) + repr(PushOptions(token="hf_x"))

    def test_parts_are_of_their_own_revision(self) -> None:
        options = HubOptions(revision="v1", token="t", subfolder="a", cache_dir="c", force_download=True)
        assert options.of_parts == HubOptions(token="t", cache_dir="c")

    def test_parts_that_are_loaded_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(captioner, "load_captioner", lambda name, **hub: asked.append((name, hub["token"])))
        monkeypatch.setattr(prompts, "fetch", lambda name, hub, **_: asked.append((name, hub.token)) or 1 / 0)
        captions = CaptionPredictor(captioner="a/b", captions=["a"], components=1, tolerance=0.1, floor=0.5)
        pairs = PromptPredictor({"smiling": ("a smile", "no smile")}, model="c/d", dimension=4, fingerprint="0" * 16)
        for predictor in (captions, pairs):
            predictor.hub = HubOptions(token="hf_x")
        assert captions.captioner is None
        with pytest.raises(ZeroDivisionError):
            _ = pairs.tower
        assert asked == [("a/b", "hf_x"), ("c/d", "hf_x")]

    def test_a_network_knows_how_its_parts_are_fetched(self, toy_zoo: Path) -> None:
        loaded = StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2", token="hf_x", force_download=True)
        assert loaded.hub == HubOptions(token="hf_x")

    def test_a_cache_dir_that_cannot_be_written(self, here: World, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UnknownNameError, match=r"the cache .*/file is read-only: give another cache_dir\.$"):
            StyleGAN2.from_pretrained(GAN, token=ANN, cache_dir=tmp_path / "file")

    def test_the_cache_is_named_as_it_was_set(self, here: World, tmp_path: Path, monkeypatch) -> None:
        (here.home / "cache").write_text("")
        monkeypatch.setenv("HF_HUB_CACHE", "")
        monkeypatch.setenv("HF_HOME", str(here.home))
        with pytest.raises(UnknownNameError) as told:
            StyleGAN2.from_pretrained(GAN, token=ANN)
        assert str(told.value) == f"the cache {here.home} is read-only: set HF_HOME to a folder that can be written."


def test_what_is_no_fault_of_the_cache() -> None:
    """Exceptions of the client's are OSErrors, too."""
    told = r"could not be fetched whole from the Hub \(FileMetadataError\): try again"
    with pytest.raises(UnknownNameError, match=told), hub_errors("me/gan", HubOptions()):
        raise FileMetadataError("a proxy dropped a header")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EROFS, "the cache /ro is read-only: give another cache_dir."),
        (errno.EACCES, "the cache /ro is read-only: give another cache_dir."),
        (errno.ENOSPC, "'me/gan' could not be kept in the cache /ro (No space left on device)."),
    ],
)
def test_what_the_system_says_of_the_cache(number: int, sentence: str) -> None:
    with pytest.raises(UnknownNameError) as told, hub_errors("me/gan", HubOptions(cache_dir="/ro")):
        raise OSError(number, os.strerror(number))
    assert str(told.value) == sentence


class TestPush:
    @pytest.fixture
    def network(self, toy_zoo: Path) -> StyleGAN2:
        return StyleGAN2.from_pretrained(toy_zoo / "toy-stylegan2")

    def test_a_message_and_a_token(self, here: World, network: StyleGAN2) -> None:
        network.push_to_hub("ann/new", commit_message="Say so", token=ANN)
        assert here.hub.model("ann/new").head.message == "Say so"

    def test_a_branch(self, here: World, network: StyleGAN2) -> None:
        for _ in range(2):
            network.push_to_hub("ann/new", revision="next", token=ANN)
        repo = here.hub.model("ann/new")
        assert list(repo.head.files) == [".gitattributes"] and len(repo.branches["next"]) == 2
        pulled = StyleGAN2.from_pretrained("ann/new", revision="next", token=ANN)
        assert torch.equal(pulled.w_avg, network.w_avg)

    def test_a_pull_request(self, here: World, network: StyleGAN2) -> None:
        assert network.push_to_hub("ann/new", create_pr=True, token=ANN).endswith("/ann/new/discussions/1")
        repo = here.hub.model("ann/new")
        assert len(repo.commits) == 1 and "model.safetensors" in repo.at("refs/pr/1").files  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"commit_massage": "x"}, "there is no option 'commit_massage'.* mean 'commit_message'"),
            ({"private": 1}, "private is 1; it must be True or False"),
            ({"commit_message": " "}, "commit_message is empty"),
            ({"token": b"hf_x"}, "token is of type bytes; it must be a text"),
        ],
    )
    @pytest.mark.parametrize("kind", [StyleGAN2.from_pretrained, load_backbone])
    def test_refused(self, toy_zoo: Path, kind: Callable, options: dict, sentence: str) -> None:
        folder = "toy-stylegan2" if kind == StyleGAN2.from_pretrained else "toy-backbone"
        with pytest.raises(BadValueError, match=sentence):
            kind(toy_zoo / folder).push_to_hub("ann/new", **options)

    def test_a_parts_branch_too(self, here: World, toy_zoo: Path, tmp_path: Path) -> None:
        for name, to in (("sgf-toy-attributes", "my-mapping"), ("toy-stylegan2", "my-gan")):
            shutil.copytree(toy_zoo / name, tmp_path / to)
        config = json.loads((tmp_path / "my-mapping" / "config.json").read_text()) | {"generator": "my-gan"}
        (tmp_path / "my-mapping" / "config.json").write_text(json.dumps(config))
        push(plan([tmp_path / "my-mapping"], namespace="ann"), PushOptions(revision="next", token=ANN))
        assert all(list(here.hub.model(f"ann/{name}").branches) == ["next"] for name in ("my-gan", "my-mapping"))


def test_a_change_on_a_branch_is_pulled_from_there(toy_zoo: Path, tmp_path: Path) -> None:
    with world(toy_zoo, tmp_path / "home") as here:
        push(plan(["toy-stylegan2"], namespace="ann"))
        change(here.zoo / "toy-stylegan2")
        push(plan(["toy-stylegan2"], namespace="ann"), PushOptions(revision="next"))
        old, new = (StyleGAN2.from_pretrained(GAN, revision=branch).w_avg for branch in ("main", "next"))
        assert not torch.equal(old, new)
