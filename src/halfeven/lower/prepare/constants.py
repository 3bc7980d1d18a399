"""Operators on constants that a tool quantized, each with codes of its own, are computed once."""

from __future__ import annotations

import logging

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import load_from_string

from halfeven.interop.names import add_constant
from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE
from halfeven.interop.rewrite import graph_of
from halfeven.interop.single_node import single_node_model
from halfeven.interop.values import constant, is_op
from halfeven.lower.prepare.constant_moves import RESHAPING
from halfeven.lower.site import real_float32
from halfeven.numerics.profile import Profile

LARGEST = 2**16  # elements: larger ones are weights, which are stored as codes
KEPT = (QUANTIZE, DEQUANTIZE, "Constant", "Transpose", *RESHAPING)  # the last ones move codes: see constant_moves

_log = logging.getLogger(__name__)


def settle_constants(model: ir.Model, profile: Profile) -> int:
    """``op(DQ(c), DQ(d))`` of constants -> the constant that it is in float32; return how many.

    A head's ``size ^ -0.5`` is such an operator. What reads it next quantizes it as any constant.
    """
    count = 0
    for node in list(model.graph):
        known = _constants(node, profile)
        result = None if known is None else _evaluated(node, known)
        if result is not None:
            _store(node, result)
            count += 1
    return count


def _constants(node: ir.Node, profile: Profile) -> dict[str, NDArray[np.generic]] | None:
    """Its inputs by name, where each is constant and one at least is behind a DequantizeLinear."""
    inputs = [value for value in node.inputs if value is not None]
    if node.domain or is_op(node, *KEPT) or len(node.outputs) != 1 or not inputs:
        return None
    if node.outputs[0].is_graph_output() or not any(is_op(value.producer(), DEQUANTIZE) for value in inputs):
        return None
    known = {str(value.name): _constant(value, profile) for value in inputs}
    settled = {name: array for name, array in known.items() if array is not None and array.size <= LARGEST}
    return settled if len(settled) == len(known) else None


def _constant(value: ir.Value, profile: Profile) -> NDArray[np.generic] | None:
    return real_float32(value, profile) if is_op(value.producer(), DEQUANTIZE) else constant(value)


def _evaluated(node: ir.Node, known: dict[str, NDArray[np.generic]]) -> NDArray[np.generic] | None:
    """By the onnx package's reference operators; None where they cannot, and the node stays."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415  needed here alone

    try:
        (result,) = ReferenceEvaluator(load_from_string(single_node_model(node, known))).run(None, {})
    except Exception as error:  # noqa: BLE001  operators that it does not know raise anything
        _log.debug("'%s' of constants is not computed beforehand: %s", node.name, error)
        return None
    array = np.asarray(result)
    return array if array.dtype == np.float32 and array.size <= LARGEST else None


def _store(node: ir.Node, result: NDArray[np.generic]) -> None:
    graph, name = graph_of(node), str(node.outputs[0].name)
    stored = add_constant(graph, f"{name}/constant", ir.tensor(result, name=f"{name}/constant"))
    node.outputs[0].replace_all_uses_with(stored)
    graph.remove(node, safe=True)
