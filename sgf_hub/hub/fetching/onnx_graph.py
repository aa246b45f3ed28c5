"""An ONNX file as the config and the weights of a `GraphNetwork`: its messages are read, nothing is run."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.errors import CorruptFileError, SGFError

_MOST = 1 << 28  # bytes of a file


def read_onnx(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the weights; a scale and a shift after a convolution go into its weights.

    Raises:
        CorruptFileError: if the file is no ONNX network, or has an operator that `GraphNetwork` lacks.
    """
    try:
        import onnx
    except ImportError:
        raise SGFError("reading an ONNX file needs onnx: pip install 'sgf-hub[faces]'.") from None
    from google.protobuf.message import DecodeError

    if path.stat().st_size > _MOST:
        raise CorruptFileError(f"{path.name} is larger than {_MOST >> 20} MB.")
    try:
        return _Graph(onnx, onnx.load_model_from_string(path.read_bytes()).graph).read()
    except (DecodeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptFileError(f"{path.name} is damaged, or no network that can be read ({error}).") from None


class _Graph:
    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx, self.graph = onnx, graph
        self.constants = {one.name: np.array(onnx.numpy_helper.to_array(one)) for one in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        self.nodes: list[dict] = []
        self.weights: dict[str, Tensor] = {}
        self.names: dict[str, str] = {}

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        start = self.graph.input[0]
        self.names[start.name] = "images"
        for node in self.graph.node:
            if node.op_type != "Constant":
                fields = {one.name: self.onnx.helper.get_attribute_value(one) for one in node.attribute}
                getattr(self, f"_{node.op_type.lower()}", self._unknown)(node, fields)
        side = start.type.tensor_type.shape.dim[-1].dim_value
        outputs = [self.names[one.name] for one in self.graph.output]
        return {"side": side, "nodes": self.nodes, "outputs": outputs}, self.weights

    def _unknown(self, node: Any, fields: dict) -> None:
        raise CorruptFileError(f"the network has an operator, {node.op_type}, that is not known here.")

    def _node(self, op: str, node: Any, **fields: Any) -> None:
        given = [self.names[name] for name in node.input if name in self.names]
        self.names[node.output[0]] = f"n{len(self.nodes)}"
        self.nodes.append({"op": op, "inputs": given, "output": self.names[node.output[0]], **fields})

    def _keep(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            self.weights[f"{name}_{len(self.nodes)}"] = torch.from_numpy(np.ascontiguousarray(array, np.float32))

    def _conv(self, node: Any, fields: dict) -> None:
        weight, bias = (self.constants[name] for name in node.input[1:])
        top, left, bottom, right = fields["pads"]
        if not _square(fields, "strides"):
            self._unknown(node, fields)
        self._keep(weight=weight, bias=bias)
        self._node("conv", node, weight=list(weight.shape), stride=fields["strides"][0],
                   padding=[left, right, top, bottom], groups=fields.get("group", 1))  # fmt: skip

    def _gemm(self, node: Any, fields: dict) -> None:
        weight, bias = (self.constants[name] for name in node.input[1:])
        weight = weight if fields.get("transB") else weight.T
        if fields.get("transA") or (fields.get("alpha", 1), fields.get("beta", 1)) != (1, 1):
            self._unknown(node, fields)
        self._keep(weight=weight, bias=bias)
        self._node("linear", node, weight=list(weight.shape))

    def _last_conv(self, node: Any) -> str | None:
        """The number of the convolution that a node alone reads, into which it can go."""
        before, read = self.nodes[-1], node.input[0]
        readers = sum(read in one.input for one in self.graph.node) + sum(read == one.name for one in self.graph.output)
        alone = before["op"] == "conv" and self.names.get(read) == before["output"] and readers == 1
        return str(len(self.nodes) - 1) if alone else None

    def _mul(self, node: Any, fields: dict) -> None:
        by = self.constants[node.input[1]]
        conv = self._last_conv(node)
        if by.size == 1:
            self._node("scale", node, by=by.item())
        elif conv is not None:
            factor = torch.from_numpy(by).flatten()
            self.weights[f"weight_{conv}"] = self.weights[f"weight_{conv}"] * factor[:, None, None, None]
            self.weights[f"bias_{conv}"] = self.weights[f"bias_{conv}"] * factor
            self.names[node.output[0]] = self.names[node.input[0]]
        else:
            self._unknown(node, fields)

    def _add(self, node: Any, fields: dict) -> None:
        if not self.constants.keys() & set(node.input):
            self._node("add", node)
            return
        conv = self._last_conv(node)
        if conv is None:
            self._unknown(node, fields)
        self.weights[f"bias_{conv}"] = (
            self.weights[f"bias_{conv}"] + torch.from_numpy(self.constants[node.input[1]]).flatten()
        )
        self.names[node.output[0]] = self.names[node.input[0]]

    def _relu(self, node: Any, fields: dict) -> None:
        self._node("relu", node)

    def _maxpool(self, node: Any, fields: dict) -> None:
        self._pool("max_pool", node, fields)

    def _averagepool(self, node: Any, fields: dict) -> None:
        self._pool("mean_pool", node, fields)

    def _pool(self, op: str, node: Any, fields: dict) -> None:
        if any(fields.get("pads", ())) or fields.get("ceil_mode") or not _square(fields, "strides", "kernel_shape"):
            self._unknown(node, fields)
        self._node(op, node, size=fields["kernel_shape"][0], stride=fields["strides"][0])

    def _globalaveragepool(self, node: Any, fields: dict) -> None:
        self._node("mean", node)

    def _flatten(self, node: Any, fields: dict) -> None:
        if fields.get("axis", 1) != 1:
            self._unknown(node, fields)
        self._node("flatten", node)

    def _softmax(self, node: Any, fields: dict) -> None:
        if fields.get("axis", -1) not in (1, -1):
            self._unknown(node, fields)
        self._node("softmax", node)

    def _pad(self, node: Any, fields: dict) -> None:
        before = self.constants[node.input[1]].tolist()
        half = len(before) // 2
        if any(before[:5]) or half != 4:
            self._unknown(node, fields)
        self._node("pad", node, by=before[5:])


def _square(fields: dict, *names: str) -> bool:
    """Whether an operator does the same along both sides of a picture, and leaves no pixels out in between."""
    return set(fields.get("dilations", (1,))) == {1} and all(len(set(fields[name])) == 1 for name in names)
