"""Why a node of a known operator, as it stands, stays in float32; None where it does not."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.values import constant, given, integers
from halfeven.lower.channels import axes_of
from halfeven.lower.site import NotLowered


def refuse_conv(node: ir.Node) -> str | None:
    """Why a product with a constant weight cannot be one."""
    return needs_constant(node, 1, "weight") or needs_constant(node, 2, "bias")


def refuse_gemm(node: ir.Node) -> str | None:
    """Why a Gemm has no integer form."""
    attributes = node.attributes
    if attributes.get_int("transA", 0):
        return "its first operand is transposed (transA)"
    if attributes.get_float("alpha", 1.0) != 1 or (given(node, 2) and attributes.get_float("beta", 1.0) != 1):
        return "its alpha or beta is not 1"
    return refuse_conv(node) or _refuse_gemm_bias(node)


def _refuse_gemm_bias(node: ir.Node) -> str | None:
    weight, bias = constant(given(node, 1)), constant(given(node, 2))
    if weight is None or bias is None:
        return None
    columns = weight.shape[0 if node.attributes.get_int("transB", 0) else 1]
    last = bias.shape[-1] if bias.ndim else 1
    return None if bias.size == last and last in (1, columns) else "its bias is not one value a column"


def needs_constant(node: ir.Node, index: int, what: str) -> str | None:
    """An input that, where it is given, must be constant and finite."""
    value = given(node, index)
    if value is None:
        return None
    array = constant(value)
    if array is None:
        return f"its {what} ('{value.name}') is not constant"
    return None if np.isfinite(array).all() else f"its {what} ('{value.name}') holds NaN or infinite values"


def refuse_pad(node: ir.Node) -> str | None:
    """A constant padding must be real zero."""
    mode = node.attributes.get_string("mode", "constant")
    if mode != "constant" or given(node, 2) is None:
        return None
    fill = constant(given(node, 2))
    return None if fill is not None and not fill.any() else "it pads with another constant than 0"


def refuse_resize(node: ir.Node) -> str | None:
    """Nearest and linear modes alone have an integer form."""
    mode = node.attributes.get_string("mode", "nearest")
    if mode not in ("nearest", "linear"):
        return f"its mode '{mode}' has no integer form"
    if node.attributes.get_int("antialias", 0):
        return "it filters against aliasing"
    return None if _settled_size(node) else "its size is computed while running"


def _settled_size(node: ir.Node) -> bool:
    return any(constant(given(node, index)) is not None for index in (2, 3))


def refuse_axes(node: ir.Node) -> str | None:
    """The axes that are reduced must be constant."""
    axes = given(node, 1)
    if axes is not None and constant(axes) is None:
        return "its axes are computed while running"
    nothing = axes is None or not integers(axes)
    return "it reduces nothing" if nothing and node.attributes.get_int("noop_with_empty_axes", 0) else None


def refuse_single(node: ir.Node) -> str | None:
    """One operand has nothing to be compared with."""
    return "it has one operand" if len(node.inputs) == 1 else None


def refuse_max_pool(node: ir.Node) -> str | None:
    """A MaxPool must hand out values alone."""
    indices = node.outputs[1] if len(node.outputs) > 1 else None
    return "its indices are read" if indices is not None and indices.uses() else None


def refuse_bounds(node: ir.Node) -> str | None:
    """The bounds of a Clip must be constant."""
    return _needs_bound(node, 1) or _needs_bound(node, 2)


def _needs_bound(node: ir.Node, index: int) -> str | None:
    value = given(node, index)
    return None if value is None or constant(value) is not None else f"its bound '{value.name}' is not constant"


def refuse_power(node: ir.Node) -> str | None:
    """The exponent must be one constant number."""
    exponent = constant(given(node, 1))
    return None if exponent is not None and exponent.size == 1 else "its exponent is not one constant number"


def refuse_factor(node: ir.Node) -> str | None:
    """A constant that multiplies channels must lie along axes of the other operand."""
    array = constant(given(node, 1))
    if array is None:
        return needs_constant(node, 1, "constant")
    try:
        axes_of(array.shape, given(node, 0))
    except NotLowered as reason:
        return str(reason)
    return needs_constant(node, 1, "constant")


def refuse_divisor(node: ir.Node) -> str | None:
    """A constant divisor must not hold 0."""
    array = constant(given(node, 1))
    return "its constant divisor holds 0" if array is not None and not array.all() else refuse_factor(node)


def refuse_normalization(node: ir.Node) -> str | None:
    """Scale and bias must be constant, and nothing but the result read."""
    if any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return "its mean or deviation is read"
    return needs_constant(node, 1, "scale") or needs_constant(node, 2, "bias")
