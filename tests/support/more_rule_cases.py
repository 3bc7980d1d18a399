"""Further one-operator models that the rules are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np
from one_operator import OneOperator
from rule_cases import A8, A16, B8, OUT8, OUT16, OUTU, U8, bias, weight, wide

from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8


def transposed(
    x: AffineParams,
    out: AffineParams,
    w_shape: tuple[int, ...],
    in_shape: tuple[int, ...],
    *,
    axis: int | None = 1,
    zero: bool = False,
    activation: str | None = None,
    **attributes: Any,
) -> OneOperator:
    """A ConvTranspose with a bias; its weight is (C, O / group, *kernel)."""
    w, group = weight(w_shape, axis, zero=zero), attributes.get("group", 1)
    scales = np.tile(w.params.scale, group) if axis is not None else w.params.scale
    repeated = AffineParams(scales, 0, w.params.qtype, 0 if axis is not None else None)
    b = bias(x, type(w)(w.codes, repeated), w_shape[1] * group)
    return OneOperator("ConvTranspose", [(in_shape, x)], out, [w, b], attributes, activation)


SLOPES = np.array([0.25, -0.125, 0.0, 1.75, 0.3, 1e-3], np.float32).astype(np.float64)
NORMALIZE = [
    np.array(v, np.float32).astype(np.float64)
    for v in ([1.1, -0.7, 0.0, 1e-3], [0.3, -0.2, 0.5, 0.1], [0.2, 0.1, -0.4, 0.0], [0.9, 2.0, 0.3, 1.0])
]
POSITIVE = AffineParams(0.02, -128, int8)

MORE = {
    "prelu": OneOperator("PRelu", [((2, 6, 5, 3), A8)], OUT8, [SLOPES.reshape(6, 1, 1)]),
    "prelu relu": OneOperator("PRelu", [((2, 6, 5, 3), A8)], OUT8, [SLOPES.reshape(6, 1, 1)], activation="Relu"),
    "prelu channels last": OneOperator("PRelu", [((2, 5, 3, 6), U8)], OUTU, [SLOPES]),
    "prelu one slope": OneOperator("PRelu", [((2, 6, 5, 3), A8)], OUT8, [np.float64([[[0.3]]])]),
    "prelu every element": OneOperator("PRelu", [((4, 2, 3), A8)], OUT8, [SLOPES.reshape(1, 2, 3)]),
    "prelu 16": OneOperator("PRelu", [((2, 6, 5, 3), A16)], OUT16, [SLOPES.reshape(1, 6, 1, 1)]),
    "div by constant": OneOperator("Div", [((500,), A8)], OUT8, [np.float64(-1.3).reshape(())]),
    "div channels": OneOperator("Div", [((2, 6, 5, 3), A8)], OUT8, [1 / (SLOPES.reshape(6, 1, 1) + 0.7)]),
    "mul float constant": OneOperator("Mul", [((500,), A8)], OUT8, [np.float64([0.7])]),
    "mul float channels": OneOperator("Mul", [((2, 6, 5, 3), A8)], OUT8, [SLOPES.reshape(6, 1, 1) + 0.2]),
    "add float constant": OneOperator("Add", [((500,), A8)], OUT8, [np.float64(0.7).reshape(())]),
    "pow": OneOperator("Pow", [((500,), POSITIVE)], OUT8, [np.float64(0.75).reshape(())]),
    "square 16": OneOperator("Pow", [((500,), A16)], wide(OUT16, 9), [np.float64(2).reshape(())]),
    "celu": OneOperator("Celu", [((500,), A8)], OUT8, attributes={"alpha": 1.5}),
    "shrink": OneOperator("Shrink", [((500,), A8)], OUT8, attributes={"bias": 0.5, "lambd": 1.0}),
    "thresholded relu": OneOperator("ThresholdedRelu", [((500,), A8)], OUT8, attributes={"alpha": 0.7}),
    "atan": OneOperator("Atan", [((500,), A8)], OUT8),
    "transposed": transposed(A8, wide(OUT8, 4), (5, 4, 2, 2), (2, 5, 6, 5), strides=[2, 2]),
    "transposed relu": transposed(A8, wide(OUT8, 4), (5, 4, 2, 2), (1, 5, 3, 3), strides=[2, 2], activation="Relu"),
    "transposed overlapping": transposed(
        U8, wide(OUTU, 4), (5, 4, 4, 3), (1, 5, 4, 4), strides=[2, 1], pads=[1, 0, 0, 2]
    ),
    "transposed stride beyond kernel": transposed(A8, wide(OUT8, 2), (5, 4, 2, 1), (1, 5, 3, 4), strides=[3, 2]),
    "transposed dilated": transposed(
        A8, wide(OUT8, 4), (5, 4, 3, 2), (1, 5, 4, 4), strides=[2, 3], dilations=[2, 2], output_padding=[1, 2]
    ),
    "transposed grouped": transposed(A8, wide(OUT8, 2), (6, 2, 3, 3), (2, 6, 4, 3), strides=[2, 2], group=3),
    "transposed depthwise": transposed(A8, OUT8, (6, 1, 4, 4), (1, 6, 4, 4), strides=[2, 2], pads=[1] * 4, group=6),
    "transposed weight zero points": transposed(
        A8, wide(OUT8, 4), (5, 4, 3, 3), (1, 5, 3, 3), zero=True, strides=[2, 2]
    ),
    "transposed one weight scale": transposed(A8, wide(OUT8, 4), (5, 4, 3, 3), (1, 5, 3, 3), axis=None),
    "transposed 1-D": transposed(A8, wide(OUT8, 4), (5, 4, 4), (2, 5, 7), strides=[2], pads=[1, 1]),
    "transposed output shape": transposed(
        A8, wide(OUT8, 4), (5, 4, 4, 3), (1, 5, 4, 4), strides=[2, 2], output_shape=[9, 7]
    ),
    "transposed same upper": transposed(
        A8, wide(OUT8, 4), (5, 4, 3, 4), (1, 5, 4, 3), strides=[2, 3], auto_pad="SAME_UPPER"
    ),
    "transposed same lower": transposed(
        A8, wide(OUT8, 4), (5, 4, 4, 3), (1, 5, 4, 4), strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "batch normalization": OneOperator("BatchNormalization", [((2, 4, 5), A8)], OUT8, NORMALIZE),
    "batch normalization 16": OneOperator("BatchNormalization", [((2, 4, 5, 3), A16)], OUT16, NORMALIZE),
    "transposed int16": transposed(A16, wide(OUT16, 4), (5, 4, 3, 3), (1, 5, 4, 4), strides=[2, 2]),
    "reduce sum": OneOperator("ReduceSum", [((4, 5, 7, 3), U8)], wide(OUT8, 4), [np.array([1, -1])], {"keepdims": 0}),
    "reduce sum all": OneOperator("ReduceSum", [((4, 5), A8)], wide(OUT8, 9)),
    "reduce max": OneOperator("ReduceMax", [((4, 5, 7), A8)], A8, [np.array([-1])]),
    "reduce min rescaled": OneOperator("ReduceMin", [((4, 5, 7), A8)], OUT8, [np.array([0, 2])], {"keepdims": 0}),
    "global max pool": OneOperator("GlobalMaxPool", [((2, 5, 7, 3), A8)], A8),
    "max": OneOperator("Max", [((2, 30, 9), A8), ((30, 1), U8)], OUT8),
    "max of three relu": OneOperator("Max", [((30, 9), A8), ((9,), OUT8), ((30, 1), B8)], OUT8, activation="Relu"),
    "min of one scale": OneOperator("Min", [((30, 9), A8), ((30, 1), A8)], OUT8),
    "max with number": OneOperator("Max", [((30, 9), A8)], OUT8, [np.float64(0.3).reshape(())]),
}
