"""Blind votes: pairs, what may be voted on, where votes go, and the twin of the file on the Hub."""

import json
import logging
import random
import re
import threading
from collections import Counter
from datetime import date

import pytest

from app.compare.comparison import METHODS, Comparison
from app.compare.paths import Progress
from app.compare.vote import ATTRIBUTES, Pair, VotePair, VoteService, VoteStore, revealed
from app.core.errors import UserError
from app.tabs.vote import counts, shown
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.user_study import Vote, append, read, tally
from tests.hub.client import world


@pytest.fixture
def service(panel, tmp_path):
    return VoteService(Comparison(panel.model_set, panel.models), VoteStore(tmp_path / "votes", ""))


def drawn(service) -> Pair:
    *steps, pair = service.draw()
    assert steps and all(isinstance(step, Progress) for step in steps)
    return pair


def vote_pair(**changes) -> VotePair:
    plain = {"key": "k", "seed": 7, "attribute": "glasses", "wanted": True, "left": "sgf", "right": "ganspace"}
    return VotePair(**{**plain, **changes})


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_a_pair_is_sgf_and_a_baseline_in_random_order(service, monkeypatch):
    monkeypatch.setattr("app.compare.vote._RANDOM", random.Random(0))
    pairs = [drawn(service) for _ in range(5)]
    for pair in pairs:
        methods = {pair.vote_pair.left, pair.vote_pair.right}
        assert "sgf" in methods and len(methods) == 2 and methods < set(METHODS) - {"sgf-paper"}
        assert pair.vote_pair.attribute in ATTRIBUTES
    assert len({pair.vote_pair.left == "sgf" for pair in pairs}) == 2, "on either side"
    assert len({pair.vote_pair.seed for pair in pairs}) == 5


def test_two_equal_pictures_are_no_pair(service, monkeypatch):
    same, other = (Pair(vote_pair(key=key), "source", "left", right) for key, right in (("a", "left"), ("b", "right")))
    pairs = iter([same, same, other])

    def one():
        yield Progress("sgf", 1)
        return next(pairs)

    monkeypatch.setattr(service, "_drawn", one)
    assert drawn(service) is other
    with pytest.raises(UserError, match="has its vote already"):
        service.cast(same.vote_pair, "left")
    service.cast(other.vote_pair, "left")


def test_the_page_cannot_tell_which_is_which(service, monkeypatch):
    monkeypatch.setattr("app.compare.vote._RANDOM", random.Random(0))
    pair = drawn(service)
    assert pair.left != pair.right
    html = re.sub(r'src="[^"]+"', "", shown(pair))
    for name in (*METHODS, *METHODS.values(), str(pair.vote_pair.seed), pair.vote_pair.key):
        assert name not in html
    assert pair.vote_pair.wish in html and shown(pair).index(pair.left) < shown(pair).index(pair.right)


def test_the_results_are_at_each_ones_best(service):
    pair = drawn(service)
    comparison = service.comparison
    latent = comparison.models.sample(comparison.model_set, pair.vote_pair.seed, 0.8)
    events = comparison.attribute(latent, pair.vote_pair.attribute, pair.vote_pair.wanted, [pair.vote_pair.left])
    *_, path = events
    assert path.frames[path.best].image == pair.left and path.frames[0].image == pair.source


@pytest.mark.parametrize(
    ("attribute", "wanted", "words"),
    [("male", False, "but a woman"), ("black_hair", True, "but with black hair"), ("smile", False, "without a smile")],
)
def test_the_wish_in_words(attribute, wanted, words):
    assert vote_pair(attribute=attribute, wanted=wanted).wish.startswith("The same face, ")
    assert vote_pair(attribute=attribute, wanted=wanted).wish.endswith(words)


# -- votes -------------------------------------------------------------------------------------------------------------


def test_a_vote_is_kept_and_counted(service):
    pair = drawn(service)
    counted = service.cast(pair.vote_pair, "left")
    (vote,) = read([service.store.file]).votes
    assert vote.chosen == pair.vote_pair.left and vote.seed == pair.vote_pair.seed
    assert vote.day == date.today().isoformat()
    rival = ({pair.vote_pair.left, pair.vote_pair.right} - {"sgf"}).pop()
    count = counted.pairs[("sgf", rival)]
    assert (count.wins, count.losses) == ((1, 0) if pair.vote_pair.left == "sgf" else (0, 1))
    assert counted == tally(read([service.store.folder]).votes)


