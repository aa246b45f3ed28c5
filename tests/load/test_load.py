"""The load test itself, with a few visitors; `make load-test` is the whole of it."""

import pytest

from app.core.model_sets import Faces, Flowers
from sgf_hub.hub.names import root
from tests.load.__main__ import run, table, wishes_of, write
from tests.load.server import served


@pytest.mark.slow
def test_pages_at_once_keep_apart():
    needed = (Faces().keypoints, Flowers().captions)
    if not all((root() / name / "model.safetensors").is_file() for name in needed):
        pytest.skip("the zoo lacks mappings")
    with served() as server:
        figures = run(server, 4, 3)  # every kind of edit, two stops and a cancelled one among them
    assert figures["errors"] == [] and figures["wrong"] == []
    assert figures["edits"] == 12 and (figures["counts"]["finished"], figures["counts"]["cancelled"]) == (9, 1)
    assert figures["after"]["memory"] - figures["before"]["memory"] < 150
    assert "| all that finished | 9 |" in table(figures)


def test_no_two_visitors_ask_for_the_same():
    asked = [(wish.tab, wish.seed) for number in range(8) for wish in wishes_of(number)]
    assert len(set(asked)) == len(asked) == 24
    assert {tab for tab, _ in asked} == {"attributes", "keypoints", "captions"}


def test_the_page_keeps_its_words(tmp_path):
    page = tmp_path / "load.md"
    page.write_text("before\n<!-- load: begin -->\nold\n<!-- load: end -->\nafter\n")
    write("new\n", page)
    assert page.read_text() == "before\n<!-- load: begin -->\nnew\n<!-- load: end -->\nafter\n"
