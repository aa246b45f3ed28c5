"""Who computes when: a lock for whoever has waited longest, and a visitor's pieces of work in their order."""

import threading
import time

import pytest

from app.core.queue import FairLock, VisitorQueues


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_lock_goes_to_who_has_waited_longest():
    lock, order = FairLock(), []

    def take(name):
        with lock:
            order.append(name)

    threads = []
    with lock:
        for name in "abc":
            threads.append(threading.Thread(target=take, args=name))
            threads[-1].start()
            until(lambda: len(lock._waiting) == len(threads))  # noqa: B023
    with lock:  # at once again: three have waited longer
        order.append("again")
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b", "c", "again"] and not lock.locked()


def test_the_lock_is_given_back_after_a_mistake():
    lock = FairLock()
    with pytest.raises(ValueError, match="broken"), lock:
        assert lock.locked()
        raise ValueError("broken")
    assert not lock.locked()


def test_items_come_and_what_is_returned_last():
    queues = VisitorQueues()

    def steps():
        yield 0
        return "result"

    assert list(queues.work("anna", steps())) == [0, "result"]
    assert list(queues.work("anna", iter(range(2)))) == [0, 1]
    assert not queues._pieces


def test_a_visitors_pieces_come_one_after_another_and_others_do_not_wait():
    queues, heard = VisitorQueues(), []
    first = queues.work("anna", iter(range(2)))
    next(first)
    second = threading.Thread(target=lambda: heard.extend(queues.work("anna", iter([7]))))
    second.start()
    until(lambda: len(queues._pieces["anna"]) == 2)
    assert list(queues.work("berta", iter([5]))) == [5] and heard == []
    assert list(first) == [1]
    second.join(10)
    assert heard == [7] and not queues._pieces


def test_closing_ends_the_work():
    queues, closed = VisitorQueues(), []

    def steps():
        try:
            yield 0
            yield 1
        finally:
            closed.append(True)

    work = queues.work("anna", steps())
    assert next(work) == 0
    work.close()
    assert closed and not queues._pieces


def test_one_who_fails_holds_nothing_up():
    queues = VisitorQueues()

    def steps():
        yield 0
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(queues.work("anna", steps()))
    assert list(queues.work("anna", iter([5]))) == [5]


def test_one_who_went_away_holds_up_no_later_piece():
    queues = VisitorQueues(patience=0.05)
    gone = queues.work("anna", iter(range(3)))
    assert next(gone) == 0  # and nobody asks for more
    assert list(queues.work("anna", iter([7]))) == [7]
    assert list(gone) == [1, 2]


def test_nor_does_one_who_went_away_at_the_last_item():
    queues = VisitorQueues(patience=0.05)

    def steps():
        yield 0
        return "result"

    gone = queues.work("anna", steps())
    assert [next(gone), next(gone)] == [0, "result"]
    second = threading.Thread(target=lambda: list(queues.work("anna", iter([7]))), daemon=True)
    second.start()
    second.join(10)
    assert not second.is_alive()
