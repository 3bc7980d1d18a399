"""QLinearAdd, QLinearMul, QLinearSigmoid, QLinearLeakyRelu (onnxruntime)."""

from __future__ import annotations

from collections.abc import Callable

from halfeven.interop.qoperator.build import Place, attributes_of


def two_inputs(op_type: str) -> Callable[[Place], None]:
    """``QLinear<op>(a, .., b, ..)`` -> ``Q(<op>(DQ(a), DQ(b)))``."""

    def rewrite(place: Place) -> None:
        reals = [place.dequantized(index, axis=1) for index in (0, 3)]
        place.finish(place.add(op_type, reals, "", shape=place.node.outputs[0].shape), 6)

    return rewrite


def one_input(op_type: str) -> Callable[[Place], None]:
    """``QLinear<op>(x, ..)`` -> ``Q(<op>(DQ(x)))``."""

    def rewrite(place: Place) -> None:
        x = place.dequantized(0, axis=1)
        place.finish(place.add(op_type, [x], "", attributes_of(place.node), x.shape), 3)

    return rewrite
