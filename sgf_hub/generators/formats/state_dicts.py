"""The state dicts in a checkpoint, whatever they are wrapped in: one normalisation, before any format looks.

Trainers keep weights under names of their own (`g_ema`, `params_ema`, `state_dict`), several networks in one dict
(`encoder.`, `decoder.`), and wrappers put a word before every key (`module.`, `_orig_mod.`, Lightning's `model.`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sgf_hub.generators.formats.checkpoint import tensors_of

_AVERAGED = (
    "g_ema",
    "G_ema",
    "generator_ema",
    "generator_smooth",
    "avgG",
    "netG_ema",
    "params_ema",
    "ema",
    "ema_model",
)
_TRAINED = ("generator", "netG", "g", "G", "params")
_GENERATORS = (*_AVERAGED, *_TRAINED, "decoder")
_WRAPPERS = ("state_dict", "model", "module", "_orig_mod", "model_state_dict", "net", "network", "weights")
_MOST_DEEP = 5
_MOST = 64


@dataclass(frozen=True)
class StateDict:
    """The weights of one network of a checkpoint, by the names that the network itself gives them.

    Args:
        path: what they were found under, from the root of the checkpoint.
        tensors: by name.
        beside: the tensors that lie on the way to them (a mean w).
        root: the whole checkpoint.
    """

    path: tuple[str, ...]
    tensors: dict[str, Tensor] = field(repr=False)
    beside: dict[str, Tensor] = field(repr=False)
    root: Any = field(repr=False)

    @property
    def averaged(self) -> bool:
        """Whether its name says that it is the moving average of a generator in training."""
        return any(word in _AVERAGED for word in self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of where it was found."""
        if not self.averaged and any(word in _TRAINED for word in self.path):
            return ("the generator in training: the file holds no averaged one",)
        return ("the encoder that the file holds beside it is not read",) if "decoder" in self.path else ()


def state_dicts(tree: Any) -> list[StateDict]:
    """Every state dict in a checkpoint that may be a generator's, averaged ones first."""
    found = list(_under(tree, (), {}, tree))[:_MOST]
    return sorted(found, key=lambda one: not one.averaged)


def _under(value: Any, path: tuple[str, ...], beside: dict[str, Tensor], root: Any) -> Iterator[StateDict]:
    tensors = tensors_of(value)
    if tensors:
        yield StateDict(path, tensors, beside, root)
    if len(path) == _MOST_DEEP:
        return
    for word in (*_GENERATORS, *_WRAPPERS):
        held = value.get(word) if isinstance(value, Mapping) else None
        if isinstance(held, Mapping):
            yield from _under(held, (*path, word), beside | tensors, root)
        inside = {key[len(word) + 1 :]: one for key, one in tensors.items() if key.startswith(word + ".")}
        if inside:
            yield from _under(inside, (*path, word), beside | tensors, root)
