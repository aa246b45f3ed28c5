"""Mappings of strangers against the loopback Hub: what is opened by id, what is refused, and what is never touched."""

import copy
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from app.core.errors import UserError
from app.core.model_sets import Faces, Flowers, HubModelSet
from app.core.session import Session
from app.core.stopping import Stops
from app.models import sandbox as trial
from app.models.hub_models import HubModels
from app.models.services import Models
from app.panels import history
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.panels.hub import HubPanel
from app.server.page import build_page
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.composition import Limits, fetch, survey
from sgf_hub.hub.publishing.push import plan, push
from tests.app.visits import handle, run
from tests.hub.client import World, world
from tests.hub.loopback import Fault
from tests.toys import edit_config

NAME = "ann/sgf-toy-attributes"
MINE = ("toy-stylegan2", "toy-backbone", "toy-attributes", "sgf-toy-attributes")


@pytest.fixture(scope="module")
def pushed(toy_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """The Hub's repos and objects after ann has pushed hers."""
    with world(toy_zoo, tmp_path_factory.mktemp("pushing") / "home") as made:
        push(plan(list(MINE), namespace="ann"))
        return made.hub.repos, made.hub.objects


@pytest.fixture
def here(pushed: tuple[dict, dict], toy_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(trial, "check", lambda folder, name: None)  # a process of its own; it has a test of its own
    with world(toy_zoo, tmp_path / "home") as made:
        made.hub.repos, made.hub.objects = copy.deepcopy(pushed)
        for name in MINE:  # what is on the Hub is there alone
            shutil.rmtree(made.zoo / name)
        yield made


@pytest.fixture
def hub_models() -> HubModels:
    return HubModels(Models())


def opened(hub_models: HubModels, name: str = NAME) -> HubModelSet:
    *_, last = hub_models.open(name)
    assert isinstance(last, HubModelSet)
    return last


def config(here: World, name: str = NAME, **changes: object) -> None:
    """Push another config.json."""
    repo = here.hub.model(name)
    told = {**json.loads(repo.head.files["config.json"]), **changes}
    repo.commit({**repo.head.files, "config.json": json.dumps(told).encode()}, "changed")


def test_a_mapping_is_opened_by_its_id(here: World, hub_models: HubModels) -> None:
    *news, last = hub_models.open(f"  {NAME} ")
    assert isinstance(last, HubModelSet) and all(isinstance(one, str) and one.endswith("…") for one in news) and news
    assert (last.generator, last.heads) == ("ann/toy-stylegan2", ("ann/toy-attributes",))
    assert last.commit == here.hub.model(NAME).head.oid
    models = hub_models.models_of(last)
    latent = models.sample(last, 7, 0.8)
    assert set(models.read(last, latent).attributes) == {"smile", "black_hair", "blond_hair"}
    for shared in ("queue", "computing", "edits"):
        assert getattr(models, shared) is getattr(hub_models.models, shared)
    assert not Path(constants.HF_HUB_CACHE).exists(), "the cache of the Hub's client would never be emptied"


def test_a_visitor_edits_with_it(here: World) -> None:
    models = Models()
    bench = HubPanel(models, Stops())
    build_page(FacePanel(Faces(), models, Stops()), FlowerPanel(Flowers(), models, Stops()), bench)
    *news, (_, updates) = bench.open_model(NAME, "me")
    assert f"Looking for {NAME} …" in news or f"Waiting for others to fetch theirs, then {NAME} …" in news
    session = updates[bench.session]
    plan_of_it = bench.plan_of(bench.view_of(session), session, {"wishes": {"smile": 1.0}}, {}, "", 3, 0.2)
    *_, last = run(bench, session, plan_of_it, "me")
    assert last[bench.session].cursor == 1 and f'SGFEditor.from_pretrained("{NAME}"' in last[bench.code]
    bench.hub_models._loaded.clear()  # others opened theirs
    back = handle(bench, history.moved(Session.undone), last[bench.session])
    assert back[bench.stage]["image"] == updates[bench.stage]["image"]
    here.hub.model(NAME).private = True
    with pytest.raises(UnknownNameError, match="no public repo"):
        list(bench.open_model(NAME, "me"))
    again = bench.begin(bench.view_of(session), "3", 0.8)[bench.session]
    assert again.model_set == session.model_set, "what was open stays"


def test_what_is_there_is_not_fetched_again(here: World, hub_models: HubModels) -> None:
    first = opened(hub_models)
    weights = here.hub.count("GET", "model.safetensors")
    assert opened(hub_models) == first and here.hub.count("GET", "model.safetensors") == weights
    here.hub.model(NAME).commit({**here.hub.model(NAME).head.files, "README.md": b"new"}, "changed")
    again = opened(hub_models)
    assert again != first and again.mapping == first.mapping and hub_models.models_of(first) is not None


def test_parts_of_the_embedded_zoo_are_taken_from_there(here: World, toy_zoo: Path, hub_models: HubModels) -> None:
    for name in MINE[:3]:
        shutil.copytree(toy_zoo / name, here.zoo / name)
    config(here, generator="sgf-hub/toy-stylegan2", predictor=["sgf-hub/toy-attributes"])
    before = here.hub.count("GET", "ann/toy")
    world_of_it = opened(hub_models)
    assert (world_of_it.generator, world_of_it.heads) == ("toy-stylegan2", ("toy-attributes",))
    assert here.hub.count("GET", "ann/toy") == before


def test_few_are_kept_and_who_went_comes_back(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_models = HubModels(Models(), kept=1)
    first = opened(hub_models)
    config(here, embedding=8)
    second = opened(hub_models)
    assert list(hub_models._loaded) == [second]
    seen = hub_models.models_of(first).sample(first, 1, 0.8)
    assert list(hub_models._loaded) == [first] and seen.data.shape == (1, 16)
    monkeypatch.setattr("app.models.hub_models.KEPT_FILES", 1)
    config(here, embedding=8, layers=4)
    third = opened(hub_models)
    assert [path.parent.is_dir() for path in hub_models._folders.values()] == [True] and list(hub_models._folders) == [
        third
    ]
    assert len(list(Path(hub_models._root()).iterdir())) == 1
    assert hub_models.models_of(first).sample(first, 1, 0.8).data.equal(seen.data), "fetched anew, by its commit"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ann/gone", "no public repo 'ann/gone'"),
        ("ann/toy-stylegan2", "holds a StyleGAN2, and the mapping must be SGFMapping"),
        ("ann/toy-backbone", "holds a backbone"),
    ],
)
def test_other_repos_are_refused(here: World, hub_models: HubModels, name: str, words: str) -> None:
    with pytest.raises(SGFError, match=words):
        opened(hub_models, name)


@pytest.mark.parametrize(
    "name",
    ["", " ", None, 7, "../zoo", "/etc", "a/b/c", "./sgf", "https://hf.co/a/b", "a b/c", "nothing", "a/..b", "x" * 999],
)
def test_what_is_no_name_is_refused_before_anything_is_asked(here: World, hub_models: HubModels, name: object) -> None:
    asked = len(here.hub.requests)
    with pytest.raises(UserError, match="named|is not the name of a mapping"):
        list(hub_models.open(name))
    assert len(here.hub.requests) == asked


@pytest.mark.parametrize(
    "name", ["sgf-toys-keypoints", "https://hf.co/ann/SGF-Toy-Keypoints", "bob/sgf-toy-keypoint", "toy-keypoints"]
)
def test_a_name_like_that_of_a_mapping_is_answered_with_it(here: World, hub_models: HubModels, name: str) -> None:
    with pytest.raises((UserError, SGFError), match=r"did you mean 'sgf-toy-keypoints'") as told:
        list(hub_models.open(name))
    assert str(told.value).count(". ") == 0, "one sentence"


def test_a_folder_of_that_name_is_not_opened(here: World, hub_models: HubModels, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bob" / "secret").mkdir(parents=True)
    (tmp_path / "bob" / "secret" / "config.json").write_text("{}")
    (tmp_path / "ann").mkdir()
    for name in MINE:  # in place of the parts, damaged ones
        (tmp_path / "ann" / name).mkdir()
        (tmp_path / "ann" / name / "config.json").write_text("{}")
    with pytest.raises(UnknownNameError, match="no public repo 'bob/secret'"):
        opened(hub_models, "bob/secret")
    assert opened(hub_models).generator == "ann/toy-stylegan2"


@pytest.mark.parametrize("private", [NAME, "ann/toy-stylegan2"])
def test_private_repos_stay_private(here: World, hub_models: HubModels, private: str) -> None:
    """Ann's token is logged in on this machine, and whoever types an id is not Ann."""
    here.hub.model(private).private = True
    with pytest.raises(UnknownNameError, match=f"no public repo '{private}'"):
        opened(hub_models)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generator": "own.py:make"}, "maker's own code, 'own.py:make', which is not run here"),
        ({"generator": "/etc"}, "names '/etc' as its generator"),
        ({"generator": "../../etc/x"}, "names '../../etc/x' as its generator"),
        ({"generator": "ann/gan/file.pkl"}, "as its generator, which is no entry"),
        ({"generator": ["ann/toy-stylegan2"] * 99}, "names 99 repos"),
        (
            {"generator": "ann/toy-backbone"},
            "holds a backbone, and the generator must be StyleGAN2 or StyleGAN3 or ProGAN or DCGAN",
        ),
        ({"predictor": ["ann/toy-stylegan2"]}, "and the predictor must be"),
        ({"predictor": [7]}, "names 7 as its predictor"),
        ({"predictor": []}, "names 0 repos"),
        ({"attributes": ['x": 1}); import os #']}, "only plain words"),
        ({"attributes": ["smile", "black_hair"]}, "does not fit its config"),
        ({"format": 99}, "format 99"),
        ({"latent_dim": 10**9}, "latent_dim is 1000000000"),
    ],
)
def test_hostile_configs_are_refused_in_a_sentence(
    here: World, hub_models: HubModels, changes: dict, words: str
) -> None:
    config(here, **changes)
    with pytest.raises((SGFError, UserError), match=words) as caught:
        opened(hub_models)
    assert "\n" not in str(caught.value) and not hub_models._jobs and not hub_models._loaded
    assert not list(Path(hub_models._root()).iterdir()), "nothing is left of it"


