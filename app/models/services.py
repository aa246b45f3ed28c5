"""The models behind the page: loaded at first use, once, shared by every visitor.

Loading has one lock a model, so that two visitors wait for one load and two models can load side by side. Computing
has one lock in all (`app.core.queue`), held for a short piece of work.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from app.core.model_sets import ModelSet
from app.core.queue import FairLock, VisitorQueues
from app.models.edit_loop import EditLoop

if TYPE_CHECKING:
    from torch import Tensor

    from app.core.session import Plan
    from sgf_hub.editing import EditStep, SGFEditor
    from sgf_hub.predictors.captions.sentences import Recent
    from sgf_hub.types import ConditionSpec, Generator, Latent, Predictor

MOST = 4  # pictures drawn in one piece of work
REMEMBERED = 16  # pictures, and readings: one that is shown is drawn and read again when an edit of it is asked for


@dataclass(frozen=True)
class Reading:
    """A face and what the predictor reads in it.

    Args:
        image: [3, R, R] in [-1, 1].
        c: [C].
        spec: the meaning of c.
        readable: whether there is something in it to be read.
    """

    image: Tensor
    c: Tensor
    spec: ConditionSpec
    readable: bool = True

    @property
    def attributes(self) -> dict[str, float]:
        """Each attribute's probability, in [0, 1]."""
        scores = self.spec.scores(self.c[None])[0].tolist()
        return {name: (score + 1) / 2 for name, score in zip(self.spec.attributes, scores, strict=True)}

    @property
    def points(self) -> dict[str, tuple[float, float]]:
        """Each keypoint's (x, y), in [0, 1] of the side."""
        if not self.spec.keypoints:
            return {}
        points = self.spec.points(self.c[None])[0].tolist()
        return {name: (x, y) for name, (x, y) in zip(self.spec.keypoints, points, strict=True)}


class Apart(Protocol):
    """Where edits are computed, if not here: see `app.models.edit_process`."""

    def steps(
        self, predictor: Predictor, plan: Plan, latent: Latent, drawn: Tensor | None = None, *, paced: bool = False
    ) -> Iterator[list[EditStep]]:
        """The steps of a plan, as many at a time as have come."""
        ...


