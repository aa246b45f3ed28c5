"""Captions of flowers: varied sentences that say some of what is drawn, and what such a sentence says.

Modelled on the captions of Oxford-102 Flowers (Reed et al., 2016): no two people describe a flower in the same words,
in the same order, or say all there is to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from sgf_hub.data.flowers.factors import CENTERS, COLORS, Factors

_SIZES = {"small": ("small", "little", "tiny"), "medium": ("medium sized",), "large": ("large", "big")}
_SHAPES = {"round": ("round", "rounded"), "pointed": ("pointed", "pointy"), "ruffled": ("ruffled", "frilly")}
_PATTERNS = {"tips": "{0} at the tips", "stripes": "striped with {0}", "throat": "{0} near the center"}
_PETALS = {5: "five", 6: "six", 8: "eight", 12: "many"}


def captions(factors: Factors, seed: int | Sequence[int], count: int = 5) -> tuple[str, ...]:
    """Describe a flower in `count` ways.

    Args:
        factors: the flower.
        seed: of the wording, and of what is left out.
        count: how many sentences.
    """
    rng = np.random.default_rng([*np.atleast_1d(seed).tolist(), 7])  # its own stream beside the drawing's
    return tuple(_sentence(factors, rng) for _ in range(count))


def _sentence(f: Factors, rng: np.random.Generator) -> str:
    def maybe(text: str, share: float) -> str:
        return text if rng.random() < share else ""

    def pick(words: Sequence[str]) -> str:  # the first is the usual one
        return words[0] if rng.random() < 0.8 else words[int(rng.integers(len(words)))]

    size = maybe(pick(_SIZES[f.size]), 0.9)
    color = maybe(f"{f.color} and {f.second}" if f.second else f.color, 0.97)
    shape = maybe(pick(_SHAPES[f.shape]), 0.88)
    center = "" if f.closed else maybe(f"{f.center} center", 0.85)
    where = maybe(_PATTERNS[f.pattern].format(f.second), 0.7) if f.second and color else ""
    petals = "" if f.closed else maybe(_PETALS[f.petals], 0.15)
    layers = maybe("layers of", 0.2) if f.layered and not f.closed else ""
    leaves = maybe("green leaves", 0.12) if f.leaves else ""
    noun = pick(("flower", "blossom"))
    bud = maybe("closed", 0.9) if f.closed else ""

    template = rng.random()
    if template < 0.55:  # this flower has large red petals
        head = _join("this", bud, noun, "has", layers, petals, size, color, shape, "petals")
        return _listed(head, where, _a(center), leaves)
    if template < 0.70:  # a large red flower with pointed petals
        head = _a(_join(size, bud, color, noun))
        with_ = _join(layers, petals, shape, "petals") if shape or petals or layers else ""
        return _listed(head, where, with_, _a(center), leaves)
    if template < 0.82:  # the petals of this flower are red, large and pointed
        said = [word for word in (color, size, shape) if word]
        rng.shuffle(said)
        if not said:
            return _listed(f"this is a {noun}", "", _a(center), leaves)
        words = " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
        head = f"the petals of this {_join(bud, noun)} are {words}"
        return _listed(head, where, _a(center), leaves)
    if template < 0.92:  # a small blossom, white with pointed petals
        head = f"{_a(_join(size, bud, pick(('blossom', 'flower'))))}, {color or 'pretty'}"
        return _listed(head, where, _join(petals, shape, "petals") if shape else "", _a(center), leaves)
    head = _join(petals, color, shape, "petals")  # red pointed petals surround the yellow center of this large flower
    if center:
        return f"{head} surround the {center} of this {_join(size, noun)}"
    return f"{head} make up this {_join(size, bud, noun)}"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _a(words: str) -> str:
    """With its article, if there is anything."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}" if words else ""


def _listed(head: str, where: str, *things: str) -> str:
    """'head, where, with this and that'."""
    things = tuple(thing for thing in things if thing)
    middle = f"{head}, {where}," if where and things else f"{head}, {where}" if where else head
    return f"{middle} with {' and '.join(things)}" if things else middle


_COLOR = "|".join(COLORS)
_CENTER = re.compile(rf"\b({'|'.join(CENTERS)}) center\b")
_WHERE = {
    "tips": re.compile(rf"\b({_COLOR}) at the tips\b"),
    "stripes": re.compile(rf"\bstriped with ({_COLOR})\b"),
    "throat": re.compile(rf"\b({_COLOR}) near the center\b"),
}
_WORDS = {
    "size": {word.split()[0]: name for name, words in _SIZES.items() for word in words},
    "shape": {word: name for name, words in _SHAPES.items() for word in words},
    "petals": {word: str(count) for count, word in _PETALS.items()},
    "closed": {"closed": "yes"},
    "layered": {"layers": "yes"},
}


def stated(caption: str) -> dict[str, str]:
    """What a sentence of this grammar says: factor => value, in the keys of `factors.truth`; the unsaid is left out."""
    said: dict[str, str] = {}
    for pattern, phrase in _WHERE.items():
        if found := phrase.search(caption):
            said |= {"pattern": pattern, "second": found[1]}
            caption = phrase.sub("", caption)
    if found := _CENTER.search(caption):
        said["center"] = found[1]
        caption = _CENTER.sub("", caption)
    words = re.findall(r"[a-z]+", caption)
    for factor, meanings in _WORDS.items():
        for word in words:
            if word in meanings:
                said[factor] = meanings[word]
                break
    colors = [word for word in words if word in COLORS]
    said |= dict(zip(("color", "second"), colors, strict=False))
    return said


__all__ = ["captions", "stated"]
