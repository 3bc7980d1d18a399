"""onnxruntime's operators with the channels last, (N, *spatial, C), around those of ONNX, (N, C, *spatial)."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qoperator.build import Place


def is_channels_last(node: ir.Node) -> bool:
    """Whether the node reads and writes (N, *spatial, C)."""
    return bool(node.attributes.get_int("channels_last", 0))


def channels_first(place: Place, x: ir.Value, rank: int) -> ir.Value:
    """(N, *spatial, C) -> (N, C, *spatial)."""
    return place.add("Transpose", [x], "channels_first", {"perm": [0, rank - 1, *range(1, rank - 1)]})


def channels_last(place: Place, y: ir.Value, rank: int) -> ir.Value:
    """(N, C, *spatial) -> (N, *spatial, C)."""
    return place.add("Transpose", [y], "channels_last", {"perm": [0, *range(2, rank), 1]}, place.node.outputs[0].shape)
