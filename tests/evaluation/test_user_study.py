"""Votes: lines in a file, counts, and how certain they are."""

import json
import sys
import threading
from pathlib import Path

import pytest

from sgf_hub.cli.main import main
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.evaluation.user_study import Count, Vote, append, read, tally, wilson

DAY = "2026-05-17"


def vote(choice: str = "left", **changes) -> Vote:
    return Vote(**{"attribute": "glasses", "wanted": True, "seed": 7, "left": "sgf", "right": "interfacegan",
                   "choice": choice, "day": DAY, **changes})  # fmt: skip


# -- one vote ----------------------------------------------------------------------------------------------------------


def test_a_vote_says_what_was_wished_and_chosen():
    assert (vote().wish, vote(wanted=False).wish) == ("+glasses", "-glasses")
    assert [vote(choice).chosen for choice in ("left", "right", "neither")] == ["sgf", "interfacegan", None]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"choice": "both"}, "the choice is 'both'; it must be left, right or neither"),
        ({"right": "sgf"}, "both results are of sgf"),
        ({"attribute": "<b>"}, "attribute is '<b>'; it must be a name"),
        ({"left": 3}, "left is 3"),
        ({"wanted": 1}, "wanted is 1; it must be true or false"),
        ({"seed": -1}, "a seed is a whole number from 0"),
        ({"seed": 1.0}, "a seed is a whole number, not 1.0"),
        ({"day": "2026-05-17T10:00"}, "must be a date such as"),
        ({"day": "2026-13-01"}, "must be a date such as"),
    ],
)
def test_what_is_no_vote_is_told(changes, told):
    with pytest.raises(BadValueError, match=told):
        vote(**changes)


# -- files -------------------------------------------------------------------------------------------------------------


def test_votes_come_back(tmp_path: Path):
    file = tmp_path / "new" / "votes.jsonl"
    cast = [vote(), vote("right", seed=8), vote("neither", wanted=False)]
    for one in cast:
        append(file, one)
    box = read([file])
    assert list(box.votes) == cast and box.damaged == 0 and box.remark == ""
    assert read([tmp_path]).votes == box.votes, "a folder gives all the files in it"


def test_a_line_holds_nothing_of_the_voter(tmp_path: Path):
    append(tmp_path / "votes.jsonl", vote())
    line = json.loads((tmp_path / "votes.jsonl").read_text())
    assert line.keys() == {"attribute", "wanted", "seed", "left", "right", "choice", "day"} and line["day"] == DAY


def test_threads_append_whole_lines(tmp_path: Path):
    file = tmp_path / "votes.jsonl"
    threads = [
        threading.Thread(target=lambda i=i: [append(file, vote(seed=100 * i + j)) for j in range(25)]) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box = read([file])
    assert not box.damaged and sorted(one.seed for one in box.votes) == sorted(
        100 * i + j for i in range(8) for j in range(25)
    )


def test_damaged_lines_are_counted_and_skipped(tmp_path: Path):
    file = tmp_path / "votes.jsonl"
    append(file, vote())
    with file.open("ab") as raw:
        raw.write(b'\xff\xfe\n[1, 2]\n{"attribute": "glasses"}\n' + b"[" * 5000 + b'\n\n{"attribute": "gla')  # cut off
    append(file, vote("right"))
    box = read([file])
    assert [one.choice for one in box.votes] == ["left", "right"] and box.damaged == 5
    assert box.remark == "5 lines were no vote and left out: the file was damaged, or is of something else."


def test_a_full_file_takes_no_more(tmp_path: Path):
    file = tmp_path / "votes.jsonl"
    append(file, vote())
    size = file.stat().st_size
    with pytest.raises(BadValueError, match="votes.jsonl is full .* the vote was not counted"):
        append(file, vote(), limit=2 * size - 1)
    assert file.stat().st_size == size


def test_missing_and_foreign_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CorruptFileError, match="there are no votes at"):
        read([tmp_path / "none.jsonl"])
    monkeypatch.setattr("sgf_hub.evaluation.user_study._READ_LIMIT", 10)
    append(tmp_path / "votes.jsonl", vote())
    with pytest.raises(CorruptFileError, match="not a file of votes"):
        read([tmp_path])


# -- counting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wins", "of", "low", "high"),
    [  # R: prop.test(wins, of, correct = FALSE)$conf.int
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe, 1998
        (15, 148, 0.0624, 0.1605),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilsons_interval(wins, of, low, high):
    assert wilson(wins, of) == pytest.approx((low, high), abs=6e-5)


def test_wilsons_interval_holds_the_shares_that_fit():
    low, high = wilson(244, 400)  # the paper's study
    for end in (low, high):
        assert abs(0.61 - end) == pytest.approx(1.959964 * (end * (1 - end) / 400) ** 0.5, rel=1e-6)
    with pytest.raises(BadValueError, match="11 of 10 is no share"):
        wilson(11, 10)


def test_a_tally_does_not_depend_on_the_side():
    votes = [
        vote("left"), vote("right", left="interfacegan", right="sgf"), vote("right"), vote("neither"),
        vote("left", right="ganspace", wanted=False),
    ]  # fmt: skip
    counted = tally(votes)
    assert counted.pairs == {("sgf", "ganspace"): Count(1), ("sgf", "interfacegan"): Count(2, 1, 1)}
    assert counted.wishes[("sgf", "ganspace", "-glasses")] == Count(1)


def test_ties_are_told_and_left_out_of_the_share():
    count = Count(wins=3, losses=1, ties=6)
    assert (count.votes, count.share) == (10, 0.75) and count.interval == wilson(3, 4)
    assert Count(ties=2).share is None and Count(ties=2).interval == (0.0, 1.0)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sgf-hub", "study", "summarise", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return call


def test_summarise(run, tmp_path: Path):
    for choice in ("left", "left", "right", "neither"):
        append(tmp_path / "a.jsonl", vote(choice))
    append(tmp_path / "b.jsonl", vote("right", wanted=False, right="ganspace"))
    (tmp_path / "b.jsonl").open("a").write("nonsense\n")
    code, out, err = run(tmp_path, "--json")
    found = json.loads(out)
    assert code == 0 and found["votes"] == 5 and found["damaged"] == 1 and "1 line was no vote" in err
    one = found["pairs"][1]
    assert (one["first"], one["second"], one["wins"], one["losses"], one["ties"]) == ("sgf", "interfacegan", 2, 1, 1)
    assert one["share"] == 0.6667 and one["interval"] == [0.2077, 0.9385] and one["wishes"].keys() == {"+glasses"}
    code, out, _ = run(tmp_path / "a.jsonl")
    assert code == 0 and "0.667" in out and "0.208 to 0.939" in out and "4 votes." in out


def test_summarise_tells_what_is_missing(run, tmp_path: Path):
    code, out, err = run(tmp_path / "none.jsonl")
    assert (code, out) == (2, "") and err.startswith("sgf-hub: there are no votes at")
    assert run(tmp_path)[1].endswith("0 votes. The share is the first method's among the votes that chose one.\n")