def test_a_vote_needs_a_pair_and_counts_once(service):
    for nothing in (None, "k", {"key": "k"}):
        with pytest.raises(UserError, match="There is no pair to vote on yet: press Show a pair"):
            service.cast(nothing, "left")
    with pytest.raises(UserError, match="has its vote already"):
        service.cast(vote_pair(), "left")  # never shown
    pair = drawn(service)
    service.cast(pair.vote_pair, "neither")
    with pytest.raises(UserError, match="has its vote already"):
        service.cast(pair.vote_pair, "left")
    assert len(read([service.store.file]).votes) == 1


def test_of_clicks_at_once_one_counts(service):
    pair, told = drawn(service), Counter()

    def click():
        try:
            service.cast(pair.vote_pair, "right")
            told["taken"] += 1
        except UserError:
            told["refused"] += 1

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {"taken": 1, "refused": 7} and len(read([service.store.file]).votes) == 1


def test_a_made_up_choice_is_told(service):
    with pytest.raises(BadValueError, match="must be left, right or neither"):
        service.cast(drawn(service).vote_pair, "both")


def test_a_full_file_is_told(service, monkeypatch):
    monkeypatch.setattr("sgf_hub.evaluation.user_study.append.__kwdefaults__", {"limit": 10})
    with pytest.raises(BadValueError, match="is full"):
        service.cast(drawn(service).vote_pair, "left")


def test_votes_of_before_are_counted(tmp_path, caplog):
    append(tmp_path / "votes.jsonl", vote())
    (tmp_path / "votes.jsonl").open("a").write("nonsense\n")
    with caplog.at_level(logging.WARNING):
        assert VoteStore(tmp_path, "").tally().pairs[("sgf", "ganspace")].wins == 1
    assert "1 line was no vote" in caplog.text


def test_the_folder_is_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("SGF_HUB_VOTES", str(tmp_path / "here"))
    monkeypatch.delenv("SGF_HUB_VOTES_REPO", raising=False)
    assert VoteStore().file == tmp_path / "here" / "votes.jsonl" and VoteStore().repo == ""
    monkeypatch.delenv("SGF_HUB_VOTES")
    assert str(VoteStore().file) == "votes/votes.jsonl"


def vote(**changes) -> Vote:
    return Vote(**{"attribute": "glasses", "wanted": True, "seed": 7, "left": "sgf", "right": "ganspace",
                   "choice": "left", "day": "2026-05-17", **changes})  # fmt: skip


def test_what_a_voter_is_told_afterwards():
    assert revealed(vote_pair(), "right") == "You chose GANSpace. Left was SGF (ours), right was GANSpace."
    assert revealed(vote_pair(), "neither").startswith("You could not tell.")
    html = counts(tally([vote(), vote(), vote(choice="right"), vote(choice="neither")]))
    assert "SGF (ours) or GANSpace" in html and "2 : 1" in html and "67% (21% to 94%)" in html
    assert "–" in counts(tally([vote(choice="neither")]))


# -- the Hub -----------------------------------------------------------------------------------------------------------


def test_votes_are_pushed_to_a_dataset_repo(tmp_path):
    (tmp_path / "zoo").mkdir()
    with world(tmp_path / "zoo", tmp_path / "home") as here:
        store = VoteStore(tmp_path / "votes", "ann/votes")
        store.cast(vote())
        threads = [thread for thread in threading.enumerate() if thread._target == store.publish]
        for thread in threads:
            thread.join(20)
        assert store.publisher is not None
        store.cast(vote(choice="right"))
        store.publisher.trigger().result(timeout=20)
        store.publisher.stop()
        files = here.hub.repos["dataset", "ann/votes"].head.files
        pushed = files[store.file.name].decode().splitlines()
        assert [json.loads(line)["choice"] for line in pushed] == ["left", "right"]
        assert re.fullmatch(r"votes-[0-9a-f]{8}\.jsonl", store.file.name), "another process pushes another file"


def test_without_a_token_votes_stay_here(tmp_path, caplog):
    (tmp_path / "zoo").mkdir()
    with world(tmp_path / "zoo", tmp_path / "home") as here, caplog.at_level(logging.WARNING):
        here.log_in(None)
        store = VoteStore(tmp_path / "votes", "ann/votes")
        store.cast(vote())
        store.publish()
        assert store.publisher is None and "no token of the Hub is set" in caplog.text
        assert not here.hub.repos and len(read([store.folder]).votes) == 1
