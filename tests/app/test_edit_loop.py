"""The loop of all edits under way: who joins, who leaves, what each sees."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.queue import FairLock
from app.models.edit_loop import Arrivals, Edit, EditLoop

WAIT = 10  # seconds, at most


def work(count: int, log: list | None = None, go: threading.Event | None = None, error: Exception | None = None) -> Any:
    """An edit of so many steps, which waits before the second one."""
    from sgf_hub.editing import EditStep, StopReason

    try:
        for i in range(count):
            if i == 1 and go is not None:
                assert go.wait(WAIT)
            reason = StopReason.TARGET_REACHED if i == count - 1 and error is None else None
            if log is not None:
                log.append(i)
            yield EditStep(i, None, None, None, None, None, (reason,))  # type: ignore[arg-type]
        if error is not None:
            raise error
    finally:
        if log is not None:
            log.append("over")


def indices(arriving: Any) -> list[int]:
    return [step.index for some in arriving for step in some]


@pytest.fixture
def loop() -> EditLoop:
    return EditLoop(FairLock())


def test_every_edit_gets_its_steps_whoever_else_is_there(loop: EditLoop) -> None:
    found: dict[int, list[int]] = {}
    visitors = [
        threading.Thread(target=lambda n=n: found.update({n: indices(loop.steps(str(n % 2), work(n)))}))  # type: ignore
        for n in range(1, 9)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(WAIT)
    assert found == {n: list(range(n)) for n in range(1, 9)}
    assert indices(loop.steps("0", work(3))) == [0, 1, 2]
    assert not loop._under_way and not loop.computing.locked()


def test_a_mistake_is_told_where_it_happens_and_others_go_on(loop: EditLoop) -> None:
    found: list[int] = []
    other = threading.Thread(target=lambda: found.extend(indices(loop.steps("g", work(5)))))
    broken = loop.steps("g", work(2, error=ValueError("broken")))
    other.start()
    with pytest.raises(ValueError, match="broken"):
        indices(broken)
    other.join(WAIT)
    assert found == [0, 1, 2, 3, 4]


def test_who_leaves_is_gone_before_the_next_step(loop: EditLoop) -> None:
    go, log = threading.Event(), []
    steps = loop.steps("g", work(9, log, go))
    assert [step.index for step in next(steps)] == [0]
    steps.close()
    go.set()
    assert indices(loop.steps("g", work(2))) == [0, 1]
    assert log in ([0, "over"], [0, 1, "over"])  # one that was being computed is finished


def test_who_looks_on_seldom_sees_the_newest(loop: EditLoop) -> None:
    go = threading.Event()
    steps = loop.steps("g", work(4, go=go))
    first = next(steps)
    assert [step.index for step in first] == [0]
    arrivals = Arrivals()
    for i in range(3):
        arrivals.put(SimpleNamespace(index=i), False)  # type: ignore[arg-type]
    came, over = arrivals.take(due=0)
    assert [one.index for one in came] == [0, 1, 2] and not over  # type: ignore[union-attr]
    arrivals.put(SimpleNamespace(index=3), True)  # type: ignore[arg-type]
    came, over = arrivals.take(due=float("inf"))
    assert [one.index for one in came] == [3] and over, "nobody waits for what does not come"  # type: ignore
    go.set()
    assert indices(steps) == [1, 2, 3]


def test_edits_of_one_generator_are_one_batch_and_each_edit_has_its_share_of_the_time(loop: EditLoop) -> None:
    joined = [Edit(generator, work(1), print) for generator in ("a", "a", "b")]
    loop._joining += joined
    first = loop._next()
    assert [len(batch.edits) for batch in loop._batches.values()] == [2, 1]
    first.spent += 1.0
    second = loop._next()
    assert second is not first and second.edits.keys() != first.edits.keys()
    second.spent += 2.0
    assert loop._next() is first
    loop._joining.append(Edit("c", work(1), print))
    assert loop._next().spent == 1.0, "who comes later has nothing saved up"
