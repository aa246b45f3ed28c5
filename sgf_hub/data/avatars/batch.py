"""Many faces at once: labelled batches to train on, and contact sheets to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgf_hub.data.avatars.drawing import draw
from sgf_hub.data.avatars.factors import ATTRIBUTES, CAUSES, sample
from sgf_hub.data.avatars.geometry import KEYPOINTS, Layout
from sgf_hub.data.sheets import contact_sheet, spread


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
        batch.keypoints[row] = Layout(factors).keypoints()
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
    parts = spread(_render, count, seed, resolution, workers)
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
    return contact_sheet(
        lambda index: draw(sample((seed, index)), resolution), count, resolution=resolution, columns=columns
    )
