"""Which layers of a latent an edit moves."""

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.types import Generator, Latent, Space


class LayerMask:
    """The edited coordinates z of a latent, and the latent that the generator draws for them.

    A "w+" latent (and a "w" one edited in some layers only) is moved by what the W path moves: z runs from the mean of
    its layers, and every edited layer gets the same shift. By layer, or by styles, z is the whole of it.

    Args:
        generator: G.
        latent: B samples, where the edit begins.
        layers: first and last + 1 of those that move; None for all.
        moves: "w+" for a row of its own in z for each layer where the space is "w", "s" for the styles of a generator
            that has them; None for the generator's own space.

    Attributes:
        start: z of `latent`, [B, D], [B, L, D] or [B, S].

    Raises:
        SpaceError: if the latent is in another space than the generator's, or layers are asked for in "z".
        BadValueError: if it has another dimension, or lacks the layers.
    """

    def __init__(
        self, generator: Generator, latent: Latent, layers: tuple[int, int] | None, moves: Space | None
    ) -> None:
        space, size = generator.latent_space, generator.latent_dim
        if latent.space != space and not (space == "w" and latent.space in ("w+", moves)):
            hint = "call generator.to_w(latent)" if (latent.space, space) == ("z", "w") else f"give one in {space!r}"
            raise SpaceError(f"latent is in space {latent.space!r}, this editor moves {space!r}: {hint}.")
        if latent.space != "s" and latent.data.shape[-1] != size:
            raise BadValueError(
                f"latent has {latent.data.shape[-1]} dimensions, this editor moves {size}: use a latent of its "
                f"generator."
            )
        if moves == "s":
            latent = generator.to_s(latent)  # type: ignore[attr-defined]
        elif latent.space == "w" and (moves == "w+" or layers is not None):
            latent = generator.to_w_plus(latent)  # type: ignore[attr-defined]
        self.space, self.whole = latent.space, latent.data.float()
        self.start, self.mask = self.whole, torch.ones(1)
        if latent.space in ("w+", "s"):
            count = self.whole.shape[1] if latent.space == "w+" else generator.num_layers  # type: ignore[attr-defined]
            first, last = layers or (0, count)
            if not 0 <= first < last <= count:
                raise BadValueError(f"layers are {first} to {last}; this latent has layers 0 to {count}.")
            self.mask = torch.zeros(count, 1, device=self.whole.device)
            self.mask[first:last] = 1
            if latent.space == "s":
                self.mask = self.mask[generator.style_rows, 0]  # type: ignore[attr-defined]
            elif moves != "w+":
                self.start = self.whole.mean(dim=1)
        elif layers is not None:
            raise SpaceError("a range of layers is for latents in 'w' or 'w+'; this one is in 'z'.")

    def latent(self, z: Tensor, rows: Tensor) -> Latent:
        """The latent to draw for coordinates z of the samples `rows`, a mask [B]."""
        if self.space not in ("w+", "s"):
            return Latent(z, self.space)
        shift = z - self.start[rows]
        if shift.ndim < self.whole.ndim:
            shift = shift.unsqueeze(1)
        return Latent(self.whole[rows] + shift * self.mask, self.space)
