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
from app.compare.vote import ATTRIBUTES, Ballot, Booth, Pair, Urn, revealed
from app.core.errors import UserError
from app.tabs.vote import counts, shown
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.user_study import Vote, append, read, tally
from tests.hub.client import world


@pytest.fixture
def booth(panel, tmp_path):
    return Booth(Comparison(panel.model_set, panel.models), Urn(tmp_path / "votes", ""))


def drawn(booth) -> Pair:
    *steps, pair = booth.draw()
    assert steps and all(isinstance(step, Progress) for step in steps)
    return pair


def ballot(**changes) -> Ballot:
    return Ballot(**{"key": "k", "seed": 7, "attribute": "glasses", "wanted": True, "left": "sgf", "right": "ganspace",
                     **changes})  # fmt: skip


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_a_pair_is_sgf_and_a_baseline_in_random_order(booth, monkeypatch):
    monkeypatch.setattr("app.compare.vote._RANDOM", random.Random(0))
    pairs = [drawn(booth) for _ in range(5)]
    for pair in pairs:
        methods = {pair.ballot.left, pair.ballot.right}
        assert "sgf" in methods and len(methods) == 2 and methods < set(METHODS) - {"sgf-paper"}
        assert pair.ballot.attribute in ATTRIBUTES
    assert len({pair.ballot.left == "sgf" for pair in pairs}) == 2, "on either side"
    assert len({pair.ballot.seed for pair in pairs}) == 5


def test_two_equal_pictures_are_no_pair(booth, monkeypatch):
    same, other = (Pair(ballot(key=key), "source", "left", right) for key, right in (("a", "left"), ("b", "right")))
    pairs = iter([same, same, other])

    def one():
        yield Progress("sgf", 1)
        return next(pairs)

    monkeypatch.setattr(booth, "_drawn", one)
    assert drawn(booth) is other
    with pytest.raises(UserError, match="has its vote already"):
        booth.cast(same.ballot, "left")
    booth.cast(other.ballot, "left")


def test_the_page_cannot_tell_which_is_which(booth, monkeypatch):
    monkeypatch.setattr("app.compare.vote._RANDOM", random.Random(0))
    pair = drawn(booth)
    assert pair.left != pair.right
    html = re.sub(r'src="[^"]+"', "", shown(pair))
    for name in (*METHODS, *METHODS.values(), str(pair.ballot.seed), pair.ballot.key):
        assert name not in html
    assert pair.ballot.wish in html and shown(pair).index(pair.left) < shown(pair).index(pair.right)


def test_the_results_are_at_each_ones_best(booth):
    pair = drawn(booth)
    comparison = booth.comparison
    latent = comparison.models.sample(comparison.model_set, pair.ballot.seed, 0.8)
    events = comparison.attribute(latent, pair.ballot.attribute, pair.ballot.wanted, [pair.ballot.left])
    *_, path = events
    assert path.frames[path.best].image == pair.left and path.frames[0].image == pair.source


@pytest.mark.parametrize(
    ("attribute", "wanted", "words"),
    [("male", False, "but a woman"), ("black_hair", True, "but with black hair"), ("smile", False, "without a smile")],
)
def test_the_wish_in_words(attribute, wanted, words):
    assert ballot(attribute=attribute, wanted=wanted).wish.startswith("The same face, ")
    assert ballot(attribute=attribute, wanted=wanted).wish.endswith(words)


# -- votes -------------------------------------------------------------------------------------------------------------


def test_a_vote_is_kept_and_counted(booth):
    pair = drawn(booth)
    counted = booth.cast(pair.ballot, "left")
    (vote,) = read([booth.urn.file]).votes
    assert vote.chosen == pair.ballot.left and vote.seed == pair.ballot.seed
    assert vote.day == date.today().isoformat()
    rival = ({pair.ballot.left, pair.ballot.right} - {"sgf"}).pop()
    count = counted.pairs[("sgf", rival)]
    assert (count.wins, count.losses) == ((1, 0) if pair.ballot.left == "sgf" else (0, 1))
    assert counted == tally(read([booth.urn.folder]).votes)


