"""The search for the caption that does what a prompt asks and keeps the rest."""

import itertools

import pytest
import torch

from sgf_hub.predictors.captions.grounding import Grounding, Kept, content, grams
from tests.caption_toys import WordCounter

BANK = [
    f"this flower has {size} {color} {shape} petals with a {center} center"
    for size, color, shape, center in itertools.product(
        ("small", "large"),
        ("red", "purple", "yellow", "red and purple", "purple and red"),
        ("round", "pointed"),
        ("yellow", "white"),
    )
    if not (" and " in color and center == "white")  # two colours are rarer than one
]
NOW = "this flower has small red round petals with a yellow center"
NEAR = {"violet": "purple", "tiny": "small"}  # words that no caption has, and what they are like


def embed(sentences):
    return WordCounter().embed([" ".join(NEAR.get(word, word) for word in text.split()) for text in sentences])


@pytest.fixture(scope="module")
def grounding() -> Grounding:
    return Grounding(BANK, embed)


def picked(grounding: Grounding, prompt: str, now: str = NOW) -> str:
    return BANK[grounding.pick(prompt, now, embed(BANK) @ embed([prompt])[0])]


@pytest.mark.parametrize(
    ("prompt", "after", "says", "lost", "gained"),
    [
        ("purple", "this flower has small purple round petals with a yellow center", True, (), ()),
        (
            "purple", "this flower has small purple pointed petals with a white center", True,
            ("round", "yellow"), ("pointed", "white"),
        ),
        ("purple", "this flower has small red and purple round petals with a yellow center", False, (), ()),
        ("large", "this flower has large red round petals", True, ("yellow", "center"), ()),
        ("tiny purple", "this flower has small purple round petals with a yellow center", True, (), ()),
    ],
)  # fmt: skip
def test_what_became_of_a_caption(grounding: Grounding, prompt, after, says, lost, gained) -> None:
    assert grounding.compare(prompt, NOW, after) == Kept(says, lost, gained)


def test_two_words_give_way_to_one_as_one_thing() -> None:
    sizes = ("medium sized", "small", "large")
    colors = ("white", "red", "white and red", "red and white")
    bank = [f"this flower has {size} {color} petals" for size in sizes for color in colors]
    found = Grounding(bank, embed).compare("large", bank[2], "this flower has large red petals")
    assert found == Kept(True, ("white",), ())


class TestPick:
    @pytest.mark.parametrize(
        ("prompt", "expected"),
        [
            ("purple petals", "this flower has small purple round petals with a yellow center"),
            ("a purple flower", "this flower has small purple round petals with a yellow center"),
            ("violet petals", "this flower has small purple round petals with a yellow center"),
            ("large", "this flower has large red round petals with a yellow center"),
            ("a large flower", "this flower has large red round petals with a yellow center"),
            ("pointed petals", "this flower has small red pointed petals with a yellow center"),
            ("a white center", "this flower has small red round petals with a white center"),
            ("large and purple", "this flower has large purple round petals with a yellow center"),
            ("purple and large", "this flower has large purple round petals with a yellow center"),
            ("red and purple", "this flower has small red and purple round petals with a yellow center"),
            ("purple and red", "this flower has small purple and red round petals with a yellow center"),
            ("large purple pointed petals", "this flower has large purple pointed petals with a yellow center"),
            ("tiny", NOW),  # it is that already
            (NOW, NOW),
        ],
    )  # fmt: skip
    def test_what_is_asked_changes_and_nothing_else(self, grounding: Grounding, prompt: str, expected: str) -> None:
        assert picked(grounding, prompt) == expected

    def test_the_rest_is_that_of_the_picture(self, grounding: Grounding) -> None:
        now = "this flower has large purple pointed petals with a white center"
        assert picked(grounding, "red petals", now) == now.replace("purple", "red")

    def test_a_caption_that_is_not_in_the_bank_may_be_edited(self, grounding: Grounding) -> None:
        now = "this flower has large green pointed petals with a white center"
        assert picked(grounding, "red petals", now) == now.replace("green", "red")

    def test_without_a_known_word_the_nearest_is_taken(self, grounding: Grounding) -> None:
        similarity = torch.zeros(len(BANK))
        similarity[17] = 0.1
        assert grounding.pick("asdf qwer", NOW, similarity) == 17
        assert grounding.pick("...", NOW, similarity) == 17


class TestWords:
    def test_content(self) -> None:
        assert content("This flower's petals are RED, and it is (very) large!") == [
            "flower's", "petals", "red", "large",
        ]  # fmt: skip

    def test_pairs_are_ordered(self) -> None:
        assert grams("red and purple") == {"red", "purple", ("red", "purple")}

    @pytest.mark.parametrize(
        ("text", "known"),
        [("large and red", True), ("a purple flower", True), ("a violet flower", False), ("", False), ("it is", False)],
    )
    def test_knows(self, grounding: Grounding, text: str, known: bool) -> None:
        assert grounding.knows(text) is known


def test_two_of_a_kind_are_one_thing() -> None:
    # captions with red and white have them apart, but for one
    bank = [
        *(f"{a} petals with a {b} center" for a in ("red", "white", "blue") for b in ("red", "yellow", "white")),
        "red and yellow petals, striped with yellow, with a white center",
        "white and red petals with a yellow center",
        "blue and white petals, striped with white, with a yellow center",
    ]
    grounding = Grounding(bank, embed)

    def pick(prompt: str) -> str:
        return bank[grounding.pick(prompt, "blue petals with a red center", embed(bank) @ embed([prompt])[0])]

    assert "white" in grounding.rivals("red")
    assert pick("a flower with red and white petals") == "white and red petals with a yellow center"
    assert pick("yellow and red petals") == "red and yellow petals, striped with yellow, with a white center"
    assert ("white", "yellow") not in grounding.grams[-1]


def test_one_of_two_is_not_what_was_asked() -> None:
    colors = ("red", "white", "blue", "pink")
    bank = [f"large {color} petals" for color in colors]
    bank += [f"large {one} and {other} petals" for one in colors for other in colors if one != other]
    grounding = Grounding(bank, embed)
    for prompt in ("blue", "blue petals", "large blue petals"):
        similarity = embed(bank) @ embed([prompt])[0]
        assert bank[grounding.pick(prompt, "large red and white petals", similarity)] == "large blue petals"
    assert not grounding.compare("blue petals", "large red petals", "large blue and white petals").says
    assert grounding.compare("blue and white petals", "large red petals", "large blue and white petals").says
