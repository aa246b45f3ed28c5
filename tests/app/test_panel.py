"""The handlers behind the page, on a toy zoo, without a browser."""

import itertools
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from app.core.errors import UserError, as_notices
from app.core.session import STOPPED, Edit, Origin, Plan, Session
from app.panels import edits, history, links
from app.panels.panel import EditorPanel
from app.widgets.code import as_python
from app.widgets.report import Verdict, report, verdict
from sgf_hub.data.pictures import to_pictures
from sgf_hub.errors import SGFError
from sgf_hub.types import Latent
from tests.app.fakes import saved
from tests.app.visits import begin, handle, run


def plan(**changes):
    wishes = {"smile": 1.0}
    return Plan(**{"editor": "sgf-avatars-attributes", "wishes": wishes, "max_steps": 4, **changes})


def face(panel: EditorPanel, seed: int = 7) -> Session:
    return begin(panel, str(seed), 0.8)[panel.session]


def edited(panel: EditorPanel, session: Session, some_plan: Plan) -> Session:
    *_, last = run(panel, session, some_plan, "me")
    return last[panel.session]


# -- faces ---------------------------------------------------------------------------------------------------------


def test_a_face_of_a_seed(panel):
    updates = begin(panel, "7", 0.8)
    session = updates[panel.session]
    assert session.origin.seed == 7 and not session.edits
    assert updates[panel.stage]["image"].startswith("data:image/jpeg;base64,")
    assert len(updates[panel.stage]["points"]) == 27 and len(updates[panel.sliders]["reads"]) == 25
    assert updates[panel.sliders]["done"] is None and updates[panel.stage]["done"] is None, "old wishes are cleared"
    assert torch.equal(session.latent.data, begin(panel, 7, 0.8)[panel.session].latent.data)


def test_new_faces_differ(panel):
    seeds = {history.shuffled(panel, panel.view_of(None), None, 0.8)[panel.session].origin.seed for _ in range(4)}
    assert len(seeds) > 1


@pytest.mark.parametrize("seed", ["cat", "-3", "2.5", ""])
def test_bad_seed_is_a_notice(panel, seed):
    with pytest.raises(gr.Error, match="Face number is a whole number from 0"):
        as_notices(begin)(panel, seed, 0.8)


def test_models_are_loaded_once(panel, models):
    assert models.generator("avatars-stylegan2") is models.generator("avatars-stylegan2")
    assert models.editor("sgf-avatars-keypoints").generator is models.generator("avatars-stylegan2")
    attributes = models.editor("sgf-avatars-attributes")
    assert attributes is models.editor("sgf-avatars-attributes")


def test_description_names_what_is_seen(panel):
    reading = panel.models.read(panel.model_set, face(panel).latent)
    assert panel.view_of().describe(reading).startswith("A drawn face: ")


# -- edits -----------------------------------------------------------------------------------------------------------


def test_edit_streams_steps_and_ends_with_the_result(panel):
    session = face(panel)
    *frames, last = run(panel, session, plan(), "me")
    shown = [frame[panel.stage]["run"]["step"] for frame in frames]  # some, where the page is slower than the steps
    assert shown == sorted(set(shown)) and shown[-1] == 4
    assert len(frames[-1][panel.stage]["run"]["distances"]) == 5
    after = last[panel.session]
    assert after.cursor == 1 and after.last.steps == 4
    assert after.last.reason == "STEP_LIMIT"
    assert len(last[panel.stage]["strip"]) == 5
    assert "Step limit" in last[panel.verdict]
    assert last[panel.stage]["before"].startswith("data:image/jpeg"), "both are on the picture"
    assert panel.show(panel.view_of(), session)[panel.stage]["before"] == ""
    assert session.cursor == 0, "the session that was given is unchanged"


def test_next_edit_starts_from_the_result(panel):
    one = edited(panel, face(panel), plan())
    two = edited(panel, one, plan(wishes={"hat": 1.0}))
    assert torch.equal(two.before.data, one.latent.data)
    assert two.cursor == 2


