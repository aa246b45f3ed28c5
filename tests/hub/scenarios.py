"""What is tried against the loopback Hub: each a fault, and what must come of it.

`tests/hub/test_scenarios.py` runs them one by one; `python -m tests.hub.report --write` writes them into docs/hub.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from huggingface_hub import HfApi, constants
from safetensors.torch import load_file, save_file

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.errors import CorruptFileError, SGFError, UnknownNameError
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.composition import fetch, survey
from sgf_hub.hub.names import locate
from sgf_hub.hub.options import PushOptions
from sgf_hub.hub.publishing import upload as sending
from sgf_hub.hub.publishing.push import COLLECTION, gather, plan, plan_all, push
from sgf_hub.mapping import SGFMapping
from tests.hub.client import ANN, World
from tests.hub.loopback import Fault

GAN = "ann/toy-stylegan2"
BOB = "hf_bobs_secret"


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Args:
        name: what is done.
        injected: the fault.
        run: does it in a world, checks it, and tells what happened.
        by_xet: whether large files go by Xet, as they do with the real Hub; some faults are those of plain HTTP.
    """

    name: str
    injected: str
    run: Callable[[World], str]
    by_xet: bool


SCENARIOS: list[Scenario] = []


def scenario(
    name: str, injected: str = "nothing", *, by_xet: bool = True
) -> Callable[[Callable[[World], str]], Callable[[World], str]]:
    """Put a function into the list."""

    def add(run: Callable[[World], str]) -> Callable[[World], str]:
        SCENARIOS.append(Scenario(name, injected, run, by_xet))
        return run

    return add


def push_gan(world: World, **options: object) -> list[sending.Sent]:
    """Push the toy generator as ann's."""
    return push(plan(["toy-stylegan2"], namespace="ann"), PushOptions(**options))


