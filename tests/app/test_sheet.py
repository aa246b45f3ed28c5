"""Pictures to choose from."""

import pytest
import torch

from app.core.errors import UserError
from app.panels import history
from app.widgets.sheet import COUNT, seed_in, sheet
from sgf_hub.errors import BadValueError
from sgf_hub.types import Latent
from tests.app.visits import handle


def test_a_sheet_is_drawn_in_short_pieces(panel, monkeypatch):
    generator = panel.models.generator(panel.model_set.generator)
    sizes: list[int] = []
    synthesize = generator.synthesize
    monkeypatch.setattr(generator, "synthesize", lambda latent: sizes.append(len(latent)) or synthesize(latent))
    pictures = sheet(panel.models, panel.model_set, 0.8)["pictures"]
    assert sizes == [4] * (COUNT // 4) and len({seed for seed, _ in pictures}) == COUNT
    assert all(uri.startswith("data:image/jpeg") and len(uri) < 10_000 for _, uri in pictures)


def test_again_gives_others(panel):
    one, two = (handle(panel, history.samples, None, 0.8)[panel.sheet]["pictures"] for _ in range(2))
    assert {seed for seed, _ in one} != {seed for seed, _ in two}


def test_variety_is_that_of_the_slider(panel):
    (_, mean), (_, same), (_, other) = sheet(panel.models, panel.model_set, 0.0, [1, 2, 3])["pictures"]
    assert mean == same == other, "without variety there is one face"
    with pytest.raises(UserError, match="variety"):
        handle(panel, history.samples, None, 7)


def test_the_chosen_one_is_begun_with(panel):
    session = handle(panel, history.chosen, None, {"from": "client", "seed": 123}, 0.5)[panel.session]
    assert (session.origin.seed, session.origin.truncation) == (123, 0.5)


@pytest.mark.parametrize("value", [None, {}, "7", 7, {"seed": None}, []])
def test_no_choice_is_told(value):
    with pytest.raises(UserError, match="not a choice of a picture"):
        seed_in(value)


@pytest.mark.parametrize("seed", [-1, 1.5, "cat", [], 2**70])
def test_hostile_seeds_are_told(panel, seed):
    with pytest.raises(BadValueError, match="face number is a whole number"):
        handle(panel, history.chosen, None, {"seed": seed}, 0.8)


def test_pictures_of_both_spaces_are_drawn_in_order(panel):
    generator = panel.models.generator(panel.model_set.generator)
    w = [generator.sample(1, seed=seed) for seed in (1, 2)]
    plus = generator.to_w_plus(w[0])
    mixed = [w[1], Latent(plus.data.clone(), "w+"), w[0]]
    drawn = panel.models.draw_all(panel.model_set, mixed)
    for latent, image in zip(mixed, drawn, strict=True):
        assert torch.allclose(image, panel.models.draw(panel.model_set, latent), atol=1e-5)
    assert panel.models.draw_all(panel.model_set, []) == []
