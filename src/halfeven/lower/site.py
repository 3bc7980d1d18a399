"""What a rule sees of the graph: the codes of an operand, and an operator that a QuantizeLinear follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qdq import read_quantize
from halfeven.ir.rescale import Target
from halfeven.numerics import affine
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

Integers = NDArray[Any]


class NotLowered(Exception):  # noqa: N818  a decision, not an error: the node stays in float32
    """A rule's reason for leaving a node in float32."""


@dataclass(frozen=True)
class Operand:
    """Codes behind a real value ``DequantizeLinear(codes)``.

    Attributes
    ----------
    name : of the tensor of codes.
    constant : the codes, where they are constant.
    rank : of the tensor, or None where unknown.
    """

    name: str
    params: AffineParams
    constant: Integers | None
    rank: int | None

    @property
    def zero(self) -> int:
        """The zero point of an operand with one scale."""
        return int(self.params.zero_point)

    @property
    def per_tensor(self) -> bool:
        """Whether the operand has one scale."""
        return self.params.axis is None


def constant_of(value: ir.Value | None) -> NDArray[Any] | None:
    """The array of a constant value, else None; it is the graph's own, so it cannot be written to."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    array = np.asarray(value.const_value.numpy()).view()
    array.flags.writeable = False
    return array


def rank_of(value: ir.Value) -> int | None:
    """Number of axes of a value, or None where unknown."""
    return None if value.shape is None else value.shape.rank()


def operand_of(value: ir.Value, profile: Profile) -> Operand:
    """Codes behind a real value.

    Raises
    ------
    NotLowered
        If the value is not the output of a DequantizeLinear.
    """
    node = value.producer()
    if node is None or node.op_type != "DequantizeLinear":
        kind = "a float constant" if constant_of(value) is not None else "not quantized"
        raise NotLowered(f"its input '{value.name}' is {kind}")
    codes, params = node.inputs[0], read_quantize(node)
    if codes is None or codes.name is None:
        raise NotLowered(f"its input '{value.name}' has no codes")
    return Operand(codes.name, params, _constant_codes(codes, params, profile), rank_of(value))


def _constant_codes(codes: ir.Value, params: AffineParams, profile: Profile) -> Integers | None:
    known = constant_of(codes)
    if known is not None:
        return known.astype(params.qtype.storage, copy=False)  # the graph's own array: nobody writes to either
    node = codes.producer()
    if node is None or node.op_type != "QuantizeLinear":
        return None
    real = real_float32(node.inputs[0], profile)
    return None if real is None else affine.quantize(real, read_quantize(node), profile)


def real_float32(value: ir.Value | None, profile: Profile) -> NDArray[np.float32] | None:
    """A constant as a DequantizeLinear gives it, in float32: stored as floats, or as codes of whatever was before."""
    known = constant_of(value)
    if known is not None:
        return known.astype(np.float32)
    producer = None if value is None else value.producer()
    if value is None or producer is None or producer.op_type != "DequantizeLinear":
        return None
    operand = operand_of(value, profile)
    return None if operand.constant is None else affine.dequantize(operand.constant, operand.params)


def real_constant(value: ir.Value | None, profile: Profile) -> NDArray[np.float64] | None:
    """A constant's real values in float64, whether stored as floats or as codes behind a DequantizeLinear."""
    if value is None:
        return None
    known = constant_of(value)
    if known is not None:
        return known.astype(np.float64)
    try:
        operand = operand_of(value, profile)
    except NotLowered:
        return None
    if operand.constant is None:
        return None
    scale, zero = operand.params.expanded(operand.constant.shape)
    return np.asarray((operand.constant.astype(np.int64) - zero) * scale.astype(np.float64))


@dataclass(frozen=True)
class Site:
    """An operator whose result is quantized: ``codes = Q(activation(node(operands) + bias))``.

    Attributes
    ----------
    node : the operator. bias : a constant that an Add puts on its result, or None.
    y : name of the tensor of codes. params : of those codes.
    low, high : the real bounds of fused activations (None: unbounded).
    result : which of the operator's results it is.
    """

    node: ir.Node
    bias: ir.Value | None
    y: str
    params: AffineParams
    low: float | None
    high: float | None
    profile: Profile
    result: int = 0

    @property
    def name(self) -> str:
        """The operator's name."""
        return self.node.name or self.y

    def operand(self, index: int) -> Operand:
        """Codes of the operator's input ``index``; NotLowered where it has none."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            raise NotLowered(f"its input {index} is missing")
        return operand_of(value, self.profile)

    @property
    def reads_codes(self) -> bool:
        """Whether every operand comes from a DequantizeLinear."""
        producers = (None if v is None else v.producer() for v in self.node.inputs)
        return all(p is not None and p.op_type == "DequantizeLinear" for p in producers)

    def activation(self, index: int) -> Operand:
        """Codes of input ``index``, which must have one scale."""
        operand = self.operand(index)
        if not operand.per_tensor:
            raise NotLowered(f"its input {index} has one scale a channel")
        return operand

    def constant(self, index: int) -> NDArray[Any] | None:
        """The constant at input ``index``; None where the input is absent.

        Raises
        ------
        NotLowered
            If it is there but not constant.
        """
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            return None
        known = constant_of(value)
        if known is None:
            raise NotLowered(f"its input {index} ('{value.name}') is not constant")
        return known

    def real_constant(self, index: int) -> NDArray[np.float64] | None:
        """The real values of a constant input, stored as floats or as codes; None where the input is absent."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        known = real_constant(value, self.profile)
        if value is not None and known is None:
            raise NotLowered(f"its input {index} ('{value.name}') is not constant")
        return known

    def integers(self, name: str, default: list[int]) -> list[int]:
        """An attribute of integers."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None else list(attribute.as_ints())

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_int()

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_float()

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_string()

    @property
    def target(self) -> Target:
        """Zero point and clamp of the result: Quantize is monotone, so a fused clamp is a clamp of codes."""
        if self.params.axis is not None:
            raise NotLowered("its result has one scale a channel")
        qmin, qmax = self.params.qtype.qmin, self.params.qtype.qmax
        if self.low is not None:
            qmin = self._code(self.low)
        if self.high is not None:
            qmax = self._code(self.high)
        return Target(self.params.qtype, int(self.params.zero_point), min(qmin, qmax), qmax)

    def _code(self, real: float) -> int:
        return int(affine.quantize(np.float32(real), self.params, self.profile))