def change(folder: Path) -> None:
    """Change a weight."""
    weights = load_file(folder / "model.safetensors")
    weights["w_avg"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def refused(kind: type[SGFError], action: Callable[[], object]) -> str:
    """The sentence that an action ends in."""
    try:
        action()
    except kind as error:
        sentence = str(error)
        assert "\n" not in sentence and "hf_" not in sentence.replace("hf_...", "") and "Signature" not in sentence
        assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
        return sentence
    raise AssertionError("it was not refused")


def pushed_whole(world: World) -> None:
    """The generator is on the Hub as it is here."""
    files = world.hub.model(GAN).head.files
    assert files["model.safetensors"] == (world.zoo / "toy-stylegan2" / "model.safetensors").read_bytes()
    assert files["config.json"] == (world.zoo / "toy-stylegan2" / "config.json").read_bytes()
    assert b"# toy-stylegan2" in files["README.md"]


# -- pushing and pulling -----------------------------------------------------------------------------------------------


@scenario("create and push a model")
def create(world: World) -> str:
    sent = push_gan(world)
    assert [one.repo_id for one in sent] == [GAN] and sent[0].commit == world.hub.model(GAN).head.oid
    pushed_whole(world)
    assert len(world.hub.model(GAN).commits) == 2  # the Hub's own, and ours
    assert world.hub.count("POST", "/storage/v1/xorbs/") == 1 and world.hub.count("PUT", "/lfs/") == 0
    return "one commit: weights (by Xet), config and card"


@scenario("create and push a model, and pull it", "HF_HUB_DISABLE_XET=1", by_xet=False)
def plain(world: World) -> str:
    push_gan(world)
    pushed_whole(world)
    StyleGAN2.from_pretrained(GAN)
    assert world.hub.count("PUT", "/lfs/") == 1 and world.hub.count("GET", "/storage") == 0
    return "the same, weights by plain HTTP (LFS)"


@scenario("push again, nothing changed")
def again(world: World) -> str:
    push_gan(world)
    del world.hub.requests[:], world.hub.sent[:]
    assert push_gan(world)[0].commit is None
    assert not world.hub.sent and world.hub.count("POST", "/commit/") == 0
    assert len(world.hub.model(GAN).commits) == 2
    return "no commit, no file sent"


@scenario("push again, the weights changed")
def changed(world: World) -> str:
    push_gan(world)
    before = len(world.hub.sent)
    change(world.zoo / "toy-stylegan2")
    push_gan(world)
    pushed_whole(world)
    assert len(world.hub.sent) == before + 1
    return "one commit, with the weights alone"


@scenario("other files in the folder")
def others(world: World) -> str:
    for name in ("notes.txt", "pytorch_model.bin", ".env", "optimizer.safetensors"):
        (world.zoo / "toy-stylegan2" / name).write_text("secret")
    push_gan(world)
    assert set(world.hub.model(GAN).head.files) == {".gitattributes", "config.json", "model.safetensors", "README.md"}
    return "not pushed"


@scenario("dry run of the whole zoo")
def dry_run(world: World) -> str:
    uploads = plan_all(namespace="ann")
    assert not world.hub.requests
    sizes = uploads[0].sizes
    assert sizes["config.json"] > 0 and sizes["README.md"] > 0
    return f"{len(uploads)} repos listed with files and sizes, no request at all"


@scenario("pull, and draw the same picture")
def pull(world: World) -> str:
    push_gan(world)
    here, there = StyleGAN2.from_pretrained("toy-stylegan2"), StyleGAN2.from_pretrained(GAN)
    latent = here.sample(2, seed=3)
    assert torch.equal(here.synthesize(latent), there.synthesize(latent))
    assert world.hub.count("GET", "/storage/data/") == 1 and world.hub.count("GET", "model.safetensors") == 0
    return "equal to the bit"


@scenario("pull by branch, tag and commit")
def revisions(world: World) -> str:
    first = push_gan(world)[0].commit
    HfApi().create_tag(GAN, tag="v1")
    old = StyleGAN2.from_pretrained("toy-stylegan2").w_avg
    change(world.zoo / "toy-stylegan2")
    push_gan(world)
    pulled = {name: StyleGAN2.from_pretrained(GAN, revision=name).w_avg for name in ("v1", first, "main")}
    assert torch.equal(pulled["v1"], old) and torch.equal(pulled[first], old)
    assert not torch.equal(pulled["main"], old)
    return "tag and commit give the first weights, the branch the second"


@scenario("a push between two files of a pull")
def between(world: World) -> str:
    push_gan(world)
    old = world.hub.model(GAN).head.oid
    from huggingface_hub import hf_hub_download as download

    def then_pushed(*args: object, **options: object) -> str:
        path = download(*args, **options)
        if len(world.hub.model(GAN).commits) == 2:
            change(world.zoo / "toy-stylegan2")
            push_gan(world)
        return path

    with mock.patch("huggingface_hub.hf_hub_download", then_pushed):
        folder = locate(GAN, files=("config.json", "model.safetensors"))
    assert folder.name == old and (folder / "model.safetensors").is_file()
    return "both files are of the first commit"


@scenario("push the whole zoo, with its Collection, twice")
def whole_zoo(world: World) -> str:
    for _ in range(2):
        uploads = plan_all(namespace="ann")
        sent = push(uploads)
        slug = gather(uploads)
    assert all(one.commit is None for one in sent)
    order = [one.repo_id.removeprefix("ann/") for one in sent]
    assert order.index("toy-backbone") < order.index("toy-attributes") < order.index("sgf-toy-attributes")
    collection = world.hub.collections[slug]
    assert collection["title"] == COLLECTION and [item["id"] for item in collection["items"]] == [
        one.repo_id for one in sent
    ]
    config = json.loads(world.hub.model("ann/sgf-toy-attributes").head.files["config.json"])
    assert (config["generator"], config["predictor"]) == (GAN, ["ann/toy-attributes"])
    card = world.hub.model("ann/sgf-toy-attributes").head.files["README.md"].decode()
    assert "sgf-hub/" not in card.split("## Training")[0] and f"base_model: {GAN}" in card
    shutil.rmtree(world.zoo)
    editor = SGFEditor.from_pretrained("ann/sgf-toy-attributes")
    assert editor.edit(editor.generator.sample(1, seed=0), {"smile": 1}).steps
    return f"{len(sent)} repos, parts first, names rewritten; the second time nothing is sent; an edit runs from there"


@scenario("a mapping that names folders beside it")
def neighbours(world: World) -> str:
    home = world.home / "made"
    for name, to in (("sgf-toy-attributes", "my-mapping"), ("toy-stylegan2", "my-gan")):
        shutil.copytree(world.zoo / name, home / to)
    config = json.loads((home / "my-mapping" / "config.json").read_text()) | {"generator": "my-gan"}
    (home / "my-mapping" / "config.json").write_text(json.dumps(config))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    sent = push(plan([home / "my-mapping"]))
    card = world.hub.model("ann/my-mapping").head.files["README.md"].decode()
    assert "license" not in card and "named no licence" in card and 'from_pretrained("ann/my-mapping")' in card
    assert [one.repo_id for one in sent] == ["ann/my-gan", "ann/my-mapping"]
    assert json.loads(world.hub.model("ann/my-mapping").head.files["config.json"])["generator"] == "ann/my-gan"
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    return "the generator is pushed along first, the pushed config names it; files here unchanged"


@scenario("push_to_hub of a loaded and of a changed network")
def modules(world: World) -> str:
    (world.zoo / "toy-stylegan2" / "training.json").write_text('{"command": "sgf-hub train gan"}')
    network = StyleGAN2.from_pretrained("toy-stylegan2")
    assert network.push_to_hub("ann/one").endswith("/ann/one")
    network.w_avg.add_(1)
    network.push_to_hub("two", private=True)
    assert "training.json" in world.hub.model("ann/one").head.files
    two = world.hub.model("ann/two")
    assert two.private and "training.json" not in two.head.files
    assert torch.equal(StyleGAN2.from_pretrained("ann/two").w_avg, network.w_avg.half().float())
    return "the first with all that its folder tells of it, the second with what it is now"


@scenario("push to a branch, and as a pull request")
def aside(world: World) -> str:
    first = push_gan(world)[0].commit
    change(world.zoo / "toy-stylegan2")
    push_gan(world, revision="next", commit_message="Longer training")
    change(world.zoo / "toy-stylegan2")
    asked = push_gan(world, create_pr=True)[0].url
    repo = world.hub.model(GAN)
    assert repo.head.oid == first and asked.endswith("/ann/toy-stylegan2/discussions/2")
    assert repo.branches["next"][-1].message == "Longer training" and "refs/pr/2" in repo.branches
    assert not torch.equal(StyleGAN2.from_pretrained(GAN).w_avg, StyleGAN2.from_pretrained(GAN, revision="next").w_avg)
    return "the main branch stays as it was; the address of the pull request is given"


@scenario("pull a private mapping by a token that is given, into a folder that is given, and again without asking")
def by_token(world: World) -> str:
    world.hold_zoo()
    options = {"cache_dir": world.home / "mine"}
    SGFEditor.from_pretrained("ann/sgf-toy-attributes", token=ANN, **options)
    del world.hub.requests[:]
    SGFEditor.from_pretrained("ann/sgf-toy-attributes", local_files_only=True, **options)
    assert not world.hub.requests and not Path(constants.HF_HUB_CACHE).exists()
    return "the generator and the predictor that it names come by the same token into the same folder"


# -- names and rights --------------------------------------------------------------------------------------------------


@scenario("pull a private model with a token, and without", "no token")
def private(world: World) -> str:
    push_gan(world, private=True)
    StyleGAN2.from_pretrained(GAN)
    world.forget()
    world.log_in(None)
    return refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN))


