"""The paper's four settings (Section 4.1): all but the checkpoints, which the user names.

A recipe says what fits together, and refuses what does not: a generator of another space, a predictor of another kind.
"""

from dataclasses import dataclass

from sgf_hub.errors import BadValueError, UnknownNameError
from sgf_hub.types import ConditionSpec, Generator, Space
from sgf_hub.validation import nearest


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One of the paper's settings; the training of F is the preset "paper" for all of them (Section 4.3).

    Args:
        generator: what the paper edits.
        predictor: what reads its pictures.
        space: of the latents.
        conditions: kinds of c that count as this setting.
        truncation: psi of the pairs; 0.8 "to all StyleGAN2 samples", none for ProgressiveGAN.
        pairs: how many.
    """

    generator: str
    predictor: str
    space: Space
    conditions: tuple[str, ...]
    truncation: float = 0.8
    pairs: int = 200_000

    def check(self, name: str, generator: Generator, spec: ConditionSpec) -> None:
        """Raise a BadValueError if a generator and the meaning of c are not of this setting."""
        if generator.latent_space != self.space:
            raise BadValueError(
                f"the recipe {name!r} edits {self.generator} in {self.space.upper()}, and this generator's latents are "
                f"in {generator.latent_space.upper()}: give another, or leave --recipe out."
            )
        if spec.kind not in self.conditions:
            raise BadValueError(
                f"the recipe {name!r} is of {' or '.join(self.conditions)} ({self.predictor}), and this predictor "
                f"gives {spec.kind}: give another, or leave --recipe out."
            )


RECIPES = {
    "ffhq-attributes": Recipe(
        generator="StyleGAN2 of FFHQ",
        predictor="a classifier of facial attributes, 48 in the paper",
        space="w",
        conditions=("attributes",),
    ),
    "celebahq-attributes": Recipe(
        generator="ProgressiveGAN of CelebA-HQ",
        predictor="the same classifier",
        space="z",
        conditions=("attributes",),
        truncation=1.0,
    ),
    "anime-keypoints": Recipe(
        generator="StyleGAN2 of anime faces",
        predictor="facial landmarks and attributes",
        space="w",
        conditions=("joint", "keypoints"),
    ),
    "flowers-caption": Recipe(
        generator="a generator of Oxford-102 flowers, StyleGAN2 with DiffAugment",
        predictor="a captioner and a sentence embedding",
        space="w",
        conditions=("caption",),
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"{name!r} is no recipe{nearest(name, RECIPES)}: choose {', '.join(RECIPES)}.")
    return RECIPES[name]
