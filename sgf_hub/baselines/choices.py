"""What edits an attribute best is found by pictures of training latents, and scored as the metric scores an edit.

The score of Section 4.4 is the area under 1 - (share of other attributes that changed) over the share of samples whose
attribute changed to the other side, at a few strengths. GANSpace's authors looked which component edits what, over
which layers; `choose` measures: the few best candidates for each attribute meet again on other latents, more of them,
and the best of those is the choice. With one round the winner is often a lucky one.
"""

import torch
from torch import Tensor

from sgf_hub.baselines.components import Choice, Components
from sgf_hub.data.pairs import Pairs
from sgf_hub.editing.changes import CHANGED
from sgf_hub.types import Generator, Latent, Predictor

STRENGTHS = (2, 5, 10, 20)  # in standard deviations, or in steps of an editor's sweep
_FIRST, _SECOND = 10, 24  # latents of the two rounds
_LISTED = 4  # components an attribute, those whose coordinates correlate most with its score
_KEPT = 3  # candidates an attribute that reach the second round

Layers = tuple[int, int] | None
Candidate = tuple[int, Layers]


@torch.inference_mode()
def choose(
    generator: Generator, predictor: Predictor, components: Components, pairs: Pairs, *, seed: int = 0
) -> dict[str, Choice]:
    """The best component, layers and sign for every attribute of the predictor.

    Args:
        generator: G.
        predictor: C.
        components: of G.
        pairs: latents with scores, for the short list; the predictor's attributes are among theirs.
        seed: which of the pairs' latents are moved.
    """
    names = predictor.spec.attributes
    columns = [pairs.info.spec.attributes.index(name) for name in names]
    listed = short_list(components(pairs.z), pairs.info.spec.scores(pairs.c)[:, columns])
    start = some(pairs, _FIRST + _SECOND, seed=seed)
    ranges: list[Layers] = [None]
    if components.latent_space == "w":
        start = generator.to_w_plus(start)  # type: ignore[attr-defined]
        ranges = [*layer_ranges(start.data.shape[1])]

    candidates = [(component, layers) for component in listed for layers in ranges]
    scores = _measure(generator, predictor, components, candidates, start[:_FIRST])
    best = scores.amax(dim=1).topk(min(_KEPT, len(candidates)), dim=0).indices  # kept, A
    candidates = [candidates[i] for i in torch.unique(best).tolist()]
    scores = _measure(generator, predictor, components, candidates, start[_FIRST:])
    winners = scores.flatten(0, 1).max(dim=0)  # over candidates and ways
    chosen = {}
    for name, score, place in zip(names, winners.values.tolist(), winners.indices.tolist(), strict=True):
        component, layers = candidates[place // 2]
        chosen[name] = Choice(component, layers, 1 - 2 * (place % 2), round(score, 4))
    return chosen


def _measure(
    generator: Generator, predictor: Predictor, components: Components, candidates: list[Candidate], start: Latent
) -> Tensor:
    """The scores of K candidates, along the component and against it, for every attribute: [K, 2, A]."""
    before = seen(generator, predictor, start)  # B, A
    found = []
    for component, layers in candidates:
        shift = torch.zeros_like(start.data)
        shift[:, slice(*layers) if layers else slice(None)] = components.direction(component)
        up, down = (
            torch.stack(
                [seen(generator, predictor, Latent(start.data + sign * k * shift, start.space)) for k in STRENGTHS]
            )
            for sign in (1, -1)
        )  # S, B, A
        rising = before <= 0.5  # B, A; the others are asked to lose it
        found.append(
            [
                [score(before, torch.where(rising[:, a, None], along, against), a) for a in range(before.shape[1])]
                for along, against in ((up, down), (down, up))
            ]
        )
    return torch.tensor(found)


def some(pairs: Pairs, count: int, *, seed: int) -> Latent:
    """Latents of the pairs to try edits on."""
    order = torch.randperm(len(pairs.z), generator=torch.Generator().manual_seed(seed))
    return Latent(pairs.z[order[:count]], pairs.info.space)


def seen(generator: Generator, predictor: Predictor, latent: Latent) -> Tensor:
    """The probabilities of the attributes in the pictures of latents, [B, A]."""
    return (predictor.spec.scores(predictor(generator.synthesize(latent))) + 1) / 2


def short_list(x: Tensor, scores: Tensor) -> list[int]:
    """The components worth trying: those that correlate most with some attribute, [N, n], [N, A] => at most 4 A."""
    x, scores = ((v - v.mean(dim=0)) / v.std(dim=0).clamp_min(1e-12) for v in (x, scores))
    correlation = (x.T @ scores).abs()  # n, A
    return torch.unique(correlation.topk(min(_LISTED, len(correlation)), dim=0).indices).tolist()


def layer_ranges(count: int) -> list[tuple[int, int]]:
    """All layers of W+, and what coarse, middle and fine resolutions make up; every resolution stays whole."""
    cuts = sorted({0, 3, 2 * (count // 5) + 1, count} & set(range(count + 1)))
    ranges = [(first, last) for i, first in enumerate(cuts) for last in cuts[i + 1 :]]
    return sorted(ranges, key=lambda ends: ends[0] - ends[1])  # the widest first: it wins a tie


def score(before: Tensor, after: Tensor, a: int) -> float:
    """What edits are worth that flip attribute a.

    Args:
        before: probabilities, [B, A].
        after: the same at S strengths, [S, B, A].
        a: its column.
    """
    rising = before[:, a] <= 0.5  # B
    change = after - before
    changed = change.abs() > CHANGED
    arrived = changed[..., a] & ((change[..., a] > 0) == rising)
    others = changed.sum(dim=-1) - changed[..., a].long()
    return area(arrived.float().mean(dim=1), 1 - others.float().mean(dim=1) / max(before.shape[1] - 1, 1)).item()


def area(accuracy: Tensor, disentanglement: Tensor) -> Tensor:
    """Under the curve from (0, 1) through strengths, [S] and [S]; it ends at the best accuracy."""
    total, reached, height = accuracy.new_zeros(()), accuracy.new_zeros(()), accuracy.new_ones(())
    for x, y in zip(accuracy, disentanglement, strict=True):
        total = total + (x - reached).clamp_min(0) * (y + height) / 2
        reached, height = torch.maximum(reached, x), y
    return total
