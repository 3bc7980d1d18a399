"""One-operator models that the rules are tried on: every operator, every variant that lowers."""

from __future__ import annotations

from typing import Any

import numpy as np
from one_operator import OneOperator, Weight

from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8, int16, int32, uint8

RNG = np.random.default_rng(7)
A8 = AffineParams(0.037, 3, int8)
B8 = AffineParams(0.021, -5, int8)
U8 = AffineParams(0.019, 131, uint8)
A16 = AffineParams(0.00071, -17, int16)
B16 = AffineParams(0.00052, 0, int16)
OUT8 = AffineParams(0.051, -4, int8)
OUTU = AffineParams(0.043, 99, uint8)
OUT16 = AffineParams(0.00093, 12, int16)


def weight(shape: tuple[int, ...], axis: int | None = 0, *, zero: bool = False) -> Weight:
    codes = RNG.integers(-128, 128, shape).astype(np.int8)
    if axis is None:
        return Weight(codes, AffineParams(0.004, 2 if zero else 0, int8))
    scale = RNG.uniform(0.002, 0.008, shape[axis])
    zeros = RNG.integers(-3, 4, shape[axis]) if zero else 0
    return Weight(codes, AffineParams(scale, zeros, int8, axis))


def bias(x: AffineParams, w: Weight, channels: int) -> Weight:
    scale = np.broadcast_to(x.scale * w.params.scale, (channels,)).astype(np.float32)
    return Weight(RNG.integers(-4000, 4000, channels).astype(np.int32), AffineParams(scale, 0, int32, 0))


def conv(
    x: AffineParams,
    out: AffineParams,
    w_shape: tuple[int, ...],
    in_shape: tuple[int, ...],
    *,
    with_bias: bool = True,
    axis: int | None = 0,
    zero: bool = False,
    activation: str | None = None,
    **attributes: Any,
) -> OneOperator:
    w = weight(w_shape, axis, zero=zero)
    constants = [w, bias(x, w, w_shape[0])] if with_bias else [w]
    return OneOperator("Conv", [(in_shape, x)], out, constants, attributes, activation)


def wide(params: AffineParams, factor: float) -> AffineParams:
    return AffineParams(params.scale * np.float32(factor), params.zero_point, params.qtype)


