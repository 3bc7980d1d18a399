"""Print the corpus as plain text, one number's story a line, for languages without JSON and npz at hand.

Words are separated by spaces; floats are bit patterns in hex (8 digits float32, 16 float64), integers are decimal.

::

    quantize PROFILE SCALE Z QMIN QMAX REAL CODE
    dequantize SCALE Z CODE REAL
    requantize METHOD M0 SHIFT BITS Z QMIN QMAX ACC CODE      METHOD: 0 half even, 1 half up, 2 two roundings, 3 float32
    multiplier BITS HALF_AWAY REAL64 M0 SHIFT
    multiplier_from_scales PROFILE S1 S2 S3 M0 SHIFT
    binary SCALE REAL CODE REAL_BACK
    log2 BITS SCALE REAL CODE REAL_BACK

Matrix products and convolutions are left out: they are requantize after integer sums. So are ranges and packing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from corpus import Case, load
from replay import params_of

from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import get_qtype


def hexed(a: Any) -> list[str]:
    """Bit patterns of floats."""
    a = np.ascontiguousarray(a).reshape(-1)
    digits = 2 * a.itemsize
    return [f"{v:0{digits}x}" for v in a.view(f"u{a.itemsize}").tolist()]


def spread(a: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    """``a`` for each element of ``shape``: one for all, or one a channel of ``axis``."""
    a = np.asarray(a)
    if a.ndim == 1 and axis is not None:
        a = a.reshape([-1 if k == axis % len(shape) else 1 for k in range(len(shape))])
    return np.broadcast_to(a, shape).reshape(-1)


def _affine(c: Case, shape: tuple[int, ...]) -> tuple[list[str], list[int]]:
    scale, zero = params_of(c["params"]).expanded(shape)
    return hexed(np.broadcast_to(scale, shape)), np.broadcast_to(zero, shape).reshape(-1).tolist()


def _flat(a: Any) -> list[int]:
    return np.asarray(a).reshape(-1).tolist()


def _quantize(c: Case) -> Iterator[tuple[Any, ...]]:
    t = get_qtype(c["params"]["qtype"])
    for s, z, x, q in zip(*_affine(c, c["x"].shape), hexed(c["x"]), _flat(c["codes"]), strict=True):
        yield c["profile"], s, z, t.qmin, t.qmax, x, q


def _dequantize(c: Case) -> Iterator[tuple[Any, ...]]:
    yield from zip(*_affine(c, c["codes"].shape), _flat(c["codes"]), hexed(c["reals"]), strict=True)


def _requantize(c: Case) -> Iterator[tuple[Any, ...]]:
    shape, m, t = c["acc"].shape, c["multiplier"], get_qtype(c["params"]["qtype"])
    method = int(profiles[c["profile"]].requantize or 0)
    m0, shift = (spread(m[k], shape, c["axis"]).tolist() for k in ("m0", "shift"))
    zeros = _affine(c, shape)[1]
    for m0_k, shift_k, z, acc, q in zip(m0, shift, zeros, _flat(c["acc"]), _flat(c["codes"]), strict=True):
        yield method, m0_k, shift_k, m["bits"], z, t.qmin, t.qmax, acc, q


def _multiplier(c: Case) -> Iterator[tuple[Any, ...]]:
    for v, m0, shift in zip(hexed(c["value"]), _flat(c["m0"]), _flat(c["shift"]), strict=True):
        yield c["bits"], int(c["half_away"]), v, m0, shift


def _from_scales(c: Case) -> Iterator[tuple[Any, ...]]:
    scales = (hexed(c[k]) for k in ("s1", "s2", "s3"))
    for s1, s2, s3, m0, shift in zip(*scales, _flat(c["m0"]), _flat(c["shift"]), strict=True):
        yield c["profile"], s1, s2, s3, m0, shift


def _nonlinear(c: Case) -> Iterator[tuple[Any, ...]]:
    head = (c["bits"],) if c["operation"] == "log2" else ()
    scales = hexed(spread(c["scale"], c["x"].shape, c["axis"]))
    for s, x, q, r in zip(scales, hexed(c["x"]), _flat(c["codes"]), hexed(c["reals"]), strict=True):
        yield (*head, s, x, q, r)


WRITERS = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "requantize": _requantize,
    "multiplier": _multiplier,
    "multiplier_from_scales": _from_scales,
    "binary": _nonlinear,
    "log2": _nonlinear,
}


def lines() -> Iterator[str]:
    """The text, line by line."""
    for case in load():
        operation = case["operation"]
        if operation in WRITERS:
            yield from (f"{operation} {' '.join(map(str, row))}" for row in WRITERS[operation](case))


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
