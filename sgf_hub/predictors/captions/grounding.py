"""Which caption of a picture does what a prompt asks, and leaves the rest as it is (ours).

A prompt says little ("purple petals"), a caption much. The prompt's embedding lies away from those of all captions, and
points as much to "and nothing about the centre" as to "purple". So an edit goes for the caption b, out of those that
pictures are known to have, with the largest

    cos(b, prompt) + 6 said(b) - 0.1 changed(b),

said(b) being the share of the prompt's words that b says, and changed(b) how many words b has gained and lost against
the picture's caption, and thrice how many it is longer: a red flower becomes a purple one, not a "purple and red" one,
where "purple" is asked. Words are those that carry meaning, alone and by neighbouring pairs: "red and purple" is not
"purple and red". A word is said where it is the first of its kind, since a "pink and white flower with a yellow center"
is no white and no yellow flower; words are of a kind if they have the same neighbours. Two of a kind side by side are
one thing, in either order, where captions have it: "yellow and white petals" is no white flower with a yellow center,
and it says "white" only to who asks for both.
The cosine breaks ties, and hears what no word says.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

import torch
from torch import Tensor

SAID, CHANGED = 6.0, 0.1
ADDED = 3  # what a word more than there were counts as a change
PAIR = 2.0  # what a pair counts, beside a word's -log(share)
BOUND = 0.25  # share of the captions with both words of a pair that have them side by side, from which it is one thing
KIND = 0.7  # likeness of two words' neighbours from which they are of a kind: red and yellow, large and small
ALIKE = 0.4  # cosine from which a word that no caption has is read as one that captions have: "huge", "large"
ONE = 0.9  # likewise, from which they are never apart: "medium sized"
SAYS = 0.9  # share of a prompt's weight from which a caption says it
_COMMON = 0.003  # share of the captions that such a word is in

_EMPTY = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be but by for from has have having in is it it's its make more near no "
        "not of on or please some that the there these this to very was which with",
    )
)

Gram = str | tuple[str, str]


def content(sentence: str) -> list[str]:
    """The words that carry meaning, in order."""
    return [word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", sentence.lower()) if word not in _EMPTY]


def pairs_of(sentence: str) -> list[tuple[str, str]]:
    """Pairs of neighbours; a comma parts them: "striped with white, with a yellow center" has no white and yellow."""
    return [pair for part in sentence.split(",") for pair in pairwise(content(part))]


def grams(sentence: str) -> frozenset[Gram]:
    """Words, and pairs of neighbours."""
    return frozenset((*content(sentence), *pairs_of(sentence)))


@dataclass(frozen=True)
class Kept:
    """What became of a caption.

    Args:
        says: whether it now says what was asked.
        lost: words that it no longer says, without need: nothing that was asked has taken their place.
        gained: words that it says now though nobody asked for them.
    """

    says: bool
    lost: tuple[str, ...]
    gained: tuple[str, ...]


class Grounding:
    """The search among captions.

    Args:
        captions: the M that pictures are known to have.
        embed: sentences => [N, E], of unit norm; for words that no caption has.
    """

    def __init__(self, captions: Sequence[str], embed: Callable[[Sequence[str]], Tensor]) -> None:
        self.embed = embed
        self.words = [content(caption) for caption in captions]
        self.grams = [grams(caption) for caption in captions]
        self.counts = Counter(gram for one in self.grams for gram in one)
        self._neighbours: dict[str, Counter] = {}
        for gram, count in self.counts.items():
            if isinstance(gram, tuple):
                self._neighbours.setdefault(gram[0], Counter())["after", gram[1]] += count
                self._neighbours.setdefault(gram[1], Counter())["before", gram[0]] += count
        self._rivals: dict[str, frozenset[str]] = {}
        self.common = [
            gram for gram, count in self.counts.items() if isinstance(gram, str) and count >= _COMMON * len(captions)
        ]

    def knows(self, sentence: str) -> bool:
        """Whether captions use all its words, and it has one."""
        words = content(sentence)
        return bool(words) and all(word in self.counts for word in words)

    def pick(self, prompt: str, before: str, similarity: Tensor) -> int:
        """The place of the caption that does what the prompt asks and leaves the rest of `before`.

        Args:
            prompt: what is asked.
            before: the caption of the picture as it is.
            similarity: cosine of every caption to the prompt, [M].
        """
        words, now = [word for word in map(self._translated, content(prompt)) if word], grams(before)
        said, total = torch.zeros(len(self.grams)), 0.0
        for word in dict.fromkeys(words):  # rare ones count more
            weight = math.log(len(self.grams) / self.counts[word])
            said += weight * self._first(word, words)
            total += weight
        for pair in dict.fromkeys(map(self._as_said, pairwise(words))):
            if pair not in self.counts:
                continue
            weight = PAIR * max(self._bond(pair), float(self._of_a_kind(pair)))
            said += weight * torch.tensor([pair in one for one in self.grams])
            total += weight
        if not total:  # nothing that captions could say: holding the rest would be all that counts
            return int(similarity.argmax())
        longest = max(len(content(before)), len(words))
        changed = torch.tensor(
            [
                len(one ^ now) + ADDED * max(0, len(words) - longest)
                for words, one in zip(self.words, self.grams, strict=True)
            ]
        )
        return int((similarity + (SAID * said / total - CHANGED * changed).to(similarity)).argmax())

    def compare(self, prompt: str, before: str, after: str) -> Kept:
        """Whether a caption says what a prompt asked, and what became of the rest of the one before."""
        asked = [word for word in map(self._translated, content(prompt)) if word]
        old, new = content(before), content(after)
        weights = {word: math.log(len(self.grams) / max(self.counts[word], 1)) for word in asked}
        said = sum(weight for word, weight in weights.items() if self._says(word, asked)(new, grams(after)))
        replaced = set(asked).union(*map(self.rivals, asked)) | self._displaced(asked, old, new)
        return Kept(
            bool(asked) and said >= SAYS * sum(weights.values()),
            tuple(dict.fromkeys(word for word in old if word not in new and word not in replaced)),
            tuple(dict.fromkeys(word for word in new if word not in old and word not in asked)),
        )

    def _displaced(self, asked: Sequence[str], old: Sequence[str], new: Sequence[str]) -> set[str]:
        """The words of a caption in whose place a word that was asked stands now, though they are not of its kind.

        "medium sized" gives way to "large" as one thing: it takes two words to say what that says in one.
        """
        gone: set[str] = set()
        for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            came = [word for word in new[k:m] if word in asked and self.rivals(word).isdisjoint(old)]
            if kind != "replace" or not came:
                continue
            units: list[list[str]] = []
            for at, word in enumerate(old[i:j], i):
                if units and self._bond((old[at - 1], word)) >= ONE:
                    units[-1].append(word)
                else:
                    units.append([word])
            gone.update(*units[: len(came)])
        return gone

    def _first(self, word: str, prompt: Sequence[str]) -> Tensor:
        """Which captions say a word of the prompt."""
        says = self._says(word, prompt)
        return torch.tensor([says(words, one) for words, one in zip(self.words, self.grams, strict=True)])

    def _says(self, word: str, prompt: Sequence[str]) -> Callable[[Sequence[str], frozenset[Gram]], bool]:
        """Whether words, and their grams, say one of the prompt: the first of its kind, or in the prompt's own pair.

        "White and purple ruffled petals" are neither white nor purple ones, where the other colour is not asked for.
        """
        pairs = [
            self._as_said(pair)
            for pair in pairwise(prompt)
            if (pair[0] == word and self._bond(pair) >= BOUND)
            or (word in pair and self._of_a_kind(pair) and self._as_said(pair) in self.counts)
        ]
        rivals = self.rivals(word) - set(prompt)
        mixed = [pair for rival in rivals for pair in ((word, rival), (rival, word)) if pair in self.counts]

        def says(words: Sequence[str], one: frozenset[Gram]) -> bool:
            if pairs:
                there = any(pair in one for pair in pairs)
            else:
                there = word in one and rivals.isdisjoint(words[: words.index(word)])
            return there and one.isdisjoint(mixed)

        return says

    def _as_said(self, pair: tuple[str, str]) -> tuple[str, str]:
        """A pair in the order in which captions have it; two of a kind may change places."""
        turned = pair[::-1]
        return turned if pair not in self.counts and turned in self.counts and self._of_a_kind(pair) else pair

    def _of_a_kind(self, pair: tuple[str, str]) -> bool:
        return pair[1] in self.rivals(pair[0])

    def _bond(self, pair: tuple[str, str]) -> float:
        """The share of the captions with both words that have them side by side, in this order."""
        both = sum(pair[0] in one and pair[1] in one for one in self.grams)
        return self.counts[pair] / max(both, 1)

    def rivals(self, word: str) -> frozenset[str]:
        """The words that captions have in its place: those with the same neighbours, by Bhattacharyya's measure."""
        if word not in self._rivals:
            mine = self._neighbours.get(word, Counter())
            found = []
            for other, theirs in self._neighbours.items():
                shared = sum(math.sqrt(count * theirs[key]) for key, count in mine.items() if key in theirs)
                if other != word and shared >= KIND * math.sqrt(mine.total() * theirs.total()):
                    found.append(other)
            self._rivals[word] = frozenset(found)
        return self._rivals[word]

    def _translated(self, word: str) -> str | None:
        """The word, the nearest that captions have, or None where none is near."""
        if word in self.counts or not self.common:
            return word if word in self.counts else None
        alike = self.embed(self.common) @ self.embed([word])[0]
        return self.common[int(alike.argmax())] if alike.max() >= ALIKE else None
