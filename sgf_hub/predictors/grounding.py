"""Which caption of a picture does what a prompt asks, and leaves the rest as it is (ours).

A prompt says little ("purple petals"), a caption much. The prompt's embedding lies away from those of all captions, and
points as much to "and nothing about the centre" as to "purple". So an edit goes for the caption b, out of those that
pictures are known to have, with the largest

    cos(b, prompt) + 1.5 said(b) - 0.03 changed(b),

said(b) being the share of the prompt's words that b holds, and changed(b) how many words b has gained and lost against
the picture's caption. Words are those that carry meaning, alone and by neighbouring pairs: "red and purple" is not
"purple and red", and a "yellow center" is not a yellow flower. The cosine breaks ties and hears what no word says.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

SAID, CHANGED, PAIR = 1.5, 0.03, 2.0  # weights of said, of each change, and of a pair beside a word's -log(share)
ALIKE = 0.4  # cosine from which a word that no caption has is read as one that captions have: "huge", "large"
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


def grams(words: Sequence[str]) -> frozenset[Gram]:
    """Words, and pairs of neighbours."""
    return frozenset((*words, *pairwise(words)))


class Grounding:
    """The search among captions.

    Args:
        captions: the M that pictures are known to have.
        embed: sentences => [N, E], of unit norm; for words that no caption has.
    """

    def __init__(self, captions: Sequence[str], embed: Callable[[Sequence[str]], Tensor]) -> None:
        self.embed = embed
        self.grams = [grams(content(caption)) for caption in captions]
        self.counts = Counter(gram for one in self.grams for gram in one)
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
        wanted, now = self._wanted(prompt), grams(content(before))
        total = sum(wanted.values())
        if not total:  # nothing that captions could say: holding the rest would be all that counts
            return int(similarity.argmax())
        score = [
            SAID * sum(wanted[gram] for gram in wanted.keys() & one) / total - CHANGED * len(one ^ now)
            for one in self.grams
        ]
        return int((similarity + torch.tensor(score).to(similarity)).argmax())

    def _wanted(self, prompt: str) -> dict[Gram, float]:
        """The prompt's words and pairs, in the captions' own words, and how much each counts: rare ones count more."""
        words = [word for word in map(self._translated, content(prompt)) if word]
        weights: dict[Gram, float] = {word: math.log(len(self.grams) / self.counts[word]) for word in words}
        for pair in pairwise(words):
            if pair in self.counts:  # counts as far as captions with both words put them side by side
                both = sum(pair[0] in one and pair[1] in one for one in self.grams)
                weights[pair] = PAIR * self.counts[pair] / both
        return weights

    def _translated(self, word: str) -> str | None:
        """The word, the nearest that captions have, or None where none is near."""
        if word in self.counts or not self.common:
            return word if word in self.counts else None
        alike = self.embed(self.common) @ self.embed([word])[0]
        return self.common[int(alike.argmax())] if alike.max() >= ALIKE else None
