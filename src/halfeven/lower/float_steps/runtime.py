"""What ONNX Runtime's optimizer makes of a QDQ graph on x86-64, as far as it decides between kernels.

Source: measured with onnxruntime 1.32 (its optimized models, docs/guide/onnxruntime.md).
"""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.marks import ON_CODES
from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE, read_quantize
from halfeven.interop.values import constant, is_op
from halfeven.lower.match import consumers
from halfeven.lower.site import Operand, Site
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int8, uint8

BYTE = 8
SIGN = 128


def is_on_codes(node: ir.Node) -> bool:
    """Whether the file gives the operator as one on codes (QLinearAdd and the like): nothing is left to decide."""
    return ON_CODES in node.metadata_props


def runs_on_codes(site: Site, quantize: ir.Node, operands: tuple[Operand, ...]) -> bool:
    """Whether the site's operator becomes one on codes.

    That takes 8-bit codes of one type on every side, as they stand after int8 codes were moved to uint8, and a result
    that nothing reads but this QuantizeLinear, or an activation before it that changes no code.
    """
    if is_on_codes(site.node):
        return True
    types = {held_as(codes_of(site, k), o.params.qtype) for k, o in enumerate(operands)}
    types.add(held_as(quantize.outputs[0], site.params.qtype))
    if len(types) != 1 or types - {int8, uint8}:
        return False
    result = site.node.outputs[0]
    if consumers(result) != 1:
        return False
    return result is quantize.inputs[0] or (consumers(quantize.inputs[0]) == 1 and changes_no_code(site))


def changes_no_code(site: Site) -> bool:
    """Whether the fused activation's bounds are those of the codes."""
    target = site.target
    return (target.qmin, target.qmax) == (site.params.qtype.qmin, site.params.qtype.qmax)


def codes_of(site: Site, index: int) -> ir.Value | None:
    """The tensor of codes behind the operator's input."""
    value = site.node.inputs[index]
    producer = None if value is None else value.producer()
    return None if producer is None else producer.inputs[0]


def held_as(codes: ir.Value | None, qtype: QType) -> QType:
    """The type of the codes as the runtime holds them: uint8 for int8 codes that are moved."""
    return uint8 if qtype is int8 and is_moved(codes) else qtype


def offset(site: Site, codes: ir.Value | None, params: AffineParams) -> int:
    """What is added to codes and zero point: 128 where int8 codes are held as uint8."""
    moved = params.qtype is int8 and not is_on_codes(site.node) and is_moved(codes)
    return SIGN if moved else 0


def is_moved(codes: ir.Value | None) -> bool:
    """Whether int8 codes are moved to uint8: made by a QuantizeLinear, and read as reals in one place alone."""
    node = None if codes is None else codes.producer()
    if codes is None or not is_op(node, QUANTIZE) or codes.is_graph_output():
        return False
    readers = [use.node for use in codes.uses()]
    if not all(is_op(reader, DEQUANTIZE) and _same_zero(node, reader) for reader in readers):
        return False
    return sum(max(consumers(reader.outputs[0]), 1) for reader in readers) == 1


def _same_zero(quantize: ir.Node | None, dequantize: ir.Node) -> bool:
    if quantize is None or len(quantize.inputs) < 3 or len(dequantize.inputs) < 3:  # noqa: PLR2004
        return False
    if constant(quantize.inputs[2]) is None or constant(dequantize.inputs[2]) is None:
        return False
    return bool((read_quantize(quantize).zero_point == read_quantize(dequantize).zero_point).all())


def first_is_repeated(a: ir.Shape | None, b: ir.Shape | None) -> bool:
    """Whether, of two operands that broadcast, the first is repeated along the last axis that has a length."""
    if a is None or b is None:
        return False
    for k in range(1, max(len(a), len(b)) + 1):
        m, n = (s[-k] if k <= len(s) else 1 for s in (a, b))
        if m != 1 or n != 1:
            return bool(m == 1)
    return True
