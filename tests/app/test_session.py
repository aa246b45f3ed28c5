"""The history of a face: pure transitions."""

import subprocess
import sys
from dataclasses import replace

import pytest

from app.core.errors import UserError
from app.core.session import HISTORY_LIMIT, STEP_SIZES, Edit, Origin, Plan, Session


def an_edit(latent: str) -> Edit:
    return Edit(Plan("editor", {"smile": 1.0}), latent, steps=3, reason="TARGET_REACHED", distance=0.5)


@pytest.fixture
def session():
    return Session(Origin("start", seed=7)).applied(an_edit("first")).applied(an_edit("second"))


def test_begins_at_its_origin():
    session = Session(Origin("start", seed=7))
    assert (session.latent, session.before, session.last) == ("start", "start", None)
    assert not session.can_undo and not session.can_redo


def test_next_edit_starts_from_the_result(session):
    assert session.latent == "second"
    assert session.before == "first"


def test_undo_and_redo_are_inverse(session):
    back = session.undone()
    assert back.latent == "first" and back.before == "start" and back.can_redo
    assert back.redone() == session


def test_reset_keeps_what_can_be_redone(session):
    back = session.reset()
    assert back.latent == "start" and not back.can_undo
    assert back.redone().redone() == session


def test_an_edit_forgets_what_was_undone(session):
    other = session.undone().applied(an_edit("other"))
    assert other.latent == "other" and other.before == "first" and not other.can_redo
    assert session.latent == "second", "transitions give new sessions"


def test_another_picture_keeps_the_way_back(session):
    other = Session(Origin("other")).after(session)
    back = other.applied(an_edit("edited")).returned()
    assert replace(back, left=None) == session, "with its edits"
    assert back.left.latent == "edited" and back.left.left is None, "and forth again, one picture deep"
    assert other.after(None) is other
    with pytest.raises(UserError, match="no picture to go back to"):
        session.returned()


def test_ends_of_history_are_told(session):
    with pytest.raises(UserError, match="nothing to undo"):
        session.reset().undone()
    with pytest.raises(UserError, match="nothing to redo"):
        session.redone()


def test_any_point_can_be_gone_to(session):
    assert session.at(0).latent == "start" and session.at(0).edits == session.edits
    assert session.at(0).at(2) == session
    for count in (-1, 3):
        with pytest.raises(UserError, match="it has 0 to 2"):
            session.at(count)


def test_a_result_can_be_amended(session):
    other = session.undone().amended(an_edit("less"))
    assert (other.latent, other.before, other.cursor) == ("less", "start", 1)
    assert not other.can_redo, "what came after was made from another picture"
    with pytest.raises(UserError, match="no edit here"):
        session.reset().amended(an_edit("less"))


def test_history_is_bounded():
    session = Session(Origin("start", seed=7))
    for i in range(HISTORY_LIMIT):
        session = session.applied(an_edit(str(i)))
    with pytest.raises(UserError, match=f"{HISTORY_LIMIT} edits"):
        session.applied(an_edit("too many"))


def test_knows_neither_gradio_nor_torch():
    code = (
        "import sys, app.core.session, app.core.requests, app.core.gestures; "
        "sys.exit(bool({'gradio', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("space", ["w", "z"])
def test_step_sizes_are_those_of_the_library(space):
    from sgf_hub.editing import EditConfig, stepping

    assert (STEP_SIZES[space], Plan("e", {}).max_steps) == (stepping.STEP_SIZES[space], EditConfig().max_steps)
