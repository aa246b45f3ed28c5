"""`GraphNetwork`: a network of few standard operators in the order that its config lists.

What TensorFlow Lite and ONNX files hold of a convolutional network, read as data (`hub/fetching/`) and run by PyTorch:
in batches, on any device, and with no other runtime.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.hub.module import HubModule
from sgf_hub.validation import bounded, names_of, short

_MOST_NODES, _MOST_WEIGHTS = 1000, 1 << 26


class GraphNetwork(HubModule):
    """Images to the outputs of a graph of operators.

    Args:
        side: S, of the square pictures that the network reads.
        nodes: {"op", "inputs", "output", ...} each, in an order in which every input is known: "images", or the output
            of a node before. "conv" has "weight" [out, in / groups, h, w], "stride", "padding" (left, right, top,
            bottom) and "groups"; "linear" has "weight" [out, in]; "prelu" has "weight" [channels]; "max_pool" and
            "mean_pool" have "size" and "stride"; "scale" has "by"; "pad" has "by", (channels, rows,
            columns) of zeros after the last; "relu",
            "add", "mean" (over a picture), "flatten" and "softmax" have nothing more.
        outputs: names of what the network gives.

    Raises:
        BadValueError: if the list is not such a graph.
    """

    saved_as = torch.float32  # another network's weights stay as its author published them

    def __init__(self, *, side: int, nodes: Sequence[dict[str, Any]], outputs: Sequence[str]) -> None:
        super().__init__()
        self.side = bounded("side", side, 1, 4096)
        if not isinstance(nodes, (list, tuple)) or not 0 < len(nodes) <= _MOST_NODES:
            raise BadValueError(f"nodes must be a list of 1 to {_MOST_NODES} operators.")
        self.nodes, self.outputs = tuple(map(_checked, nodes)), names_of("outputs", outputs)
        known, numbers = {"images"}, 0
        for number, node in enumerate(self.nodes):
            if not set(node["inputs"]) <= known:
                raise BadValueError(f"node {number} reads {short(node['inputs'])}, which no node before it gives.")
            known.add(node["output"])
            for name, shape in _shapes(node).items():
                numbers += math.prod(shape)
                if numbers > _MOST_WEIGHTS:
                    raise BadValueError(f"the network has more than {_MOST_WEIGHTS:,} weights.")
                self.register_parameter(f"{name}_{number}", nn.Parameter(torch.zeros(shape)))
        if not self.outputs or not set(self.outputs) <= known:
            raise BadValueError(f"outputs are {short(self.outputs)}; they must be outputs of nodes.")
        last = {name: number for number, node in enumerate(self.nodes) for name in node["inputs"]}
        self._ended = [
            [name for name in {*node["inputs"]} if last[name] == number and name not in self.outputs]
            for number, node in enumerate(self.nodes)
        ]
        # sums whose first term nobody else reads, in whatever shape
        shared = {"images", *(name for node in self.nodes if node["op"] == "flatten" for name in _ends(node))}
        self._in_place = {
            number
            for number, node in enumerate(self.nodes)
            if node["op"] == "add" and node["inputs"][0] in {*self._ended[number]} - shared
        }

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[B, 3, S, S], scaled as the network's author does => its outputs."""
        held = {"images": images.contiguous(memory_format=torch.channels_last)}
        for number, node in enumerate(self.nodes):
            weights = [getattr(self, f"{name}_{number}") for name in _shapes(node)]
            given = [held[name] for name in node["inputs"]]
            alike = len({one.shape for one in given}) == 1
            if number in self._in_place and alike and not torch.is_grad_enabled():
                held[node["output"]] = given[0].add_(given[1])
            else:
                held[node["output"]] = _OPERATORS[node["op"]](node, *given, *weights)
            for name in self._ended[number]:
                del held[name]
        return tuple(held[name] for name in self.outputs)


def _ends(node: dict) -> list[str]:
    return [*node["inputs"], node["output"]]


def _conv(node: dict, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    left, right, top, bottom = node["padding"]
    if (left, top) == (0, 0) and (right, bottom) == (1, 1):  # a tap of 0 before the others copies less than a border
        weight, left, top = F.pad(weight, (1, 0, 1, 0)), 1, 1
    elif left != right or top != bottom:
        x, left, top = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, stride=node["stride"], padding=(top, left), groups=node["groups"])


_OPERATORS: dict[str, Any] = {
    "conv": _conv,
    "linear": lambda node, x, weight, bias: F.linear(x, weight, bias),
    "prelu": lambda node, x, weight: F.prelu(x, weight),
    "relu": lambda node, x: F.relu(x),
    "add": lambda node, x, y: x + y,
    "scale": lambda node, x: x * node["by"],
    "pad": lambda node, x: F.pad(x, (0, node["by"][2], 0, node["by"][1], 0, node["by"][0])),
    "max_pool": lambda node, x: F.max_pool2d(x, node["size"], node["stride"]),
    "mean_pool": lambda node, x: F.avg_pool2d(x, node["size"], node["stride"]),
    "mean": lambda node, x: x.mean(dim=(2, 3)),
    "flatten": lambda node, x: x.flatten(1),
    "softmax": lambda node, x: x.softmax(1),
}
_FIELDS = {
    "conv": ("weight", "stride", "padding", "groups"), "linear": ("weight",), "prelu": ("weight",), "scale": ("by",),
    "pad": ("by",), "max_pool": ("size", "stride"), "mean_pool": ("size", "stride"),
}  # fmt: skip

_LISTS = {
    "conv": {"weight": (4, 1), "padding": (4, 0)}, "linear": {"weight": (2, 1)}, "prelu": {"weight": (1, 1)},
    "pad": {"by": (3, 0)},
}  # fmt: skip
"""Fields that are lists of whole numbers: how many, and the least of them."""


def _shapes(node: dict) -> dict[str, list[int]]:
    """The shapes of a node's weights, by name."""
    if "weight" not in node:
        return {}
    weight = node["weight"]
    return {"weight": weight} if node["op"] == "prelu" else {"weight": weight, "bias": weight[:1]}


def _whole(sizes: Any, count: int, least: int) -> bool:
    """Whether these are so many whole numbers."""
    listed = isinstance(sizes, (list, tuple)) and len(sizes) == count
    return listed and all(type(size) is int and least <= size <= 65536 for size in sizes)


def _checked(node: Any) -> dict:
    operator = node.get("op") if isinstance(node, dict) else None
    if not isinstance(operator, str) or operator not in _OPERATORS:
        raise BadValueError(f"the operator {short(operator)} is unknown; known are {', '.join(_OPERATORS)}.")
    wanted = {"op", "inputs", "output", *_FIELDS.get(operator, ())}
    whole = all(_whole(node.get(key), *sizes) for key, sizes in _LISTS.get(operator, {}).items())
    names, count = node.get("inputs"), 2 if operator == "add" else 1
    read = isinstance(names, list) and len(names) == count and all(isinstance(one, str) for one in names)
    if set(node) != wanted or not whole or not read or not isinstance(node["output"], str):
        raise BadValueError(f"an operator {operator!r} has {', '.join(sorted(wanted))}; {short(node)} has not.")
    for key in ("stride", "groups", "size"):
        if key in node:
            bounded(key, node[key], 1, 65536)
    if operator == "scale":
        bounded("by", node["by"], -1e6, 1e6)
    if operator == "conv" and node["weight"][0] % node["groups"]:
        raise BadValueError(f"a convolution has {node['weight'][0]} channels in {node['groups']} groups.")
    return node


__all__ = ["GraphNetwork"]
