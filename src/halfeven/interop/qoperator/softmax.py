"""QLinearSoftmax (onnxruntime): along one axis from opset 13 on, over all axes from there before."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qoperator.build import Place, rank_of
from halfeven.interop.values import given

ALONG_ONE_AXIS = 13


def softmax(place: Place) -> None:
    """``QLinearSoftmax(x, ..)`` -> ``Q(Softmax(DQ(x)))``, flattened around it where several axes are summed over."""
    node = place.node
    x = place.dequantized(0, axis=1)
    rank = rank_of(given(node, 0))
    modern = node.attributes["opset"].as_int() >= ALONG_ONE_AXIS
    axis = node.attributes.get_int("axis", -1) % rank
    if modern or axis == rank - 1:
        place.finish(place.add("Softmax", [x], "", {"axis": axis}, x.shape), 3)
        return
    flat = place.add("Flatten", [x], "flatten", {"axis": axis})
    y = place.add("Softmax", [flat], "", {"axis": -1})
    shape = place.add("Shape", [x], "shape")
    shape.dtype = ir.DataType.INT64
    place.finish(place.add("Reshape", [y, shape], "reshape", {"allowzero": 1}, x.shape), 3)
