"""The processes that work on one task together: one, or those that `accelerate launch` started.

Nothing else changes for several of them: each samples shards of its own, and each sees its part of every batch of a
training. They share one file system.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sgf_hub.errors import SGFError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """Who takes part.

    Args:
        rank: which of them this process is.
        size: how many there are.
        device: what this one computes on.
        state: accelerate's, of several processes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    state: Any = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes what is written once, and talks to the user."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all are here."""
        if self.state is not None:
            self.state.wait_for_everyone()

    def add(self, tensors: list[Tensor]) -> None:
        """Put the sum over all processes into each tensor, in one exchange; all of one type, on its device."""
        if self.size == 1:
            return
        from accelerate.utils import reduce

        total = reduce(torch.cat([tensor.flatten() for tensor in tensors]), reduction="sum")
        for tensor, part in zip(tensors, total.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def share(self, count: int) -> slice:
        """This process's part of `count` things, as equal as can be."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)


ALONE = Group()  # one process, on the CPU


@cache
def group() -> Group:
    """The processes that were launched together, or this one alone; on GPUs, where there are some.

    An empty CUDA_VISIBLE_DEVICES keeps the work off them.

    Raises:
        SGFError: if several were launched and accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        return Group(device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        from accelerate import PartialState
    except ImportError:
        raise SGFError("several processes need accelerate: pip install 'sgf-hub[train]'.") from None
    state = PartialState(cpu=not torch.cuda.is_available())
    return Group(state.process_index, state.num_processes, state.device, state)


def on_device(model: T, group: Group) -> T:
    """A generator or predictor on the group's device, if it can be moved."""
    return model.to(group.device) if isinstance(model, nn.Module) else model
