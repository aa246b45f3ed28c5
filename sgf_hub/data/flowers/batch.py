"""Many flowers at once: labelled and captioned batches to train on, and contact sheets to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgf_hub.data.flowers.captions import captions
from sgf_hub.data.flowers.drawing import draw
from sgf_hub.data.flowers.factors import sample
from sgf_hub.data.sheets import contact_sheet, spread


@dataclass(frozen=True)
class FlowerBatch:
    """N labelled and captioned flowers.

    Attributes:
        images: [N, 3, H, W] uint8.
        attributes: [N, A] float32 in {0, 1}.
        captions: N tuples of 5 sentences.
    """

    images: np.ndarray
    attributes: np.ndarray
    captions: list[tuple[str, ...]]


def _render(start: int, stop: int, seed: int, resolution: int) -> FlowerBatch:
    factors = [sample((seed, index)) for index in range(start, stop)]
    return FlowerBatch(
        images=np.stack([draw(one, resolution).transpose(2, 0, 1) for one in factors]),  # HWC => CHW
        attributes=np.stack([one.attributes for one in factors]),
        captions=[captions(one, (seed, index)) for one, index in zip(factors, range(start, stop), strict=True)],
    )


def sample_batch(count: int, *, seed: int, resolution: int, workers: int = 1) -> FlowerBatch:
    """Draw labelled flowers; flower i depends on (seed, i) only, never on `count` or `workers`.

    Args:
        count: N.
        seed: a non-negative integer.
        resolution: the side in pixels, 32 .. 512.
        workers: processes that share the work; 1 works in this one.

    Raises:
        SGFError: an argument is out of range.
    """
    parts = spread(_render, count, seed, resolution, workers)
    return FlowerBatch(
        images=np.concatenate([part.images for part in parts]),
        attributes=np.concatenate([part.attributes for part in parts]),
        captions=[texts for part in parts for texts in part.captions],
    )


def sheet(count: int, *, seed: int, resolution: int = 128, columns: int | None = None) -> np.ndarray:
    """Return a contact sheet of the flowers that `sample_batch` gives for this seed; see `sheets.contact_sheet`."""
    return contact_sheet(
        lambda index: draw(sample((seed, index)), resolution), count, resolution=resolution, columns=columns
    )
