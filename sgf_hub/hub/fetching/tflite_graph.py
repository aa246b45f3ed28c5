"""A TensorFlow Lite file as the config and the weights of a `GraphNetwork`: its tables are read, nothing is run."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.errors import CorruptFileError, SGFError

_SAME, _NO_ACTIVATION, _RELU = 0, 0, 1  # of the format's Padding and ActivationFunctionType
_NUMBERS = {0: np.float32, 1: np.float16, 2: np.int32}  # of its TensorType


def read_tflite(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the weights.

    Raises:
        CorruptFileError: if the file is no TensorFlow Lite network, or has an operator that `GraphNetwork` lacks.
    """
    try:
        import tflite
    except ImportError:
        raise SGFError("reading a TensorFlow Lite file needs tflite: pip install 'sgf-hub[faces]'.") from None
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise CorruptFileError(f"{path.name} is no TensorFlow Lite file.")
    try:
        return _Graph(tflite, tflite.Model.GetRootAsModel(data, 0)).read()
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error) as error:  # too short
        raise CorruptFileError(f"{path.name} is damaged, or no network that can be read ({error}).") from None


class _Graph:
    def __init__(self, tflite: Any, model: Any) -> None:
        self.tflite, self.model, self.graph = tflite, model, model.Subgraphs(0)
        self.operators = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        self.nodes: list[dict] = []
        self.weights: dict[str, Tensor] = {}
        self.widened: dict[int, int] = {}  # constants that other constants were made of

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        graph = self.graph
        (start,) = graph.InputsAsNumpy()
        _, side, _, _ = graph.Tensors(start).ShapeAsNumpy()
        names = {int(start): "images"}
        for number in range(graph.OperatorsLength()):
            operator = graph.Operators(number)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = self.operators[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs, (output,) = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
            if kind == "DEQUANTIZE":
                self.widened[output] = inputs[0]
                continue
            if kind == "RESHAPE":  # of outputs only: a picture's features as a row
                self._node("flatten", [names[inputs[0]]], names, output)
                continue
            options = self._options(operator, kind)
            given = [names[i] for i in inputs if i in names]
            getattr(self, f"_{kind.lower()}", self._unknown)(kind, options, inputs, given, names, output)
            if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
                active = options.FusedActivationFunction()
                if active == _RELU:
                    self._node("relu", [names[output]], names, output)
                elif active != _NO_ACTIVATION:
                    raise CorruptFileError(f"the network has an activation (number {active}) that is not known here.")
        outputs = [names[int(i)] for i in graph.OutputsAsNumpy()]
        return {"side": int(side), "nodes": self.nodes, "outputs": outputs}, self.weights

    def _options(self, operator: Any, kind: str) -> Any:
        name = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
                "MAX_POOL_2D": "Pool2DOptions", "ADD": "AddOptions"}.get(kind)  # fmt: skip
        if name is None:
            return None
        options, table = getattr(self.tflite, name)(), operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    def _unknown(self, kind: str, *rest: Any) -> None:
        raise CorruptFileError(f"the network has an operator, {kind}, that is not known here.")

    def _node(self, op: str, inputs: list[str], names: dict[int, str], output: int, **fields: Any) -> None:
        names[output] = f"n{len(self.nodes)}"
        self.nodes.append({"op": op, "inputs": inputs, "output": names[output], **fields})

    def _constant(self, index: int) -> np.ndarray:
        tensor = self.graph.Tensors(self.widened.get(index, index))
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        array = np.frombuffer(data.tobytes(), _NUMBERS[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        return array.astype(np.float32) if array.dtype == np.float16 else array

    def _keep(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            self.weights[f"{name}_{len(self.nodes)}"] = torch.from_numpy(array.copy())

    def _conv_2d(self, kind: str, options: Any, inputs: list, given: list, names: dict, output: int) -> None:
        weight, bias = self._constant(inputs[1]), self._constant(inputs[2])
        depthwise = kind == "DEPTHWISE_CONV_2D"
        weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
        stride, (_, side, _, channels) = options.StrideH(), self.graph.Tensors(inputs[0]).ShapeAsNumpy().tolist()
        plain = (stride, 1, 1) == (options.StrideW(), options.DilationHFactor(), options.DilationWFactor())
        if not plain or (depthwise and weight.shape[0] != channels):
            self._unknown(kind)
        padding = [0, 0, 0, 0]
        if options.Padding() == _SAME:  # what is odd of it comes after
            whole = max((-(-side // stride) - 1) * stride + weight.shape[2] - side, 0)
            padding = [int(whole // 2), int(whole - whole // 2)] * 2
        self._keep(weight=weight, bias=bias)
        groups = weight.shape[0] if depthwise else 1
        self._node("conv", given, names, output, weight=list(weight.shape), stride=int(stride), padding=padding,
                   groups=int(groups))  # fmt: skip

    _depthwise_conv_2d = _conv_2d

    def _prelu(self, kind: str, options: Any, inputs: list, given: list, names: dict, output: int) -> None:
        slopes = self._constant(inputs[1])
        if slopes.size != slopes.shape[-1]:
            raise CorruptFileError("the network has a PReLU with a slope for every pixel, which is not known here.")
        self._keep(weight=slopes.reshape(-1))
        self._node("prelu", given, names, output, weight=[slopes.size])

    def _max_pool_2d(self, kind: str, options: Any, inputs: list, given: list, names: dict, output: int) -> None:
        size, stride = options.FilterHeight(), options.StrideH()
        square = (size, stride) == (options.FilterWidth(), options.StrideW())
        border = int(self.graph.Tensors(inputs[0]).ShapeAsNumpy()[1]) % stride or size > stride  # of what is no picture
        if not square or options.FusedActivationFunction() or (options.Padding() == _SAME and border):
            self._unknown(kind)
        self._node("max_pool", given, names, output, size=size, stride=stride)

    def _pad(self, kind: str, options: Any, inputs: list, given: list, names: dict, output: int) -> None:
        widths = self._constant(inputs[1])
        if widths[:3].any() or widths[3, 0]:
            raise CorruptFileError("the network pads pictures, which is not known here.")
        self._node("pad", given, names, output, by=[int(widths[3, 1]), 0, 0])

    def _add(self, kind: str, options: Any, inputs: list, given: list, names: dict, output: int) -> None:
        if len(given) != 2:
            self._unknown(kind)
        self._node("add", given, names, output)
