"""What the page's pictures are drawn, read and edited by, as names of repos."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.core.errors import UserError

DRAWN, RENDERED, FLOWERS = "drawn", "rendered", "flowers"
KINDS = {RENDERED: "Faces (rendered people)", DRAWN: "Drawn faces", FLOWERS: "Flowers"}
"""The kinds of pictures that the page offers, as it calls them."""
FIRST = DRAWN
"""The kind that it opens with."""


@dataclass(frozen=True)
class Offer:
    """An edit that the page offers of the picture to begin with, which is chosen by `app.models.opening`.

    Args:
        words: of its button.
        wishes: what it asks for.
    """

    words: str
    wishes: Mapping[str, float]


_PLAIN = re.compile(r"[\w .:()+/-]{1,80}")


@dataclass(frozen=True)
class ModelSet:
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
    kind: ClassVar[str] = ""
    """Of `KINDS`; "" for one that a visitor opened."""
    subject: ClassVar[str] = "A picture"
    """What its pictures show."""
    first: ClassVar[int] = 7
    """The seed of the picture to begin with."""
    offer: ClassVar[Offer | None] = None
    """What is offered of it."""

    @property
    def editors(self) -> tuple[str, ...]:
        """The mappings that the page edits with."""
        return ()


@dataclass(frozen=True)
class Faces(ModelSet):
    """Drawn faces, edited by attributes and keypoints.

    Args:
        attributes: the mapping that edits attributes.
        keypoints: the mapping that edits keypoints and attributes jointly.
        reads: the attributes that the heads read, written out like the layers.
        judge: heads that look at edits and steer none.
    """

    generator: str = "avatars-stylegan2"
    heads: tuple[str, ...] = ("avatars-attributes", "avatars-keypoints")
    layers: int = 12
    attributes: str = "sgf-avatars-attributes"
    keypoints: str = "sgf-avatars-keypoints"
    reads: tuple[str, ...] = (
        "smile", "mouth_open", "eyes_closed", "brows_raised", "black_hair", "brown_hair", "blond_hair", "gray_hair",
        "long_hair", "bangs", "bald", "male", "old", "chubby", "big_nose", "dark_skin", "beard", "mustache", "glasses",
        "sunglasses", "hat", "earrings", "lipstick", "blush", "warm_background",
    )  # fmt: skip
    judge: tuple[str, ...] = ("avatars-judge-attributes",)
    kind: ClassVar[str] = DRAWN
    subject: ClassVar[str] = "A drawn face"
    first: ClassVar[int] = 18
    offer: ClassVar[Offer | None] = Offer("Make it smile", {"smile": 1.0})

    @property
    def editors(self) -> tuple[str, ...]:
        """Both mappings."""
        return (self.attributes, self.keypoints)


@dataclass(frozen=True)
class RenderedFaces(Faces):
    """Rendered faces, edited likewise. Their generator, and what finds a face, are fetched at their first use."""

    generator: str = "faces-dcgan"
    heads: tuple[str, ...] = ("faces-attributes", "faces-measures", "faces-keypoints")
    layers: int = 0
    space: str = "z"
    attributes: str = "sgf-faces-attributes"
    keypoints: str = "sgf-faces-keypoints"
    reads: tuple[str, ...] = (
        "male", "old", "smile", "mouth_open", "eyes_closed", "dark_hair", "fair_hair", "red_hair", "glasses", "hat",
        "beard", "long_hair", "bald", "brows_raised", "facing_left", "facing_up", "tilted_right", "bright_background",
        "dark_skin", "warm_light",
    )  # fmt: skip
    judge: tuple[str, ...] = ("faces-judge-attributes",)
    kind: ClassVar[str] = RENDERED
    subject: ClassVar[str] = "A rendered face"
    first: ClassVar[int] = 64
    offer: ClassVar[Offer | None] = None


@dataclass(frozen=True)
class Flowers(ModelSet):
    """Drawn flowers, edited by a sentence.

    Args:
        captions: the mapping that edits captions.
    """

    generator: str = "flowers-stylegan2"
    heads: tuple[str, ...] = ("flowers-captions",)
    layers: int = 12
    captions: str = "sgf-flowers-captions"
    kind: ClassVar[str] = FLOWERS
    subject: ClassVar[str] = "A drawn flower"

    @property
    def editors(self) -> tuple[str, ...]:
        """The mapping."""
        return (self.captions,)


@dataclass(frozen=True)
class HubModelSet(ModelSet):
    """What a mapping that a visitor opened by name runs on.

    Args:
        mapping: the name that it was opened by.
        commit: of its Hub repo; "" for an entry of the zoo.
    """

    generator: str = ""
    heads: tuple[str, ...] = ()
    mapping: str = ""
    commit: str = ""

    @property
    def editors(self) -> tuple[str, ...]:
        """The mapping."""
        return (self.mapping,)


def model_set_of(name: str, config: dict, commit: str) -> HubModelSet:
    """What a mapping's config.json names, its parts called as the page's own are."""
    from sgf_hub.hub.names import NAMESPACE

    heads = config["predictor"] if isinstance(config["predictor"], list) else [config["predictor"]]
    generator, *heads = (part.removeprefix(NAMESPACE + "/") for part in (config["generator"], *heads))
    space = str(config.get("latent_space", "w"))
    return HubModelSet(generator, tuple(heads), space=space, mapping=name, commit=commit)


def check_names(config: dict) -> None:
    """Names of a stranger's become labels, and lines of Python to copy."""
    for key in ("attributes", "keypoints"):
        names = config.get(key) or []
        for name in names if isinstance(names, list) else [names]:
            if not isinstance(name, str) or not _PLAIN.fullmatch(name):
                raise UserError(f"It names one of its {key} {str(name)[:60]!r}, and only plain words can be shown.")