def test_keypoints_edit(panel):
    session = face(panel)
    wish = {"nose_tip": (0.5, 0.6)}
    after = edited(panel, session, plan(editor="sgf-avatars-keypoints", wishes=wish, release=("nose_left",)))
    assert after.last.plan.wishes == wish
    assert after.latent.data.shape == session.latent.data.shape


def test_stop_ends_the_work_and_keeps_the_closest_step(panel):
    steps = run(panel, face(panel), plan(max_steps=200), "me")
    taken = list(itertools.islice(steps, 3))
    panel.stops.ask("somebody else")
    taken.append(next(steps))
    assert panel.session not in taken[-1]
    panel.stops.ask("me")
    last = next(steps)
    assert last[panel.session].last.reason == STOPPED
    assert last[panel.session].last.steps == taken[-1][panel.stage]["run"]["step"] >= 3
    assert next(steps, None) is None
    assert "Stopped by you" in last[panel.verdict]


def test_an_edit_that_gives_way_leaves_the_session_as_it_was(panel):
    session = face(panel)
    steps = run(panel, session, plan(max_steps=200), "me")
    list(itertools.islice(steps, 3))
    panel.stops.ask("me", superseded=True)
    last = next(steps)
    assert last[panel.session] == session and not last[panel.undo].interactive
    assert next(steps, None) is None and not panel.stops._events


def test_closing_the_stream_ends_the_work(panel):
    steps = run(panel, face(panel), plan(max_steps=200), "me")
    next(steps)
    steps.close()
    assert not panel.stops._events
    with panel.models.computing:  # the step that was being made has come to its end
        assert panel.models.edits._under_way == 0


def test_a_wish_that_holds_already_changes_nothing(panel):
    session = face(panel)
    read = panel.models.read(panel.model_set, session.latent).attributes["smile"]
    *_, last = run(panel, session, plan(wishes={"smile": read}), "me")
    assert last[panel.session] == session
    assert "already" in last[panel.stage]["status"]


@pytest.mark.parametrize(
    ("wishes", "words"), [({"smil": 1.0}, "did you mean 'smile'"), ({"smile": 2.0}, "values in"), ({}, "no wish")]
)
def test_bad_plans_are_told_and_leave_no_trace(panel, wishes, words):
    with pytest.raises(SGFError, match=words):
        list(run(panel, face(panel), plan(wishes=wishes), "me"))
    assert not panel.stops._events
    with panel.models.computing:  # the step that was being made has come to its end
        assert panel.models.edits._under_way == 0


def test_an_expired_session_is_told(panel):
    with pytest.raises(UserError, match="press New face"):
        list(run(panel, None, plan(), "me"))


def test_undo_shows_the_face_before(panel):
    start = face(panel)
    after = edited(panel, start, plan())
    back = handle(panel, history.moved(Session.undone), after)
    assert back[panel.session].latent is start.latent
    assert back[panel.stage]["image"] == panel.show(panel.view_of(None), start)[panel.stage]["image"]
    with pytest.raises(UserError, match="nothing to undo"):
        handle(panel, history.moved(Session.undone), back[panel.session])


# -- the report -------------------------------------------------------------------------------------------------------


def test_report_names_what_else_changed(panel):
    a, b = faces_read(panel, bald=1.0, hat=1.0)
    edit = Edit(plan(), face(panel).latent, 4, "STALLED", 3.0)
    said = verdict(edit, a, b)
    assert "None of the other 24 attributes changed." in report(edit, a, a, said)
    told = report(edit, a, b, said)
    assert "Stalled after 4 steps." in told and "<th>Bald</th>" in told and "<th>Hat</th>" in told
    assert said.words in told and 'class="verdict fair"' in told


def faces_read(panel, asked: float = 0.0, **after: float):
    """A face that shows nothing, and one that shows what is said: smile `asked`, and others."""
    now = panel.models.read(panel.model_set, face(panel).latent)
    count = len(now.spec.attributes)

    def reading(shown: dict[str, float], tint: float):
        c = torch.cat([torch.full((count,), -1.0), now.c[count:]])
        for name, p in shown.items():
            c[now.spec.index(name)] = 2 * p - 1
        return replace(now, image=now.image + tint, c=c)

    return reading({}, 0.0), reading({"smile": asked, **after}, 0.1)