def test_a_generator_it_was_not_trained_with(here: World, hub_models: HubModels, toy_zoo: Path) -> None:
    shutil.copytree(toy_zoo / "toy-progan", here.zoo / "toy-progan", dirs_exist_ok=True)
    config(here, generator="sgf-hub/toy-progan")
    with pytest.raises(SGFError, match="use the generator it was trained with"):
        opened(hub_models)


def test_what_is_too_large_is_never_fetched(here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadValueError, match="and at most 0 MB are fetched"):
        opened(HubModels(Models(), Limits(megabytes=0)))
    with pytest.raises(BadValueError, match="draws pictures of 32 px, and at most 16 px"):
        opened(HubModels(Models(), Limits(side=16)))
    assert here.hub.count("GET", "resolve.*safetensors") == 0
    monkeypatch.setenv("SGF_HUB_GUEST_SIDE", "16")
    monkeypatch.setenv("SGF_HUB_GUEST_MB", "a lot")
    assert HubModels(Models())._given_limits() == Limits(500, 16)


def test_only_files_of_models_are_fetched(here: World, tmp_path: Path) -> None:
    repo = here.hub.model(NAME)
    repo.commit({**repo.head.files, "huge.bin": b"x" * 10, "own.py": b"boom"}, "more")
    made = survey(NAME, tmp_path)
    sizes = [*fetch(made, tmp_path)]
    assert sizes[-1] == made.size and sizes == sorted(sizes)
    files = {path.name for path in tmp_path.rglob("*") if path.is_file() and ".cache" not in path.parts}
    assert files == {"config.json", "model.safetensors"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("HEAD", "^/$", hang=False, status=0, late=True, times=99), "could not be|cannot be reached"),
        (Fault("GET", "/tree/", status=500, times=99), "the Hub answered 500"),
        (Fault("GET", "resolve.*model.safetensors", cut=50, times=99), "could not be fetched whole|cannot be read"),
    ],
)
def test_a_hub_that_fails_is_told_and_the_next_try_works(
    here: World, hub_models: HubModels, fault: Fault, words: str
) -> None:
    here.hub.faults = [fault]
    with pytest.raises(SGFError, match=words):
        opened(hub_models)
    here.hub.faults = []
    assert opened(hub_models).mapping == NAME


