"""Which latents a generator takes, and which generator would take others."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sgf_hub.errors import SGFError
from sgf_hub.hub.kinds import KINDS, role_of
from sgf_hub.hub.module import shapes_only
from sgf_hub.hub.names import Entry, entries
from sgf_hub.types import Generator, Space


@dataclass(frozen=True)
class Sizes:
    """Of a generator's latents.

    Args:
        space: its own, "z" or "w".
        dimension: D, of it.
        layers: L, rows of a w+ latent; 0 where it takes none.
        z_dimension: of z, where it draws from W and makes w of z; else 0.
    """

    space: Space
    dimension: int
    layers: int = 0
    z_dimension: int = 0

    @classmethod
    def of(cls, generator: Generator) -> "Sizes":
        """Those of a loaded generator."""
        size = generator.latent_dim
        maps = generator.latent_space == "w" and hasattr(generator, "to_w")
        layers = getattr(generator, "num_layers", 0) if hasattr(generator, "to_w_plus") else 0
        return cls(generator.latent_space, size, layers, getattr(generator, "z_dim", size) if maps else 0)

    def width(self, space: Space) -> int:
        """The dimensions of a latent in Z or W; 0 where the generator takes none such."""
        if space == self.space:
            return self.dimension
        return self.z_dimension if space == "z" else 0

    @property
    def accepted(self) -> str:
        """In words."""
        words = f"'{self.space}' of {self.dimension} dimensions"
        words += f", 'w+' of {self.layers} layers of them" * bool(self.layers)
        return words + f", 'z' of {self.z_dimension}" * bool(self.z_dimension)


def would_fit(layers: int, dimension: int) -> str:
    """The generators that latents, or directions, of another shape are for, in words.

    Args:
        layers: rows of one; 0 for one without.
        dimension: D.
    """
    shape = f"{layers} layers of {dimension} dimensions" if layers else f"{dimension} dimensions"
    names = [name for name, sizes in _zoo() if sizes.dimension == dimension and layers in (0, sizes.layers)]
    if names:
        return f"of the zoo, {' and '.join(names)} would fit"
    side = 2 ** (layers // 2 + 1)
    known = f", such as a StyleGAN2 of {side} px," if layers and layers % 2 == 0 and 8 <= side <= 2048 else ""
    return f"a generator with {shape}{known} would fit"


def _zoo() -> Iterator[tuple[str, Sizes]]:
    """The zoo's generators, by what their configs say."""
    for entry in entries():
        if role_of(entry.kind) == "generator" and (network := _blank(entry)) is not None:
            yield entry.name, Sizes.of(network)


def _blank(entry: Entry) -> Any:
    kind = KINDS[entry.kind].load()
    try:
        with shapes_only():
            return kind(**{key: value for key, value in entry.config.items() if key not in ("class", "format")})
    except (SGFError, TypeError):  # a damaged entry: another place says so
        return None
