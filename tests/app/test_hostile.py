"""Bad inputs at the doors of a demo on toy models; `python -m tests.load.hostile` tries all of them on real ones."""

import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from app.core.model_sets import Faces, Flowers
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.server.page import build_page, launch
from sgf_hub.data.photos import read_photo
from sgf_hub.errors import SGFError
from tests.app.fakes import with_fake_flowers
from tests.load.attacker import Answer, Attacker, Finding, check
from tests.load.hostile import (
    ARGUMENTS,
    HTML,
    ODD,
    Attempt,
    _cell,
    arguments,
    assault,
    events,
    files,
    good_edit,
    latents,
    requests,
    table,
)
from tests.load.pictures import ODD_BUT_GOOD, PICTURES

WIDTH = 8


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Where the served demo keeps what it writes."""
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def attacker(toy_zoo, models, disk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sgf_hub.hub.names.root", lambda: toy_zoo)
        patch.setattr(tempfile, "tempdir", str(disk))
        patch.setenv("GRADIO_TEMP_DIR", str(disk / "gradio"))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        fake = Models()
        with_fake_flowers(fake, Flowers())
        demo = build_page(FacePanel(Faces(layers=6), models, Stops()), FlowerPanel(Flowers(layers=6), fake, Stops()))
        _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield Attacker(url)
        demo.close(verbose=False)


def written(disk: Path) -> dict[str, int]:
    return {str(path.relative_to(disk)): path.stat().st_size for path in disk.rglob("*") if path.is_file()}


def test_the_endpoints_are_those_there_are(attacker) -> None:
    named = httpx.get(f"{attacker.api}/info").json()["named_endpoints"]
    for endpoint, names in ARGUMENTS.items():
        assert {one["parameter_name"] for one in named[f"/{endpoint}"]["parameters"]} == set(names)


@pytest.mark.slow
def test_arguments(attacker) -> None:
    """Every odd value comes up, in one argument or other."""
    chosen = list(arguments())[::10]
    answers = assault(attacker, chosen)
    assert len(answers) > 50 and sum(answer.result is None for _, answer in answers) > 35


@pytest.mark.slow
def test_files_and_paths(attacker, disk) -> None:
    before = written(disk)
    answers = {attempt.what: answer for attempt, answer in assault(attacker, [*files(WIDTH)])}
    assert all(answer.result is None for answer in answers.values()), [k for k, v in answers.items() if v.result]
    told = [answer for what, answer in answers.items() if what.startswith("a file: ")]
    assert len(told) == len(latents(WIDTH)) and all(answer.text for answer in told)
    assert "passwd" not in "".join(answer.text for answer in answers.values())
    left = {name: size for name, size in written(disk).items() if name not in before}
    # what was taken in, for an hour; nothing of the files of 3 and 8 MB, which were not
    assert left and sum(left.values()) < 2 * 2**20
    assert max(left.values()) < 2**20


def test_addresses_and_other_visitors(attacker) -> None:
    answers = assault(attacker, [*requests()])
    where = {attempt.what: answer for attempt, answer in answers}
    assert all(where[what].status == 413 for what in where if what.startswith("a body of 8 MB"))
    shut = {attempt.what: answer.status for attempt, answer in answers if attempt.where == "address"}
    shut.pop("/gradio_api/call/new_face/nosuchevent")  # a stream, which tells of a 404
    assert set(shut.values()) <= {400, 403, 404}
    assert all(answer.result is None for answer in where.values())


@pytest.mark.slow
def test_the_pages_own_events(attacker) -> None:
    answers = events(attacker, each=1, every=3)
    assert len(answers) > 50
    assert good_edit(attacker)[1].startswith("data:image/jpeg")


def test_what_is_shown_is_escaped(attacker) -> None:
    """A name that is quoted in an answer is shown letter by letter."""
    told = attacker.call("edit_attributes", {"wishes": {HTML: 1}}).text
    assert "&lt;img" in told and "<img" not in told


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_refused(name: str) -> None:
    with pytest.raises(SGFError) as told:
        read_photo(PICTURES[name]())
    assert len(str(told.value)) < 300 and "\n" not in str(told.value)


@pytest.mark.parametrize("name", ODD_BUT_GOOD)
def test_pictures_that_are_only_odd(name: str) -> None:
    assert read_photo(ODD_BUT_GOOD[name]()).mode == "RGB"


class TestTheTest:
    """It would find what it looks for."""

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(200, 'Traceback (most recent call last): File "x.py"'),
            Answer(403, "root:x:0:0:root:/root:/bin/bash"),
            Answer(500, "Internal Server Error"),
            Answer(200, "KeyError: 'x'"),
            Answer(200, "x" * 2000),
            Answer(200, "Cannot move /var/lib/demo/secret to the cache."),
            Answer(200, "", {"path": str(Path(sys.prefix) / "lib")}),
        ],
    )
    def test_leaks(self, answer: Answer) -> None:
        attempt = Attempt("somewhere", "something", lambda _: answer)
        with pytest.raises(Finding, match="somewhere, something"):
            attempt.run(Attacker(""))

    def test_an_echo_is_no_leak(self) -> None:
        assert check(Answer(403, "No such attribute: /etc/passwd"), "/etc/passwd")

    def test_but_for_one_of_the_folders_that_it_is_served_from(self) -> None:
        own = str(Path(__file__).parents[2] / "app.py")
        with pytest.raises(Finding):
            check(Answer(403, f"File not allowed: {own}"), own)

    def test_addresses_are_no_paths(self) -> None:
        assert check(Answer(404, "Not Found: /gradio_api/file=x, http://a.b/tmp/x"))

    def test_the_table(self) -> None:
        no = Answer(200, "A seed is a whole number.")
        rows = [(Attempt("/new_face", f"seed: {what}", lambda _: no), no) for what in ("null", "a | b", HTML)]
        assert table(rows).splitlines()[2] == (
            f"| /new_face, seed | null, a &#124; b, {_cell(HTML)} | “A seed is a whole number.” |"
        )
        assert "<" not in _cell(HTML) and len(ODD) > 15
