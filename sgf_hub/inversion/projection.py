"""How pictures are projected, and what comes of it: the settings, a step, and the outcome of a `Projector`."""

from dataclasses import dataclass

from torch import Tensor

from sgf_hub.types import Latent
from sgf_hub.validation import bounded


@dataclass(frozen=True, kw_only=True)
class ProjectionConfig:
    """How to search.

    Args:
        steps: in W, or in Z where there is none.
        plus_steps: in W+, after that; 0 stays in W, and where there are no layers none are made.
        learning_rate: of Adam in W, in units of w's spread.
        plus_learning_rate: likewise in W+.
        noise: on w at the beginning, in units of w's spread; it is gone after three quarters of the steps.
        pixels: weight of the mean squared error of pixels in [-1, 1], beside the perceptual distance.
        leaving: weight of the mean square by which the layers of a w+ differ from their mean, in units of W's spread
            in each of its principal directions.
        rare: likewise of how far that mean is from the mean w, in the same units: W holds few pictures far out.
        seed: of the noise.

    Raises:
        BadValueError: if a number is out of range.
    """

    steps: int = 100
    plus_steps: int = 100
    learning_rate: float = 0.06
    plus_learning_rate: float = 0.06
    noise: float = 0.05
    pixels: float = 6.0
    leaving: float = 0.02
    rare: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        bounded("steps", self.steps, 0, 10_000)
        bounded("plus_steps", self.plus_steps, 0, 10_000)
        for name in ("learning_rate", "plus_learning_rate"):
            bounded(name, getattr(self, name), 1e-6, 10.0)
        for name in ("noise", "pixels", "leaving", "rare"):
            bounded(name, getattr(self, name), 0.0, 1e3)
        bounded("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True)
class ProjectionStep:
    """The best so far, picture by picture.

    Args:
        index: of the step, from 0, which is the encoder's guess, or the nearest of some samples.
        phase: "guess", "w" (of Z too) or "w+": where the search is.
        latent: in W+, [B, L, D]; of a generator without layers in its own space, [B, D].
        images: G of it, [B, 3, R, R] in [-1, 1].
        distance: to the pictures, as the search measures it, [B].
        plain: the best so far in W, as a latent in W+ with equal rows, [B, L, D]; or as `latent`.
        plain_images: G of it.
    """

    index: int
    phase: str
    latent: Latent
    images: Tensor
    distance: Tensor
    plain: Latent
    plain_images: Tensor


@dataclass(frozen=True)
class Projection:
    """What came of B pictures.

    W+ bends to much that its generator has never learned: with a w for each layer, one of faces draws a digit. So
    whether a picture can be expressed is judged in W, and where it cannot, the result stays there.

    Args:
        latent: as that of a step.
        images: G of it, [B, 3, R, R] in [-1, 1].
        similarity: of each to its picture in the judge's features: 1 is identical, 0 as far apart as two random
            pictures of the generator.
        plain_similarity: of the best picture in W.
        threshold: `plain_similarity` from which on the generator can express a picture.
    """

    latent: Latent
    images: Tensor
    similarity: tuple[float, ...]
    plain_similarity: tuple[float, ...]
    threshold: float

    @property
    def expressible(self) -> tuple[bool, ...]:
        """Whether the generator can express each picture."""
        return tuple(one >= self.threshold for one in self.plain_similarity)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to say of each."""
        return tuple(said(*one) for one in zip(self.similarity, self.expressible, strict=True))


def said(similarity: float, expressible: bool) -> str:
    """A similarity in words."""
    if expressible:
        return f"The result is {similarity:.0%} similar to the picture."
    return (
        f"This generator cannot draw this picture: the nearest that it found is {similarity:.0%} similar, where 0% is "
        "as far apart as two random pictures of its own."
    )
