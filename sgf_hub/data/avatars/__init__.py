"""Avatars: procedurally drawn faces with exact labels.

`sample` draws the factors of a face (attributes, pose, nuisances, with the correlations of real faces), `draw` paints
it, `sample_batch` does both for many. Attributes, causes and keypoints come from the same factors as the picture, so
they are exact.
"""

from sgf_hub.data.avatars.batch import AvatarBatch, sample_batch, sheet
from sgf_hub.data.avatars.drawing import draw
from sgf_hub.data.avatars.factors import ATTRIBUTES, CAUSES, EXCLUSIVE, Factors, sample
from sgf_hub.data.avatars.geometry import KEYPOINTS

__all__ = [
    "ATTRIBUTES",
    "CAUSES",
    "EXCLUSIVE",
    "KEYPOINTS",
    "AvatarBatch",
    "Factors",
    "draw",
    "sample",
    "sample_batch",
    "sheet",
]