@scenario("pull a repo that is not there")
def wrong_repo(world: World) -> str:
    return refused(UnknownNameError, lambda: SGFMapping.from_pretrained("ann/nothing"))


@scenario("pull a revision that is not there")
def wrong_revision(world: World) -> str:
    push_gan(world)
    return refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN, revision="v9"))


@scenario("pull a repo of the wrong class")
def wrong_class(world: World) -> str:
    push_gan(world)
    return refused(CorruptFileError, lambda: SGFMapping.from_pretrained(GAN))


@scenario("pull a repo that holds only pytorch_model.bin")
def pickled(world: World) -> str:
    HfApi().create_repo("ann/pickled")
    files = {"config.json": b'{"class": "StyleGAN2", "format": 1}', "pytorch_model.bin": b"cos\nsystem\n"}
    world.hub.model("ann/pickled").commit(files, "theirs")
    sentence = refused(CorruptFileError, lambda: StyleGAN2.from_pretrained("ann/pickled"))
    assert world.hub.count("GET", "pytorch_model.bin") == 0
    return sentence


@scenario("push without a token", "no token")
def no_token(world: World) -> str:
    world.log_in(None)
    sentence = refused(SGFError, lambda: push_gan(world))
    assert not world.hub.requests
    return sentence


@scenario("push with a token that the Hub does not know", "401")
def wrong_token(world: World) -> str:
    world.log_in("hf_nobodys")
    return refused(SGFError, lambda: push_gan(world))


