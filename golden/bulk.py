"""The bulk cases: inputs spread over what each operation meets, ties and edges first; results by the reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from by_hand import affine
from corpus import Case
from patterns import Scatter, reals, sums
from replay import RESULTS, params_of, replay

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import QTYPES

INTEGER_PROFILES = [name for name, p in profiles.items() if p.requantize is not None]
ZERO_POINTS = {"int4": 1, "uint4": 7, "int8": -3, "uint8": 128, "int16": 12345, "uint16": 32769, "int32": 2**24 + 1}
SCALES = {"usual": np.float32(0.0123), "power of two": np.float32(2.0**-7), "smallest": np.float32(2.0**-126)}


def completed(case: Case) -> Case:
    """The case with its results, from the reference."""
    results = replay(case)
    return case | {name: np.asarray(results[name]) for name in RESULTS[case["operation"]]}


def quantize(scatter: Scatter) -> Iterator[Case]:
    """Every qtype, with and without zero point, under every profile."""
    for qtype, odd in ZERO_POINTS.items():
        for kind, scale in SCALES.items():
            for zero in (0, odd) if kind == "usual" else (odd,):
                params = affine(scale, zero, qtype)
                x = reals(params_of(params), scatter, 1024)
                for profile in profiles:
                    name = f"{qtype}, {kind} scale, Z = {zero}, {profile}"
                    yield {"name": name, "operation": "quantize", "profile": profile, "params": params, "x": x}
    scales = (scatter.integers(1, 1000, (6,)) / 1024).astype(np.float32)
    x = (scatter.integers(-(2**20), 2**20, (2, 6, 5)) * 2.0**-13).astype(np.float32)
    params = affine(scales, scatter.integers(-128, 127, (6,)), "int8", 1)
    for profile in profiles:
        yield {
            "name": f"a channel each, {profile}",
            "operation": "quantize",
            "profile": profile,
            "params": params,
            "x": x,
        }


def dequantize(scatter: Scatter) -> Iterator[Case]:
    """Every code of 4 and 8 bits, a sample of the wider ones."""
    for qtype, odd in ZERO_POINTS.items():
        t = QTYPES[qtype]
        every = np.arange(t.qmin, t.qmax + 1) if t.bits <= 8 else scatter.codes(t, (512,))
        for kind, scale in SCALES.items():
            name = f"{qtype}, {kind} scale"
            yield {
                "name": name,
                "operation": "dequantize",
                "params": affine(scale, odd, qtype),
                "codes": every.astype(t.storage),
            }


def requantize(scatter: Scatter) -> Iterator[Case]:
    """Multipliers from far left to far right shifts, with few and with all bits set, under every integer profile."""
    for value in (0.5, 0.375, 2.0**-8, 0.0123, 0.00037, 1 - 2.0**-31, 1.0, 5.5, 2.0**-31, 2.4e-10):
        for profile in INTEGER_PROFILES:
            p = profiles[profile]
            real = np.float64(np.float32(value)) if p.multiplier_float32 else value
            m = Multiplier.from_real(real, p.multiplier_bits, half_away=p.multiplier_half_away)
            for qtype in ("int8", "int16", "int32"):
                params = affine(1, {"int8": -3, "int16": 101, "int32": 0}[qtype], qtype)
                yield {
                    "name": f"M = {value!r}, {qtype}, {profile}", "operation": "requantize", "profile": profile,
                    "multiplier": {"m0": m.m0, "shift": m.shift, "bits": m.bits}, "axis": None, "params": params,
                    "acc": sums(m, QTYPES["int16" if qtype == "int32" else qtype], scatter, 256),
                }  # fmt: skip


def multipliers(scatter: Scatter) -> Iterator[Case]:
    """Positive float64 of all kinds, and products of scales."""
    exponents = scatter.integers(1023 - 60, 1023 + 40, (384,)).astype(np.uint64) << np.uint64(52)
    values = (exponents | (scatter.bits(384) >> np.uint64(12))).view(np.float64)
    near = np.ldexp(scatter.integers(2**31 - 40, 2**31, (64,)) - 0.5, -scatter.integers(20, 60, (64,)))
    values = np.concatenate([values, near, np.ldexp(1.0, np.arange(-32, 32))])
    for bits, away in ((31, False), (31, True), (24, False), (15, False)):
        name = f"{bits} bits, M0 half {'away' if away else 'to even'}"
        yield {"name": name, "operation": "multiplier", "bits": bits, "half_away": away, "value": values}
    s1, s2, s3 = (np.ldexp(scatter.integers(2**23, 2**24 - 1, (256,)), -30).astype(np.float32) for _ in range(3))
    for profile in INTEGER_PROFILES:
        case = {"name": profile, "operation": "multiplier_from_scales", "profile": profile}
        yield {**case, "bits": profiles[profile].multiplier_bits, "s1": s1, "s2": s2, "s3": s3}


def matmul(scatter: Scatter) -> Iterator[Case]:
    """Code types in pairs, one scale or one a column, with and without bias."""
    for ta, tb, out in (("int8", "int8", "int8"), ("uint8", "int8", "uint8"), ("int8", "int4", "int16")):
        a, b = scatter.codes(QTYPES[ta], (5, 32)), scatter.codes(QTYPES[tb], (32, 7))
        scales = (scatter.integers(2**14, 2**15, (7,)) * 2.0**-20).astype(np.float32)
        for columns in (False, True):
            b_params = affine(scales, 0, tb, 1) if columns else affine(scales[0], 1, tb)
            case = {"a": a, "a_params": affine(0.02, 3, ta), "b": b, "b_params": b_params,
                    "out_params": affine(0.3, 5, out),
                    "bias": scatter.integers(-9999, 9999, (7,)).astype(np.int32) if columns else None}  # fmt: skip
            for profile in INTEGER_PROFILES:
                name = f"{ta} by {tb} to {out}, {'a column each' if columns else 'one scale'}, {profile}"
                yield {"name": name, "operation": "matmul", "profile": profile, **case}


def conv2d(scatter: Scatter) -> Iterator[Case]:
    """Plain, strided and padded, dilated, grouped and depthwise windows."""
    for kind, channels, outputs, groups, stride, padding, dilation in (
        ("plain", 3, 4, 1, [1, 1], [0, 0, 0, 0], [1, 1]),
        ("strided, padded", 3, 4, 1, [2, 2], [1, 1, 1, 1], [1, 1]),
        ("dilated, unequal padding", 2, 3, 1, [1, 2], [2, 0, 1, 3], [2, 1]),
        ("grouped", 4, 6, 2, [1, 1], [1, 1, 1, 1], [1, 1]),
        ("depthwise", 6, 6, 6, [1, 1], [1, 1, 1, 1], [1, 1]),
    ):
        x = scatter.codes(QTYPES["int8"], (1, channels, 7, 8))
        w = scatter.codes(QTYPES["int8"], (outputs, channels // groups, 3, 3))
        scales = (scatter.integers(2**14, 2**15, (outputs,)) * 2.0**-20).astype(np.float32)
        case: dict[str, Any] = {
            "x": x, "x_params": affine(0.02, -5), "w": w, "w_params": affine(scales, 0, "int8", 0),
            "out_params": affine(0.2, 11), "bias": scatter.integers(-9999, 9999, (outputs,)).astype(np.int32),
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        }  # fmt: skip
        for profile in INTEGER_PROFILES:
            yield {"name": f"{kind}, {profile}", "operation": "conv2d", "profile": profile, **case}


def nonlinear(scatter: Scatter) -> Iterator[Case]:
    """Binary, and log2 of every width, on values around their borders."""
    scale = np.float32(0.37)
    x = reals(params_of(affine(scale, 0, "int8")), scatter, 512)
    with np.errstate(under="ignore"):
        borders = np.ldexp(0.37 * np.sqrt(0.5), -scatter.integers(0, 130, (256,))).astype(np.float32)
    borders = (borders.view(np.int32) + scatter.integers(-1, 1, (256,)).astype(np.int32)).view(np.float32)
    x = np.concatenate([x, borders, -borders])
    yield {"name": "binary", "operation": "binary", "scale": scale, "axis": None, "x": x}
    for bits in range(2, 9):
        yield {"name": f"log2, {bits} bits", "operation": "log2", "bits": bits, "scale": scale, "axis": None, "x": x}


def choose_params(scatter: Scatter) -> Iterator[Case]:
    """Ranges a channel each, so that one case holds many."""
    lo, hi = (np.ldexp(scatter.integers(-(2**52), 2**52, (64,)), scatter.integers(-60, -40, (64,))) for _ in range(2))
    lo, hi = np.minimum(lo, hi), np.maximum(lo, hi)
    for qtype, t in QTYPES.items():
        for symmetric in (True, False) if t.signed else (False,):
            for narrow in (False, True):
                name = f"{qtype}, {'symmetric' if symmetric else 'asymmetric'}{', narrow' if narrow else ''}"
                yield {"name": name, "operation": "choose_params", "lo": lo, "hi": hi, "qtype": qtype,
                       "symmetric": symmetric, "narrow": narrow, "axis": 0}  # fmt: skip


def cases() -> Iterator[Case]:
    """All of them, with their results."""
    makers = (quantize, dequantize, requantize, multipliers, matmul, conv2d, nonlinear, choose_params)
    for seed, maker in enumerate(makers, start=1):
        yield from map(completed, maker(Scatter(seed)))
