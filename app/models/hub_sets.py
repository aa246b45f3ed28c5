"""What a mapping that was opened by name runs on, as names: what a visitor's session keeps of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.core.errors import UserError
from app.core.model_sets import World
from app.core.session import Session

_PLAIN = re.compile(r"[\w .:()+/-]{1,80}")


@dataclass(frozen=True)
class GuestWorld(World):
    """What a mapping that was opened by name runs on.

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


@dataclass(frozen=True)
class GuestSession(Session):
    """A session that knows its world: each visitor may have opened another mapping.

    Args:
        world: what the pictures are drawn and read by.
    """

    world: GuestWorld = GuestWorld()


def world_of(name: str, config: dict, commit: str) -> GuestWorld:
    """The world of a mapping's config.json, its parts called as the page's own are."""
    from sgf_hub.hub.names import NAMESPACE

    heads = config["predictor"] if isinstance(config["predictor"], list) else [config["predictor"]]
    generator, *heads = (part.removeprefix(NAMESPACE + "/") for part in (config["generator"], *heads))
    space = str(config.get("latent_space", "w"))
    return GuestWorld(generator, tuple(heads), space=space, mapping=name, commit=commit)


def check_names(config: dict) -> None:
    """Names of a stranger's become labels, and lines of Python to copy."""
    for key in ("attributes", "keypoints"):
        names = config.get(key) or []
        for name in names if isinstance(names, list) else [names]:
            if not isinstance(name, str) or not _PLAIN.fullmatch(name):
                raise UserError(f"It names one of its {key} {str(name)[:60]!r}, and only plain words can be shown.")