@scenario("push to somebody else's namespace", "403")
def forbidden(world: World) -> str:
    world.log_in(BOB)
    return refused(SGFError, lambda: push_gan(world))


@scenario("push --private to a repo that is public")
def public_already(world: World) -> str:
    push_gan(world)
    change(world.zoo / "toy-stylegan2")
    sentence = refused(SGFError, lambda: push_gan(world, private=True))
    assert len(world.hub.model(GAN).commits) == 2
    return sentence


# -- faults of the network and of the Hub ------------------------------------------------------------------------------


@scenario("push: the Hub fails for a while", "500 to the first two preuploads, 503 to the first commit")
def passing(world: World) -> str:
    world.hub.faults = [
        Fault("POST", "/preupload/", status=500, times=2),
        Fault("POST", "/commit/", status=503),
    ]
    push_gan(world)
    pushed_whole(world)
    assert len(world.hub.model(GAN).commits) == 2
    return f"tried again after {_waited(world)}; one commit"


@scenario("push: the Hub fails for good", "500 to every commit")
def failing(world: World) -> str:
    world.hub.faults = [Fault("POST", "/commit/", status=500, times=99, body={"error": "hf_anns_secret is broken"})]
    sentence = refused(SGFError, lambda: push_gan(world))
    assert len(world.hub.model(GAN).commits) == 1 and world.hub.count("POST", "/commit/") == 4
    return sentence


@scenario("push: the upload breaks", "connection reset after 3,000 bytes of the weights, twice", by_xet=False)
def cut_upload(world: World) -> str:
    world.hub.faults = [Fault("PUT", "/lfs/", cut=3000, times=2)]
    push_gan(world)
    pushed_whole(world)
    assert world.hub.count("PUT", "/lfs/") == 3
    return f"tried again after {_waited(world)}; one commit, weights whole"


@scenario(
    "push: the upload breaks for good, and is taken up later",
    "connection reset in every upload, then none",
    by_xet=False,
)
def resumed(world: World) -> str:
    (world.zoo / "toy-stylegan2" / "strip.png").write_bytes(bytes(5000))
    world.hub.faults = [Fault("PUT", "/lfs/", cut=100, times=99, skip=1)]
    sentence = refused(SGFError, lambda: push_gan(world))
    assert len(world.hub.model(GAN).commits) == 1 and len(world.hub.sent) == 1
    world.hub.faults = []
    push_gan(world)
    pushed_whole(world)
    assert len(world.hub.sent) == 2
    return f"{sentence} Then only the file that had not arrived is sent."


@scenario("push: the commit's answer is lost", "connection reset after the commit was made")
def lost_answer(world: World) -> str:
    world.hub.faults = [Fault("POST", "/commit/", late=True)]
    push_gan(world)
    pushed_whole(world)
    assert len(world.hub.model(GAN).commits) == 2
    return "tried again, found to be there: one commit, not two"


