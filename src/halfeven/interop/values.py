"""Questions about the values of a graph: is it constant, who makes it, who alone reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Array = NDArray[Any]


def constant(value: ir.Value | None) -> Array | None:
    """The array of an initializer or Constant node that no caller can override; None for anything else."""
    if value is None or value.is_graph_input():
        return None
    tensor = value.const_value
    if tensor is None:
        producer = value.producer()
        if producer is None or not is_op(producer, "Constant"):
            return None
        tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else np.asarray(tensor.numpy())


def is_real(array: Array) -> bool:
    """Whether the array holds floats, all of them finite."""
    return array.dtype.kind == "f" and bool(np.isfinite(array).all())


def scalar(value: ir.Value | None) -> float | None:
    """The number of a constant with one element; None for anything else."""
    array = constant(value)
    return float(array.reshape(())) if array is not None and array.size == 1 and array.dtype.kind != "O" else None


def integers(value: ir.Value | None) -> list[int] | None:
    """The entries of a constant list of integers: a shape, axes, pads; None for anything else."""
    array = constant(value)
    return [int(v) for v in array] if array is not None and array.ndim == 1 and array.dtype.kind in "iu" else None


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Whether the node is one of these operators of the ONNX domain."""
    return node is not None and node.domain == "" and node.op_type in op_types


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """The node that produces the value, if it is one of these operators."""
    producer = value.producer() if value is not None else None
    return producer if is_op(producer, *op_types) else None


def read_once(value: ir.Value) -> bool:
    """Whether one node input reads the value and the graph does not hand it out."""
    return len(value.uses()) == 1 and not value.is_graph_output()


def only_reader(value: ir.Value) -> ir.Node | None:
    """The single node that reads the value, once; None where there are more or the graph hands it out."""
    return next(iter(value.uses())).node if read_once(value) else None


def rank(value: ir.Value | None) -> int | None:
    """Number of axes, None where unknown."""
    return None if value is None or value.shape is None else len(value.shape)


def given(node: ir.Node, index: int) -> ir.Value | None:
    """The node's input at ``index``; None where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None
