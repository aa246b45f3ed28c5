"""`CaptionPredictor`: image => caption => embedding => c, as in the paper's Flowers-Caption (Section 4.1).

c is the embedding on its leading principal components, standardised: they hold nearly all of the variance of captions,
and F need not learn the directions that no caption takes. What is "close" is measured on full embeddings. No gradient
flows through any of this, which is what a surrogate field is for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.hub.kinds import MINILM
from sgf_hub.hub.module import HubModule
from sgf_hub.predictors.captions.grounding import Grounding, Kept
from sgf_hub.predictors.captions.sentences import Recent, clean, load_embedder, scripts
from sgf_hub.types import ConditionSpec, Target, Wish
from sgf_hub.validation import bounded, names_of, short

if TYPE_CHECKING:
    from sgf_hub.predictors.captions.captioner import Captioner

MOST_CAPTIONS = 4096  # of a bank
COMMON = 0.02  # weight of the logarithm of how frequent a caption is, in grounding
_KEPT = 16384  # readings remembered; 30 MB of MiniLM's


@dataclass(frozen=True)
class Familiarity:
    """How near a text is to captions that pictures are known to have.

    Args:
        similarity: cosine to the nearest of them.
        nearest: that caption.
        known: whether captions use all the text's words, or the similarity reaches the floor; never for a text with
            letters of a script that no caption is written in, or pictographs: the embedder cannot read those.
    """

    similarity: float
    nearest: str
    known: bool


class Reading(NamedTuple):
    """What a condition was computed from.

    Args:
        text: a caption or a prompt.
        embedding: of it, [E], of unit norm.
    """

    text: str
    embedding: Tensor


class CaptionPredictor(HubModule):
    """C of captions. The captioner and the embedder are other repos, loaded at their first use.

    c holds less than the caption it was computed from, and distances are measured on full embeddings. So each c's
    caption and embedding are remembered, by its bits. A c of other origin (interpolated, rounded, or long forgotten) is
    taken back to an embedding by its components, and its words are those of the nearest caption of the bank.

    Args:
        captioner: repo of the captioner.
        captions: the bank, M captions of unedited pictures, the most frequent first.
        components: C.
        dimension: E, of the embeddings.
        tolerance: what 1 - cosine counts as a distance of 1.
        floor: cosine to the nearest caption of the bank from which a text is known.
        embedder: repo of the sentence embedder.

    Raises:
        BadValueError: if a number is out of range or a list is not one of captions.
    """

    mean: Tensor  # of the captions' embeddings, [E]
    axes: Tensor  # principal components, [C, E]
    scale: Tensor  # standard deviation along each, [C]
    bank: Tensor  # embeddings of the bank, [M, E]
    share: Tensor  # of the unedited pictures that have each caption of the bank, [M]

    def __init__(
        self,
        *,
        captioner: str,
        captions: Sequence[str],
        components: int,
        tolerance: float,
        floor: float,
        dimension: int = 384,
        embedder: str = MINILM,
    ) -> None:
        super().__init__()
        self.captioner_name = names_of("captioner", [captioner])[0]
        self.embedder_name = names_of("embedder", [embedder])[0]
        self.captions = names_of("captions", captions, most=MOST_CAPTIONS)
        if not self.captions:
            raise BadValueError("captions must name at least one caption.")
        bounded("dimension", dimension, 1, 65536)
        self.spec = ConditionSpec(caption=bounded("components", components, 1, dimension))
        self.tolerance = bounded("tolerance", tolerance, 1e-6, 2.0)
        self.floor = bounded("floor", floor, -1.0, 1.0)
        sizes = {"mean": (dimension,), "axes": (components, dimension), "bank": (len(self.captions), dimension)}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))
        self.register_buffer("scale", torch.ones(components))
        self.register_buffer("share", torch.full((len(self.captions),), 1 / len(self.captions)))
        self._readings: Recent[bytes, Reading] = Recent(_KEPT)
        self._models: dict[str, Callable] = {}  # kept from nn.Module, which would save them with the weights
        self._search: Grounding | None = None
        self._scripts = scripts("".join(self.captions))

    # -- images and sentences to conditions --------------------------------------------------------------------------

    @property
    def captioner(self) -> "Captioner | Callable[[Tensor], list[str]]":
        """Images => captions; loaded when it is first asked for."""
        if "captioner" not in self._models:
            from sgf_hub.predictors.captions.captioner import load_captioner

            self._models["captioner"] = load_captioner(self.captioner_name, **vars(self.hub))
        return self._models["captioner"]

    def read_with(self, captioner: "Captioner | Callable[[Tensor], list[str]]") -> None:
        """Use a captioner that is loaded, in place of the named one."""
        self._models["captioner"] = captioner

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Sentences => their full embeddings, [N, E], of unit norm.

        Raises:
            CorruptFileError: if the embedder is not the one that this was fitted to.
        """
        embeddings = load_embedder(self.embedder_name).embed(sentences).to(self.mean)
        if embeddings.shape[1] != len(self.mean):
            raise CorruptFileError(
                f"the predictor was fitted to embeddings of {len(self.mean)} numbers, and {self.embedder_name!r} gives "
                f"{embeddings.shape[1]}: fit it again."
            )
        return embeddings

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] in [-1, 1] => c: [B, C], of the pictures' captions."""
        return self.project(self.captioner(images)).to(images.device)

    def project(self, sentences: Sequence[str]) -> Tensor:
        """c of sentences: (axes (e - mean)) / scale, [N] => [N, C]; what each came from is remembered."""
        embeddings = self.embed(sentences)
        # in double precision, then rounded: a sentence has the same c to the bit whatever stands beside it
        mean, axes, scale = self.mean.double(), self.axes.double(), self.scale.double()
        c = ((embeddings.double() - mean) @ axes.T / scale).to(self.mean)
        self.remember(c, [Reading(*both) for both in zip(sentences, embeddings, strict=True)])
        return c

    def remember(self, c: Tensor, readings: Sequence[Reading]) -> None:
        """Know what each c was computed from, in another process perhaps: [B, C], B readings."""
        for row, reading in zip(c, readings, strict=True):
            if self._readings.get(_bits(row)) is None:  # alone: a view would keep the batch
                self._readings.put(_bits(row), Reading(reading.text, reading.embedding.clone()))

    # -- and back -----------------------------------------------------------------------------------------------------

    def words(self, c: Tensor) -> list[str]:
        """The caption, or the prompt, that each c was computed from: [B, C] => B sentences."""
        return [reading.text for reading in self.readings(c)]

    def embedding(self, c: Tensor) -> Tensor:
        """The full embedding behind each c: [B, C] => [B, E], of unit norm."""
        return torch.stack([reading.embedding for reading in self.readings(c)])

    def readings(self, c: Tensor) -> list[Reading]:
        """What each c was computed from: [B, C] => B readings."""
        return [self._read(row) for row in c]

    def _read(self, row: Tensor) -> Reading:
        known = self._readings.get(_bits(row))
        if known is not None:
            return known
        embedding = F.normalize(self.mean + (row.to(self.mean) * self.scale) @ self.axes, dim=0)
        return Reading(self.captions[int((self.bank @ embedding).argmax())], embedding)

    # -- targets ------------------------------------------------------------------------------------------------------

    def target(self, c0: Tensor, /, *, release: Iterable[str] = (), **wishes: Wish) -> Target:
        """The target condition c1: the prompt's embedding, projected; all of it is asked for, as in the paper.

        Args:
            c0: the present condition, [B, C].
            release: nothing: a caption has no parts that could be let go of.
            wishes: caption="a small purple flower".

        Raises:
            UnknownNameError: for another wish, or a release.
            BadValueError: for a caption that is no sentence, or for none.
        """
        for name in (*(set(wishes) - {"caption"}), *release):
            raise UnknownNameError(f"{short(name)} cannot be asked for or released here: give caption='a sentence'.")
        if not wishes:
            raise BadValueError("no wish was given: say what the caption should be.")
        c1 = self.project([clean(wishes["caption"])]).to(c0.device)
        asked = torch.ones(self.spec.dimension, dtype=torch.bool, device=c0.device)
        return Target(c1.expand(len(c0), -1), asked, ~asked)

    def ground(self, c0: Tensor, target: Target) -> Target:
        """The target with each prompt replaced by the caption of the bank that does what it asks and no more (ours).

        Args:
            c0: the present condition, [B, C].
            target: of prompts.
        """
        grounding = self._grounding()
        similarity = self.embedding(target.c) @ self.bank.T  # B, M
        # of captions that do, frequent ones: a flower that the generator hardly ever draws is hardly ever reached
        usual = COMMON * (self.share.clamp_min(1e-6) / self.share.max()).log()
        texts = zip(self.words(target.c), self.words(c0), similarity + usual, strict=True)
        picked = [self.captions[grounding.pick(*row)] for row in texts]
        return Target(self.project(picked).to(target.c.device), target.asked, target.released)

    def distance(self, c: Tensor, target: Target) -> Tensor:
        """How far c is from the target, in units of the tolerance: at most 1 is close.

        (best - cos(e, e1)) / tolerance, where best is the largest cosine that a caption of the bank has to e1: close is
        as near to the words as pictures come. For an e1 of the bank it is 1.

        Args:
            c: [B, C].
            target: c1.

        Returns:
            [B], not negative.
        """
        wanted = self.embedding(target.c)
        best = (wanted @ self.bank.T).amax(dim=1)
        reached = (self.embedding(c) * wanted).sum(dim=1)
        return ((best - reached) / self.tolerance).clamp_min(0).to(c.device)

    def similarity(self, c: Tensor, text: str) -> Tensor:
        """Cosine of each c's full embedding to that of a text: [B, C] => [B].

        Raises:
            BadValueError: if the text is no sentence.
        """
        return self.embedding(c) @ self.embed([clean(text)])[0]

    def familiarity(self, text: str) -> Familiarity:
        """How near a text is to captions that pictures are known to have.

        Raises:
            BadValueError: if it is no sentence.
        """
        text = clean(text)
        best, place = (self.bank @ self.embed([text])[0]).max(dim=0)
        known = scripts(text) <= self._scripts and (best.item() >= self.floor or self._grounding().knows(text))
        return Familiarity(best.item(), self.captions[int(place)], known)

    def compare(self, text: str, before: str, after: str) -> Kept:
        """What became of a picture's caption that was to say a text: see `Kept`.

        Raises:
            BadValueError: if it is no sentence.
        """
        return self._grounding().compare(clean(text), before, after)

    def _grounding(self) -> Grounding:
        if self._search is None:
            self._search = Grounding(self.captions, self.embed)
        return self._search


def _bits(row: Tensor) -> bytes:
    return row.detach().cpu().numpy().tobytes()