@scenario("push: somebody else commits", "409 to the first commit")
def conflict(world: World) -> str:
    world.hub.faults = [Fault("POST", "/commit/", status=409)]
    push_gan(world)
    pushed_whole(world)
    return "tried again; one commit"


@scenario("push: somebody else commits all the time", "409 to every commit")
def conflicts(world: World) -> str:
    world.hub.faults = [Fault("POST", "/commit/", status=409, times=99)]
    return refused(SGFError, lambda: push_gan(world))


@scenario("push: the Hub hangs", "no answer to any commit")
def hanging(world: World) -> str:
    world.hub.faults = [Fault("POST", "/commit/", hang=True, times=99)]
    with mock.patch.object(sending, "TIMEOUT", 0.2):
        sentence = refused(SGFError, lambda: push_gan(world))
    return sentence.replace("0.2 s", "60 s")


@scenario("push: no Hub", "nothing listens")
def no_hub(world: World) -> str:
    with mock.patch.object(constants, "ENDPOINT", "http://127.0.0.1:9"):
        return refused(SGFError, lambda: push_gan(world))


@scenario("pull: the Hub fails for a while", "500 to the first two requests for a file")
def passing_pull(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("HEAD", "/resolve/", status=500, times=2)]
    StyleGAN2.from_pretrained(GAN)
    assert not world.half_written
    return f"tried again after {_waited(world)}"


@scenario("pull: the Hub fails for good", "500 to every request for a file")
def failing_pull(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("HEAD", "/resolve/", status=500, times=99)]
    sentence = refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN))
    assert not world.half_written and "answered 500" in sentence
    return sentence


@scenario("pull: the download breaks", "connection closed after 4,000 and 2,000 bytes of the weights", by_xet=False)
def cut_download(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("GET", "model.safetensors", cut=4000), Fault("GET", "model.safetensors", cut=2000)]
    StyleGAN2.from_pretrained(GAN)
    assert not world.half_written and world.hub.count("GET", "model.safetensors") == 3
    return "taken up where it broke; weights whole"


@scenario(
    "pull: the download breaks for good",
    "connection closed at once, every time, after the first 4,000 bytes",
    by_xet=False,
)
def cut_for_good(world: World) -> str:
    push_gan(world)
    world.hub.faults = [
        Fault("GET", "model.safetensors", cut=4000),
        Fault("GET", "model.safetensors", cut=0, times=99),
    ]
    sentence = refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN))
    assert not world.half_written
    world.hub.faults = []
    StyleGAN2.from_pretrained(GAN)
    assert not world.half_written
    return f"{sentence} Nothing half-written is left where it is read from; the next pull is whole."


@scenario("pull: the cache, with no Hub", "nothing listens")
def cached(world: World) -> str:
    push_gan(world)
    StyleGAN2.from_pretrained(GAN)
    with mock.patch.object(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    ):
        StyleGAN2.from_pretrained(GAN)
    with mock.patch.object(constants, "HF_HUB_OFFLINE", True):
        StyleGAN2.from_pretrained(GAN)
    return "loaded from the cache, with HF_HUB_OFFLINE and without"


@scenario("pull: no cache and no Hub", "nothing listens")
def unreachable(world: World) -> str:
    with mock.patch.object(constants, "ENDPOINT", "http://127.0.0.1:9"):
        sentence = refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN))
    assert sum(world.waits) < 2
    return f"{sentence} At once, not after the client's 23 s."


# -- a firewall that lets the Hub through, and not its storage ---------------------------------------------------------

REFUSED = "http://127.0.0.1:9"


def pulled_plainly(world: World) -> str:
    """Pull the toy generator, which comes by plain HTTP; and once more, with no try at Xet."""
    StyleGAN2.from_pretrained(GAN)
    assert not world.half_written and world.hub.count("GET", "/resolve/.*/model.safetensors") == 1
    tried = world.hub.count("GET", "/xet-read-token/")
    world.forget()
    StyleGAN2.from_pretrained(GAN)
    assert world.hub.count("GET", "/xet-read-token/") == tried
    return "weights by plain HTTP, whole; later ones of the process without another try"


