"""QLinearConcat and QLinearWhere (onnxruntime)."""

from __future__ import annotations

from halfeven.interop.qoperator.build import Place, attributes_of

FIRST_OPERAND, EACH = 2, 3


def concat(place: Place) -> None:
    """``QLinearConcat(Sy, Zy, x0, .., x1, ..)`` -> ``Q(Concat(DQ(x0), DQ(x1), ...))``."""
    node = place.node
    reals = [place.dequantized(index, axis=1) for index in range(FIRST_OPERAND, len(node.inputs), EACH)]
    place.finish(place.add("Concat", reals, "", attributes_of(node), node.outputs[0].shape), 0)


def where(place: Place) -> None:
    """``QLinearWhere(condition, x, .., y, ..)`` -> ``Q(Where(condition, DQ(x), DQ(y)))``."""
    node = place.node
    reals = [place.dequantized(index, axis=1) for index in (1, 4)]
    place.finish(place.add("Where", [node.inputs[0], *reals], "", shape=node.outputs[0].shape), 7)
