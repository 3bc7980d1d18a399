"""One function an operator and opset: the node rewritten in place so that it means the same in that opset.

The list is complete from opset 9 to 21: every other change between them only widens types, adds an attribute whose
default is the old meaning, adds an operator, or redefines one that the standard had withdrawn. Source: the operators'
changelog in the onnx package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.values import constant

Array = NDArray[Any]


class CannotConvertError(Exception):
    """The node says something that the newer opset cannot; the message says what to do."""


def _constant(node: ir.Node, role: str, value: Array) -> ir.Value:
    """A new constant before ``node``, named after what it is to it."""
    name = f"{node.outputs[0].name}_{role}"
    made = ir.node("Constant", [], {"value": ir.tensor(value, name=name)}, name=name)
    made.outputs[0].name = name
    made.outputs[0].shape = ir.Shape(value.shape)
    made.outputs[0].dtype = ir.DataType.from_numpy(value.dtype)
    if node.graph is None:
        raise CannotConvertError("the node stands in no graph")
    node.graph.insert_before(node, made)
    return made.outputs[0]


def _take(node: ir.Node, name: str) -> Any:
    """The value of an attribute, which is removed; None where there is none."""
    attribute = node.attributes.pop(name, None)
    if attribute is None:
        return None
    if attribute.is_ref():
        raise CannotConvertError(
            f"the attribute '{name}' is a function's parameter: inline the function when exporting"
        )
    return attribute.value


def _set_input(node: ir.Node, index: int, role: str, value: Array) -> None:
    if len(node.inputs) <= index:
        node.resize_inputs(index + 1)
    node.replace_input_with(index, _constant(node, role, value))


def _integers(value: Any) -> Array:
    return np.atleast_1d(np.asarray(value, dtype=np.int64))


def _like_input(node: ir.Node, value: float) -> Array:
    """A 0-d array of the type of the node's first input (float32 where that is unknown)."""
    x = node.inputs[0]
    dtype = x.dtype.numpy() if x is not None and x.dtype is not None else np.dtype(np.float32)
    return np.asarray(value, dtype=dtype)


def clip_11(node: ir.Node) -> None:
    """The attributes min and max become inputs."""
    for index, name in enumerate(("min", "max"), start=1):
        value = _take(node, name)
        if value is not None:
            _set_input(node, index, name, _like_input(node, value))


def pad_11(node: ir.Node) -> None:
    """The attributes pads and value become inputs."""
    _set_input(node, 1, "pads", _integers(_take(node, "pads")))
    value = _take(node, "value")
    if value:
        _set_input(node, 2, "value", _like_input(node, value))


def slice_10(node: ir.Node) -> None:
    """The attributes starts, ends, axes become inputs."""
    for index, name in enumerate(("starts", "ends", "axes"), start=1):
        value = _take(node, name)
        if value is not None:
            _set_input(node, index, name, _integers(value))


def top_k_10(node: ir.Node) -> None:
    """The attribute k becomes an input."""
    _set_input(node, 1, "k", _integers(_take(node, "k")))


def axes_to_input(node: ir.Node) -> None:
    """The attribute axes becomes an input (Squeeze, Unsqueeze, ReduceSum at 13; the other reductions at 18)."""
    axes = _take(node, "axes")
    if axes is not None:
        _set_input(node, 1, "axes", _integers(axes))


def split_13(node: ir.Node) -> None:
    """The attribute split becomes an input."""
    sizes = _take(node, "split")
    if sizes is not None:
        _set_input(node, 1, "split", _integers(sizes))


def split_18(node: ir.Node) -> None:
    """Equal parts are asked for by number."""
    if len(node.inputs) < 2 or node.inputs[1] is None:  # noqa: PLR2004 - the second input is split
        node.attributes.add(ir.AttrInt64("num_outputs", len(node.outputs)))


def dropout_12(node: ir.Node) -> None:
    """The attribute ratio becomes an input; a Dropout before 12 does nothing outside training."""
    ratio = _take(node, "ratio")
    if ratio is not None:
        _set_input(node, 1, "ratio", np.asarray(ratio, dtype=np.float32))


def batch_norm_14(node: ir.Node) -> None:
    """The outputs of training go; inference has none of them."""
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        raise CannotConvertError("it computes the statistics of training: export the model in inference mode")
    node.resize_outputs(1)


