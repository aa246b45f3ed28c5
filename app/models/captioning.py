"""Flowers and their captions: what the captioner reads, and how near that is to what a visitor wrote.

Captions at rest need the captioner alone. The sentence embedder takes seconds to import: it comes in the background
once the first flower has been read, and an edit waits for it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.core.model_sets import ModelSet
from app.models.services import Models

if TYPE_CHECKING:
    from torch import Tensor

    from sgf_hub.editing import EditStep
    from sgf_hub.types import Latent


@dataclass(frozen=True)
class Flower:
    """A flower, and its caption.

    Args:
        image: [3, R, R] in [-1, 1].
        caption: as the model reads it.
        similarity: of the caption to what is asked for, a cosine; None where nothing is.
    """

    image: Tensor
    caption: str
    similarity: float | None = None


@dataclass(frozen=True)
class Captioning:
    """The captions' predictor, loaded by halves.

    Args:
        model_set: the repos.
        models: shared by all visitors.
    """

    model_set: ModelSet
    models: Models

    def read(self, latent: Latent, wish: str | None = None) -> Flower:
        """The picture of a latent (one sample) and its caption.

        Args:
            latent: of the flowers' generator.
            wish: what the caption is compared with; needs the embedder.
        """
        import torch

        generator, predictor = self.models.generator(self.model_set.generator), self._predictor
        # loaded before the lock is taken: faces can be edited meanwhile
        captioner = self.models.once(("captioner", self.model_set.heads), lambda: predictor.captioner)
        with self.models.computing, torch.no_grad():
            images = self.models.picture(generator, latent)
            if wish is None:
                return Flower(images[0], captioner(images)[0])
            return self._compare(images, predictor(images), wish)

    def read_step(self, step: EditStep, wish: str) -> Flower:
        """The picture of a step and its caption; without the lock, for nothing is computed that is not known."""
        return self._compare(step.images, step.c, wish)

    def _compare(self, images: Tensor, c: Tensor, wish: str) -> Flower:
        predictor = self._predictor
        return Flower(images[0], predictor.words(c)[0], float(predictor.similarity(c, wish)[0]))

    def familiarity(self, text: str) -> Any:
        """How near a text is to the captions that flowers are known to have; waits for the embedder to be there."""
        return self._predictor.familiarity(text)  # without the lock: it is short, and loading must not hold up others

    def compare(self, wish: str, before: Flower, after: Flower) -> Any:
        """What became of a flower's caption that was to say a wish: a `Kept`."""
        return self._predictor.compare(wish, before.caption, after.caption)

    def prepare(self) -> None:
        """Import and load the embedder in the background, once."""

        def load() -> None:
            with suppress(Exception):  # told when it is needed
                self.familiarity("a flower")

        def begin() -> bool:
            threading.Thread(target=load, daemon=True).start()
            return True

        self.models.once(("preparing", self.model_set.heads), begin)

    @property
    def _predictor(self) -> Any:
        return self.models.predictor(self.model_set.heads)
