"""Times that can be compared: the works take turns, so that a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Work = Callable[[], object]


def medians(works: Mapping[str, Work], *, repeats: int = 50, warmup: int = 3, most_s: float = 20.0) -> dict[str, float]:
    """Median time of one call of each work, in milliseconds.

    Args:
        works: by name; they are called in turn, A B C A B C ...
        repeats: rounds that are counted.
        warmup: rounds before.
        most_s: no round begins after so many seconds, once three are counted; a warm-up is one round then.
    """
    begun = time.perf_counter()
    for _ in range(warmup):
        for work in works.values():
            timed(work)
        if time.perf_counter() - begun > most_s / 8:
            break
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(repeats):
        if done >= 3 and time.perf_counter() - begun > most_s:
            break
        for name, work in works.items():
            times[name].append(timed(work))
    return {name: statistics.median(one) for name, one in times.items()}


def timed(work: Work) -> float:
    """How long one call takes, in milliseconds; on a GPU, until it is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)
