"""Dynamic sizes made explicit: one symbol of its own for every unknown size of an input."""

from __future__ import annotations

import onnx

ANONYMOUS = frozenset({"", "?", "-1", "None", "none", "null", "unk", "unknown", "dynamic"})


def name_dynamic_dims(graph: onnx.GraphProto) -> None:
    """Give every unknown size of an input its own symbol, ``<input>_<axis>``, and leave unknown those of the rest.

    Exporters write an unknown size as nothing, as -1, or as one symbol ('?') on several axes, which by the standard
    would say that those sizes are equal.
    """
    for value in graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if _is_anonymous(dim):
                dim.dim_param = f"{value.name}_{axis}"
    for value in (*graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if _is_anonymous(dim):
                dim.ClearField("dim_value")
                dim.ClearField("dim_param")


def _is_anonymous(dim: onnx.TensorShapeProto.Dimension) -> bool:
    kind = dim.WhichOneof("value")
    return kind is None or (dim.dim_value < 0 if kind == "dim_value" else dim.dim_param in ANONYMOUS)
