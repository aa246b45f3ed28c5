"""Pairs and fitted directions for the linear toys of `tests/toys.py`, and for the toy zoo."""

import torch
from torch import Tensor

from sgf_hub.baselines import Boundaries, Choice, Components, LatentClassifiers, StyleChannels
from sgf_hub.baselines.components import shapes
from sgf_hub.data.pairs import Pairs, PairsInfo
from sgf_hub.types import ConditionSpec, Generator, Predictor, Target

NAMES = {"generator": "sgf-hub/plain", "predictor": ["sgf-hub/plain-attributes"]}


def pairs_of(
    z: Tensor, c: Tensor, spec: ConditionSpec | None = None, *, space: str = "w", generator: str = NAMES["generator"]
) -> Pairs:
    spec = spec or ConditionSpec(tuple(f"a{i}" for i in range(c.shape[1])))
    return Pairs(PairsInfo(generator, tuple(NAMES["predictor"]), space, spec, 0.8, 0), z, c)


def sampled_pairs(generator: Generator, predictor: Predictor, count: int, **changes: str) -> Pairs:
    latent = generator.sample(count, seed=11)
    c = predictor(generator.synthesize(latent))
    return pairs_of(latent.data, c, predictor.spec, space=generator.latent_space, **changes)


def boundaries_of(normals: Tensor, attributes: list[str] | None = None, **changes: object) -> Boundaries:
    """Boundaries with the rows of `normals` (made of unit length)."""
    attributes = attributes or [f"a{i}" for i in range(len(normals))]
    made = Boundaries(**{**NAMES, "latent_dim": normals.shape[1], "attributes": attributes, **changes})
    made.normals.copy_(normals / normals.norm(dim=1, keepdim=True))
    return made


def components_of(
    directions: Tensor, stdev: list[float], choices: dict[str, Choice] | None = None, **changes: object
) -> Components:
    """Components along the rows of `directions`, with choices for attributes."""
    n, size = directions.shape
    made = Components(**{**NAMES, "latent_dim": size, "components": n, "features": size, **changes})
    assert set(shapes(n, size, size)) == set(made.state_dict())
    for name in ("act_comp", "lat_comp"):
        getattr(made, name).copy_(directions / directions.norm(dim=1, keepdim=True))
    for name in ("act_stdev", "lat_stdev"):
        getattr(made, name).copy_(torch.tensor(stdev))
    return made.with_choices(choices or {})


def classifiers_of(size: int, attributes: list[str], *, seed: int = 0, **changes: object) -> LatentClassifiers:
    """Classifiers with weights, a mean and a factor drawn by lot."""
    made = LatentClassifiers(
        **{**NAMES, "latent_dim": size, "attributes": attributes, "width": 8, "held": 0.02, "near": 0.05, **changes}
    )
    rng = torch.Generator().manual_seed(seed)
    for value in (*made.parameters(), made.mean):
        value.data.copy_(torch.randn(value.shape, generator=rng) * (0.7 if value.ndim > 1 else 0.3))
    made.factor.copy_(torch.randn(size, size, generator=rng).tril(-1) * 0.1)
    made.factor.fill_diagonal_(0.5)
    return made.eval().requires_grad_(False)


def channels_of(directions: Tensor, attributes: list[str], **changes: object) -> StyleChannels:
    """Channels along the rows of `directions`."""
    sizes = {"latent_dim": 16, "styles": directions.shape[1], "attributes": attributes}
    made = StyleChannels(**{**NAMES, **sizes, **changes})
    made.directions.copy_(directions)
    return made


def towards(c: list[list[float]], asked: list[bool]) -> Target:
    mask = torch.tensor(asked)
    return Target(torch.tensor(c), mask, torch.zeros_like(mask))
