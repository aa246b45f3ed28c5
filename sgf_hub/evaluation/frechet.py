"""Do edited pictures still look as samples do? Frechet distances between edited and unedited ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.disentanglement.sweep import flip, starts
from sgf_hub.predictors import Backbone
from sgf_hub.predictors.frechet import features, frechet_distance
from sgf_hub.types import Latent

_BATCH = 64
_POOL = 6  # times as many unedited samples as edited ones, among which alike ones are sought


@dataclass(frozen=True)
class FrechetResult:
    """Frechet distances between sets of pictures, of a judge's features.

    Args:
        edited: of edited pictures to unedited ones. Edits make rare attributes frequent, which counts here.
        unedited: of unedited ones to others.
        edited_to_alike: of edited pictures to unedited ones that have, one by one, what those were edited to have.
        alike: of such unedited ones to others.
    """

    edited: float
    unedited: float
    edited_to_alike: float
    alike: float


def edited_frechet(
    editor: SGFEditor, backbone: Backbone, config: EditConfig, *, samples: int, seed: int
) -> FrechetResult:
    """How far edited pictures lie from unedited ones, as the features of another network see it.

    Each picture is edited once: an attribute, chosen at random, is flipped. All sets are of other latents.

    Args:
        editor: of attributes.
        backbone: whose features are compared.
        config: of the edits.
        samples: pictures in each set.
        seed: of the latents and the choice.

    Raises:
        BadValueError: if samples that have what is asked are too few.
    """
    spec, latents = editor.predictor.spec, starts(editor, (1 + _POOL) * samples, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(spec.attributes), (samples,), generator=rng)
    present = torch.cat([one[:, : len(spec.attributes)] > 0 for one in _read(editor, latents)])
    wanted = ~present[torch.arange(samples), chosen]

    def pictures(numbers: Tensor) -> Tensor:
        parts = (Latent(latents.data[rows], latents.space) for rows in numbers.split(_BATCH))
        return features(backbone, map(editor.generator.synthesize, parts))

    def edited() -> Iterator[Tensor]:
        for number, name in enumerate(spec.attributes):
            for rows in (chosen == number).nonzero().flatten().split(_BATCH):
                some = Latent(latents.data[rows], latents.space)
                c0 = editor.predictor(editor.generator.synthesize(some))
                yield editor.edit(some, flip(editor.predictor, c0, name), config).result.images

    others = torch.arange(samples, len(present))
    alike: list[list[int]] = [[], []]
    free = torch.ones(len(present), dtype=torch.bool)
    for which in alike:
        for attribute, side in zip(chosen.tolist(), wanted.tolist(), strict=True):
            fitting = others[(present[others, attribute] == side) & free[others]]
            if len(fitting):  # a rare attribute may run out
                which.append(int(fitting[torch.randint(len(fitting), (), generator=rng)]))
                free[which[-1]] = False
        if len(which) < samples / 2:
            raise BadValueError(f"only {len(which)} of {samples} edits ask for what samples have: give more samples.")
    made, reference = features(backbone, edited()), pictures(others[:samples])
    first, second = (pictures(torch.tensor(which)) for which in alike)
    return FrechetResult(
        edited=frechet_distance(made, reference),
        unedited=frechet_distance(pictures(others[samples : 2 * samples]), reference),
        edited_to_alike=frechet_distance(made, first),
        alike=frechet_distance(second, first),
    )


def _read(editor: SGFEditor, latents: Latent) -> Iterator[Tensor]:
    for i in range(0, len(latents), _BATCH):
        yield editor.predictor(editor.generator.synthesize(latents[i : i + _BATCH]))
