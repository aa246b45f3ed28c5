"""Flowers: procedurally drawn blossoms with exact labels, and captions that say some of what is drawn.

They stand for Oxford-102 Flowers with the captions of Reed et al. (2016). `sample` draws the factors of a flower, with
colours as uneven as nature's, `draw` paints it, `captions` describes it in varied words, `stated` reads such words
back, and `truth` is what a caption should say.
"""

from sgf_hub.data.flowers.batch import FlowerBatch, sample_batch, sheet
from sgf_hub.data.flowers.captions import captions, stated
from sgf_hub.data.flowers.drawing import draw
from sgf_hub.data.flowers.factors import ATTRIBUTES, EXCLUSIVE, GROUPS, Factors, sample, truth

__all__ = [
    "ATTRIBUTES",
    "EXCLUSIVE",
    "GROUPS",
    "Factors",
    "FlowerBatch",
    "captions",
    "draw",
    "sample",
    "sample_batch",
    "sheet",
    "stated",
    "truth",
]
