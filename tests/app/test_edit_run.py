"""An edit's run: steps are computed ahead, and its end uses what they have drawn and read."""

import threading
from dataclasses import replace

import pytest
import torch

from app.core.model_sets import Flowers
from app.core.session import Plan
from app.models.edit_run import prefetched, steps
from tests.app.fakes import with_fake_flowers
from tests.app.visits import begin, run


def test_an_item_is_computed_while_the_one_before_is_used():
    begun = [threading.Event() for _ in range(3)]

    def items():
        for i, event in enumerate(begun):
            event.set()
            yield i

    for i in prefetched(items()):
        assert i == 2 or begun[i + 1].wait(5)


def test_mistakes_come_where_they_happen_and_the_items_are_closed():
    closed = []

    def items():
        try:
            yield 0
            raise ValueError("broken")
        finally:
            closed.append(True)

    steps = prefetched(items())
    assert next(steps) == 0
    with pytest.raises(ValueError, match="broken"):
        next(steps)
    assert closed


def test_closing_waits_for_what_is_being_computed():
    computed, closed, go = [], [], threading.Event()

    def items():
        try:
            for i in range(9):
                if i:
                    go.wait(5)
                computed.append(i)
                yield i
        finally:
            closed.append(list(computed))

    steps = prefetched(items())
    assert next(steps) == 0
    threading.Timer(0.1, go.set).start()
    steps.close()
    assert closed == [[0, 1]]


def test_nothing_is_nothing():
    assert list(prefetched(item for item in ())) == []


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
def test_the_result_draws_nothing_again(panel, name, monkeypatch):
    session = begin(panel, "7", 0.8)[panel.session]
    drawn = []
    generator = panel.models.generator(panel.model_set.generator)
    synthesize = generator.synthesize

    def counted(latent, **options):
        drawn.append(latent)
        return synthesize(latent, **options)

    monkeypatch.setattr(generator, "synthesize", counted)
    *frames, last = run(panel, session, PLANS[name], "me")
    assert len(drawn) == len(frames)
    monkeypatch.undo()
    plain = panel.show(panel.view_of(None), last[panel.session])
    for part in (panel.verdict, panel.code):
        assert last[part] == plain[part]
    assert last[panel.sliders]["reads"] == plain[panel.sliders]["reads"]
    assert last[panel.stage]["points"] == plain[panel.stage]["points"]
    assert last[panel.timeline]["items"] == plain[panel.timeline]["items"]
