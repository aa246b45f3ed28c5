"""The flowers: exact labels, captions that say nothing false, pictures that depend on nothing but their seed."""

from collections import Counter

import numpy as np
import pytest

from sgf_hub.data.flowers import (
    ATTRIBUTES,
    EXCLUSIVE,
    GROUPS,
    Factors,
    captions,
    draw,
    sample,
    sample_batch,
    sheet,
    stated,
    truth,
)
from sgf_hub.errors import SGFError

pytest.importorskip("skia")


@pytest.fixture(scope="module")
def flowers() -> list[Factors]:
    return [sample(seed) for seed in range(3000)]


def test_a_seed_gives_one_flower():
    assert sample(7) == sample(7) != sample(8)
    first, second = draw(sample(7), 64), draw(sample(7), 64)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8


def test_a_flower_of_a_batch_depends_on_its_index_only():
    few, many = (sample_batch(count, seed=3, resolution=32) for count in (4, 9))
    shared = sample_batch(9, seed=3, resolution=32, workers=2)
    for name in ("images", "attributes"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:4])
        np.testing.assert_array_equal(getattr(shared, name), getattr(many, name))
    assert few.captions == many.captions[:4] and shared.captions == many.captions
    assert many.images.shape == (9, 3, 32, 32) and many.attributes.shape == (9, len(ATTRIBUTES))
    assert all(len(texts) == 5 for texts in many.captions)


def test_a_sheet_shows_the_batch():
    page = sheet(3, seed=3, resolution=32, columns=2)
    batch = sample_batch(3, seed=3, resolution=32)
    np.testing.assert_array_equal(page[32:, :32], batch.images[2].transpose(1, 2, 0))


def test_labels_agree_with_the_factors(flowers: list[Factors]):
    labels = np.array([flower.attributes for flower in flowers])
    where = {name: index for index, name in enumerate(ATTRIBUTES)}
    assert len(where) == len(ATTRIBUTES)
    for group in EXCLUSIVE:
        assert labels[:, [where[name] for name in group]].sum(1).max() <= 1
    for flower, row in zip(flowers[:200], labels, strict=False):
        on = {name for name, value in zip(ATTRIBUTES, row, strict=True) if value}
        assert {flower.color, flower.size, flower.shape} <= on
        assert ("closed" in on) == flower.closed
        assert (f"{flower.center}_center" in on) == (not flower.closed)  # a bud hides it
        assert (f"{flower.second}_second" in on) == bool(flower.second)


def test_colours_are_uneven_as_in_nature(flowers: list[Factors]):
    colors = Counter(flower.color for flower in flowers)
    assert len(colors) == len(GROUPS["color"]) >= 8
    assert 0.03 * len(flowers) < min(colors.values()) < 0.6 * max(colors.values())
    pairs = Counter((flower.color, flower.second) for flower in flowers if flower.second)
    assert pairs["pink", "white"] > 4 * pairs["red", "orange"] > 0
    assert pairs["blue", "orange"] == 0


@pytest.mark.parametrize("group", ["color", "size", "shape"])
def test_every_choice_can_be_seen(group: str):
    pictures = [draw(Factors(**{group: value}), 64).astype(int) for value in GROUPS[group]]
    for i, first in enumerate(pictures):
        for second in pictures[:i]:
            assert (np.abs(first - second).max(axis=2) > 25).mean() > 0.04


@pytest.mark.parametrize(
    "changes",
    [{"second": "white", "pattern": "tips"}, {"second": "white", "pattern": "stripes"}, {"closed": True},
     {"second": "white", "pattern": "throat"}, {"layered": True}, {"leaves": True}, {"center": "brown"}],
)  # fmt: skip
def test_every_factor_changes_the_picture(changes: dict):
    plain, changed = (draw(Factors(**extra), 64).astype(int) for extra in ({}, changes))
    assert (np.abs(plain - changed).max(axis=2) > 25).mean() > 0.015


def test_captions_say_nothing_false_and_not_always_everything(flowers: list[Factors]):
    said: Counter[str] = Counter()
    total = 0
    for index, flower in enumerate(flowers[:600]):
        facts = truth(flower)
        for caption in captions(flower, index):
            says = stated(caption)
            assert says.items() <= facts.items(), f"{caption!r} of {facts}"
            said.update(says.keys())
            total += 1
    for factor in ("color", "size", "shape"):
        assert 0.8 < said[factor] / total < 1, factor
    assert 0.3 < said["second"] / total < 0.5


def test_captions_are_worded_and_ordered_in_many_ways():
    flower = Factors(color="red", second="white", pattern="tips", size="large", shape="pointed")
    texts = captions(flower, 0, count=200)
    assert len(set(texts)) > 60
    assert captions(flower, 0, count=5) == texts[:5]
    starts = Counter(text.split()[0] for text in texts)
    assert {"this", "the", "a", "red"} <= set(starts)
    orders = {("large" in text) and text.index("large") < text.index("red") for text in texts if "red" in text}
    assert orders == {True, False}


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        (
            "this flower has large red petals with a yellow center",
            {"size": "large", "color": "red", "center": "yellow"},
        ),
        ("a small blossom, white with pointed petals", {"size": "small", "color": "white", "shape": "pointed"}),
        ("red and purple petals", {"color": "red", "second": "purple"}),
        (
            "a pink and white flower, white at the tips, with five ruffled petals",
            {"color": "pink", "second": "white", "pattern": "tips", "petals": "5", "shape": "ruffled"},
        ),
        ("something else", {}),
    ],
)
def test_what_a_caption_states(caption: str, says: dict[str, str]):
    assert stated(caption) == says


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(SGFError, match="seed is -1, and must be a non-negative integer"):
        sample(-1)
    with pytest.raises(SGFError, match="both must be at least 1"):
        sample_batch(0, seed=0, resolution=64)
    with pytest.raises(SGFError, match="color is 'black'; a flower has one of 'white'"):
        Factors(color="black")
    with pytest.raises(SGFError, match="a second colour differs from the first and has a pattern"):
        Factors(second="red")
