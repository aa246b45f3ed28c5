"""The line for all that computes: whose turn it is, and for how long."""

import threading
import time

import pytest

from app.core.queue import FairQueue, Queued, place_in_words


def pieces(log, name, count, seconds=0.0):
    for i in range(count):
        time.sleep(seconds)
        log.append((name, i))
        yield i


def drain(turns, who, steps, out=None):
    for item in turns.work(who, steps):
        if out is not None:
            out.append(item)


def together(*jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_alone_nobody_waits():
    turns = FairQueue()
    assert list(turns.work("anna", iter(range(3)))) == [0, 1, 2]
    assert list(turns.work("anna", iter(range(2)))) == [0, 1]


def test_a_short_piece_behind_a_long_one_waits_for_a_slice_only():
    turns, log = FairQueue(slice=0.2), []
    together(
        lambda: drain(turns, "long", pieces(log, "long", 30, 0.03)),
        lambda: drain(turns, "short", pieces(log, "short", 3, 0.03)),
    )
    last_short = log.index(("short", 2))
    assert 3 < last_short < 20 and len(log) == 33
    # and it is not torn apart: a turn lasts for as long as its slice
    assert log[last_short - 2 : last_short + 1] == [("short", 0), ("short", 1), ("short", 2)]


def test_a_visitor_with_many_pieces_gets_no_more_than_the_others():
    turns, log = FairQueue(slice=0.05), []
    greedy = [lambda i=i: drain(turns, "greedy", pieces(log, f"greedy{i}", 6, 0.02)) for i in range(4)]
    together(*greedy, lambda: drain(turns, "modest", pieces(log, "modest", 6, 0.02)))
    at = [i for i, (name, _) in enumerate(log) if name == "modest"]
    assert at[-1] - at[0] <= 18  # of 24 others: about as many turns each
    # pieces of one visitor are done one after another
    assert [name for name, _ in log if name != "modest"] == [f"greedy{i}" for i in range(4) for _ in range(6)]


def test_the_place_in_the_line_is_told():
    turns, heard = FairQueue(), []
    release = threading.Event()

    def busy():
        release.wait(5)
        yield 0

    def wait_and_release():
        for item in turns.work("second", iter([1])):
            heard.append(item)
            release.set()

    together(lambda: drain(turns, "first", busy()), wait_and_release)
    assert heard == [Queued(1), 1]
    assert place_in_words(Queued(1)) == "Waiting: 1 edit is ahead of yours."
    assert place_in_words(Queued(3)) == "Waiting: 3 edits are ahead of yours."


def test_closing_leaves_the_line_and_closes_the_work():
    turns, closed = FairQueue(), []

    def steps():
        try:
            yield 0
            yield 1
        finally:
            closed.append(True)

    work = turns.work("anna", steps())
    assert next(work) == 0
    work.close()
    assert closed
    assert list(turns.work("berta", iter([5]))) == [5]


@pytest.mark.parametrize("returns", [True, False])
def test_the_last_word_is_no_wait(returns):
    turns, heard = FairQueue(slice=0.01), []

    def steps():
        for i in range(5):
            time.sleep(0.02)
            yield i
        if returns:
            return "result"
        yield "result"
        time.sleep(0.02)

    with_others = [lambda n=n: drain(turns, f"other{n}", pieces([], "x", 8, 0.15)) for n in range(2)]
    together(*with_others, lambda: drain(turns, "me", steps(), heard))
    assert Queued(1) in heard and heard[-1] == "result"
    assert heard.count("result") <= (1 if returns else 2)


def test_one_who_fails_holds_nobody_up():
    turns = FairQueue()

    def steps():
        yield 0
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(turns.work("anna", steps()))
    assert list(turns.work("berta", iter([5]))) == [5]


def test_one_who_went_away_loses_the_turn_and_may_come_back():
    turns = FairQueue(patience=0.3)
    gone = turns.work("gone", iter(range(3)))
    assert next(gone) == 0  # and nobody asks for more
    items = [item for item in turns.work("here", iter([7])) if not isinstance(item, Queued)]
    assert items == [7]
    assert list(gone) == [1, 2]


def test_many_at_once_all_finish():
    turns, done = FairQueue(slice=0.01), []
    jobs = [lambda i=i: (drain(turns, f"v{i % 7}", pieces([], "x", 20, 0.001)), done.append(i)) for i in range(25)]
    together(*jobs)
    assert sorted(done) == list(range(25))
    assert not turns._visitors and not turns._work
