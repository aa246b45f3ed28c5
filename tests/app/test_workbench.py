"""The handlers behind the page, on a toy zoo, without a browser."""

import itertools

import gradio as gr
import pytest
import torch

from app.core.errors import UserError, told
from app.core.session import STOPPED, Edit, Origin, Plan, Session
from app.panels.panel import Workbench
from app.widgets.code import as_python
from app.widgets.report import report, side_effects
from sgf_hub.errors import SGFError
from sgf_hub.types import Latent
from tests.app.fakes import saved


def plan(**changes):
    wishes = {"smile": 1.0}
    return Plan(**{"editor": "sgf-avatars-attributes", "wishes": wishes, "max_steps": 4, **changes})


def face(bench: Workbench, seed: int = 7) -> Session:
    return bench.begin(str(seed), 0.8)[bench.session]


def edited(bench: Workbench, session: Session, some_plan: Plan) -> Session:
    *_, last = bench.run(session, some_plan, "me")
    return last[bench.session]


# -- faces ---------------------------------------------------------------------------------------------------------


def test_a_face_of_a_seed(bench):
    updates = bench.begin("7", 0.8)
    session = updates[bench.session]
    assert session.origin.seed == 7 and not session.edits
    assert updates[bench.stage]["image"].startswith("data:image/jpeg;base64,")
    assert len(updates[bench.stage]["points"]) == 27 and len(updates[bench.panel]["reads"]) == 25
    assert updates[bench.panel]["done"] is None and updates[bench.stage]["done"] is None, "old wishes are cleared"
    assert torch.equal(session.latent.data, bench.begin(7, 0.8)[bench.session].latent.data)


def test_new_faces_differ(bench):
    seeds = {bench.shuffled(0.8)[bench.session].origin.seed for _ in range(4)}
    assert len(seeds) > 1


@pytest.mark.parametrize("seed", ["cat", "-3", "2.5", ""])
def test_bad_seed_is_a_notice(bench, seed):
    with pytest.raises(gr.Error, match="A seed is a whole number from 0"):
        told(bench.begin)(seed, 0.8)


def test_models_are_loaded_once(bench, models):
    assert models.generator("avatars-stylegan2") is models.generator("avatars-stylegan2")
    assert models.editor("sgf-avatars-keypoints").generator is models.generator("avatars-stylegan2")
    attributes = models.editor("sgf-avatars-attributes")
    assert attributes is models.editor("sgf-avatars-attributes")


def test_description_names_what_is_seen(bench):
    reading = bench.models.look(bench.world, face(bench).latent)
    assert bench.describe(reading).startswith("A drawn face: ")


# -- edits -----------------------------------------------------------------------------------------------------------


def test_edit_streams_steps_and_ends_with_the_result(bench):
    session = face(bench)
    *frames, last = bench.run(session, plan(), "me")
    assert [frame[bench.stage]["run"]["step"] for frame in frames] == list(range(len(frames)))
    assert len(frames[-1][bench.stage]["run"]["distances"]) == len(frames)
    after = last[bench.session]
    assert after.cursor == 1 and after.last.steps == len(frames) - 1 == 4
    assert after.last.reason == "STEP_LIMIT"
    assert len(last[bench.stage]["strip"]) == len(frames)
    assert "Step limit" in last[bench.verdict]
    assert last[bench.compare][0].size == last[bench.compare][1].size
    assert session.cursor == 0, "the session that was given is unchanged"


def test_next_edit_starts_from_the_result(bench):
    one = edited(bench, face(bench), plan())
    two = edited(bench, one, plan(wishes={"hat": 1.0}))
    assert torch.equal(two.before.data, one.latent.data)
    assert two.cursor == 2


def test_keypoints_edit(bench):
    session = face(bench)
    wish = {"nose_tip": (0.5, 0.6)}
    after = edited(bench, session, plan(editor="sgf-avatars-keypoints", wishes=wish, release=("nose_left",)))
    assert after.last.plan.wishes == wish
    assert after.latent.data.shape == session.latent.data.shape


def test_stop_ends_the_work_and_keeps_the_closest_step(bench):
    steps = bench.run(face(bench), plan(max_steps=200), "me")
    taken = list(itertools.islice(steps, 3))
    bench.stops.ask("somebody else")
    taken.append(next(steps))
    assert bench.session not in taken[-1]
    bench.stops.ask("me")
    last = next(steps)
    assert last[bench.session].last.reason == STOPPED
    assert last[bench.session].last.steps == 3
    assert next(steps, None) is None
    assert "Stopped by you" in last[bench.verdict]


def test_an_edit_that_gives_way_leaves_the_session_as_it_was(bench):
    session = face(bench)
    steps = bench.run(session, plan(max_steps=200), "me")
    list(itertools.islice(steps, 3))
    bench.stops.ask("me", superseded=True)
    last = next(steps)
    assert last[bench.session] == session and not last[bench.undo].interactive
    assert next(steps, None) is None and not bench.stops._events


