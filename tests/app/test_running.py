"""An edit's run: steps are computed ahead, and its end uses what they have drawn and read."""

import threading
from dataclasses import replace

import pytest
import torch

from app.core.model_sets import Flowers
from app.core.session import Plan
from app.panels.running import ahead
from tests.app.fakes import with_fake_flowers


def test_an_item_is_computed_while_the_one_before_is_used():
    begun = [threading.Event() for _ in range(3)]

    def items():
        for i, event in enumerate(begun):
            event.set()
            yield i

    for i in ahead(items()):
        assert i == 2 or begun[i + 1].wait(5)


def test_mistakes_come_where_they_happen_and_the_items_are_closed():
    closed = []

    def items():
        try:
            yield 0
            raise ValueError("broken")
        finally:
            closed.append(True)

    steps = ahead(items())
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

    steps = ahead(items())
    assert next(steps) == 0
    threading.Timer(0.1, go.set).start()
    steps.close()
    assert closed == [[0, 1]]


def test_nothing_is_nothing():
    assert list(ahead(item for item in ())) == []


PLANS = {
    "attributes": Plan("sgf-avatars-attributes", {"smile": 1.0}, max_steps=3),
    "some layers": Plan("sgf-avatars-attributes", {"smile": 1.0}, max_steps=3, layers=(0, 2)),
    "points": Plan("sgf-avatars-keypoints", {"nose_tip": (0.5, 0.6)}, max_steps=3),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_step_is_looked_at_as_its_latent_is(bench, name):
    latent = bench.begin("7", 0.8)[bench.session].latent
    for step in bench.models.steps(PLANS[name], latent):
        ours, plain = bench.looked(step, PLANS[name]), bench.look(step.latent)
        assert ours.spec == plain.spec
        assert torch.allclose(ours.image, plain.image, atol=1e-5) and torch.allclose(ours.c, plain.c, atol=1e-5)


def test_a_step_that_was_drawn_small_is_drawn_again(bench):
    latent = bench.begin("7", 0.8)[bench.session].latent
    step = next(bench.models.steps(PLANS["points"], latent))
    small = replace(step, images=step.images[..., ::2, ::2])
    assert torch.equal(bench.looked(small, PLANS["points"]).image, bench.look(latent).image)


def test_a_step_of_a_flower_as_well(flowers):
    with_fake_flowers(flowers.models, Flowers())
    latent = flowers.begin("7", 0.8)[flowers.session].latent
    plan = Plan("sgf-flowers-captions", {"caption": "a blue flower"}, max_steps=3)
    for step in flowers.models.steps(plan, latent):
        ours, plain = flowers.looked(step, plan), flowers.look(step.latent, plan)
        assert torch.allclose(ours.image, plain.image, atol=1e-5) and ours.caption == plain.caption
        assert ours.similarity == pytest.approx(plain.similarity, rel=1e-4)


@pytest.mark.parametrize("name", PLANS)
def test_the_result_draws_nothing_again(bench, name, monkeypatch):
    session = bench.begin("7", 0.8)[bench.session]
    drawn = []
    generator = bench.models.generator(bench.world.generator)
    synthesize = generator.synthesize

    def counted(latent, **options):
        drawn.append(latent)
        return synthesize(latent, **options)

    monkeypatch.setattr(generator, "synthesize", counted)
    *frames, last = bench.run(session, PLANS[name], "me")
    assert len(drawn) == len(frames) + 1, "the steps, and the one from which the target is measured"
    monkeypatch.undo()
    plain = bench.show(last[bench.session])
    for part in (bench.verdict, bench.code):
        assert last[part] == plain[part]
    assert last[bench.panel]["reads"] == plain[bench.panel]["reads"]
    assert last[bench.stage]["points"] == plain[bench.stage]["points"]
    assert last[bench.timeline]["items"] == plain[bench.timeline]["items"]
