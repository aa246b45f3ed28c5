"""An edit's run: what its steps have drawn and read is used."""

from dataclasses import replace

import pytest
import torch

from app.core.model_sets import Flowers
from app.core.session import Plan
from app.models.edit_run import EditRun, steps
from tests.app.fakes import with_fake_flowers
from tests.app.visits import begin, run

PLANS = {
    "attributes": Plan("sgf-avatars-attributes", {"smile": 1.0}, max_steps=3),
    "some layers": Plan("sgf-avatars-attributes", {"smile": 1.0}, max_steps=3, layers=(0, 2)),
    "points": Plan("sgf-avatars-keypoints", {"nose_tip": (0.5, 0.6)}, max_steps=3),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_step_is_looked_at_as_its_latent_is(panel, name):
    latent = begin(panel, "7", 0.8)[panel.session].latent
    for step in steps(panel.models, PLANS[name], latent):
        ours, plain = panel.view_of().read_result(step, PLANS[name]), panel.view_of().read(step.latent)
        assert ours.spec == plain.spec
        assert torch.allclose(ours.image, plain.image, atol=1e-5) and torch.allclose(ours.c, plain.c, atol=1e-5)


def test_a_step_that_was_drawn_small_is_drawn_again(panel):
    latent = begin(panel, "7", 0.8)[panel.session].latent
    step = next(steps(panel.models, PLANS["points"], latent))
    small = replace(step, images=step.images[..., ::2, ::2])
    assert torch.equal(panel.view_of().read_result(small, PLANS["points"]).image, panel.view_of().read(latent).image)


def test_a_step_of_a_flower_as_well(flowers):
    with_fake_flowers(flowers.models, Flowers())
    latent = begin(flowers, "7", 0.8)[flowers.session].latent
    plan = Plan("sgf-flowers-captions", {"caption": "a blue flower"}, max_steps=3)
    for step in steps(flowers.models, plan, latent):
        ours, plain = flowers.view_of().read_result(step, plan), flowers.view_of().read(step.latent, plan)
        assert torch.allclose(ours.image, plain.image, atol=1e-5) and ours.caption == plain.caption
        assert ours.similarity == pytest.approx(plain.similarity, rel=1e-4)


@pytest.mark.parametrize("name", PLANS)
def test_neither_start_nor_result_is_drawn_again(panel, name, monkeypatch):
    session = begin(panel, "7", 0.8)[panel.session]
    drawn = []
    generator = panel.models.generator(panel.model_set.generator)
    synthesize = generator.synthesize

    def counted(latent, **options):
        drawn.append(latent)
        return synthesize(latent, **options)

    monkeypatch.setattr(generator, "synthesize", counted)
    *frames, last = run(panel, session, PLANS[name], "me")
    assert 1 <= len(frames) <= len(drawn) + 1 == len(last[panel.stage]["strip"])
    monkeypatch.undo()
    plain = panel.show(panel.view_of(None), last[panel.session])
    for part in (panel.verdict, panel.code):
        assert last[part] == plain[part]
    assert last[panel.sliders]["reads"] == plain[panel.sliders]["reads"]
    assert last[panel.stage]["points"] == plain[panel.stage]["points"]
    assert last[panel.timeline]["items"] == plain[panel.timeline]["items"]


def test_steps_that_are_not_shown_are_kept(panel):
    latent = begin(panel, "7", 0.8)[panel.session].latent
    all_of_them = [step.index for step in steps(panel.models, PLANS["points"], latent)]
    edit_run = EditRun(panel.models, PLANS["points"], latent)
    shown = [step.index for step in edit_run.newest()]
    assert [step.index for step in edit_run.trajectory.steps] == all_of_them == list(range(len(edit_run.distances)))
    assert shown == sorted(set(shown)) and shown[-1] == all_of_them[-1]