def softmax_13(node: ir.Node) -> None:
    """Before 13 Softmax, LogSoftmax and Hardmax see the axes from ``axis`` on as one; from 13 on ``axis`` alone."""
    axis = _take(node, "axis")
    axis = 1 if axis is None else axis
    x = node.inputs[0]
    shape = x.shape if x is not None else None
    rank = None if shape is None else len(shape)
    if rank is not None and not -rank <= axis < rank:
        raise CannotConvertError(f"its axis {axis} does not exist in a tensor of {rank} axes: export it again")
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        node.attributes.add(ir.AttrInt64("axis", -1))
        return
    if shape is not None and all(dim == 1 for dim in list(shape)[axis % len(shape) + 1 :]):
        node.attributes.add(ir.AttrInt64("axis", axis))
        return
    _flatten_around(node, axis)


def _flatten_around(node: ir.Node, axis: int) -> None:
    x, graph, name = node.inputs[0], node.graph, node.outputs[0].name
    if x is None or graph is None:
        raise CannotConvertError("it has no input")
    shape = ir.node("Shape", [x], name=f"{name}_shape")
    flat = ir.node("Flatten", [x], {"axis": axis}, name=f"{name}_flatten")
    inner = ir.node(node.op_type, [flat.outputs[0]], {"axis": -1}, name=f"{name}_inner")
    for made in (shape, flat, inner):
        made.outputs[0].name = made.name
    graph.insert_before(node, (shape, flat, inner))
    node.op_type = "Reshape"
    node.resize_inputs(2)
    node.replace_input_with(0, inner.outputs[0])
    node.replace_input_with(1, shape.outputs[0])


def upsample_10(node: ir.Node) -> None:
    """Upsample becomes the Resize of opset 10."""
    node.op_type = "Resize"


def resize_11(node: ir.Node) -> None:
    """Resize-10 is asymmetric, and its scales move to the third input behind roi."""
    mode = node.attributes.get("mode")
    if mode is None or mode.value == "nearest":
        node.attributes.add(ir.AttrString("nearest_mode", _nearest_mode(constant(node.inputs[1]))))
    node.attributes.add(ir.AttrString("coordinate_transformation_mode", "asymmetric"))
    scales = node.inputs[1]
    node.resize_inputs(3)
    node.replace_input_with(1, None)
    node.replace_input_with(2, scales)


def _nearest_mode(scales: Array | None) -> str:
    # onnxruntime's Resize-10 takes the next pixel where it shrinks and the last one where it grows
    if scales is None or bool(np.all(scales >= 1)):
        return "floor"
    if bool(np.all(scales <= 1)):
        return "ceil"
    raise CannotConvertError(
        "it grows one axis and shrinks another, rounded differently: export with opset 11 or later"
    )


def resize_13(node: ir.Node) -> None:
    """Empty roi and scales, required before, are left out."""
    for index in (1, 2):
        value = node.inputs[index] if index < len(node.inputs) else None
        array = constant(value)
        if array is not None and array.size == 0:
            node.replace_input_with(index, None)


def scatter_11(node: ir.Node) -> None:
    """Scatter is called ScatterElements."""
    node.op_type = "ScatterElements"


def roi_align_16(node: ir.Node) -> None:
    """The default became half_pixel; before, pixels were not shifted."""
    if "coordinate_transformation_mode" not in node.attributes:
        node.attributes.add(ir.AttrString("coordinate_transformation_mode", "output_half_pixel"))


def grid_sample_20(node: ir.Node) -> None:
    """Bilinear and bicubic are called linear and cubic."""
    mode = _take(node, "mode")
    if mode is not None:
        node.attributes.add(ir.AttrString("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)))


def dft_20(node: ir.Node) -> None:
    """The attribute axis becomes an input, and its default changed."""
    axis = _take(node, "axis")
    _set_input(node, 2, "axis", np.asarray(1 if axis is None else axis, dtype=np.int64))


Adapter = Callable[[ir.Node], None]
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")

ADAPTERS: dict[tuple[str, int], Adapter] = {
    ("Slice", 10): slice_10,
    ("TopK", 10): top_k_10,
    ("Upsample", 10): upsample_10,
    ("Clip", 11): clip_11,
    ("Pad", 11): pad_11,
    ("Resize", 11): resize_11,
    ("Scatter", 11): scatter_11,
    ("Dropout", 12): dropout_12,
    ("Squeeze", 13): axes_to_input,
    ("Unsqueeze", 13): axes_to_input,
    ("ReduceSum", 13): axes_to_input,
    ("Resize", 13): resize_13,
    ("Softmax", 13): softmax_13,
    ("LogSoftmax", 13): softmax_13,
    ("Hardmax", 13): softmax_13,
    ("Split", 13): split_13,
    ("BatchNormalization", 14): batch_norm_14,
    ("RoiAlign", 16): roi_align_16,
    ("Split", 18): split_18,
    **{(f"Reduce{name}", 18): axes_to_input for name in REDUCTIONS},
    ("DFT", 20): dft_20,
    ("GridSample", 20): grid_sample_20,
}
