"""Edits in a process of their own: the same steps, told mistakes, and what becomes of them when it ends."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from app.core.errors import UserError
from app.core.model_sets import Faces, Flowers
from app.core.session import Plan
from app.models.edit_process import EditProcess, _plain
from app.models.edit_run import steps
from app.models.services import Models
from sgf_hub.errors import BadValueError, UnknownNameError

WAIT = 60  # seconds, at most
SMILE = Plan("sgf-avatars-attributes", {"smile": 1.0}, max_steps=3)
FLOWER = Plan("sgf-flowers-captions", {"caption": "a blue flower"}, max_steps=2)


@pytest.fixture(scope="module")
def apart() -> Iterator[Models]:
    """Models whose edits are computed in another process."""
    process = EditProcess()
    process.start()
    yield Models(process)
    process.stop()


@pytest.fixture(scope="module")
def here() -> Models:
    return Models()


def _children() -> list:
    return [child for child in multiprocessing.active_children() if child.name == "edits"]


@pytest.mark.parametrize(("plan", "model_set"), [(SMILE, Faces()), (FLOWER, Flowers())], ids=["face", "flower"])
def test_steps_are_those_of_an_edit_made_here(apart: Models, here: Models, plan: Plan, model_set: Faces) -> None:
    latent = here.sample(model_set, 7, 0.8)
    for one, other in zip(steps(apart, plan, latent), list(steps(here, plan, latent)), strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.c, other.c)
        assert torch.equal(one.latent.data, other.latent.data) and one.reasons == other.reasons
    predictors = [models.editor(plan.editor).predictor for models in (apart, here)]
    if predictors[0].spec.caption:
        words, expected_words = (predictor.words(other.c) for predictor in predictors)  # type: ignore[attr-defined]
        assert words == expected_words, "what was read there is known here"
    assert not apart.apart._awaited and not apart.edits._under_way  # type: ignore[union-attr]


def test_mistakes_are_told_here(apart: Models, here: Models) -> None:
    latent = here.sample(Faces(), 7, 0.8)
    with pytest.raises(UnknownNameError, match="smail"):
        list(steps(apart, replace(SMILE, wishes={"smail": 1.0}), latent))
    with pytest.raises(BadValueError):
        list(steps(apart, replace(SMILE, wishes={"smile": 7.0}), latent))
    assert len(list(steps(apart, SMILE, latent))) > 1


def test_a_mistake_that_cannot_be_sent_is_told_in_words() -> None:
    class Odd(Exception):
        def __init__(self, one: int, other: int) -> None:
            super().__init__(f"{one} is not {other}")

    error = BadValueError("smile is 7.")
    assert _plain(error) is error
    assert str(_plain(Odd(1, 2))) == "Odd: 1 is not 2"


def test_who_leaves_holds_up_nothing(apart: Models, here: Models) -> None:
    latent = here.sample(Faces(), 7, 0.8)
    left = steps(apart, replace(SMILE, wishes={"bald": 1.0}, max_steps=60), latent)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert not apart.apart._awaited  # type: ignore[union-attr]
    assert len(list(steps(apart, SMILE, latent))) > 1


def test_an_edit_whose_process_ended_is_told_and_the_next_one_has_another(apart: Models, here: Models) -> None:
    latent = here.sample(Faces(), 7, 0.8)
    cut = steps(apart, replace(SMILE, max_steps=60), latent)
    next(cut)
    (child,) = _children()
    child.kill()
    with pytest.raises(UserError, match="try it again"):
        list(cut)
    child.join(WAIT)
    assert len(list(steps(apart, SMILE, latent))) > 1
    (other,) = _children()
    assert other.pid != child.pid


def test_it_is_ended() -> None:
    process, before = EditProcess(), _children()
    process.start()
    (child,) = (one for one in _children() if one not in before)
    process.stop()
    assert not child.is_alive()
