"""The loop that every method shares: it moves a batch of latents until each sample meets its target.

A method brings its stepper and nothing else. Drawing, reading, stopping sample by sample, layers and W+ are here. What
is to be drawn and read it leaves to `together`, which does it for many edits at once.
"""

from collections.abc import Callable, Iterator
from collections.abc import Generator as Asking
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sgf_hub.editing.config import EditConfig, EditRequest, Wishes, aimed
from sgf_hub.editing.layers import LayerMask
from sgf_hub.editing.statistics.distribution import Border, LatentDistribution
from sgf_hub.editing.stopping import StoppingCriterion
from sgf_hub.editing.together import Call, Stage, Work, alone, at_once
from sgf_hub.editing.trajectory import EditStep, StopReason
from sgf_hub.predictors.base import BasePredictor
from sgf_hub.types import Generator, Latent, Predictor, Space, Target


@dataclass(frozen=True)
class StepState:
    """Where the samples that still move have come; b of the B samples do.

    Args:
        index: the step about to be taken, from 1.
        rows: which samples they are, a mask [B].
        z: [b, D] ([b, L, D] in a loop by layer, [b, S] in one by styles).
        c: C of their pictures, [b, C].
        read: z' like z => C(G(z')), [b, C]; it can be differentiated.
    """

    index: int
    rows: Tensor
    z: Tensor
    c: Tensor
    read: Callable[[Tensor], Tensor]


Stepper = Callable[[StepState], Tensor | Asking[Call, Any, Tensor]]
"""What a method does in one step: where the samples are => delta_z, shaped as z; or calls to make, and then that."""


@torch.no_grad()
def edit_loop(
    generator: Generator,
    predictor: Predictor,
    latent: Latent,
    target: Target | EditRequest | Wishes,
    config: EditConfig,
    begin: Callable[[Tensor, Tensor, Target], Stepper],
    *,
    moves: Space | None = None,
    distribution: LatentDistribution | None = None,
    typical: Tensor | None = None,
    drawn: Tensor | None = None,
) -> Work:
    """Edit a batch of latents; each sample stops by itself.

    Args:
        generator: G.
        predictor: C.
        latent: in the generator's space, or "w+" where that is "w", or "s" where that moves.
        target: a `Target`, a request, or wishes such as {"smile": 1} or {"caption": "a red flower"}.
        config: when to stop, which layers to move.
        begin: z0, c0 and the target => the method's stepper; called once.
        moves: what z is of, other than the generator's space: "w+" for a row a layer where that is "w", [B, L, D], "s"
            for styles, [B, S].
        distribution: of the latents; without it no step is taken back, and none is called out of distribution.
        typical: how high attributes score in samples without and with them, [2, A] (`StoppingCriterion`).
        drawn: the pictures of the latent, [B, 3, R, R], where they are known.

    Yields:
        The picture before (index 0), then one step after another; the last one has a reason for every sample. Before
        each, the calls that it takes.

    Raises:
        SpaceError: if the latent is in another space.
        BadValueError: if it has another dimension, or lacks the layers.
    """
    mask = LayerMask(generator, latent, config.layers, moves)

    def draw(latent: Latent) -> Tensor:
        return generator.synthesize(latent, resolution=config.resolution)

    def look(latent: Latent, images: Tensor | None = None) -> Asking[Call, Any, tuple[Tensor, Tensor]]:
        space, most = latent.space, at_once(config.resolution or generator.resolution)
        kind = (id(generator), space, config.resolution)
        if images is None:
            images = yield Call(Stage.DRAW, lambda data: draw(Latent(data, space)), (latent.data,), kind, most)
        return images, (yield Call(Stage.READ, predictor, (images,), (id(predictor),), most))

    z, index = mask.start, 0
    everyone = torch.ones(len(z), dtype=torch.bool, device=z.device)
    latent = mask.latent(z, everyone)
    images, c = yield from look(latent, drawn if config.resolution is None else None)
    target = aimed(predictor, c, target, config)
    stepper = begin(z, c, target)
    criterion = StoppingCriterion(predictor, target, config, len(c), c.device, typical)
    border = Border(distribution, config.within, z)
    criterion.update(c, index, everyone, ~everyone)  # where it began, nobody has left
    if isinstance(predictor, BasePredictor):
        criterion.end(~predictor.readable(images), StopReason.UNREADABLE)

    def step() -> EditStep:
        distance, reasons = criterion.distance.clone(), tuple(criterion.reasons)
        return EditStep(index, latent, images, c, target, distance, reasons, border.outlyingness(z))

    yield step()
    while (rows := criterion.moving).any():
        index += 1

        def read(at: Tensor, rows: Tensor = rows) -> Tensor:
            return predictor(draw(mask.latent(at, rows)))

        delta_z = stepper(StepState(index, rows, z[rows], c[rows], read))
        if not isinstance(delta_z, Tensor):
            delta_z = yield from delta_z
        moved = border.held(z[rows] + delta_z, rows)
        numbers = torch.isfinite(moved)
        moved = torch.where(numbers, moved, z[rows])  # a sample that ends here only has to be one that can be drawn
        drawn, conditions = yield from look(mask.latent(moved, rows))
        finite = numbers.flatten(1).all(dim=1) & torch.isfinite(conditions).all(dim=1)
        kept = rows.clone()
        kept[rows] = finite
        z, c, images = z.clone(), c.clone(), images.clone()  # earlier steps hold theirs
        z[kept], c[kept], images[kept] = moved[finite], conditions[finite], drawn[finite]
        criterion.end(rows & ~kept, StopReason.NOT_FINITE)
        criterion.update(c[kept], index, kept, border.crossed(z)[kept])
        latent = mask.latent(z, everyone)
        yield step()


class LoopEditor:
    """An editor whose steps are the loop's, by itself; a method to compare with says in `begin` where they lead.

    Attributes:
        generator: G.
        predictor: C.
        sweep: its settings where none are given.
        moves: what z is of; see `edit_loop`.
    """

    generator: Generator
    predictor: Predictor
    sweep: EditConfig
    moves: Space | None = None

    def steps(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
    ) -> Iterator[EditStep]:
        """The path, as every `Editor` gives it."""
        config = config or self.sweep
        work = edit_loop(self.generator, self.predictor, latent, target, config, self.begin, moves=self.moves)
        yield from alone(work)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """The stepper of an edit that begins at z0, whose pictures C reads as c0, [B, C]."""
        raise NotImplementedError
