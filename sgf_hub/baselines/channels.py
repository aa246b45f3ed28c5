"""StyleSpace's channels (Wu, Lischinski and Shechtman, CVPR 2021): which styles of a StyleGAN2 make which attribute.

For an attribute, a channel's relevance is |mean| / std, over pictures that have the attribute, of how far its style is
from the mean of all pictures, in their standard deviations. The paper looks through the most relevant channels for the
one that edits well; here pictures measure it (`choices.py`). A generator with few channels has attributes that take
several, so the first few of the list together are candidates too, each moved as far as its mean has it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sgf_hub.baselines.choices import STRENGTHS, score, seen, some
from sgf_hub.baselines.fitted import Fitted, described
from sgf_hub.data.pairs import Pairs
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.types import Generator, Latent, Predictor
from sgf_hub.validation import bounded, short

_SAMPLES = 20_000  # pairs whose styles are looked at
_FIRST, _SECOND = 6, 16  # latents of the two rounds
_ALONE = 4  # channels an attribute that are tried by themselves
_TOGETHER = (2, 4, 8, 16, 32, 64)  # how many of the list are tried at once
_KEPT = 3  # candidates an attribute that reach the second round


class StyleChannels(Fitted, pipeline_tag="image-to-image", tags=["gan", "stylespace"]):
    """A direction in S for each of A attributes, zero but for the channels that were chosen.

    Args:
        generator: repo of the generator, a StyleGAN2.
        predictor: repos of the heads that the choices were made with.
        latent_space: "w", the generator's.
        latent_dim: D, of w.
        styles: S.
        attributes: names, in the order of the directions.
        scores: what each choice measured (see `choices.py`); () if not known.
    """

    directions: Tensor  # A, S; of unit length in standard deviations, upwards

    def __init__(
        self,
        *,
        generator: str,
        predictor: Sequence[str],
        latent_dim: int,
        styles: int,
        attributes: Sequence[str],
        latent_space: str = "w",
        scores: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.describe(generator, predictor, latent_space, latent_dim, attributes)
        if latent_space != "w":
            raise BadValueError(f"latent_space is {short(latent_space)}; styles are made of 'w'.")
        self.scores = self.one_each("scores", scores, "one")
        self.style_dim = bounded("styles", styles, 1, 1 << 16)
        self.register_buffer("directions", torch.zeros(len(self.attributes), styles))

    def measured(self) -> dict[str, Any]:
        """The scores of the choices, and of how many channels each is."""
        counts = dict(zip(self.attributes, (self.directions != 0).sum(dim=1).tolist(), strict=True))
        return {
            "scores": dict(zip(self.attributes, self.scores, strict=True)) if self.scores else {},
            "channels": counts,
        }

    def check_generator(self, generator: Generator) -> None:
        """Raise a SpaceError if `generator` has no styles, or others than those that these channels are of."""
        super().check_generator(generator)
        count = getattr(generator, "style_dim", 0)
        if count != self.style_dim:
            raise SpaceError(
                f"these channels are of {self.style_dim} styles, the generator has {count}: use the generator they "
                f"were found in, {self.generator_name}."
            )


@torch.inference_mode()
def fit_channels(generator: Generator, predictor: Predictor, pairs: Pairs, *, seed: int = 0) -> StyleChannels:
    """The best channel, or few channels, for every attribute of the predictor.

    Args:
        generator: G, a StyleGAN2.
        predictor: C; its attributes are among those of the pairs.
        pairs: latents with scores.
        seed: which of the pairs' latents are moved.

    Raises:
        BadValueError: if an attribute is the same everywhere.
    """
    styles: Tensor = generator.to_s(Latent(pairs.z[:_SAMPLES], pairs.info.space)).data  # type: ignore[attr-defined]
    scores = pairs.info.spec.scores(pairs.c[:_SAMPLES])
    start = generator.to_s(some(pairs, _FIRST + _SECOND, seed=seed))  # type: ignore[attr-defined]
    names = predictor.spec.attributes
    before = seen(generator, predictor, start)
    chosen, found = [], []
    for a, name in enumerate(names):
        column = scores[:, pairs.info.spec.attributes.index(name)]
        present = column > (column.min() + column.max()) / 2
        if not present.any():
            raise BadValueError(f"the pairs hold no contrast in {name!r}: sample more, or leave it out.")
        tried = candidates(styles, present)
        worth = _measure(generator, predictor, tried, start[:_FIRST], before[:_FIRST], a)
        tried = tried[worth.argsort(descending=True, stable=True)[:_KEPT]]
        worth = _measure(generator, predictor, tried, start[_FIRST:], before[_FIRST:], a)
        chosen.append(tried[worth.argmax()])
        found.append(round(worth.max().item(), 4))
    config = {**described(pairs), "attributes": list(names), "styles": styles.shape[1], "scores": found}
    made = StyleChannels(**config)
    made.directions.copy_(torch.stack(chosen))
    return made.eval()


def candidates(styles: Tensor, present: Tensor) -> Tensor:
    """Directions worth trying for an attribute: single channels, then several together.

    Args:
        styles: of samples, [N, S].
        present: which of them have the attribute, a mask [N].

    Returns:
        [K, S], of unit length in standard deviations, towards the samples that have it.
    """
    std = styles.std(dim=0)
    away = (styles[present] - styles.mean(dim=0)) / std.clamp_min(1e-6)
    mean = away.mean(dim=0)
    relevance = mean.abs() / away.std(dim=0, unbiased=False).clamp_min(1e-6)
    listed = relevance.argsort(descending=True, stable=True)
    sets = [listed[i : i + 1] for i in range(min(_ALONE, len(listed)))]
    sets += [listed[:count] for count in _TOGETHER if count <= len(listed)]
    found = torch.zeros(len(sets), len(listed))
    for row, channels in zip(found, sets, strict=True):
        row[channels] = torch.nn.functional.normalize(mean[channels], dim=0) * std[channels]
    return found


def _measure(
    generator: Generator, predictor: Predictor, directions: Tensor, start: Latent, before: Tensor, a: int
) -> Tensor:
    """The scores of K directions, [K, S], for attribute a: [K]."""
    way = torch.where(before[:, a, None] <= 0.5, 1.0, -1.0)  # B, 1
    found = []
    for direction in directions:
        moved = [Latent(start.data + k * way * direction, "s") for k in STRENGTHS]
        found.append(score(before, torch.stack([seen(generator, predictor, latent) for latent in moved]), a))
    return torch.tensor(found)