class Models:
    """Every model by name, each loaded once.

    Args:
        apart: where edits are computed, if not here.
    """

    def __init__(self, apart: Apart | None = None) -> None:
        self._loaded: dict[object, Any] = {}
        self.queue = VisitorQueues()
        self.apart = apart
        self.new_locks()
        _ALL[id(self)] = self

    def new_locks(self) -> None:
        """Forget who holds which lock; a forked process begins with that, for nobody there will give them back."""
        self._locks: dict[object, threading.Lock] = {}
        self._register = threading.Lock()
        self.computing = FairLock()
        self.edits = EditLoop(self.computing)

    def __reduce__(self) -> Any:
        """Pickled by name alone: a forked process finds the models that this one had loaded."""
        return _known, (id(self),)

    def once(self, key: object, load: Callable[[], Any]) -> Any:
        """What `load` gives, called at the first use of the key; others who need it wait for that."""
        with self._register:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._loaded:
                self._loaded[key] = load()
            return self._loaded[key]

    def has(self, model_set: ModelSet) -> bool:
        """Whether what draws and reads such pictures is loaded."""
        return {("generator", model_set.generator), ("predictor", model_set.heads)} <= self._loaded.keys()

    def generator(self, name: str) -> Generator:
        """G."""
        from sgf_hub.generators import load_generator

        return self.once(("generator", name), lambda: load_generator(name))

    def predictor(self, names: tuple[str, ...]) -> Predictor:
        """C."""
        from sgf_hub.predictors import load_predictor

        return self.once(("predictor", names), lambda: load_predictor(names))

    def editor(self, name: str) -> SGFEditor:
        """F with the generator and the predictor that its config names, which other editors share."""
        from sgf_hub.editing.editor import SGFEditor
        from sgf_hub.mapping import SGFMapping

        def compose() -> SGFEditor:
            mapping = SGFMapping.from_pretrained(name)
            short = mapping.generator_name.removeprefix("sgf-hub/")
            heads = tuple(head.removeprefix("sgf-hub/") for head in mapping.predictor_names)
            return SGFEditor(mapping, self.generator(short), self.predictor(heads))

        return self.once(("editor", name), compose)

    def warm(self, model_set: ModelSet, editor: str) -> None:
        """Load what a first picture and its edit need. What fails here is told to the visitor who asks for it."""
        with suppress(Exception):  # and it is tried again then
            self.generator(model_set.generator)
            self.predictor(model_set.heads)
            self.editor(editor)

    # -- what handlers call: everything that computes holds the lock, and never over a yield ------------------------

    def sample(self, model_set: ModelSet, seed: int, truncation: float) -> Latent:
        """The latent of a seed."""
        return self.generator(model_set.generator).sample(1, seed=seed, truncation=truncation)

    def read(self, model_set: ModelSet, latent: Latent, drawn: Tensor | None = None) -> Reading:
        """The picture of a latent (one sample) and what is read in it.

        Args:
            model_set: whose pictures.
            latent: of one.
            drawn: its picture, [1, 3, R, R], where that is known.

        Raises:
            BadValueError: if the generator does not take such a latent.
        """
        import torch

        known = self._recent("readings")
        key = (model_set.generator, model_set.heads, latent.space, latent.data.numpy().tobytes())
        generator = self.generator(model_set.generator)
        if drawn is not None:
            self._keep(generator, latent, drawn)
        reading: Reading | None = known.get(key)
        if reading is None:
            predictor = self.predictor(model_set.heads)
            with self.computing, torch.no_grad():
                reading = _read(predictor, self.picture(generator, latent))
            known.put(key, reading)
        return reading

    def picture(self, generator: Generator, latent: Latent) -> Tensor:
        """The picture of a latent, [1, 3, R, R], drawn if it is not known. For who holds the lock."""
        image = self.drawn(generator, latent)
        if image is None:
            image = generator.synthesize(latent)
            self._keep(generator, latent, image)
        return image

    def drawn(self, generator: Generator, latent: Latent) -> Tensor | None:
        """The picture of a latent, [1, 3, R, R], if it was drawn lately."""
        found = self._recent("pictures").get(_key(generator, latent))
        return None if found is None else found[1]

    def draw(self, model_set: ModelSet, latent: Latent) -> Tensor:
        """The picture of a latent, [3, R, R]."""
        import torch

        generator = self.generator(model_set.generator)
        with self.computing, torch.no_grad():
            return self.picture(generator, latent)[0]

    def _keep(self, generator: Generator, latent: Latent, image: Tensor) -> None:
        """Keep a picture, with its generator, so that none that comes after it is taken for it."""
        self._recent("pictures").put(_key(generator, latent), (generator, image))

    def _recent(self, what: str) -> Recent:
        from sgf_hub.predictors.captions.sentences import Recent

        return self.once(what, lambda: Recent(REMEMBERED))

    def draw_all(self, model_set: ModelSet, latents: Sequence[Latent]) -> list[Tensor]:
        """The pictures of latents (one sample each, of any space), [3, R, R]: `MOST` of a space at a time."""
        import torch

        from sgf_hub.types import Latent

        generator = self.generator(model_set.generator)
        images: list[Any] = [None] * len(latents)
        for space in dict.fromkeys(latent.space for latent in latents):
            places = [i for i, latent in enumerate(latents) if latent.space == space]
            for part in (places[i : i + MOST] for i in range(0, len(places), MOST)):
                batch = Latent(torch.cat([latents[i].data for i in part]), space)
                with self.computing, torch.no_grad():
                    for i, image in zip(part, generator.synthesize(batch), strict=True):
                        images[i] = image
        return images


def _key(generator: object, latent: Latent) -> tuple:
    """Names the picture of a latent."""
    return id(generator), latent.space, latent.data.numpy().tobytes()


def _read(predictor: Predictor, images: Tensor) -> Reading:
    from sgf_hub.predictors import BasePredictor

    readable = not isinstance(predictor, BasePredictor) or bool(predictor.readable(images)[0])
    return Reading(images[0], predictor(images)[0], predictor.spec, readable)


_ALL: weakref.WeakValueDictionary[int, Models] = weakref.WeakValueDictionary()


def _known(key: int) -> Models:
    return _ALL[key]


def _renew_locks() -> None:
    for models in list(_ALL.values()):
        models.new_locks()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_locks)
