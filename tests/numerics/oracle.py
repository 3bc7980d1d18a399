"""The arithmetic a second time, on exact rationals, one value at a time: no NumPy and no float operation decides here.

Every function takes and returns Python integers and fractions; ``math.inf`` stands for a float32 overflow.
"""

from __future__ import annotations

import math
from fractions import Fraction

from halfeven.numerics.profile import Profile, Requantize, Scaling, ZeroPoint
from halfeven.numerics.rounding import Rounding

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
HALF = Fraction(1, 2)
Extended = Fraction | float  # a rational, or +-inf


def half_even(value: Fraction) -> int:
    """Nearest integer, ties to even."""
    low = math.floor(value)
    rest = value - low
    return low + (rest > HALF or (rest == HALF and low % 2 == 1))


def half_up(value: Fraction) -> int:
    """``floor(value + 1/2)``."""
    return math.floor(value + HALF)


def half_away(value: Fraction) -> int:
    """Nearest integer, ties away from zero."""
    magnitude = math.floor(abs(value) + HALF)
    return magnitude if value >= 0 else -magnitude


def float32(value: Extended) -> Extended:
    """The value rounded once to float32, ties to even: subnormals kept, overflow to infinity."""
    if isinstance(value, float) or value == 0:
        return value
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # floor(log2(size))
    quantum = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = half_even(size / quantum) * quantum
    if rounded >= Fraction(2) ** 128:
        return math.copysign(math.inf, value)
    return rounded if value > 0 else -rounded


def clamp(value: int, low: int, high: int) -> int:
    """``value`` limited to ``[low, high]``."""
    return min(max(value, low), high)


def quotient(x: float, scale: float, scaling: Scaling) -> Extended:
    """``f32(x / S)`` or ``f32(x * f32(1 / S))``, of a finite x."""
    if scaling is Scaling.DIVIDE:
        return float32(Fraction(x) / Fraction(scale))
    reciprocal = float32(1 / Fraction(scale))
    assert isinstance(reciprocal, Fraction)  # the scale is normal
    return float32(Fraction(x) * reciprocal)


def round_real(t: Extended, rounding: Rounding) -> Extended:
    """Round a float32 to an integer by the rule named; infinities stay."""
    if isinstance(t, float):
        return t
    if rounding is Rounding.HALF_EVEN:
        return Fraction(half_even(t))
    if rounding is Rounding.HALF_AWAY:
        return Fraction(half_away(t))
    shifted = float32(t + HALF)
    return shifted if isinstance(shifted, float) else Fraction(math.floor(shifted))


def quantize(x: float, scale: float, zero_point: int, qmin: int, qmax: int, profile: Profile) -> int:
    """The code of one real value (docs/math/affine.md eq. 2, and its variants by profile)."""
    v = x if math.isinf(x) else quotient(x, scale, profile.scaling)
    if profile.zero_point is ZeroPoint.INSIDE:
        q = round_real(v if isinstance(v, float) else float32(v + zero_point), profile.rounding)
    else:
        q = round_real(v, profile.rounding)
        q = q if isinstance(q, float) else q + zero_point
    if isinstance(q, float):
        return qmax if q > 0 else qmin
    return clamp(int(q), qmin, qmax)


def dequantize(code: int, scale: float, zero_point: int) -> Extended:
    """``f32(f32(q - Z) * S)`` (docs/math/affine.md eq. 5)."""
    difference = float32(Fraction(code - zero_point))
    assert isinstance(difference, Fraction)
    return float32(difference * Fraction(scale))


def multiplier(value: float, bits: int, *, half_away_from_zero: bool = False) -> tuple[int, int]:
    """``(M0, shift)`` of docs/math/requantize.md eq. 8, searched for by its definition."""
    real = Fraction(value)
    if real == 0:
        return 0, 0
    shift = 0
    while real * Fraction(2) ** shift < 2 ** (bits - 1):
        shift += 1
    while real * Fraction(2) ** shift >= 2**bits:
        shift -= 1
    m0 = (half_away if half_away_from_zero else half_even)(real * Fraction(2) ** shift)
    return (m0 // 2, shift - 1) if m0 == 2**bits else (m0, shift)


def double_rounding(acc: int, m0: int, shift: int) -> int:
    """The two-rounding product of gemmlowp's fixed point, written as its C++ does it, for a 31-bit M0."""
    exponent = 31 - shift  # of two, in the sense of TensorFlow Lite
    left, right = max(exponent, 0), max(-exponent, 0)
    shifted = clamp(acc << left, INT32_MIN, INT32_MAX)
    if right > 31:  # TensorFlow Lite makes such a multiplier 0
        return 0
    return rounding_divide_by_power_of_two(saturating_rounding_doubling_high_multiply(shifted, m0), right)


def saturating_rounding_doubling_high_multiply(a: int, b: int) -> int:
    """The high 32 bits of ``2 a b``, rounded."""
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    total = product + nudge
    return total // (1 << 31) if total >= 0 else -(-total // (1 << 31))  # C's division truncates


def rounding_divide_by_power_of_two(x: int, exponent: int) -> int:
    """``x / 2^exponent``, ties away from zero, by the remainder and a threshold."""
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def scale_accumulator(acc: int, m0: int, shift: int, method: Requantize) -> Extended:
    """``round(M acc)`` by the method named."""
    real = Fraction(m0) / Fraction(2) ** shift
    if method is Requantize.EXACT_HALF_EVEN:
        return Fraction(half_even(acc * real))
    if method is Requantize.EXACT_HALF_UP:
        return Fraction(half_up(acc * real))
    if method is Requantize.DOUBLE_ROUNDING:
        return Fraction(double_rounding(acc, m0, shift))
    a, m = float32(Fraction(acc)), float32(real)
    assert isinstance(a, Fraction)
    assert isinstance(m, Fraction)
    return round_real(float32(a * m), Rounding.HALF_EVEN)


def requantize(acc: int, m0: int, shift: int, zero_point: int, qmin: int, qmax: int, method: Requantize) -> int:
    """``clamp(round(M acc) + Z)`` (docs/math/requantize.md eq. 9, and its variants by method)."""
    scaled = scale_accumulator(acc, m0, shift, method)
    if isinstance(scaled, float):
        return qmax if scaled > 0 else qmin
    return clamp(int(scaled) + zero_point, qmin, qmax)
