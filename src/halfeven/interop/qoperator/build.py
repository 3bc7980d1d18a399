"""The pieces of a rewrite: codes to reals, an operator on reals, reals to codes, in the place of one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.marks import ON_CODES
from halfeven.interop.names import add_constant
from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import constant, given


class NotRewritten(Exception):  # noqa: N818  a decision, not an error: the node stays as it is
    """Why a node has no form in QuantizeLinear and DequantizeLinear of constant parameters."""


class Place:
    """Where a node stands: new nodes are put before it, and in the end take its place."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self.graph = graph_of(node)
        self._made: list[ir.Node] = []

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        role: str,
        attributes: Mapping[str, Any] | None = None,
        shape: ir.Shape | None = None,
    ) -> ir.Value:
        """The result of a new node on reals; ``role`` tells its name from the others'."""
        (value,) = self.add_all(op_type, inputs, role, attributes)
        value.shape = shape
        return value

    def add_all(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        role: str,
        attributes: Mapping[str, Any] | None = None,
        count: int = 1,
    ) -> list[ir.Value]:
        """The results of a new node with ``count`` of them."""
        name = f"{self.node.name}/{role}" if role else self.node.name
        made = ir.node(op_type, inputs, attributes, name=name, num_outputs=count)
        if not role:
            made.metadata_props[ON_CODES] = self.node.op_type
        for output, value in enumerate(made.outputs):
            value.name = (
                f"{self.node.outputs[output].name if count > 1 else self.node.outputs[0].name}/{role or 'real'}"
            )
            value.dtype = ir.DataType.FLOAT
        self._made.append(made)
        return list(made.outputs)

    def constant(self, array: NDArray[Any], role: str) -> ir.Value:
        """A new constant of the graph."""
        return add_constant(self.graph, f"{self.node.name}/{role}", ir.tensor(np.asarray(array)))

    def dequantized(self, index: int, axis: int) -> ir.Value:
        """The reals of the codes at input ``index``, whose scale and zero point follow; several are along ``axis``."""
        return self.reals(*(given(self.node, index + k) for k in range(3)), axis=axis, role=f"dequantize{index}")

    def reals(
        self, codes: ir.Value | None, scale: ir.Value | None, zero: ir.Value | None, *, axis: int, role: str
    ) -> ir.Value:
        """``DequantizeLinear(codes)``."""
        scales = constant_array(scale, "scale")
        if codes is None or (zero is not None and constant(zero) is None):
            raise NotRewritten("its zero point is computed while the model runs")
        operands = [codes, scale] if zero is None else [codes, scale, zero]
        attributes = {"axis": axis} if scales.size > 1 else {}
        return self.add(DEQUANTIZE, operands, role, attributes, codes.shape)

    def finish(self, real: ir.Value, scale_index: int) -> None:
        """Put ``QuantizeLinear(real)`` in the node's place; its scale is input ``scale_index``, the zero point next."""
        scale, zero = given(self.node, scale_index), given(self.node, scale_index + 1)
        self.replace([self.quantized(real, scale, zero, "quantize")])

    def quantized(self, real: ir.Value, scale: ir.Value | None, zero: ir.Value | None, role: str) -> ir.Value:
        """``QuantizeLinear(real)``."""
        constant_array(scale, "output scale")
        dtype = self._output_type(zero)
        if zero is None:
            zero = self.constant(np.zeros((), dtype.numpy()), "zero_point")
        codes = self.add(QUANTIZE, [real, scale, zero], role, shape=real.shape)
        codes.dtype = dtype
        return codes

    def replace(self, values: Sequence[ir.Value], followers: Sequence[ir.Node] = ()) -> None:
        """Let ``values`` be the outputs of the node, or of the last of its ``followers``, and remove them all."""
        nodes = [self.node, *followers]
        outputs = list(nodes[-1].outputs)
        for old, new in zip(outputs, values, strict=True):
            old.shape = new.shape if old.shape is None else old.shape
            old.dtype = new.dtype if old.dtype is None else old.dtype
        ir.convenience.replace_nodes_and_values(self.graph, self.node, nodes, self._made, outputs, list(values))

    def _output_type(self, zero: ir.Value | None) -> ir.DataType:
        if zero is not None and zero.dtype is not None:
            return zero.dtype
        first = next((v.dtype for v in self.node.inputs if v is not None and v.dtype is not None), None)
        return first if first in (ir.DataType.INT8, ir.DataType.UINT8) else ir.DataType.UINT8


def constant_array(value: ir.Value | None, role: str) -> NDArray[Any]:
    """The array of a constant; NotRewritten where it is computed."""
    array = constant(value)
    if array is None:
        raise NotRewritten(f"its {role} is computed while the model runs")
    return array


def rank_of(value: ir.Value | None) -> int:
    """Number of axes; NotRewritten where unknown."""
    if value is None or value.shape is None:
        raise NotRewritten("the rank of its input is unknown")
    return len(value.shape)


def attributes_of(node: ir.Node, *dropped: str) -> dict[str, Any]:
    """The node's attributes but for some."""
    return {name: a for name, a in node.attributes.items() if name not in dropped}
