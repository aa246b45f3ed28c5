"""StyleSpace (Wu, Lischinski and Shechtman, CVPR 2021) as an editor: the channels chosen for an attribute are moved."""

import torch
from torch import Tensor

from sgf_hub.baselines.channels import StyleChannels
from sgf_hub.baselines.fitted import signs
from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.loop import LoopEditor, Stepper
from sgf_hub.types import Generator, Predictor, Target
from sgf_hub.validation import bounded


class StyleSpaceEditor(LoopEditor):
    """Moves the styles of every sample by equal steps; it begins at a latent of W, W+ or S, and the path is in "s".

    Args:
        generator: G, a StyleGAN2.
        predictor: C; it judges where an edit has come, and steers nothing.
        channels: found in G.
        step_size: in standard deviations of the styles.

    Raises:
        SpaceError: if the channels are of another generator's styles.
    """

    moves = "s"
    sweep = EditConfig.paper(max_steps=20, tolerance=0.0)  # up to 20 standard deviations

    def __init__(
        self, generator: Generator, predictor: Predictor, channels: StyleChannels, *, step_size: float = 1.0
    ) -> None:
        channels.check_generator(generator)
        self.generator, self.predictor, self.channels = generator, predictor, channels
        self.step_size = bounded("step_size", step_size, 1e-6, 1e4)

    def begin(self, z0: Tensor, c0: Tensor, target: Target) -> Stepper:
        """Along the channels, as far as each is asked for."""
        velocity = torch.zeros_like(z0)  # B, S
        for name, column in self.channels.asked(self.predictor, target):
            direction = self.channels.directions[self.channels.attributes.index(name)].to(z0)
            velocity += signs(c0, target, column)[:, None] * direction
        return lambda state: self.step_size * velocity[state.rows]
