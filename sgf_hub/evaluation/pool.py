"""Tasks on all cores: one process a core, one thread each, since small batches gain nothing from threads."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import torch

from sgf_hub.errors import SGFError

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    workers: int,
    load: Callable[..., None],
    arguments: tuple[Any, ...] = (),
) -> Iterator[R]:
    """`function` of every task, in their order.

    Args:
        function: of a module, so that another process finds it.
        tasks: its arguments; slow ones first, so that no core waits long at the end.
        workers: processes; with 1, this one does the work.
        load: called first in each process, to load models.
        arguments: of `load`.

    Raises:
        SGFError: if a process was killed.
    """
    if workers <= 1:
        load(*arguments)
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")  # forking a process whose threads hold locks would hang
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(load, arguments)) as pool:
            yield from pool.map(function, tasks)  # what is left is cancelled when this generator is closed
    except BrokenProcessPool:
        raise SGFError(
            "a worker process was killed, perhaps for want of memory: run the command again, on fewer processes."
        ) from None


def _begin(load: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    load(*arguments)