@pytest.mark.parametrize(
    ("asked", "after", "tone", "words"),
    [
        (0.95, {}, "good", "Smile reached; nothing else changed."),
        (0.95, {"hat": 0.4}, "good", "Smile reached; nothing else changed."),
        (0.95, {"hat": 0.9}, "fair", "Smile reached; 1 other thing changed: hat."),
        (0.95, {"hat": 0.8, "bald": 0.9}, "fair", "Smile reached; 2 other things changed: bald, hat."),
        (0.5, {}, "fair", "Smile at 50 of the 100 asked; nothing else changed."),
    ],
)
@pytest.mark.parametrize("reason", ["TARGET_REACHED", "STALLED", "STEP_LIMIT", STOPPED])
def test_the_sentence_says_what_came_of_it(panel, asked, after, tone, words, reason):
    said = verdict(Edit(plan(), "latent", 4, reason, 3.0), *faces_read(panel, asked, **after))
    assert (said.tone, said.words) == (tone, words) and set(said.hold) == {n for n, p in after.items() if p > 0.5}
    assert said.met == (asked > 0.9) and said.worse == (len(said.hold) > asked)


def test_what_excludes_a_wish_is_told_apart(panel):
    _, start = faces_read(panel, bald=1.0)
    _, now = faces_read(panel, black_hair=1.0)
    assert {"bald", "black_hair"} <= set(now.spec.attributes)
    spec = replace(now.spec, groups=(("bald", "black_hair"),))
    start, now = (replace(one, spec=spec) for one in (start, now))
    edit = Edit(plan(wishes={"bald": 0.0}), "latent", 4, "TARGET_REACHED", 0.5)
    said = verdict(edit, start, replace(now, image=now.image + 0.1))
    assert said.words == "Bald gone, black hair came instead; nothing else changed."
    assert (said.tone, said.hold, said.worse) == ("good", (), False)


def test_an_edit_that_went_away_is_worse(panel):
    _, there = faces_read(panel, 0.6)
    _, away = faces_read(panel, 0.2)
    said = verdict(Edit(plan(), "latent", 4, "STALLED", 8.0), there, replace(away, image=away.image + 0.1))
    assert said.worse and said.tone == "fair"


def test_one_that_came_out_right_is_not_called_stalled(panel):
    a, b = faces_read(panel, 0.95)
    edit = Edit(plan(), "latent", 14, "STALLED", 3.0, chosen=9)
    assert "Step 9 of 14." in report(edit, a, b, verdict(edit, a, b)) and "talled" not in report(
        edit, a, b, verdict(edit, a, b)
    )


def test_a_worse_result_is_shown_beside_the_start(panel, monkeypatch):
    session = edited(panel, face(panel), plan())
    monkeypatch.setattr(
        "app.panels.views.verdict", lambda *_: Verdict("fair", "So it is.", ("hat", "bald"), worse=True)
    )
    said = panel.show(panel.view_of(), session)[panel.stage]["said"]
    assert (said["words"], said["hold"]) == ("So it is.", "Hold them and try again")
    assert said["worse"]
    monkeypatch.setattr("app.panels.views.verdict", lambda *_: Verdict("good", "Well."))
    assert panel.show(panel.view_of(), session)[panel.stage]["said"] == {
        "tone": "good", "words": "Well.", "hold": "", "worse": False,
    }  # fmt: skip
    assert panel.show(panel.view_of(), session.undone())[panel.stage]["said"] is None


