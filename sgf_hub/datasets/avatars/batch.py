"""Many faces at once: labelled batches to train on, and contact sheets to look at."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from sgf_hub.datasets.avatars.drawing import draw
from sgf_hub.datasets.avatars.factors import ATTRIBUTES, CAUSES, sample
from sgf_hub.datasets.avatars.geometry import KEYPOINTS
from sgf_hub.errors import SGFError


@dataclass(frozen=True)
class AvatarBatch:
    """N labelled faces.

    Attributes:
        images: [N, 3, H, W] uint8.
        attributes: [N, A] float32 in {0, 1}.
        causes: [N, R] float32 in [-1, 1].
        keypoints: [N, K, 2] float32, (x, y) in [0, 1] of the side.
    """

    images: np.ndarray
    attributes: np.ndarray
    causes: np.ndarray
    keypoints: np.ndarray


def _render(start: int, stop: int, seed: int, resolution: int) -> AvatarBatch:
    count = stop - start
    batch = AvatarBatch(
        images=np.empty((count, 3, resolution, resolution), np.uint8),
        attributes=np.empty((count, len(ATTRIBUTES)), np.float32),
        causes=np.empty((count, len(CAUSES)), np.float32),
        keypoints=np.empty((count, len(KEYPOINTS), 2), np.float32),
    )
    for row, index in enumerate(range(start, stop)):
        factors = sample((seed, index))
        batch.images[row] = draw(factors, resolution).transpose(2, 0, 1)  # HWC => CHW
        batch.attributes[row] = factors.attributes
        batch.causes[row] = factors.causes
        batch.keypoints[row] = factors.keypoints
    return batch


def sample_batch(count: int, *, seed: int, resolution: int, workers: int = 1) -> AvatarBatch:
    """Draw labelled faces; face i depends on (seed, i) only, never on `count` or `workers`.

    Args:
        count: N.
        seed: a non-negative integer.
        resolution: the side in pixels, 32 .. 512.
        workers: processes that share the work; 1 works in this one.

    Raises:
        SGFError: an argument is out of range.
    """
    if count < 1 or workers < 1:
        raise SGFError(f"count is {count} and workers is {workers}: both must be at least 1")
    draw(sample((seed, 0)), resolution)  # a wrong argument is told here, not from inside a worker
    if workers == 1:
        return _render(0, count, seed, resolution)
    edges = np.linspace(0, count, min(count, 4 * workers) + 1).astype(int).tolist()
    with ProcessPoolExecutor(workers) as pool:
        size = len(edges) - 1
        parts = list(pool.map(_render, edges[:-1], edges[1:], [seed] * size, [resolution] * size))
    return AvatarBatch(
        images=np.concatenate([part.images for part in parts]),
        attributes=np.concatenate([part.attributes for part in parts]),
        causes=np.concatenate([part.causes for part in parts]),
        keypoints=np.concatenate([part.keypoints for part in parts]),
    )


def sheet(count: int, *, seed: int, resolution: int = 128, columns: int | None = None) -> np.ndarray:
    """Return a contact sheet of the faces that `sample_batch` gives for this seed.

    Args:
        count: how many faces.
        seed: a non-negative integer.
        resolution: the side of one face in pixels, 32 .. 512.
        columns: faces in a row; by default a sheet somewhat wider than high.

    Returns:
        [rows * resolution, columns * resolution, 3] uint8; places left over are white.
    """
    if count < 1 or (columns is not None and columns < 1):
        raise SGFError(f"count is {count} and columns is {columns}: both must be at least 1")
    columns = columns or math.ceil(math.sqrt(1.6 * count))
    rows = math.ceil(count / columns)
    draw(sample((seed, 0)), resolution)  # a wrong argument is told before the page is made
    page = np.full((rows * resolution, columns * resolution, 3), 255, np.uint8)
    for index in range(count):
        top, left = index // columns * resolution, index % columns * resolution
        page[top : top + resolution, left : left + resolution] = draw(sample((seed, index)), resolution)
    return page
