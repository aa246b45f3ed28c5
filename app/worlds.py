"""The two kinds of picture that the page edits, as names of repos."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """A generator, and what reads its pictures.

    Args:
        generator: G.
        heads: of the predictor that reads a picture.
    """

    generator: str
    heads: tuple[str, ...]


@dataclass(frozen=True)
class Faces(World):
    """Drawn faces, edited by attributes and keypoints.

    Args:
        attributes: the mapping that edits attributes.
        keypoints: the mapping that edits keypoints and attributes jointly.
    """

    generator: str = "avatars-stylegan2"
    heads: tuple[str, ...] = ("avatars-attributes", "avatars-keypoints")
    attributes: str = "sgf-avatars-attributes"
    keypoints: str = "sgf-avatars-keypoints"


@dataclass(frozen=True)
class Flowers(World):
    """Drawn flowers, edited by a sentence.

    Args:
        captions: the mapping that edits captions.
    """

    generator: str = "flowers-stylegan2"
    heads: tuple[str, ...] = ("flowers-captions",)
    captions: str = "sgf-flowers-captions"
