"""GANSpace (Härkönen et al., NeurIPS 2020) as an editor: along the principal component chosen for an attribute."""

import torch
from torch import Tensor

from sgf_hub.baselines.components import Components
from sgf_hub.baselines.fitted import signs
from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import LoopEditor, Stepper
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.types import Generator, Latent, Predictor, Target
from sgf_hub.validation import bounded, short


class GANSpaceEditor(LoopEditor):
    """Moves every sample by equal steps along the component chosen for an attribute, in its range of layers.

    Where the generator has a W space, the path is in W+.

    Args:
        generator: G.
        predictor: C; it judges where an edit has come, and steers nothing.
        components: fitted on latents of G, with a choice for every attribute that may be asked for.
        step_size: in standard deviations along the component.

    Raises:
        SpaceError: if the components are of another latent space than the generator's.
    """

    moves = "w+"
    sweep = EditConfig.paper(max_steps=20, tolerance=0.0)  # up to 20 standard deviations

    def __init__(
        self, generator: Generator, predictor: Predictor, components: Components, *, step_size: float = 1.0
    ) -> None:
        components.check_generator(generator)
        self.generator, self.predictor, self.components = generator, predictor, components
        self.step_size = bounded("step_size", step_size, 1e-6, 1e4)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """Along the components, as far as each is asked for."""
        velocity = torch.zeros_like(z0)  # B, L, D, or B, D in Z
        for name, column in self.components.asked(self.predictor, target):
            choice = self.components.choices[name]
            sign = (choice.sign * signs(c0, target, column)).view(-1, *[1] * (z0.ndim - 1))
            rows = slice(None) if choice.layers is None else _rows(choice.layers, z0.shape[1])
            velocity[:, rows] += sign * self.components.direction(choice.component).to(z0)
        return lambda state: self.step_size * velocity[state.rows]

    def edit_component(
        self, latent: Latent, component: int, sigmas: float, layers: tuple[int, int] | None = None
    ) -> Latent:
        """A latent moved along one component, for looking at what it does.

        Args:
            latent: of the generator.
            component: which one.
            sigmas: how far, in standard deviations.
            layers: of W+, first and last + 1; None moves all.

        Returns:
            In the latent's space, or in "w+" if layers are given.

        Raises:
            BadValueError: if there is no such component, layer, or distance.
            SpaceError: if layers are asked for in "z".
        """
        if isinstance(sigmas, bool) or not isinstance(sigmas, (int, float)) or not abs(sigmas) <= 1e4:
            raise BadValueError(f"sigmas is {short(sigmas)}; it must be a number from -10000 to 10000.")
        shift = sigmas * self.components.direction(component).to(latent.data)
        if layers is None:
            return Latent(latent.data + shift, latent.space)
        if latent.space == "z":
            raise SpaceError("a range of layers is for latents in 'w' or 'w+'; this one is in 'z'.")
        plus = self.generator.to_w_plus(latent).data.clone()  # type: ignore[attr-defined]
        plus[:, _rows(layers, plus.shape[1])] += shift
        return Latent(plus, "w+")


def _rows(layers: tuple[int, int], count: int) -> slice:
    if not 0 <= layers[0] < layers[1] <= count:
        raise BadValueError(f"layers are {layers[0]} to {layers[1]}; this latent has layers 0 to {count}.")
    return slice(*layers)
