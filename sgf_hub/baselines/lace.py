"""LACE (Nie, Vahdat and Anandkumar, NeurIPS 2021) as an editor: the flow of an energy-based model of latents.

The joint density of a latent u ~ N(0, I) and attributes c is p(u) times the product of p(c_i | u) of latent
classifiers. Diffused so that N(0, I) stays as it is, its probability flow is

    du / dt = beta(t) / 2 * sum over i of grad log p(c_i | u)

towards the data: what pulls to the prior and what spreads from it cancel. For an edit after others (the paper's
sequential editing) two regularisers join the energy,

    held * sum over other attributes j of (f_j(u) - f_j(u0))^2 + near * |u - u0|^2

with f_j the log-odds and u0 where the edit began. beta(t) says how fast the path is gone along and not where it leads,
so a step here goes along it by a length: that is the strength of an edit. Latents whose prior is another Gaussian, or a
mixture that is taken for one, are whitened first.
"""

from itertools import product

import torch
from torch import Tensor

from sgf_hub.baselines.choices import STRENGTHS, score, seen, some
from sgf_hub.baselines.classifiers import LatentClassifiers
from sgf_hub.data.pairs import Pairs
from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import LoopEditor, Stepper
from sgf_hub.types import Generator, Latent, Predictor, Target
from sgf_hub.validation import bounded

_PARTS = 8  # Euler steps of the flow in a step of the edit, which are nearly free: nothing is drawn
_TRIED = 6  # latents that each attribute is flipped of to choose the settings
STEP_SIZE = 0.4
HELD, NEAR = (0.0, 0.01, 0.03, 0.1), (0.0, 0.01)  # weights of the regularisers that are tried


class LACEEditor(LoopEditor):
    """Moves every sample along the flow; several attributes at once are a sum.

    Args:
        generator: G.
        predictor: C; it judges where an edit has come, and steers nothing.
        classifiers: fitted on latents of G.
        step_size: the longest way of a step, in standard deviations of the latents.

    Raises:
        SpaceError: if the classifiers are of another latent space than the generator's.
    """

    sweep = EditConfig.paper(max_steps=20, tolerance=0.0)  # to 8 standard deviations

    def __init__(
        self,
        generator: Generator,
        predictor: Predictor,
        classifiers: LatentClassifiers,
        *,
        step_size: float = STEP_SIZE,
    ) -> None:
        classifiers.check_generator(generator)
        self.generator, self.predictor, self.classifiers = generator, predictor, classifiers
        self.step_size = bounded("step_size", step_size, 1e-6, 1e4)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """Along the flow."""
        flow = Flow(self.classifiers, z0, *self.aims(target), step_size=self.step_size)
        return lambda state: flow(state.z, state.rows)

    def aims(self, target: Target) -> tuple[Tensor, Tensor, Tensor]:
        """What a `Flow` is told of a target: wanted, asked, held."""
        names, scores = self.classifiers.attributes, self.predictor.spec.attributes
        asked = dict(self.classifiers.asked(self.predictor, target))
        kept = self.classifiers.kept(self.predictor, target)
        columns = [scores.index(name) if name in scores else 0 for name in names]
        wanted = (target.c[:, columns] + 1) / 2
        masks = (torch.tensor([name in some for name in names]).expand(wanted.shape) for some in (asked, kept))
        return wanted, *(mask.to(wanted) for mask in masks)  # type: ignore[return-value]


class Flow:
    """The flow of one edit of B samples.

    Args:
        classifiers: of the latents.
        z0: where the edit begins, [B, D].
        wanted: probabilities of the classifiers' attributes, [B, A]; those that are not asked for do not count.
        asked: 1 where an attribute is asked for, else 0, [B, A].
        held: likewise where it is held.
        step_size: the longest way of a step.
    """

    def __init__(
        self,
        classifiers: LatentClassifiers,
        z0: Tensor,
        wanted: Tensor,
        asked: Tensor,
        held: Tensor,
        *,
        step_size: float = STEP_SIZE,
    ) -> None:
        self.classifiers, self.step_size = classifiers.to(z0.device), step_size
        self.wanted, self.asked, self.held = wanted, asked, classifiers.held * held
        self.u0 = classifiers.whitened(z0)
        self.f0 = classifiers(self.u0)

    def __call__(self, z: Tensor, rows: Tensor) -> Tensor:
        """One step of the samples `rows`, a mask [B], that are at z: [b, D] => delta_z [b, D]."""
        begun = u = self.classifiers.whitened(z)
        longest = self.step_size / _PARTS
        for _ in range(_PARTS):
            drift, bend = self.drift(u, rows)
            length = drift.norm(dim=1).clamp_min(1e-12)
            u = u + torch.minimum(1 / bend, longest / length)[:, None] * drift
        return (u - begun) @ self.classifiers.factor.T

    def drift(self, u: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the flow goes from u, [b, D], and how fast that turns, [b], at most: a bound for a step's time."""
        f, slopes = self.classifiers.linearised(u)
        asked, held, near = self.asked[rows], self.held[rows], self.classifiers.near
        residual = asked * (self.wanted[rows] - f.sigmoid()) - 2 * held * (f - self.f0[rows])  # b, A
        drift = torch.einsum("ba,bad->bd", residual, slopes) - 2 * near * (u - self.u0[rows])
        bend = (slopes.square().sum(dim=2) * (asked / 4 + 2 * held)).sum(dim=1) + 2 * near
        return drift, bend.clamp_min(1e-6)


@torch.inference_mode()
def choose_settings(
    generator: Generator, predictor: Predictor, classifiers: LatentClassifiers, pairs: Pairs, *, seed: int = 0
) -> LatentClassifiers:
    """The classifiers with the weights of the regularisers whose edits measure best, over all attributes.

    Args:
        generator: G.
        predictor: C.
        classifiers: of G's latents.
        pairs: whose latents are edited; the predictor's attributes are among theirs.
        seed: which of the pairs' latents.
    """
    start, spec = some(pairs, _TRIED, seed=seed), predictor.spec
    names = spec.attributes
    before = seen(generator, predictor, start)  # B, A
    editor, flips = LACEEditor(generator, predictor, classifiers), []
    for a in range(len(names)):
        asked = torch.arange(spec.dimension) == a
        c1 = torch.zeros(len(before), spec.dimension)
        c1[:, a] = torch.where(before[:, a] > 0.5, -1.0, 1.0)
        flips.append(editor.aims(Target(c1, asked, torch.zeros_like(asked))))
    wanted, asked, held = (torch.cat(parts) for parts in zip(*flips, strict=True))  # A B, A: all flips as one batch
    z0 = start.data.repeat(len(names), 1)

    def worth(weights: tuple[float, float]) -> float:
        flow, z, after = Flow(classifiers.with_settings(*weights), z0, wanted, asked, held), z0, []
        everyone = torch.ones(len(z), dtype=torch.bool)
        for step in range(1, max(STRENGTHS) + 1):
            z = z + flow(z, everyone)
            if step in STRENGTHS:
                after.append([seen(generator, predictor, Latent(part, start.space)) for part in z.split(_TRIED)])
        each = [score(before, torch.stack(one), a) for a, one in enumerate(zip(*after, strict=True))]
        return sum(each) / len(each)

    settings = {weights: worth(weights) for weights in product(HELD, NEAR)}
    best = max(settings, key=settings.__getitem__)
    return classifiers.with_settings(*best, round(settings[best], 4))
