"""Weights of a quantized model: their width, and what their codes alone do to a layer's result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ModelError
from halfeven.interop.qdq import read_quantize
from halfeven.interop.single_node import single_node_model
from halfeven.interop.values import constant, given, is_op
from halfeven.lower.site import real_constant
from halfeven.numerics.profile import Profile
from halfeven.numerics.qtype import QType
from halfeven.ptq.pieces import Piece, Source

Array = NDArray[Any]
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, eq=False)
class Weight:
    """The constant operand of one product.

    Attributes
    ----------
    elements : how many. qtype : of its codes; None where it is a float.
    piece : the node with the error of the weight's codes for a weight, and no bias: since a product is linear, what
        comes out is the error that they cause. None where the float model has no weight of this node and shape.
    x, y : names of its input and output.
    """

    elements: int
    qtype: QType | None
    piece: Piece | None
    x: str
    y: str

    def error_energy(self, x: Array) -> float | None:
        """``sum e^2`` of the product's result for this input."""
        if self.piece is None:
            return None
        error = self.piece.run({self.x: x})[self.y].reshape(-1)
        return float(np.einsum("k,k->", error, error, dtype=np.float64))


def weights(quantized: ir.Graph, real: ir.Graph, profile: Profile) -> dict[str, Weight]:
    """The weight of each product of the quantized model, by the name of its node."""
    originals = {str(node.name): constant(given(node, 1)) for node in real if is_op(node, *PRODUCTS)}
    return {
        str(node.name): weight
        for node in quantized
        if is_op(node, *PRODUCTS) and (weight := _weight(node, originals, profile)) is not None
    }


def _weight(node: ir.Node, originals: Mapping[str, Array | None], profile: Profile) -> Weight | None:
    values, x, y = real_constant(given(node, 1), profile), given(node, 0), node.outputs[0]
    if values is None or x is None:
        return None
    original = originals.get(str(node.name))
    same = original is not None and original.shape == values.shape
    piece = _error_piece(node, values - np.asarray(original)) if same else None
    return Weight(values.size, _qtype(node), piece, str(x.name), str(y.name))


def _error_piece(node: ir.Node, error: Array) -> Piece:
    weight, bias = given(node, 1), given(node, 2)
    constants = {str(weight.name if weight else ""): error.astype(np.float32)}
    if bias is not None:
        channels = tuple(bias.shape.numpy()) if bias.shape is not None else (1,)
        constants[str(bias.name)] = np.zeros(channels, np.float32)
    model = onnx.load_from_string(single_node_model(node, constants))
    return Source(model).open(model.graph.node, [str(node.outputs[0].name)])


def _qtype(node: ir.Node) -> QType | None:
    value = given(node, 1)
    producer = None if value is None else value.producer()
    if producer is None or not is_op(producer, "DequantizeLinear"):
        return None
    try:
        return read_quantize(producer).qtype
    except ModelError:
        return None


def constant_bytes(model: ir.Model) -> int:
    """Bytes of every constant in the model: weights, biases, scales, shapes."""
    held = [v.const_value for graph in model.graphs() for v in graph.initializers.values()]
    return sum(tensor.nbytes for tensor in held if tensor is not None)
