"""onnxruntime's QuantizeLinear and DequantizeLinear against ours: equal codes, equal floats.

NaN is left out: it has no code. onnxruntime writes one all the same (qmin, on x86-64), our kernels Z, and the Python
functions raise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from sessions import ELEMENT, as_tensor_type, generator, run_node

import halfeven as he

PROFILE = "onnxruntime"
QTYPES = [he.int4, he.uint4, he.int8, he.uint8, he.int16, he.uint16]
SCALES = [1.0, 0.1, 2.0**-7, 0.0123, 2.0**-126, 1e30, float(np.finfo(np.float32).max)]
EDGES = np.array([np.inf, 0, 1e20, 3e38, 1e-45, 2.0**-126, 0.49999997, 3e9, 2.0**31, 0.5, 1.5, 2.5], np.float32)


def adversarial(scale: float, rng: np.random.Generator, count: int = 4000) -> NDArray[np.float32]:
    """Ties and their neighbours, arbitrary bit patterns, ordinary values and edges of both signs; no NaN."""
    with np.errstate(over="ignore", under="ignore"):
        steps = (np.concatenate([np.arange(-700, 700), rng.integers(-140000, 140000, count)]) / 2).astype(np.float32)
        ties = steps * np.float32(scale)
        ordinary = (rng.standard_normal(count, np.float32) * 100) * np.float32(scale)
        around = [np.nextafter(ties, np.float32(s * np.inf)) for s in (1, -1)]
    anything = rng.integers(0, 2**32, count, dtype=np.uint32).view(np.float32)
    x = np.concatenate([ties, *around, ordinary, anything, EDGES, -EDGES])
    return x[~np.isnan(x)]


def quantize_linear(x: NDArray[np.float32], p: he.AffineParams) -> NDArray[Any]:
    constants = {"scale": p.scale, "zero": as_tensor_type(p.zero_point, p.qtype)}
    options = {"axis": p.axis} if p.axis is not None else {}
    options |= {"block_size": p.block_size} if p.block_size is not None else {}
    return run_node("QuantizeLinear", {"x": x}, constants, ELEMENT[p.qtype.name], **options)


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize("scale", SCALES)
def test_quantize_linear(qtype: he.QType, scale: float) -> None:
    rng = generator(qtype, scale)
    for zero in {qtype.qmin, 0, 1, 3, qtype.qmax, int(rng.integers(qtype.qmin, qtype.qmax + 1))}:
        p = he.AffineParams(scale, zero, qtype)
        x = adversarial(scale, rng)
        assert_array_equal(quantize_linear(x, p), he.quantize(x, p, PROFILE))


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axis"), [((4, 5, 3), 1), ((37,), 0), ((2, 3, 40), -1), ((6, 50), 0)])
def test_quantize_linear_a_channel(qtype: he.QType, shape: tuple[int, ...], axis: int) -> None:
    rng = generator(qtype, shape, axis)
    scale = rng.choice([0.37, 1, 0.25, 2.5e-3], shape[axis])
    p = he.AffineParams(scale, rng.integers(qtype.qmin, qtype.qmax + 1, shape[axis]), qtype, axis=axis)
    x = rng.choice(adversarial(0.37, rng), shape)
    assert_array_equal(quantize_linear(x, p), he.quantize(x, p, PROFILE))


BLOCKED = [((4, 6, 3), 1, 2), ((4, 7, 3), 1, 3), ((8, 32), 1, 16), ((32, 8), 0, 16), ((5, 33), -1, 32)]


def blocked_params(qtype: he.QType, shape: tuple[int, ...], axis: int, block: int, rng: Any) -> he.AffineParams:
    blocks = list(shape)
    blocks[axis] = -(-shape[axis] // block)
    zero = rng.integers(qtype.qmin, qtype.qmax + 1, blocks)
    return he.AffineParams(rng.choice([0.37, 1, 0.25, 2.5e-3], blocks), zero, qtype, axis=axis, block_size=block)


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axis", "block"), BLOCKED)
def test_quantize_linear_a_block(qtype: he.QType, shape: tuple[int, ...], axis: int, block: int) -> None:
    rng = generator(qtype, shape, block)
    p = blocked_params(qtype, shape, axis, block, rng)
    x = rng.choice(adversarial(0.37, rng), shape)
    assert_array_equal(quantize_linear(x, p), he.quantize(x, p, PROFILE))


def dequantize_linear(q: NDArray[Any], p: he.AffineParams) -> NDArray[Any]:
    zero = None if p.qtype is he.int32 else as_tensor_type(p.zero_point, p.qtype)
    options = {"axis": p.axis} if p.axis is not None else {}
    options |= {"block_size": p.block_size} if p.block_size is not None else {}
    constants = {"q": as_tensor_type(q, p.qtype), "scale": p.scale, "zero": zero}
    return run_node("DequantizeLinear", {}, constants, ELEMENT["float32"], **options)


@pytest.mark.parametrize("qtype", [*QTYPES, he.int32], ids=str)
@pytest.mark.parametrize("scale", SCALES)
def test_dequantize_linear(qtype: he.QType, scale: float) -> None:
    rng = generator(qtype, scale)
    every = np.arange(qtype.qmin, qtype.qmax + 1) if qtype.bits <= 16 else rng.integers(-(2**31), 2**31, 4000)
    q = np.concatenate([every, [0, 1, qtype.qmax]]).astype(qtype.storage)
    if qtype is he.int32:  # its operator has no zero point
        q = np.concatenate([q, [2**24 + 1, 2**24 + 3, -(2**24) - 1, -(2**31)]]).astype(np.int32)
    for zero in {qtype.qmin, 3, qtype.qmax} if qtype is not he.int32 else {0}:
        p = he.AffineParams(scale, zero, qtype)
        assert_array_equal(dequantize_linear(q, p), he.dequantize(q, p))


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axis", "block"), BLOCKED)
def test_dequantize_linear_a_block(qtype: he.QType, shape: tuple[int, ...], axis: int, block: int) -> None:
    rng = generator(qtype, shape, block)
    p = blocked_params(qtype, shape, axis, block, rng)
    q = rng.integers(qtype.qmin, qtype.qmax + 1, shape).astype(qtype.storage)
    assert_array_equal(dequantize_linear(q, p), he.dequantize(q, p))


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axis"), [((4, 5, 3), 1), ((37,), 0), ((6, 50), 0)])
def test_dequantize_linear_a_channel(qtype: he.QType, shape: tuple[int, ...], axis: int) -> None:
    rng = generator(qtype, shape, axis)
    zero = rng.integers(qtype.qmin, qtype.qmax + 1, shape[axis])
    p = he.AffineParams(rng.uniform(0.001, 2, shape[axis]), zero, qtype, axis=axis)
    q = rng.integers(qtype.qmin, qtype.qmax + 1, shape).astype(qtype.storage)
    assert_array_equal(dequantize_linear(q, p), he.dequantize(q, p))
