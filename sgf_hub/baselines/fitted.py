"""What all that is fitted for a method shares: whose latents they move, and which attributes they know."""

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sgf_hub.data.pairs import Pairs
from sgf_hub.errors import BadValueError, SGFError, SpaceError, UnknownNameError
from sgf_hub.hub.module import HubModule
from sgf_hub.types import Generator, Predictor, Target
from sgf_hub.validation import bounded, names_of, nearest, short


class Fitted(HubModule):
    """Directions in a generator's latent space that were fitted on pairs (z, c)."""

    saved_as = torch.float32

    def describe(
        self, generator: str, predictor: Sequence[str], latent_space: str, latent_dim: int, attributes: Sequence[str]
    ) -> None:
        """Check and keep what every config of fitted directions says.

        Args:
            generator: repo of G.
            predictor: repos of the heads of C.
            latent_space: "z" or "w".
            latent_dim: D.
            attributes: names of those that have a direction.
        """
        self.generator_name = names_of("generator", [generator])[0]
        self.predictor_names = names_of("predictor", predictor)
        if latent_space not in ("z", "w"):
            raise BadValueError(f"latent_space is {short(latent_space)}; it must be 'z' or 'w'.")
        self.latent_space = latent_space
        self.latent_dim = bounded("latent_dim", latent_dim, 1, 65536)
        self.attributes = names_of("attributes", attributes)

    def one_each(self, name: str, values: Sequence[float], what: str = "one accuracy") -> tuple[float, ...]:
        """What was measured of every attribute, or nothing, as a config has it.

        Raises:
            BadValueError: if it is no list of so many.
        """
        if not isinstance(values, (list, tuple)) or len(values) not in (0, len(self.attributes)):
            raise BadValueError(f"{name} must be a list with {what} an attribute, or empty.")
        return tuple(values)

    def measured(self) -> dict[str, Any]:
        """What the fit measured, attribute by attribute."""
        raise NotImplementedError

    def check_generator(self, generator: Generator) -> None:
        """Raise a SpaceError if `generator` has other latents than those these directions move."""
        mine, its = (self.latent_space, self.latent_dim), (generator.latent_space, generator.latent_dim)
        if mine != its:
            raise SpaceError(
                f"these directions move {mine[0]!r} of {mine[1]} dimensions, the generator has {its[0]!r} of "
                f"{its[1]}: use the generator they were fitted on, {self.generator_name}."
            )

    def asked(self, predictor: Predictor, target: Target) -> list[tuple[str, int]]:
        """The attributes that a target asks for, each with its coordinate in c.

        Raises:
            BadValueError: if it asks for a keypoint.
            UnknownNameError: if it asks for an attribute that has no direction here.
        """
        spec = predictor.spec
        if spec.points(target.asked[None]).any():
            raise BadValueError("this method edits attributes only: ask for no keypoint, or use an SGF mapping.")
        names = [(name, i) for i, name in enumerate(spec.attributes) if target.asked[i]]
        for name, _ in names:
            if name not in self.attributes:
                raise UnknownNameError(
                    f"no direction was fitted for {name!r}{nearest(name, self.attributes)}. There are: "
                    f"{', '.join(self.attributes)}."
                )
        return names

    def kept(self, predictor: Predictor, target: Target) -> list[str]:
        """The attributes that an edit holds: neither asked, nor released, nor exclusive of what is asked."""
        spec = predictor.spec
        held = spec.others([name for i, name in enumerate(spec.attributes) if target.asked[i]])
        return [name for name in held if name in self.attributes and not target.released[spec.index(name)].any()]


def described(pairs: Pairs) -> dict[str, Any]:
    """What a config says of the pairs that directions were fitted on."""
    info = pairs.info
    return {
        "generator": info.generator,
        "predictor": list(info.predictor),
        "latent_space": info.space,
        "latent_dim": pairs.z.shape[1],
        "attributes": list(info.spec.attributes),
    }


def sklearn(module: str) -> Any:
    """A module of scikit-learn, loaded when something is fitted and not before.

    Raises:
        SGFError: if it is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError:
        raise SGFError("fitting a baseline needs scikit-learn: pip install 'sgf-hub[train]'.") from None


def signs(c0: Tensor, target: Target, column: int) -> Tensor:
    """Which way each sample should go along an attribute, [B]: 1 up, -1 down, 0 for one that is there."""
    return torch.sign(target.c[:, column] - c0[:, column])
