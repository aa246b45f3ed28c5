"""`read_direction`: a direction of the latent space that another tool found, as a generator's latents are moved by it.

InterFaceGAN's boundaries are `.npy` of [1, D], e4e's editing directions tensors of [1, D] or [1, L, D].
"""

from pathlib import Path

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError
from sgf_hub.latents.files import read_tensors
from sgf_hub.latents.fitting import Sizes, would_fit
from sgf_hub.types import Generator
from sgf_hub.validation import short


def read_direction(path: str | Path, generator: Generator) -> Tensor:
    """One direction, of unit length.

    Args:
        path: a .safetensors, .npz, .npy, .pt or .pth file of one tensor, [D], [1, D], [L, D] or [1, L, D].
        generator: G, whose latents it moves.

    Returns:
        [D]; or [L, D] where layers differ, the root mean square of whose rows' lengths is 1.

    Raises:
        CorruptFileError: if the file is missing, damaged or foreign, or the direction zero or not finite.
        BadValueError: if it holds several.
        SpaceError: if the direction is one of another generator: it says of which.
    """
    file, sizes = read_tensors(path), Sizes.of(generator)
    if len(file.held) > 1:
        names = ", ".join("/".join(keys) for keys in file.held)
        raise BadValueError(
            f"{file.name} holds {len(file.held)} tensors ({short(names)[1:-1]}): save one direction alone."
        )
    (data,) = file.held.values()
    given = list(data.shape)
    while data.ndim > 1 and len(data) == 1:
        data = data[0]
    if data.shape == (sizes.layers, sizes.dimension) and bool((data == data[:1]).all()):
        data = data[0]
    if data.shape not in ((sizes.dimension,), (sizes.layers, sizes.dimension)):
        if data.ndim > 2 or 0 in data.shape or data.ndim == 0:
            raise CorruptFileError(f"{file.name} holds a tensor of shape {given}; a direction has [D], or [L, D].")
        if data.ndim == 2 and data.shape[1] == sizes.dimension and len(given) == 2:
            raise BadValueError(f"{file.name} holds {len(data)} directions: save the one that is meant alone.")
        layers = len(data) if data.ndim == 2 else 0
        raise SpaceError(
            f"{file.name} holds a direction of shape {given}, and latents of this generator are {sizes.accepted}; "
            f"{would_fit(layers, data.shape[-1])}."
        )
    if not torch.isfinite(data).all():
        raise CorruptFileError(f"{file.name} holds numbers that are not finite.")
    length = data.double().square().sum(dim=-1).mean().sqrt()
    if length == 0:
        raise CorruptFileError(f"{file.name} is zero everywhere: it points nowhere.")
    return (data.double() / length).float()
