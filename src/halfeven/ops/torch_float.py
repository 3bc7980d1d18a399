"""float32 steps in torch that give the same bits in eager mode and compiled, on the CPU and on accelerators.

Eager kernels divide as IEEE 754 asks. Compiled for a GPU, a float32 division may be approximate, so there it is done in
float64 and rounded to float32: the result is the correctly rounded quotient, because 53 >= 2 * 24 + 2 (Figueroa 1995,
"When is double rounding innocuous?"). Products are formed in the same way, so none can fuse with a later addition.

Subnormal values count as what they are, unless ``torch.set_flush_denormal(True)`` has asked for zeros in their place.
"""

from __future__ import annotations

import torch
from torch import Tensor

from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics.profile import Profile, Scaling
from halfeven.numerics.rounding import Rounding
from halfeven.ops.torch_params import can_be_read


def as_float32(x: Tensor) -> Tensor:
    """``x`` as float32, without its graph: float16 and bfloat16 exactly, float64 rounded once. Others are refused."""
    if not x.is_floating_point():
        raise ParameterError(f"real values are expected as floats, not {x.dtype}: convert them first")
    if x.dtype == torch.float64:
        return _narrow(x.detach())
    return x.detach().to(torch.float32)


def refuse_nan(x: Tensor) -> bool:
    """Raise NotANumberError if ``x`` holds NaN; False where that cannot be asked: compiled, exported, captured, meta.

    One pass and one synchronisation with the device: a sum is NaN if a term is. Infinities of both signs also make it
    so, and then the terms are looked at.
    """
    if not can_be_read(x):
        return False
    if bool(torch.isnan(x.sum())):
        count = int(torch.isnan(x).sum())
        if count:
            raise NotANumberError(count)
    return True


def divide(x: Tensor, scale: Tensor, profile: Profile) -> Tensor:
    """``f32(x / S)``, or ``f32(x * f32(1 / S))`` under profiles that multiply by the reciprocal; a new tensor."""
    wide = _wide_steps(x)
    if profile.scaling is Scaling.DIVIDE:
        return _narrow(x.double() / scale.double()) if wide else torch.div(x, scale)
    one = torch.ones_like(scale)
    if wide:
        return _narrow(x.double() * _narrow(one.double() / scale.double()).double())
    return torch.mul(x, torch.div(one, scale))


def add_once(v: Tensor, zero_point: Tensor, *, exact_in_float32: bool) -> Tensor:
    """``f32(v + Z)``, the exact sum rounded once, also where Z is not itself a float32; changes ``v``."""
    if exact_in_float32:
        return v.add_(zero_point.to(torch.float32))
    # The float64 sum rounded to odd, then to float32, is the exact sum rounded once (Boldo & Melquiond 2008, thm 3.1).
    a, z = v.double(), zero_point.double()
    total = a + z
    part = total - a
    error = (a - (total - part)) + (z - part)  # Knuth's exact error of the sum
    inexact = torch.isfinite(total) & (error != 0) & ((total.view(torch.int64) & 1) == 0)
    toward = torch.where(error > 0, torch.inf, -torch.inf).to(torch.float64)
    return _narrow(torch.where(inexact, torch.nextafter(total, toward), total))


def round_float(t: Tensor, rounding: Rounding) -> Tensor:
    """Round float32 to integers by the rule named; may change ``t``."""
    if rounding is Rounding.HALF_EVEN:
        return t.round_()
    if rounding is Rounding.HALF_UP_FLOAT32:
        return t.add_(0.5).floor_()
    whole = torch.trunc(t)
    away = (t - whole).abs() >= 0.5  # noqa: PLR2004  the remainder is exact; inf - inf is not a remainder of a half
    return torch.where(away, whole + torch.copysign(torch.ones_like(t), t), whole)


def _wide_steps(x: Tensor) -> bool:
    return bool(torch.compiler.is_compiling()) and x.device.type != "cpu"


def _narrow(t: Tensor) -> Tensor:
    """``f32(t)`` of float64. Compiled, the bits are looked at, lest a later cast back to float64 undo the rounding."""
    narrow = t.to(torch.float32)
    return narrow.view(torch.int32).view(torch.float32) if torch.compiler.is_compiling() else narrow
