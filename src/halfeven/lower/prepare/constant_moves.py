"""Constant codes that a graph transposes or reshapes before it reads them are stored that way."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.names import add_constant
from halfeven.interop.qdq import DEQUANTIZE, codes_tensor, read_quantize
from halfeven.interop.rewrite import replace
from halfeven.interop.values import is_op
from halfeven.lower.site import operand_of
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

RESHAPING = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")


def settle_constant_moves(model: ir.Model, profile: Profile) -> int:
    """``Transpose(DQ(w))`` -> ``DQ(w transposed)`` of constant w, its channel axis moved along; return how many.

    The same for Reshape and its like, where the codes have one scale and the new shape is known.
    """
    count = 0
    for node in list(model.graph):
        value = node.inputs[0] if is_op(node, "Transpose", *RESHAPING) else None
        producer = None if value is None else value.producer()
        if value is None or producer is None or not is_op(producer, DEQUANTIZE):
            continue
        codes, params = operand_of(value, profile).constant, read_quantize(producer)
        moved = None if codes is None or params.block_size is not None else _moved(node, codes, params)
        if moved is not None:
            _store(node, producer, *moved)
            count += 1
    return count


def _moved(
    node: ir.Node, codes: NDArray[np.generic], params: AffineParams
) -> tuple[NDArray[np.generic], AffineParams] | None:
    if node.op_type == "Transpose":
        attribute = node.attributes.get("perm")
        order = list(attribute.as_ints()) if attribute is not None else list(range(codes.ndim))[::-1]
        axis = None if params.axis is None else order.index(params.normalized_axis(codes.shape))
        return codes.transpose(order), AffineParams(params.scale, params.zero_point, params.qtype, axis)
    shape = node.outputs[0].shape
    if params.axis is not None or shape is None or not shape.is_static():
        return None
    return codes.reshape(shape.numpy()), params


def _store(node: ir.Node, dequantize: ir.Node, codes: NDArray[np.generic], params: AffineParams) -> None:
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return
    stored = add_constant(graph, f"{node.name}/codes", codes_tensor(codes, params.qtype, f"{node.name}/codes"))
    attributes = {} if params.axis is None else {"axis": params.axis}
    replace(node, DEQUANTIZE, [stored, *dequantize.inputs[1:]], attributes)