def test_what_changed_beside_is_held_from_the_start_of_the_edit(panel, monkeypatch):
    session = edited(panel, face(panel), plan(wishes={"smile": 1.0}))
    monkeypatch.setattr("app.panels.views.verdict", lambda *_: Verdict("fair", "So it is.", ("hat", "bald")))
    *_, last = edits.held_again(panel, panel.view_of(), session, "me")
    after = last[panel.session]
    assert after.last.plan == replace(session.last.plan, hold=("hat", "bald")) and after.cursor == 1
    assert torch.equal(after.before.data, session.before.data)
    *_, last = edits.held_again(panel, panel.view_of(), after, "me")
    assert last[panel.session].last.plan.hold == ("hat", "bald"), "nothing is held twice"
    monkeypatch.setattr("app.panels.views.verdict", lambda *_: Verdict("good", "Well."))
    for nothing in (session, session.undone()):
        with pytest.raises(UserError, match="there is nothing to hold"):
            list(edits.held_again(panel, panel.view_of(), nothing, "me"))


# -- files and code ----------------------------------------------------------------------------------------------------


def test_latents_come_back(panel, tmp_path):
    session = edited(panel, face(panel), plan())
    path = saved(panel, "latent", session)
    opened = links.opened(panel, panel.view_of(None), None, path)[panel.session]
    assert torch.equal(opened.latent.data, session.latent.data) and opened.origin.seed is None


def test_downloads(panel):
    session = edited(panel, face(panel), plan())
    for kind, suffix in (("png", "png"), ("gif", "gif"), ("mp4", "mp4"), ("latent", "safetensors")):
        assert saved(panel, kind, session).endswith(f"face-7-edit-1.{suffix}")
    assert saved(panel, "edits", session).endswith("face-7-edits.json")
    with pytest.raises(UserError, match="no edit to make a GIF of"):
        saved(panel, "gif", face(panel))


@pytest.mark.parametrize("kind", ["garbage", "empty", "foreign", "shape", "two", "space"])
def test_hostile_latents_are_told(panel, tmp_path, kind):
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
        as_notices(links.opened)(panel, panel.view_of(None), None, str(path))
    assert 10 < len(str(caught.value.message)) < 320 and "\n" not in caught.value.message


def test_latents_of_other_tools_are_opened(panel, tmp_path):
    view = panel.view_of(None)
    w = view.models.generator(view.model_set.generator).sample(3, seed=4).data
    np.savez(tmp_path / "projected.npz", w=w[:1, None].expand(1, 6, 8).numpy())
    opened = links.opened(panel, view, None, str(tmp_path / "projected.npz"))[panel.session]
    assert opened.latent.space == "w" and torch.equal(opened.latent.data, w[:1])
    torch.save(w, tmp_path / "many.pt")
    with pytest.raises(UserError, match="The file holds 3 latents, and one is opened at a time"):
        links.opened(panel, view, None, str(tmp_path / "many.pt"))


@pytest.mark.parametrize("kind", ["plain", "release", "hold", "keypoints", "chain", "stopped", "file", "no edit"])
def test_copied_python_gives_the_same_latent(panel, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    session = face(panel)
    if kind == "file":
        session.latent.save(tmp_path / "latent.safetensors")
        session = Session(Origin(session.latent))
    if kind == "stopped":
        steps = run(panel, session, plan(max_steps=200), "me")
        list(itertools.islice(steps, 4))
        panel.stops.ask("me")
        session = next(steps)[panel.session]
    elif kind != "no edit":
        some = {kind: ("hat", "bald")} if kind in ("release", "hold") else {}
        session = edited(panel, session, plan(**some, step_size=0.15))
    if kind in ("keypoints", "chain"):
        wishes = {"nose_tip": (0.51, 0.62), "chin": (0.5, 0.9)}
        session = edited(panel, session, plan(editor="sgf-avatars-keypoints", wishes=wishes, release=("jaw_left",)))
    if kind == "chain":
        session = edited(panel, session, plan(wishes={"hat": 0.9, "smile": 0.0}, max_steps=40))
    names: dict = {}
    code = as_python(session, panel.model_set)
    exec(code, names)
    assert torch.allclose(names["latent"].data, session.latent.data, atol=1e-6)
    drawn = to_pictures(panel.models.draw(panel.model_set, names["latent"])[None])[0]
    assert Image.open("picture.png").tobytes() == drawn.tobytes()
    assert max(len(line) for line in code.splitlines()) <= 160