CASES = {
    "conv": conv(A8, wide(OUT8, 4), (8, 5, 3, 3), (2, 5, 9, 7), pads=[1, 1, 1, 1]),
    "conv relu": conv(A8, wide(OUT8, 4), (8, 5, 3, 3), (2, 5, 9, 7), activation="Relu"),
    "conv stride, asymmetric pads": conv(
        A8, wide(OUT8, 4), (8, 5, 3, 2), (1, 5, 9, 8), pads=[0, 1, 2, 0], strides=[2, 3]
    ),
    "conv dilated": conv(A8, wide(OUT8, 4), (4, 5, 3, 3), (1, 5, 9, 9), dilations=[2, 3]),
    "conv grouped": conv(A8, wide(OUT8, 4), (8, 2, 3, 3), (1, 4, 6, 6), group=2),
    "conv depthwise": conv(U8, wide(OUTU, 2), (12, 1, 3, 3), (2, 6, 7, 7), group=6, pads=[1, 1, 1, 1]),
    "conv weight zero points": conv(A8, wide(OUT8, 4), (8, 5, 1, 1), (2, 5, 4, 4), zero=True, with_bias=False),
    "conv one weight scale": conv(A8, wide(OUT8, 4), (8, 5, 1, 1), (2, 5, 4, 4), axis=None),
    "conv 1-D": conv(A8, wide(OUT8, 4), (8, 5, 3), (2, 5, 11), pads=[1, 1]),
    "conv 3-D": conv(A8, wide(OUT8, 4), (3, 2, 2, 2, 2), (1, 2, 4, 5, 3)),
    "conv one pixel": conv(A8, wide(OUT8, 4), (8, 5, 1, 1), (1, 5, 1, 1)),
    "conv same upper": conv(A8, wide(OUT8, 4), (8, 5, 3, 3), (1, 5, 8, 7), strides=[2, 2], auto_pad="SAME_UPPER"),
    "conv int16": conv(A16, wide(OUT16, 4), (8, 5, 3, 3), (1, 5, 6, 6)),
    "gemm": OneOperator("Gemm", [((3, 20), A8)], wide(OUT8, 4), [w := weight((20, 7), 1), bias(A8, w, 7)]),
    "gemm transB": OneOperator("Gemm", [((3, 20), U8)], wide(OUT8, 4), [weight((7, 20), 0)], {"transB": 1}, "Relu"),
    "matmul constant": OneOperator("MatMul", [((2, 3, 20), A8)], wide(OUT8, 4), [weight((20, 7), 1)]),
    "matmul": OneOperator("MatMul", [((2, 3, 9), A8), ((2, 9, 5), U8)], wide(OUT8, 9)),
    "matmul broadcast": OneOperator("MatMul", [((4, 1, 3, 9), A8), ((2, 9, 5), B8)], wide(OUT8, 9)),
    "add": OneOperator("Add", [((2, 30, 9), A8), ((2, 30, 9), B8)], OUT8),
    "add relu": OneOperator("Add", [((2, 30, 9), A8), ((2, 30, 9), B8)], OUT8, activation="Relu"),
    "add broadcast": OneOperator("Add", [((2, 30, 9), A8), ((30, 1), U8)], OUTU),
    "add 16": OneOperator("Add", [((2, 30, 9), A16), ((2, 30, 9), B16)], OUT16),
    "sub": OneOperator("Sub", [((2, 30, 9), A8), ((1,), B8)], OUT8),
    "mul": OneOperator("Mul", [((2, 30, 9), A8), ((30, 1), U8)], wide(OUT8, 2)),
    "mul constant": OneOperator("Mul", [((2, 30, 9), A8)], wide(OUT8, 0.2), [weight((30, 1), None)]),
    "relu": OneOperator("Relu", [((500,), A8)], OUT8),
    "sigmoid": OneOperator("Sigmoid", [((500,), A8)], AffineParams(1 / 256, -128, int8)),
    "hard sigmoid": OneOperator(
        "HardSigmoid", [((500,), A8)], AffineParams(1 / 255, 0, uint8), attributes={"alpha": 0.3}
    ),
    "hard swish": OneOperator("HardSwish", [((500,), A8)], OUT8),
    "tanh 16": OneOperator("Tanh", [((500,), A16)], AffineParams(2.0**-15, 0, int16)),
    "clip": OneOperator("Clip", [((500,), A8)], OUT8, [np.float64(-1.0).reshape(()), np.float64(2.5).reshape(())]),
    "max pool": OneOperator(
        "MaxPool", [((1, 3, 8, 9), A8)], A8, attributes={"kernel_shape": [3, 2], "strides": [2, 2]}
    ),
    "max pool rescaled": OneOperator(
        "MaxPool", [((1, 3, 8, 9), A8)], OUT8, attributes={"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "ceil_mode": 1}
    ),
    "average pool": OneOperator(
        "AveragePool", [((1, 3, 8, 9), A8)], OUT8, attributes={"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}
    ),
    "average pool include pad": OneOperator(
        "AveragePool",
        [((1, 3, 8, 9), U8)],
        OUT8,
        attributes={"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1, "strides": [2, 2]},
    ),
    "global average pool": OneOperator("GlobalAveragePool", [((2, 5, 7, 3), A8)], wide(OUT8, 0.2)),
    "reduce mean": OneOperator(
        "ReduceMean", [((4, 5, 7, 3), U8)], wide(OUT8, 0.2), [np.array([1, -1])], {"keepdims": 0}
    ),
    "reshape": OneOperator("Reshape", [((4, 6), A8)], A8, [np.array([2, 0, -1])]),
    "flatten rescaled": OneOperator("Flatten", [((2, 3, 4), A8)], OUT8, attributes={"axis": 2}),
    "transpose": OneOperator("Transpose", [((2, 3, 4), A8)], A8, attributes={"perm": [2, 0, 1]}),
    "concat": OneOperator("Concat", [((2, 3), A8), ((2, 5), U8), ((2, 1), OUT8)], OUT8, attributes={"axis": -1}),
    "squeeze": OneOperator("Squeeze", [((2, 1, 3, 1), A8)], A8, [np.array([1, -1])]),
    "unsqueeze rescaled": OneOperator("Unsqueeze", [((2, 3), A8)], OUT8, [np.array([0, -1])]),
    "slice": OneOperator(
        "Slice", [((4, 9), A8)], A8, [np.array([-1, 1]), np.array([-100, 100]), np.array([0, 1]), np.array([-2, 3])]
    ),
    "gather": OneOperator("Gather", [((4, 9), A8)], A8, [np.array([[3, -1], [0, 0]])], {"axis": 1}),
    "expand": OneOperator("Expand", [((4, 1), A8)], A8, [np.array([3, 1, 5])]),
    "tile": OneOperator("Tile", [((4, 2), A8)], A8, [np.array([2, 3])]),
    "pad zero": OneOperator("Pad", [((4, 5), A8)], A8, [np.array([1, 0, 2, 3])]),
    "pad reflect": OneOperator("Pad", [((4, 5), A8)], A8, [np.array([1, 0, 2, 1])], {"mode": "reflect"}),
    "depth to space": OneOperator("DepthToSpace", [((2, 8, 3, 2), A8)], A8, attributes={"blocksize": 2}),
    "depth to space CRD": OneOperator(
        "DepthToSpace", [((2, 8, 3, 2), A8)], A8, attributes={"blocksize": 2, "mode": "CRD"}
    ),
    "space to depth": OneOperator("SpaceToDepth", [((2, 3, 4, 6), A8)], A8, attributes={"blocksize": 2}),
    "softmax": OneOperator("Softmax", [((6, 10), A8)], AffineParams(1 / 256, -128, int8), attributes={"axis": -1}),
    "softmax axis 1": OneOperator(
        "Softmax", [((2, 10, 3), U8)], AffineParams(1 / 255, 0, uint8), attributes={"axis": 1}
    ),
    "softmax 16": OneOperator("Softmax", [((6, 10), A16)], AffineParams(2.0**-15, 0, int16), attributes={"axis": -1}),
}
