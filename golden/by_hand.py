"""The small cases: inputs and results worked out by hand, each with its working.

The generator refuses to write a case whose result the reference does not give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from corpus import Case

BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
ABOVE_HALF = np.nextafter(np.float32(0.5), np.float32(1))
INF = np.float32(np.inf)
TIES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]


def f32(values: Any) -> Any:
    """``values`` as float32."""
    return np.asarray(values, np.float32)


def i64(values: Any) -> Any:
    """``values`` as int64."""
    return np.asarray(values, np.int64)


def affine(scale: Any, zero_point: Any = 0, qtype: str = "int8", axis: int | None = None, block: Any = None) -> Case:
    """Parameters as the corpus writes them."""
    zero = np.broadcast_to(np.asarray(zero_point, np.int32), np.shape(scale))
    return {"qtype": qtype, "scale": f32(scale), "zero_point": zero, "axis": axis, "block_size": block}


def _quantize(name: str, profile: str, params: Case, x: Any, codes: Any, why: str) -> Case:
    storage = {"int4": "int8", "uint4": "uint8"}.get(params["qtype"], params["qtype"])
    return {
        "name": name, "operation": "quantize", "why": why, "profile": profile, "params": params, "x": f32(x),
        "codes": np.asarray(codes, storage),
    }  # fmt: skip


def quantize() -> list[Case]:
    """Real values to codes."""
    one, odd, even = affine(1), affine(1, 1), affine(1, 2)
    huge = [1e20, INF, 3e38, -1e20, -INF, -3e38]
    ends = [127, 127, 127, -128, -128, -128]
    add = _quantize
    return [
        add("seed", "journey6", one, TIES, [-2, -2, 0, 0, 2, 2], "r/S = r: each is a tie, to the even neighbour"),
        add("ties legacy", "journey6-legacy", one, TIES, [-2, -1, 0, 1, 2, 3], "floor(r + 0.5)"),
        add("ties onnxruntime", "onnxruntime", one, TIES, [-2, -2, 0, 0, 2, 2], "half to even"),
        add("ties tflite", "tflite", one, TIES, [-3, -2, -1, 1, 2, 3], "half away from zero"),
        add("ties odd Z inside", "journey6", odd, TIES, [-2, 0, 0, 2, 2, 4],
            "r + 1 = -1.5 -0.5 0.5 1.5 2.5 3.5, each a tie, to even"),
        add("ties odd Z outside", "onnxruntime", odd, TIES, [-1, -1, 1, 1, 3, 3], "the seed's codes, + 1"),
        add("ties even Z inside", "journey6", even, TIES, [0, 0, 2, 2, 4, 4], "r + 2, to even"),
        add("ties even Z outside", "onnxruntime", even, TIES, [0, 0, 2, 2, 4, 4], "the seed's codes, + 2: as inside"),
        add("ties odd Z legacy", "journey6-legacy", odd, TIES, [-1, 0, 1, 2, 3, 4], "floor(r + 1 + 0.5)"),
        add("above half, even Z inside", "journey6", even, [ABOVE_HALF], [2],
            "0.50000006 + 2 lies between the float32 2.5 and 2.50000024: 2.5, to even 2"),
        add("above half, even Z outside", "onnxruntime", even, [ABOVE_HALF], [3], "0.50000006 is nearer 1; 1 + 2"),
        add("below half", "journey6", one, [BELOW_HALF, -BELOW_HALF], [0, 0], "0.49999997 is nearer 0"),
        add("below half legacy", "journey6-legacy", one, [BELOW_HALF, -BELOW_HALF], [1, 0],
            "0.49999997 + 0.5 = 0.99999997 is midway between the float32 0.99999994 and 1: to even, 1"),
        add("below half away", "tflite", one, [BELOW_HALF, -BELOW_HALF], [0, 0], "exact: trunc(x + 0.5) would give 1"),
        add("below half, odd Z inside", "journey6", odd, [BELOW_HALF], [2], "f32(1.49999997) = 1.5, a tie, to even 2"),
        add("below half, odd Z outside", "onnxruntime", odd, [BELOW_HALF], [1], "0 + 1"),
        add("huge and infinite", "journey6", affine(0.01), huge, ends, "clamp before the conversion to an integer"),
        add("huge and infinite, Z outside", "pytorch", affine(0.01, -3), huge, ends, "clamp before the conversion"),
        add("huge into int32", "journey6", affine(1, 0, "int32"), [3e9, -3e9, 2.0**31, 2147483520],
            [2**31 - 1, -(2**31), 2**31 - 1, 2147483520], "2147483520 is the largest float32 below 2^31"),
        add("quotient overflows", "journey6", affine(2.0**-126, 5, "int16"), [3e38, -3e38], [32767, -32768],
            "3e38 / 2^-126 is infinite in float32"),
        add("subnormal input", "journey6", affine(2.0**-126), [2.0**-127, 2.0**-127 + 2.0**-149, -(2.0**-127), 1e-45],
            [0, 1, 0, 0], "2^-127 / 2^-126 = 1/2, a tie; one subnormal more is above it; none is flushed to zero"),
        add("division", "onnxruntime", affine(15), [37.5], [2], "37.5 / 15 = 2.5, a tie, to even"),
        add("reciprocal", "pytorch", affine(15), [37.5], [3],
            "f32(1/15) = 8947849 * 2^-27 is above 1/15: the product is 2.5000002"),
        add("reciprocal xnnpack", "xnnpack", affine(15), [37.5], [3], "as pytorch"),
        add("wide zero point", "journey6", affine(1, 2**24 + 1, "int32"), [1, 2.5], [2**24 + 2, 2**24 + 4],
            "Z is no float32; the exact sum 2^24 + 2 is one, and 2^24 + 3.5 rounds once to 2^24 + 4"),
        add("wide zero point, once rounded", "journey6", affine(1, 2**31 - 65, "int32"), [1 - 2.0**-24], [2**31 - 128],
            "2^31 - 64 - 2^-24 is below the midpoint of the float32 2^31 - 128 and 2^31; through float64 it would be "
            "the midpoint, then 2^31"),
        add("wide zero point outside", "onnxruntime", affine(1, 2**24 + 1, "int32"), [0, 1, 0.5],
            [2**24 + 1, 2**24 + 2, 2**24 + 1], "integers: exact"),
        add("int4", "journey6", affine(0.5, 0, "int4"), [-4.25, -4, -0.25, 3.5, 4], [-8, -8, 0, 7, 7],
            "r / 0.5 = -8.5 -8 -0.5 7 8"),
        add("uint4", "journey6", affine(0.5, 15, "uint4"), [-8, -7.5, 0, 1], [0, 0, 15, 15], "2r + 15 = -1 0 15 17"),
        add("uint16", "journey6", affine(2.0**-14, 32769, "uint16"), [-2, 2, 0, 2.0**-15], [1, 65535, 32769, 32770],
            "-32768 + 32769; 32768 + 32769 saturates; 32769.5, a tie, to even 32770"),
        add("a channel each", "journey6", affine([1, 0.5, 0.25], [0, 1, 2], axis=0), [[1, 1], [1, 1], [1, 1]],
            [[1, 1], [3, 3], [6, 6]], "r / S[row] + Z[row]"),
        add("blocks of two along the last axis", "journey6", affine([[1, 0.5, 0.25]], 0, "int4", 1, 2),
            [[1, 1, 1, 1, 1]], [[1, 1, 2, 2, 4]], "the last block is short"),
    ]  # fmt: skip


def dequantize() -> list[Case]:
    """Codes to real values."""

    def add(name: str, params: Case, codes: Any, reals: Any, why: str) -> Case:
        storage = {"int4": "int8", "uint4": "uint8"}.get(params["qtype"], params["qtype"])
        return {
            "name": name, "operation": "dequantize", "why": why, "params": params,
            "codes": np.asarray(codes, storage), "reals": f32(reals),
        }  # fmt: skip

    return [
        add("beyond the integers of float32", affine(1, 0, "int32"), [2**24, 2**24 + 1, 2**24 + 3, -(2**24) - 1],
            [2.0**24, 2.0**24, 2.0**24 + 4, -(2.0**24)], "2^24 + 1 is midway between two float32: to even"),
        add("difference before rounding", affine(1, 1, "int32"), [2**24 + 1], [2.0**24],
            "(2^24 + 1) - 1 exactly; rounding the code first would give 2^24 - 1"),
        add("difference beyond int32", affine(0.5, -(2**31), "int32"), [2**31 - 1, -(2**31)], [2.0**31, 0],
            "2^32 - 1 rounds to 2^32"),
        add("product rounds once", affine(0.1, 3), [-128, 0, 3, 4, 127],
            [np.float32(d) * np.float32(0.1) for d in (-131, -3, 0, 1, 124)], "f32((q - 3) * f32(0.1))"),
        add("product overflows", affine(2.0**127), [1, 2, -2], [2.0**127, INF, -INF], "2 * 2^127 is infinite"),
        add("a channel each", affine([1, 0.5], [0, 1], "uint8", 1), [[1, 3], [255, 0]], [[1, 1], [255, -0.5]],
            "S[column] (q - Z[column])"),
    ]  # fmt: skip


def requantize() -> list[Case]:
    """Integer sums to codes, by method."""

    def add(name: str, profile: str, m: tuple[Any, Any, int], params: Case, acc: Any, codes: Any, why: str,
            axis: int | None = None) -> Case:  # fmt: skip
        return {
            "name": name, "operation": "requantize", "why": why, "profile": profile,
            "multiplier": {"m0": i64(m[0]), "shift": i64(m[1]), "bits": m[2]}, "axis": axis, "params": params,
            "acc": i64(acc), "codes": np.asarray(codes, params["qtype"]),
        }  # fmt: skip

    quarter, top, wide = (2**30, 32, 31), (2**31 - 1, 63, 31), affine(1, 0, "int32")
    ties, low, high = [-10, -6, -2, 2, 6, 10], -(2**31), 2**31 - 1
    return [
        add("ties, half to even", "journey6", quarter, wide, ties, [-2, -2, 0, 0, 2, 2], "acc / 4 = -2.5 -1.5 .. 2.5"),
        add("ties, half up", "tflite", quarter, wide, ties, [-2, -1, 0, 1, 2, 3], "floor(acc / 4 + 1/2)"),
        add("ties, two roundings", "tflite-double", quarter, wide, ties, [-3, -2, -1, 1, 2, 3],
            "acc / 2 exactly, then / 2 away from zero"),
        add("ties, float32", "onnxruntime", (2**23, 25, 24), wide, ties, [-2, -2, 0, 0, 2, 2], "half to even"),
        add("two roundings are not one", "tflite-double", quarter, wide, [5, -5, -7, -3], [2, -1, -2, -1],
            "5/2 = 2.5 -> 3 (the first rounding's ties go up), 3/2 -> 2, though 5/4 = 1.25; -2.5 -> -2 -> -1; "
            "-3.5 -> -3 -> -2; -1.5 -> -1 -> -1 (the second's go away from zero)"),
        add("Z after the rounding", "journey6", (2**30, 31, 31), affine(1, 5), [-3, -1, 1, 3], [3, 5, 5, 7],
            "acc / 2 = -1.5 -0.5 0.5 1.5 -> -2 0 0 2, + 5"),
        add("n < 0", "journey6", (3 * 2**29, 29, 31), wide, [5, -7, high], [15, -21, high], "M = 3: exact, saturates"),
        add("left shift", "journey6", (2**30, -10, 31), wide, [1, 0, -1], [high, 0, low], "M = 2^40"),
        add("left shift saturates first", "tflite-double", (2**30, 29, 31), wide, [2**30, 5], [2**30, 10],
            "M = 2: 2^30 * 4 saturates to 2^31 - 1, whose rounded half is 2^30"),
        add("shift > 62", "journey6", top, wide, [low, -1, 0, 1, high], [0] * 5, "|acc M0| < 2^62"),
        add("shift > 62, half up", "tflite", top, wide, [low, high], [0, 0], "below one half either way"),
        add("shift = 62", "journey6", (2**31 - 1, 62, 31), wide, [low, high], [-1, 1], "-1 + 2^-31 and nearly 1"),
        add("sums beyond int32", "journey6", (2**30, 72, 31), wide, [3 << 41, 5 << 41], [2, 2], "1.5 and 2.5"),
        add("float32 product", "onnxruntime", (13421773, 27, 24), wide, [5, 2**24 + 1], [0, 1677722],
            "5 f32(0.1) = 1/2 + 2^-27, in float32 1/2, a tie, to even 0; exactly it would be 1"),
        add("saturation", "journey6", (2**30, 30, 31), affine(1, -3, "uint8") | {"zero_point": np.int32(3)},
            [252, 253, -3, -4], [255, 255, 0, 0], "acc + 3, limited to [0, 255]"),
        add("a channel each", "journey6", ([2**30, 2**30], [30, 31], 31), wide, [[3, 3], [5, 5]], [[3, 2], [5, 2]],
            "M = 1 and 1/2 by column", axis=1),
    ]  # fmt: skip


def multiplier() -> list[Case]:
    """Real multipliers as M0 * 2^-shift."""

    def add(name: str, value: float, m0: int, shift: int, why: str, bits: int = 31, away: bool = False) -> Case:
        return {
            "name": name, "operation": "multiplier", "why": why, "bits": bits, "half_away": away,
            "value": np.float64([value]), "m0": i64([m0]), "shift": i64([shift]),
        }  # fmt: skip

    return [
        add("one half", 0.5, 2**30, 31, "n = 0"),
        add("three", 3.0, 3 * 2**29, 29, "n = -2: 3 = 0.75 * 2^2"),
        add("one tenth", 0.1, 1717986918, 34, "0.1 = 0.8 * 2^-3; rhe(0.8 * 2^31) = rhe(1717986918.4)"),
        add("one tenth in 24 bits", 0.1, 13421773, 27, "rhe(0.8 * 2^24) = rhe(13421772.8)", 24),
        add("one tenth in 15 bits", 0.1, 26214, 18, "rhe(0.8 * 2^15) = rhe(26214.4)", 15),
        add("rounds up to 2^31", 1 - 2.0**-40, 2**30, 30, "2^31 - 2^-9 -> 2^31, so M0 = 2^30 and one shift less"),
        add("tie to even", (2**30 + 0.5) * 2.0**-31, 2**30, 31, "2^30 + 1/2"),
        add("tie away", (2**30 + 0.5) * 2.0**-31, 2**30 + 1, 31, "2^30 + 1/2, as TensorFlow Lite rounds M0", away=True),
        add("largest M0", (2**31 - 1) * 2.0**-31, 2**31 - 1, 31, "kept"),
        add("tie at 2^31", (2**31 - 0.5) * 2.0**-31, 2**30, 30, "to even 2^31, so 2^30"),
        add("zero", 0.0, 0, 0, "M0 = 0 stands for 0"),
        add("subnormal float64", 5e-324, 2**30, 1104, "2^-1074 = 2^30 * 2^-1104"),
    ]


def choose_params() -> list[Case]:
    """Ranges to scale and zero point."""

    def add(name: str, lo: Any, hi: Any, options: Case, scale: Any, zero: Any, why: str) -> Case:
        return {
            "name": name, "operation": "choose_params", "why": why,
            "lo": np.asarray(lo, np.float64), "hi": np.asarray(hi, np.float64),
            **({"qtype": "int8", "symmetric": True, "narrow": False, "axis": None} | options),
            "scale": f32(scale), "zero_point": np.broadcast_to(np.int32(zero), np.shape(scale)),
        }  # fmt: skip

    free: Case = {"symmetric": False}
    return [
        add("symmetric", -1, 2, {}, 2 / 128, 0, "max(1, 2) / 128"),
        add("symmetric int16", -1, 2, {"qtype": "int16"}, 2 / 32768, 0, "2 / 32768"),
        add("symmetric narrow", -1, 2, {"narrow": True}, 2 / 127, 0, "the codes are [-127, 127]"),
        add("asymmetric", -1, 2, free, 3 / 255, -43, "Z = rhe(127 - 2 * 85) = -43"),
        add("asymmetric uint8", -1, 2, free | {"qtype": "uint8"}, 3 / 255, 85, "Z = rhe(255 - 170)"),
        add("zero point ties to even", -127.5, 127.5, free, 1, 0, "rhe(127 - 127.5) = rhe(-0.5) = 0"),
        add("zero point ties to even, up", -129.5, 125.5, free, 1, 2, "rhe(1.5) = 2"),
        add("widened", 3, 5.1, free | {"qtype": "uint8"}, 5.1 / 255, 0, "[3, 5.1] becomes [0, 5.1]"),
        add("empty", 0, 0, {}, 1, 0, "an empty range gives S = 1"),
        add("empty, asymmetric", 0, 0, free | {"qtype": "uint8"}, 1, 255, "Z = qmax - 0"),
        add("too small", -1e-40, 1e-40, {}, 2.0**-126, 0, "the smallest normal float32"),
        add("a channel each", [-1, -3], [0.5, 6], {"qtype": "int4", "axis": 0}, [1 / 8, 6 / 8], 0, "by channel"),
    ]


def nonlinear() -> list[Case]:
    """Binary and log2 codes."""
    return [
        {"name": "signs", "operation": "binary", "why": "sign(r); zero of either sign is +1; mean |r| = 1.125",
         "scale": f32(1.125), "axis": None, "x": f32([1, -3, 0.0, -0.0, 0.5]),
         "codes": np.int8([1, -1, 1, 1, 1]), "reals": f32([1.125, -1.125, 1.125, 1.125, 1.125])},
        {"name": "log2", "operation": "log2", "bits": 3, "scale": f32(1), "axis": None,
         "why": "the borders are 2^-0.5 = 0.7071068, 2^-1.5 = 0.3535534, 2^-2.5 = 0.1767767; K = 3",
         "x": f32([5, 1, 0.7071068, 0.70710677, 0.35355341, 0.35355338, 0.1767767, 0.17677669, 0, -0.3]),
         "codes": np.int8([1, 1, 1, 2, 2, 3, 3, 0, 0, -3]),
         "reals": f32([1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0, 0, -0.25])},
    ]  # fmt: skip


def packing() -> list[Case]:
    """4-bit codes, two to a byte."""
    return [
        {"name": "int4", "operation": "pack_int4", "why": "-8 = 1000 low, 7 = 0111 high; -1 = 1111 and a pad",
         "qtype": "int4", "codes": np.int8([-8, 7, -1]), "packed": np.uint8([0x78, 0x0F])},
        {"name": "uint4", "operation": "pack_int4", "why": "1 low, 15 high",
         "qtype": "uint4", "codes": np.uint8([1, 15]), "packed": np.uint8([0xF1])},
    ]  # fmt: skip


def products() -> list[Case]:
    """A matrix product and a convolution."""
    out, p = affine(0.5, 3), affine(0.5, 1)
    matmul = {
        "operation": "matmul", "profile": "journey6", "a": np.int8([[3, 5]]), "a_params": p,
        "b": np.int8([[10], [-20]]), "b_params": affine(0.25), "out_params": out,
    }  # fmt: skip
    image = {"x": np.full((1, 1, 2, 2), -7, np.int8), "x_params": affine(0.1, -7)}
    return [
        {"name": "2 by 1", "why": "(3-1) 10 + (5-1)(-20) + 7 = -53; M = 0.5 * 0.25 / 0.5 = 1/4: -13.25 -> -13; + 3",
         **matmul, "bias": np.int32([7]), "codes": np.int8([[-10]])},
        {"name": "Z3 after the rounding", "why": "-60 + 58 = -2; -2/4 = -0.5 -> 0; + 3 (-0.5 + 3 = 2.5 would give 2)",
         **matmul, "bias": np.int32([58]), "codes": np.int8([[3]])},
        {"name": "padding is real zero", "why": "every q - Z is 0, inside and in the padding: the output is Z3",
         "operation": "conv2d", "profile": "journey6", **image, "w": np.full((1, 1, 3, 3), 200, np.uint8),
         "w_params": affine(0.1, 3, "uint8"), "out_params": affine(1, 9, "int16"), "bias": None, "stride": [1, 1],
         "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1, "codes": np.full((1, 1, 2, 2), 9, np.int16)},
    ]  # fmt: skip