def pushed_plainly(world: World) -> str:
    """Push the toy generator, which goes by plain HTTP."""
    push_gan(world)
    pushed_whole(world)
    assert world.hub.count("PUT", "/lfs/") == 1 and len(world.hub.model(GAN).commits) == 2
    return "weights by plain HTTP; one commit"


@scenario("pull: Xet's storage cannot be reached", "nothing listens there")
def xet_refused(world: World) -> str:
    push_gan(world)
    world.hub.storage_url = REFUSED
    return pulled_plainly(world)


@scenario("pull: Xet's storage is slow", "it accepts, and never answers")
def xet_slow(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("GET", "/storage/", hang=True, times=99)]
    return pulled_plainly(world)


@scenario("pull: Xet's storage breaks off", "connection closed after 1,000 bytes of the weights, every time")
def xet_cut(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("GET", "/storage/data/", cut=1000, times=99)]
    return pulled_plainly(world)


@scenario("pull: the Hub gives no token for Xet's storage", "500 to every request for one")
def xet_no_token(world: World) -> str:
    push_gan(world)
    world.hub.faults = [Fault("GET", "/xet-read-token/", status=500, times=99)]
    return pulled_plainly(world)


@scenario("pull: nor can plain HTTP reach the storage", "nothing listens, at Xet's and where the Hub redirects to")
def bridge_refused(world: World) -> str:
    push_gan(world)
    world.hub.storage_url = world.hub.bridge_url = REFUSED.replace("127.0.0.1", "localhost")
    sentence = refused(UnknownNameError, lambda: StyleGAN2.from_pretrained(GAN))
    assert not world.half_written
    return sentence


@scenario("open a stranger's mapping, as the demo does: Xet's storage cannot be reached", "nothing listens there")
def xet_refused_demo(world: World) -> str:
    push(plan_all(namespace="ann"))
    world.hub.storage_url = REFUSED
    into = world.home / "opened"
    into.mkdir()
    assert list(fetch(survey("ann/sgf-toy-attributes", into), into))
    shutil.rmtree(world.zoo)
    SGFEditor.from_pretrained(str(into / "sgf-toy-attributes"), local_files_only=True)
    return "weights by plain HTTP, whole"


@scenario("push: Xet's storage cannot be reached", "nothing listens there")
def xet_refused_push(world: World) -> str:
    world.hub.storage_url = REFUSED
    return pushed_plainly(world)


@scenario("push: Xet's storage is slow", "it accepts, and never answers")
def xet_slow_push(world: World) -> str:
    world.hub.faults = [Fault(method, "/storage", hang=True, times=99) for method in ("HEAD", "GET", "POST")]
    return pushed_plainly(world)


@scenario("push: Xet's storage breaks off", "connection reset after 1,000 bytes of the weights, every time")
def xet_cut_push(world: World) -> str:
    world.hub.faults = [Fault("POST", "/storage/v1/xorbs/", cut=1000, times=99)]
    return pushed_plainly(world)


@scenario("push: nor can plain HTTP reach the storage", "nothing listens, at Xet's and where uploads are sent")
def bridge_refused_push(world: World) -> str:
    world.hub.storage_url = world.hub.bridge_url = REFUSED.replace("127.0.0.1", "localhost")
    sentence = refused(SGFError, lambda: push_gan(world))
    assert len(world.hub.model(GAN).commits) == 1
    return sentence


# -- caches ------------------------------------------------------------------------------------------------------------


@scenario("pull: the cache cannot be written", "a file stands where its folder should be")
def read_only_cache(world: World) -> str:
    push_gan(world)
    Path(constants.HF_HUB_CACHE).write_text("")
    sentence = refused(SGFError, lambda: StyleGAN2.from_pretrained(GAN))
    return sentence.replace(constants.HF_HUB_CACHE, "CACHE")


def _waited(world: World) -> str:
    return " and ".join(f"{seconds:g} s" for seconds in world.waits if seconds)


__all__ = ["ANN", "SCENARIOS", "Scenario"]
