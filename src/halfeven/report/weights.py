"""Weights of a quantized model: their width, and how far their codes are from the float model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ModelError
from halfeven.interop.qdq import read_quantize
from halfeven.interop.values import constant, given, is_op
from halfeven.lower.site import real_constant
from halfeven.numerics.profile import Profile
from halfeven.numerics.qtype import QType
from halfeven.report.error_sums import error_sums

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Weight:
    """The constant operand of one product.

    Attributes
    ----------
    elements : how many. qtype : of its codes; None where it is a float.
    sqnr_db : of the codes against the float model's weight; None where that has no node of this name and shape.
    """

    elements: int
    qtype: QType | None
    sqnr_db: float | None


def weights(quantized: ir.Graph, real: ir.Graph, profile: Profile) -> dict[str, Weight]:
    """The weight of each product of the quantized model, by the name of its node."""
    originals = {str(node.name): _float_weight(node) for node in real}
    return {
        str(node.name): weight
        for node in quantized
        if is_op(node, *PRODUCTS) and (weight := _weight(node, originals, profile)) is not None
    }


def _float_weight(node: ir.Node) -> NDArray[Any] | None:
    return constant(given(node, 1)) if is_op(node, *PRODUCTS) else None


def _weight(node: ir.Node, originals: Mapping[str, NDArray[Any] | None], profile: Profile) -> Weight | None:
    values = real_constant(given(node, 1), profile)
    if values is None:
        return None
    original = originals.get(str(node.name))
    alike = original is not None and original.shape == values.shape
    sqnr = error_sums(np.asarray(original), values).sqnr_db if alike else None
    return Weight(values.size, _qtype(node), sqnr)


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
