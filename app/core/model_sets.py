"""The two kinds of picture that the page edits, as names of repos."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """A generator, and what reads its pictures.

    Args:
        generator: G.
        heads: of the predictor that reads a picture.
        layers: rows of a w+ latent of the generator, written out so that the page needs no model to be built; 0 where
            there are none.
        space: that its mappings edit in.
    """

    generator: str
    heads: tuple[str, ...]
    layers: int = 0
    space: str = "w"

    @property
    def editors(self) -> tuple[str, ...]:
        """The mappings that the page edits with."""
        return ()


@dataclass(frozen=True)
class Faces(World):
    """Drawn faces, edited by attributes and keypoints.

    Args:
        attributes: the mapping that edits attributes.
        keypoints: the mapping that edits keypoints and attributes jointly.
    """

    generator: str = "avatars-stylegan2"
    heads: tuple[str, ...] = ("avatars-attributes", "avatars-keypoints")
    layers: int = 12
    attributes: str = "sgf-avatars-attributes"
    keypoints: str = "sgf-avatars-keypoints"

    @property
    def editors(self) -> tuple[str, ...]:
        """Both mappings."""
        return (self.attributes, self.keypoints)


@dataclass(frozen=True)
class Flowers(World):
    """Drawn flowers, edited by a sentence.

    Args:
        captions: the mapping that edits captions.
    """

    generator: str = "flowers-stylegan2"
    heads: tuple[str, ...] = ("flowers-captions",)
    layers: int = 12
    captions: str = "sgf-flowers-captions"

    @property
    def editors(self) -> tuple[str, ...]:
        """The mapping."""
        return (self.captions,)