def test_closing_the_stream_ends_the_work(bench):
    steps = bench.run(face(bench), plan(max_steps=200), "me")
    next(steps)
    steps.close()
    assert not bench.stops._events
    assert not bench.models.computing.locked()


def test_a_wish_that_holds_already_changes_nothing(bench):
    session = face(bench)
    read = bench.models.look(bench.world, session.latent).attributes["smile"]
    *_, last = bench.run(session, plan(wishes={"smile": read}), "me")
    assert last[bench.session] == session
    assert "already" in last[bench.stage]["status"]


@pytest.mark.parametrize(
    ("wishes", "words"), [({"smil": 1.0}, "did you mean 'smile'"), ({"smile": 2.0}, "values in"), ({}, "no wish")]
)
def test_bad_plans_are_told_and_leave_no_trace(bench, wishes, words):
    with pytest.raises(SGFError, match=words):
        list(bench.run(face(bench), plan(wishes=wishes), "me"))
    assert not bench.stops._events
    assert not bench.models.computing.locked()


def test_an_expired_session_is_told(bench):
    with pytest.raises(UserError, match="press New face"):
        list(bench.run(None, plan(), "me"))


def test_undo_shows_the_face_before(bench):
    start = face(bench)
    after = edited(bench, start, plan())
    back = bench.moved_in_history(Session.undone)(after)
    assert back[bench.session].latent is start.latent
    assert back[bench.stage]["image"] == bench.show(start)[bench.stage]["image"]
    with pytest.raises(UserError, match="nothing to undo"):
        bench.moved_in_history(Session.undone)(back[bench.session])


# -- the report -------------------------------------------------------------------------------------------------------


def test_report_names_what_else_changed(bench):
    a, b = (bench.models.look(bench.world, face(bench, seed).latent) for seed in (1, 2))
    edit = Edit(plan(), face(bench).latent, 4, "STALLED", 3.0)
    moved = side_effects(edit, a, b)
    assert all(name != "smile" and abs(new - old) > 0.25 for name, old, new in moved)
    assert "None of the other 24 attributes changed." in report(edit, a, a)
    assert "Stalled after 4 steps" in report(edit, a, b)


# -- files and code ----------------------------------------------------------------------------------------------------


def test_latents_come_back(bench, tmp_path):
    session = edited(bench, face(bench), plan())
    path = saved(bench, "latent", session)
    opened = bench.opened(path)[bench.session]
    assert torch.equal(opened.latent.data, session.latent.data) and opened.origin.seed is None


def test_downloads(bench):
    session = edited(bench, face(bench), plan())
    for kind, suffix in (("png", "png"), ("gif", "gif"), ("mp4", "mp4"), ("latent", "safetensors")):
        assert saved(bench, kind, session).endswith(f"face-7-edit-1.{suffix}")
    assert saved(bench, "edits", session).endswith("face-7-edits.json")
    with pytest.raises(UserError, match="no edit to make a GIF of"):
        saved(bench, "gif", face(bench))


@pytest.mark.parametrize("kind", ["garbage", "empty", "foreign", "shape", "two", "space"])
def test_hostile_latents_are_told(bench, tmp_path, kind):
    path = tmp_path / "latent.safetensors"
    if kind in ("garbage", "empty"):
        path.write_bytes(b"\xff" * 100 if kind == "garbage" else b"")
    elif kind == "foreign":
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, path)
    elif kind == "space":
        Latent(torch.zeros(1, 99, 8), "w+").save(path)
    else:
        Latent(torch.zeros(1, 9) if kind == "shape" else torch.zeros(2, 8), "w").save(path)
    with pytest.raises(gr.Error) as caught:
        told(bench.opened)(str(path))
    assert 10 < len(str(caught.value.message)) < 320 and "\n" not in caught.value.message


@pytest.mark.parametrize("kind", ["plain", "release", "keypoints", "chain", "stopped", "file", "no edit"])
def test_copied_python_gives_the_same_latent(bench, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    session = face(bench)
    if kind == "file":
        session.latent.save(tmp_path / "latent.safetensors")
        session = Session(Origin(session.latent))
    if kind == "stopped":
        steps = bench.run(session, plan(max_steps=200), "me")
        list(itertools.islice(steps, 4))
        bench.stops.ask("me")
        session = next(steps)[bench.session]
    elif kind != "no edit":
        session = edited(bench, session, plan(release=("hat", "bald") if kind == "release" else (), step_size=0.15))
    if kind in ("keypoints", "chain"):
        wishes = {"nose_tip": (0.51, 0.62), "chin": (0.5, 0.9)}
        session = edited(bench, session, plan(editor="sgf-avatars-keypoints", wishes=wishes, release=("jaw_left",)))
    if kind == "chain":
        session = edited(bench, session, plan(wishes={"hat": 0.9, "smile": 0.0}, max_steps=40))
    names: dict = {}
    code = as_python(session, bench.world.generator)
    exec(code, names)
    assert torch.allclose(names["latent"].data, session.latent.data, atol=1e-6)
    assert max(len(line) for line in code.splitlines()) <= 160