def test_a_vote_needs_a_pair_and_counts_once(booth):
    for nothing in (None, "k", {"key": "k"}):
        with pytest.raises(UserError, match="There is no pair to vote on yet: press Show a pair"):
            booth.cast(nothing, "left")
    with pytest.raises(UserError, match="has its vote already"):
        booth.cast(ballot(), "left")  # never shown
    pair = drawn(booth)
    booth.cast(pair.ballot, "neither")
    with pytest.raises(UserError, match="has its vote already"):
        booth.cast(pair.ballot, "left")
    assert len(read([booth.urn.file]).votes) == 1


def test_of_clicks_at_once_one_counts(booth):
    pair, told = drawn(booth), Counter()

    def click():
        try:
            booth.cast(pair.ballot, "right")
            told["taken"] += 1
        except UserError:
            told["refused"] += 1

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {"taken": 1, "refused": 7} and len(read([booth.urn.file]).votes) == 1


def test_a_made_up_choice_is_told(booth):
    with pytest.raises(BadValueError, match="must be left, right or neither"):
        booth.cast(drawn(booth).ballot, "both")


def test_a_full_file_is_told(booth, monkeypatch):
    monkeypatch.setattr("sgf_hub.evaluation.user_study.append.__kwdefaults__", {"limit": 10})
    with pytest.raises(BadValueError, match="is full"):
        booth.cast(drawn(booth).ballot, "left")


def test_votes_of_before_are_counted(tmp_path, caplog):
    append(tmp_path / "votes.jsonl", vote())
    (tmp_path / "votes.jsonl").open("a").write("nonsense\n")
    with caplog.at_level(logging.WARNING):
        assert Urn(tmp_path, "").tally().pairs[("sgf", "ganspace")].wins == 1
    assert "1 line was no vote" in caplog.text


def test_the_folder_is_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("SGF_HUB_VOTES", str(tmp_path / "here"))
    monkeypatch.delenv("SGF_HUB_VOTES_REPO", raising=False)
    assert Urn().file == tmp_path / "here" / "votes.jsonl" and Urn().repo == ""
    monkeypatch.delenv("SGF_HUB_VOTES")
    assert str(Urn().file) == "votes/votes.jsonl"


def vote(**changes) -> Vote:
    return Vote(**{"attribute": "glasses", "wanted": True, "seed": 7, "left": "sgf", "right": "ganspace",
                   "choice": "left", "day": "2026-05-17", **changes})  # fmt: skip


def test_what_a_voter_is_told_afterwards():
    assert revealed(ballot(), "right") == "You chose GANSpace. Left was SGF (ours), right was GANSpace."
    assert revealed(ballot(), "neither").startswith("You could not tell.")
    html = counts(tally([vote(), vote(), vote(choice="right"), vote(choice="neither")]))
    assert "SGF (ours) or GANSpace" in html and "2 : 1" in html and "67% (21% to 94%)" in html
    assert "–" in counts(tally([vote(choice="neither")]))


# -- the Hub -----------------------------------------------------------------------------------------------------------


def test_votes_are_pushed_to_a_dataset_repo(tmp_path):
    (tmp_path / "zoo").mkdir()
    with world(tmp_path / "zoo", tmp_path / "home") as here:
        urn = Urn(tmp_path / "votes", "ann/votes")
        urn.cast(vote())
        threads = [thread for thread in threading.enumerate() if thread._target == urn.publish]
        for thread in threads:
            thread.join(20)
        assert urn.publisher is not None
        urn.cast(vote(choice="right"))
        urn.publisher.trigger().result(timeout=20)
        urn.publisher.stop()
        files = here.hub.repos["dataset", "ann/votes"].head.files
        pushed = files[urn.file.name].decode().splitlines()
        assert [json.loads(line)["choice"] for line in pushed] == ["left", "right"]
        assert re.fullmatch(r"votes-[0-9a-f]{8}\.jsonl", urn.file.name), "another process pushes another file"


def test_without_a_token_votes_stay_here(tmp_path, caplog):
    (tmp_path / "zoo").mkdir()
    with world(tmp_path / "zoo", tmp_path / "home") as here, caplog.at_level(logging.WARNING):
        here.log_in(None)
        urn = Urn(tmp_path / "votes", "ann/votes")
        urn.cast(vote())
        urn.publish()
        assert urn.publisher is None and "no token of the Hub is set" in caplog.text
        assert not here.hub.repos and len(read([urn.folder]).votes) == 1
