"""A direction of somebody else's as an editor: straight on along it, as InterFaceGAN's and e4e's tools move latents."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.editing.config import EditConfig, EditRequest, Wishes
from sgf_hub.editing.loop import LoopEditor, Stepper
from sgf_hub.editing.trajectory import EditStep
from sgf_hub.errors import BadValueError
from sgf_hub.latents import read_direction
from sgf_hub.types import Generator, Latent, Predictor, Space, Target
from sgf_hub.validation import bounded

_SIGMAS = 0.7  # a step, in standard deviations of the latents along the direction: InterFaceGAN's here


class DirectionEditor(LoopEditor):
    """Moves every sample by equal steps along one direction: latent + k * step_size * direction at step k.

    What is asked for ends an edit, where it is reached; it does not turn the direction, of which no attribute is known.

    Args:
        generator: G.
        predictor: C; it judges where an edit has come, and steers nothing.
        direction: [D], or [L, D] with a row for each layer of W+; of unit length, as `read_direction` gives it.
        step_size: of the latent, negative for the way back; by default .7 standard deviations of the latents along the
            direction.

    Raises:
        BadValueError: if the direction has another shape than the generator's latents.
    """

    sweep = EditConfig.paper(max_steps=20, tolerance=0.0)  # to 14 standard deviations

    def __init__(
        self, generator: Generator, predictor: Predictor, direction: Tensor, *, step_size: float | None = None
    ) -> None:
        layers = getattr(generator, "num_layers", 0)
        if tuple(direction.shape) not in ((generator.latent_dim,), (layers, generator.latent_dim)):
            raise BadValueError(
                f"the direction has shape {list(direction.shape)}; one of this generator has [{generator.latent_dim}]"
                f"{f' or [{layers}, {generator.latent_dim}]' if layers else ''}."
            )
        self.generator, self.predictor, self.direction = generator, predictor, direction
        if step_size is not None:
            self.step_size = bounded("step_size", step_size, -1e4, 1e4)

    @classmethod
    def read(
        cls, path: str | Path, generator: Generator, predictor: Predictor, *, step_size: float | None = None
    ) -> Self:
        """The editor of a file's direction; see `read_direction`."""
        return cls(generator, predictor, read_direction(path, generator), step_size=step_size)

    def steps(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
    ) -> Iterator[EditStep]:
        """The path, as every `Editor` gives it; without a wish, a request goes the whole of it."""
        config = config or self.sweep
        if isinstance(target, EditRequest) and not target.wishes:
            target = self._nothing_asked(latent, config)
        yield from super().steps(latent, target, config)

    @property
    def moves(self) -> Space | None:  # type: ignore[override]
        """A row a layer goes through W+."""
        return "w+" if self.direction.ndim == 2 else None

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """Along the direction, whatever is asked for."""
        direction = self.direction.to(z0)
        return lambda state: self.step_size * direction.expand_as(state.z)

    @torch.no_grad()
    def _nothing_asked(self, latent: Latent, config: EditConfig) -> Target:
        c = self.predictor(self.generator.synthesize(latent, resolution=config.resolution))
        nothing = torch.zeros(c.shape[1], dtype=torch.bool, device=c.device)
        return Target(c, nothing, ~nothing)

    @cached_property
    def step_size(self) -> float:
        """How far a step goes along the direction."""
        return _SIGMAS * self.spread

    @cached_property
    def spread(self) -> float:
        """The standard deviation of the generator's latents along the direction; the mean over its rows."""
        rows = self.direction.view(-1, self.generator.latent_dim)
        rows = rows[rows.norm(dim=1) > 0]
        rows = rows / rows.norm(dim=1, keepdim=True)
        return (self.generator.sample(1000, seed=0).data.float() @ rows.T).std(dim=0).mean().item()
