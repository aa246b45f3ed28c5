"""The blind vote, the paper's user study (Section 4.4.2): pairs drawn at random, votes kept, and the tally.

Votes go to a JSON Lines file in the folder that SGF_HUB_VOTES names ("votes" by default). Where SGF_HUB_VOTES_REPO
names a dataset repo, and a token of the Hub is there, the file is also pushed to it every few minutes.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from app.compare.comparison import METHODS, Comparison
from app.compare.paths import Missing, Path
from app.core.errors import UserError
from app.widgets.attribute_sliders import label_of

if TYPE_CHECKING:  # the library comes with torch, and the page is served without
    from sgf_hub.evaluation.user_study import Tally, Vote

FOLDER, REPO = "SGF_HUB_VOTES", "SGF_HUB_VOTES_REPO"
ATTRIBUTES = ("male", "bald", "smile", "black_hair", "glasses", "beard")
"""Those of the evaluation."""
MINUTES = 5  # between two pushes
_SHOWN = 2000  # pairs that may wait for a vote
_TRIES = 5  # to draw a pair of two different pictures
_PHRASES = {
    "male": ("but a man", "but a woman"),
    "bald": ("but bald", "but not bald"),
    "smile": ("but with a smile", "but without a smile"),
    "beard": ("but with a beard", "but without a beard"),
}
_RANDOM = random.SystemRandom()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VotePair:
    """A pair that was shown; it stays on the server.

    Args:
        key: names the pair.
        seed: of the source picture.
        attribute: what was wished for.
        wanted: whether it should appear.
        left: the method whose result is on the left.
        right: the other method.
    """

    key: str
    seed: int
    attribute: str
    wanted: bool
    left: str
    right: str

    @property
    def wish(self) -> str:
        """The wish in words."""
        name = label_of(self.attribute).lower()
        phrases = _PHRASES.get(self.attribute, (f"but with {name}", f"but without {name}"))
        return f"The same face, {phrases[0 if self.wanted else 1]}"


@dataclass(frozen=True)
class Pair:
    """What a voter sees.

    Args:
        vote_pair: what they do not see.
        source: data URI of the picture before.
        left: of one result.
        right: of the other.
    """

    vote_pair: VotePair
    source: str
    left: str
    right: str


@dataclass
class VoteStore:
    """The file of votes, and its twin on the Hub.

    Args:
        folder: of the file.
        repo: a dataset repo, or "".
    """

    folder: File = field(default_factory=lambda: File(os.environ.get(FOLDER) or "votes"))
    repo: str = field(default_factory=lambda: os.environ.get(REPO, ""))

    def __post_init__(self) -> None:
        # one file a process: a machine that begins anew would else push a short file over a long one
        self.file = self.folder / (f"votes-{secrets.token_hex(4)}.jsonl" if self.repo else "votes.jsonl")
        self.publisher: Any = None  # the CommitScheduler, once it runs
        self._votes: list[Vote] | None = None
        self._lock = threading.Lock()
        self._begun = False

    def cast(self, vote: Vote) -> Tally:
        """Keep a vote; gives the tally with it.

        Raises:
            BadValueError: if the file is full.
        """
        from sgf_hub.evaluation.user_study import append, tally

        with self._lock:
            before = self._known()
            with self.publisher.lock if self.publisher is not None else nullcontext():
                append(self.file, vote)
            before.append(vote)
            if self.repo and not self._begun:
                self._begun = True
                threading.Thread(target=self.publish, daemon=True).start()  # the Hub may be slow
            return tally(before)

    def tally(self) -> Tally:
        """The votes so far."""
        from sgf_hub.evaluation.user_study import tally

        with self._lock:
            return tally(self._known())

    def publish(self) -> None:
        """Begin to push the file to the repo; what prevents it is logged, and the file stays here."""
        try:
            from huggingface_hub import CommitScheduler, get_token

            if not get_token():
                raise UserError("no token of the Hub is set (HF_TOKEN)")
            self.publisher = CommitScheduler(
                repo_id=self.repo, repo_type="dataset", folder_path=self.folder, every=MINUTES,
                allow_patterns=[self.file.name],
            )  # fmt: skip
        except Exception as error:  # whatever it is, the vote is kept
            _log.warning("Votes are kept in %s and not pushed to %s: %s", self.folder, self.repo, error)

    def _known(self) -> list[Vote]:
        from sgf_hub.evaluation.user_study import read

        if self._votes is None:
            box = read([self.folder] if self.folder.is_dir() else [])
            if box.remark:
                _log.warning("%s: %s", self.folder, box.remark)
            self._votes = list(box.votes)
        return self._votes


class VoteService:
    """Draws pairs and takes votes; shared by all visitors.

    Args:
        comparison: of the drawn faces' methods.
        store: where votes go.
    """

    def __init__(self, comparison: Comparison, store: VoteStore | None = None) -> None:
        self.comparison, self.store = comparison, store or VoteStore()
        self._shown: OrderedDict[str, None] = OrderedDict()  # keys of pairs without a vote
        self._lock = threading.Lock()

    def draw(self) -> Iterator[Any]:
        """A pair, at last; before it the `Progress` of computing it.

        SGF meets one of the baselines that are there, on a random face and one of `ATTRIBUTES`, which appears or goes,
        whichever is a change. Each result is at the best point of its path (`Path.best`). Two equal pictures are no
        choice: another pair is drawn then.
        """
        for _ in range(_TRIES):
            pair = yield from self._drawn()
            if pair.left != pair.right:
                break
        with self._lock:
            self._shown[pair.vote_pair.key] = None
            while len(self._shown) > _SHOWN:
                self._shown.popitem(last=False)
        yield pair

    def _drawn(self) -> Generator[Any, None, Pair]:
        comparison, models = self.comparison, self.comparison.models
        model_set = comparison.model_set
        rivals = [name for name in comparison.present() if not name.startswith("sgf")]
        known = models.predictor(model_set.heads).spec.attributes
        attribute = _RANDOM.choice([name for name in ATTRIBUTES if name in known])
        seed = _RANDOM.randrange(10_000)
        latent = models.sample(model_set, seed, 0.8)
        wanted = comparison.wanted(latent, attribute)
        methods = ["sgf", _RANDOM.choice(rivals)]
        _RANDOM.shuffle(methods)
        images: dict[str, str] = {}
        source = ""
        for event in comparison.attribute(latent, attribute, wanted, methods):
            if isinstance(event, Missing):
                raise UserError(event.why)
            if isinstance(event, Path):
                images[event.method], source = event.frames[event.best].image, event.frames[0].image
            else:
                yield event
        vote_pair = VotePair(secrets.token_hex(8), seed, attribute, wanted, *methods)
        return Pair(vote_pair, source, images[vote_pair.left], images[vote_pair.right])

    def cast(self, vote_pair: object, choice: str) -> Tally:
        """Take a vote.

        Args:
            vote_pair: of the pair that the visitor was shown last; None if there was none.
            choice: "left", "right" or "neither".

        Raises:
            UserError: if no pair was shown, or it has its vote.
        """
        from sgf_hub.evaluation.user_study import Vote

        if not isinstance(vote_pair, VotePair):
            raise UserError("There is no pair to vote on yet: press Show a pair.")
        with self._lock:
            if vote_pair.key not in self._shown:
                raise UserError("This pair has its vote already, or was shown long ago: press Next pair.")
            del self._shown[vote_pair.key]
        return self.store.cast(
            Vote(
                attribute=vote_pair.attribute, wanted=vote_pair.wanted, seed=vote_pair.seed, left=vote_pair.left,
                right=vote_pair.right, choice=choice, day=date.today().isoformat(),
            )
        )  # fmt: skip


def revealed(vote_pair: VotePair, choice: str) -> str:
    """Which was which, in words."""
    left, right = METHODS[vote_pair.left], METHODS[vote_pair.right]
    chosen = {"left": f"You chose {left}.", "right": f"You chose {right}."}.get(choice, "You could not tell.")
    return f"{chosen} Left was {left}, right was {right}."