def test_offline(here: World, hub_models: HubModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownNameError, match="the Hub cannot be reached"):
        opened(hub_models)


def test_two_who_open_the_same_wait_for_one_fetch(here: World, hub_models: HubModels) -> None:
    found: list[HubModelSet] = []
    threads = [threading.Thread(target=lambda: found.append(opened(hub_models))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3 and len(set(found)) == 1
    assert here.hub.count("GET", "toy-stylegan2.*model.safetensors") == 1


def test_many_who_wait_are_told(here: World, hub_models: HubModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.models.hub_models.MOST_WAITING", 0)
    with pytest.raises(UserError, match="try again in a minute"):
        opened(hub_models)


def test_what_is_damaged_is_told(here: World, hub_models: HubModels) -> None:
    repo = here.hub.model("ann/toy-attributes")
    repo.commit({**repo.head.files, "model.safetensors": b"\xff" * 100}, "damaged")
    with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
        opened(hub_models)


class TestTrial:
    """Without the loopback Hub: a folder, composed in another process."""

    def test_what_is_well_passes_and_what_is_not_is_told(self, toy_zoo: Path, tmp_path: Path, monkeypatch) -> None:
        folder = Path(shutil.copytree(toy_zoo, tmp_path / "zoo"))
        monkeypatch.setattr(trial, "_limit", lambda: None)  # within this process
        told = trial.main(str(folder / "sgf-toy-attributes"))
        assert list(told) == ["seconds"] and 0 <= told["seconds"] < 3
        edit_config(folder / "sgf-toy-attributes", attributes=["smile", "hat", "beard"])
        with pytest.raises(UserError, match="^ann/it cannot be opened: .*other conditions"):
            trial.check(folder / "sgf-toy-attributes", "ann/it")

    def test_what_takes_too_much_is_told(self, toy_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trial, "PATIENCE", 0.01)
        with pytest.raises(UserError, match="takes more memory or time"):
            trial.check(toy_zoo / "sgf-toy-attributes", "ann/it")
