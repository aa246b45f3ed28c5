"""`read_latent`: the latent that an inverter wrote, whoever's, as one that a generator takes.

NVIDIA's projectors write `.npz` with w [1, L, D], InterFaceGAN `.npy` [N, D] or [N, L, D], e4e, pSp and PTI tensors
[N, L, D] or dicts of one a picture, rosinality's projector a dict of dicts, image name to {"img", "latent", "noise"}.
None of them says in which space it is: the shape does, or the name.
"""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.latents.files import Keys, Tensors, read_tensors
from sgf_hub.latents.fitting import Sizes, would_fit
from sgf_hub.types import Generator, Latent, Space
from sgf_hub.validation import short

# what tools call a latent, among other things that they save beside it
_NAMES = ("latent", "latents", "latent_in", "latent_code", "latent_codes", "codes",
          "z", "w", "ws", "wp", "w+", "w_plus")  # fmt: skip
_SPACES = ("z", "w", "w+")  # that a file's latents are in
_LISTED = 5  # latents that a sentence names


class SeveralError(BadValueError):
    """A file of several latents, and no word which of them is meant.

    Args:
        sentence: to say.
        count: of the latents.
    """

    def __init__(self, sentence: str, count: int) -> None:
        super().__init__(sentence)
        self.count = count


def read_latent(
    path: str | Path, generator: Generator, *, index: int | None = None, space: Space | None = None
) -> Latent:
    """One latent of a file, as the generator takes it.

    Args:
        path: a .safetensors, .npz, .npy, .pt or .pth file.
        generator: G.
        index: which of the file's latents, from 0, where it holds several.
        space: that it is in. By default what the file says, or what its tensor is called (z, w), or its shape:
            [N, L, D] is "w+", and [N, D] the generator's own space; in a dict of pictures [L, D] is one w+.

    Returns:
        One latent; a z of a generator that draws from W as its w, and a w+ that no file calls so as w where all its
        layers are equal.

    Raises:
        CorruptFileError: if the file is missing, damaged, foreign, or holds no latent.
        SpaceError: if what it holds does not fit the generator: it says which would.
        SeveralError: if it holds several and no index says which.
        BadValueError: for values that are not finite.
    """
    if space is not None and space not in _SPACES:
        raise SpaceError(f"latent space {short(space)} is unknown: use 'z', 'w' or 'w+'.")
    file, sizes = read_tensors(path), Sizes.of(generator)
    said = space or file.metadata.get("space")
    if said is not None and said not in _SPACES:
        raise SpaceError(f"{file.name} says that it is in the space {short(said)}: use 'z', 'w' or 'w+'.")
    found = [one for one in _samples(file, sizes, said) if len(one[2])]
    if not found:
        raise _misfit(file, sizes, said)
    at = _chosen(file.name, [label for label, _, data in found for _ in data], index)
    for _, kind, data in found:
        if at < len(data):
            return _taken(Latent(data[at : at + 1].clone(), kind), generator, said)
        at -= len(data)
    raise AssertionError(at)


def _samples(file: Tensors, sizes: Sizes, said: str | None) -> Iterator[tuple[str, Space, Tensor]]:
    """The latents of a file that fit: what each tensor is called, their space, and they, [N, D] or [N, L, D]."""
    for keys, data in _candidates(file).items():
        while data.ndim > 2 and data.shape[-2:] == (1, 1):  # z of a convolution that begins at one pixel
            data = data[..., 0, 0]
        called = (keys[-1] if keys else file.stem).lower()
        hint = said or (called if called in ("z", "w") else None)
        kind = _space_of(data, sizes, said, hint, alone=len(keys) > 0)
        if kind is not None:
            sides = data.shape[-2:] if kind == "w+" else data.shape[-1:]
            yield "/".join(keys[:-1] or keys), kind, data.reshape(-1, *sides)


def _candidates(file: Tensors) -> dict[Keys, Tensor]:
    """The tensors that are called as latents are; all, where none is."""
    named = {keys: one for keys, one in file.held.items() if keys and keys[-1].lower() in _NAMES}
    return named or file.held


def _space_of(data: Tensor, sizes: Sizes, said: str | None, hint: str | None, *, alone: bool) -> Space | None:
    """The space of a tensor of latents; None if it fits none.

    Args:
        data: of any shape.
        sizes: of the generator's latents.
        said: the space that the user or the file names.
        hint: that, or what the tensor is called.
        alone: whether the tensor has a key of its own: it is one picture's then, if it can be.
    """
    layered = sizes.layers > 0 and tuple(data.shape[-2:]) == (sizes.layers, sizes.dimension)
    one = data.ndim == 2 and (said == "w+" or (alone and hint != "z"))
    if layered and said in (None, "w+") and (data.ndim == 3 or one):
        return "w+"
    own: Space = "z" if hint == "z" else "w" if hint == "w" else sizes.space
    fits = said != "w+" and data.ndim in (1, 2) and data.shape[-1] == sizes.width(own) > 0
    return own if fits else None


def _chosen(name: str, labels: list[str], index: int | None) -> int:
    """Which of the latents to take, or a BadValueError that lists them."""
    count = len(labels)
    if index is None and count == 1:
        return 0
    if index is not None and not isinstance(index, bool) and 0 <= index < count:
        return index
    few = list(dict.fromkeys(labels))
    each = [f"{i} {short(label)[1:-1]}" for i, label in enumerate(labels[:_LISTED])] if len(few) == count else []
    listed = f" ({', '.join(each)}{', ...' if count > _LISTED else ''})" if each else ""
    given = "" if index is None else f", and {short(index)} is none of them"
    raise SeveralError(
        f"{name} holds {count} latent{'s' * (count > 1)}{listed}{given}: say which, by an index from 0 to {count - 1}.",
        count,
    )


def _taken(latent: Latent, generator: Generator, said: str | None) -> Latent:
    if latent.space == "z" and generator.latent_space == "w":
        return generator.to_w(latent)  # type: ignore[attr-defined]
    if latent.space == "w+" and said is None and bool((latent.data == latent.data[:, :1]).all()):
        return Latent(latent.data[:, 0], "w")
    return latent


def _misfit(file: Tensors, sizes: Sizes, said: str | None) -> SpaceError:
    """Why none of a file's tensors is a latent of the generator, and whose it could be."""
    keys, data = next(iter(_candidates(file).items()))
    shape, count = list(data.shape), len(file.held)
    held = f"{count} tensors, such as {short('/'.join(keys))}" if count > 1 else "a tensor"
    layers, dimension = shape[-2] if len(shape) == 3 else 0, shape[-1] if shape else 0
    known = count == 1 or keys[-1].lower() in _NAMES  # and no weight of a checkpoint, or a picture
    other = known and len(shape) in (1, 2, 3) and (dimension != sizes.dimension or layers not in (0, sizes.layers))
    return SpaceError(
        f"{file.name} holds {held} of shape {shape}{f' in the space {said!r}' if said else ''}, and latents of this "
        f"generator are {sizes.accepted}{f'; {would_fit(layers, dimension)}' if other else ''}."
    )


__all__ = ["SeveralError", "read_latent"]
