"""The ways on this machine from an input to its code: NumPy, each instruction set, torch, the board headers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from board_headers import header_codes, header_sweep
from case_set import FULL, ONCE, THOROUGH, Case, QuantizeCase, RequantizeCase
from findings import Finding, WrongNanCount
from numpy.typing import NDArray
from step_table import Index, StepTable, floats, reference, sums

from halfeven import _native
from halfeven.numerics.multiplier import MAX_BITS
from halfeven.numerics.profile import ZeroPoint

CHANNELS = 8  # of the paths that see a scale a channel, channels last
REFERENCE = "numpy reference"

Codes = NDArray[Any]


@dataclass(frozen=True)
class ArithmeticPath:
    """One way.

    Attributes
    ----------
    block : how many inputs to give at a time.
    codes : of the inputs that ``step_table`` counts so.
    in_full : the cases of which it gets all inputs; of the others it gets the sample.
    sweep : a comparison of a whole stretch outside Python, where there is one.
    """

    name: str
    block: int
    codes: Callable[[Case, Index], Codes]
    in_full: tuple[Case, ...]
    sweep: Callable[[Case, StepTable, int, int], Finding] | None = None


def _native_quantize(case: QuantizeCase, x: NDArray[np.float32], isa: int, channels: int) -> Codes:
    p, rule = case.params, case.profile
    out = np.empty(x.shape, p.qtype.storage)
    how = (int(rule.scaling), rule.zero_point is ZeroPoint.INSIDE, int(rule.rounding), isa, 1)
    whole = len(x) - len(x) % channels
    nans = 0
    for part, count in ((slice(0, whole), channels), (slice(whole, len(x)), 1)):
        if part.start == part.stop:
            continue
        outer, inner = (1, part.stop - part.start) if count == 1 else ((part.stop - part.start) // count, 1)
        scale, zero_point = np.full(count, p.scale, np.float32), np.full(count, p.zero_point, np.int32)
        limits = (p.qtype.qmin, p.qtype.qmax, outer, inner)
        nans += _native.quantize(x[part], out[part], scale, zero_point, *limits, *how)
    expected = int(np.isnan(x).sum())
    if nans != expected:
        raise WrongNanCount(f"{nans} NaN were counted where there are {expected}")
    return out


def _native_requantize(case: RequantizeCase, acc: NDArray[np.int32], isa: int) -> Codes:
    p, m = case.params, case.multiplier
    lift = MAX_BITS - m.bits
    out = np.empty(acc.shape, p.qtype.storage)
    m0, shift = (m.m0 << lift).reshape(1), (m.shift + lift).astype(np.int32).reshape(1)
    single = m.value.astype(np.float32).reshape(1)
    limits = (int(p.zero_point), p.qtype.qmin, p.qtype.qmax, 1, len(acc))
    _native.requantize(acc, out, m0, shift, *limits, int(case.profile.requantize or 0), single, isa, 1)
    return out


def _native_path(isa: int, name: str, channels: int) -> ArithmeticPath:
    def codes(case: Case, index: Index) -> Codes:
        if isinstance(case, QuantizeCase):
            return _native_quantize(case, floats(index), isa, channels)
        return _native_requantize(case, sums(index), isa)

    if channels > 1:
        return ArithmeticPath(f"native {name}, channels last", 1 << 18, codes, ONCE)
    return ArithmeticPath(f"native {name}", 1 << 18, codes, THOROUGH if name == "portable" else FULL)


def native_paths() -> list[ArithmeticPath]:
    """One an instruction set that this machine runs and that has kernels of its own, and one for scales a channel."""
    kernels = [k for k in _native.kernel_names() if k.startswith(("quantize_", "requantize_"))]
    found = enumerate(_native.isa_names())
    usable = [(k, name) for k, (name, compiled, runs) in found if compiled and runs]
    own = [(k, name) for k, name in usable if any(kernel.endswith(f"_{name}") for kernel in kernels)]
    return [_native_path(isa, name, channels) for isa, name in own for channels in (1, CHANNELS)]


def _torch_codes(case: Case, index: Index) -> Codes:
    import torch  # noqa: PLC0415  an optional package

    from halfeven import ops  # noqa: PLC0415

    if isinstance(case, RequantizeCase):
        codes = ops.requantize(torch.from_numpy(sums(index)), case.multiplier, case.params, case.profile)
        return np.asarray(codes.numpy())
    x = floats(index)
    nan = np.isnan(x)
    if nan.any():  # eager torch refuses them; the numbers among them have codes
        _expect_refusal(torch.from_numpy(x), case, int(nan.sum()))
    codes = ops.quantize(torch.from_numpy(np.where(nan, np.float32(0), x)), case.params, case.profile)
    return np.where(nan, case.params.zero_point.astype(case.params.qtype.storage), codes.numpy())


def _expect_refusal(x: Any, case: QuantizeCase, expected: int) -> None:
    from halfeven import ops  # noqa: PLC0415
    from halfeven.errors import NotANumberError  # noqa: PLC0415

    try:
        ops.quantize(x, case.params, case.profile)
    except NotANumberError as error:
        if error.count != expected:
            raise WrongNanCount(f"{error.count} NaN were counted where there are {expected}") from None
        return
    raise WrongNanCount("NaN was not refused")


def torch_paths() -> list[ArithmeticPath]:
    """Eager torch on the processor, where torch is installed."""
    found = importlib.util.find_spec("torch") is not None
    return [ArithmeticPath("torch", 1 << 16, _torch_codes, THOROUGH)] if found else []


def header_paths(programs: Path | None) -> list[ArithmeticPath]:
    """The headers on the processor's floats, and, in a rounding mode that these are not made for, by integers alone."""
    if programs is None:
        return []
    return [
        ArithmeticPath(name, 1 << 20, header_codes(programs, mode), cases, header_sweep(programs, mode))
        for mode, name, cases in (("nearest", "board headers", FULL), ("up", "board headers, integers", ONCE))
    ]


def all_paths(programs: Path | None) -> list[ArithmeticPath]:
    """Every path of this machine; ``programs`` is where ``board_headers.compile_headers`` put its own."""
    numpy_path = ArithmeticPath(REFERENCE, 1 << 16, reference, THOROUGH)
    return [numpy_path, *native_paths(), *torch_paths(), *header_paths(programs)]
