"""Many drawn pictures at once, for every world: work shared between processes, and contact sheets to look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import numpy as np

from sgf_hub.errors import SGFError

T = TypeVar("T")


def spread(render: Callable[[int, int, int, int], T], count: int, seed: int, resolution: int, workers: int) -> list[T]:
    """Call `render(start, stop, seed, resolution)` on the parts of [0, count), in `workers` processes.

    Raises:
        SGFError: `count` or `workers` is less than 1.
    """
    if count < 1 or workers < 1:
        raise SGFError(f"count is {count} and workers is {workers}: both must be at least 1")
    render(0, 1, seed, resolution)  # a wrong argument is told here, not from inside a worker
    if workers == 1:
        return [render(0, count, seed, resolution)]
    edges = np.linspace(0, count, min(count, 4 * workers) + 1).astype(int).tolist()
    with ProcessPoolExecutor(workers) as pool:
        size = len(edges) - 1
        return list(pool.map(render, edges[:-1], edges[1:], [seed] * size, [resolution] * size))


def contact_sheet(
    picture: Callable[[int], np.ndarray], count: int, *, resolution: int, columns: int | None = None
) -> np.ndarray:
    """Lay `picture(0)`, `picture(1)`, ... out in rows.

    Args:
        picture: index => [resolution, resolution, 3] uint8.
        count: how many pictures.
        resolution: the side of one picture in pixels.
        columns: pictures in a row; by default a sheet somewhat wider than high.

    Returns:
        [rows * resolution, columns * resolution, 3] uint8; places left over are white.

    Raises:
        SGFError: `count` or `columns` is less than 1.
    """
    if count < 1 or (columns is not None and columns < 1):
        raise SGFError(f"count is {count} and columns is {columns}: both must be at least 1")
    columns = columns or math.ceil(math.sqrt(1.6 * count))
    first = picture(0)  # a wrong argument is told before the page is made
    page = np.full((math.ceil(count / columns) * resolution, columns * resolution, 3), 255, np.uint8)
    for index in range(count):
        top, left = index // columns * resolution, index % columns * resolution
        page[top : top + resolution, left : left + resolution] = picture(index) if index else first
    return page
