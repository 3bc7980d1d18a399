// float32 arithmetic on bit patterns, in integers: correctly rounded, ties to even, subnormals kept.
//
// f32(e) of docs/math means "e rounded once to float32, ties to even". The processor computes that only while
// nobody has called fesetround or set flush-to-zero, and the compiler only while nobody passed -ffast-math. These
// functions compute it always. All are constexpr; a NaN result is the quiet pattern 0x7fc00000.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_SOFTFLOAT_HPP_
#define HALFEVEN_SOFTFLOAT_HPP_

#include "bits.hpp"

namespace halfeven {
namespace soft {

inline constexpr std::uint32_t kSign = 0x80000000u;
inline constexpr std::uint32_t kInfinity = 0x7F800000u;
inline constexpr std::uint32_t kNaN = 0x7FC00000u;
inline constexpr std::uint32_t kOne = 0x3F800000u;
inline constexpr std::uint32_t kHalf = 0x3F000000u;

constexpr bool is_nan(std::uint32_t bits) noexcept { return (bits & ~kSign) > kInfinity; }
constexpr bool is_infinite(std::uint32_t bits) noexcept { return (bits & ~kSign) == kInfinity; }
constexpr bool is_zero(std::uint32_t bits) noexcept { return (bits & ~kSign) == 0; }

// Whether the value may be a scale: finite, positive and normal.
constexpr bool is_scale(std::uint32_t bits) noexcept { return bits >= 0x00800000u && bits < kInfinity; }

// A finite number, (-1)^negative * significand * 2^exponent.
struct Number {
  bool negative;
  int exponent;
  std::uint64_t significand;
};

// The number of a finite pattern; the significand has at most 24 bits.
constexpr Number unpack(std::uint32_t bits) noexcept {
  const int field = static_cast<int>((bits >> 23) & 0xFF);
  const std::uint64_t fraction = bits & 0x7FFFFFu;
  const bool negative = (bits & kSign) != 0;
  return field == 0 ? Number{negative, -149, fraction} : Number{negative, field - 150, fraction | 0x800000u};
}

// The number of an integer, exact.
constexpr Number number_of(std::int64_t v) noexcept { return {v < 0, 0, detail::magnitude_of(v)}; }

// The same number with the highest bit of the significand at place `length`; the caller knows that it fits.
constexpr Number normalized(Number v, int length) noexcept {
  const int up = length - detail::bit_length(v.significand);
  return {v.negative, v.exponent - up, v.significand << up};
}

// rhe(v / 2^n) for a magnitude v, n >= 0. Source: docs/math/rounding.md.
constexpr std::uint64_t shift_half_even(std::uint64_t v, int n) noexcept {
  if (n == 0) return v;
  if (n > 64) return 0;
  const std::uint64_t half = std::uint64_t{1} << (n - 1);
  const std::uint64_t whole = n == 64 ? 0 : v >> n;
  const std::uint64_t rest = v & (half | (half - 1));
  return whole + ((rest > half || (rest == half && (whole & 1) != 0)) ? 1 : 0);
}

// f32(v): the one rounding, to a normal, a subnormal, zero or infinity. A sticky lowest bit counts as "a little more":
// callers keep at least two bits below the 24 of the result when they use one.
constexpr std::uint32_t round_to_float(Number v) noexcept {
  const std::uint32_t sign = v.negative ? kSign : 0;
  if (v.significand == 0) return sign;
  const int top = v.exponent + detail::bit_length(v.significand) - 1;
  const int lowest = top - 23 > -149 ? top - 23 : -149;  // exponent of the result's last bit
  if (lowest + 149 > 254) return sign | kInfinity;
  const int drop = lowest - v.exponent;
  const std::uint64_t kept = drop <= 0 ? v.significand << -drop : shift_half_even(v.significand, drop);
  // The hidden bit of `kept` adds 1 to the exponent field, and a carry to 2^24 adds 2.
  const std::uint64_t bits = (static_cast<std::uint64_t>(lowest + 149) << 23) + kept;
  return sign | static_cast<std::uint32_t>(bits < kInfinity ? bits : kInfinity);
}

// f32(a / b). 0/0 and inf/inf are NaN; finite/0 is infinite.
constexpr std::uint32_t divide(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t sign = (a ^ b) & kSign;
  if (is_nan(a) || is_nan(b)) return kNaN;
  if (is_infinite(a)) return is_infinite(b) ? kNaN : sign | kInfinity;
  if (is_zero(b)) return is_zero(a) ? kNaN : sign | kInfinity;
  if (is_infinite(b) || is_zero(a)) return sign;
  const Number x = normalized(unpack(a), 24), y = normalized(unpack(b), 24);
  const std::uint64_t wide = x.significand << 32;
  const std::uint64_t quotient = wide / y.significand;  // 32 or 33 bits
  const bool inexact = quotient * y.significand != wide;
  return round_to_float({sign != 0, x.exponent - y.exponent - 32, quotient | (inexact ? 1u : 0u)});
}

// f32(a * b). inf*0 is NaN.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t sign = (a ^ b) & kSign;
  if (is_nan(a) || is_nan(b)) return kNaN;
  if (is_infinite(a) || is_infinite(b)) return is_zero(a) || is_zero(b) ? kNaN : sign | kInfinity;
  const Number x = unpack(a), y = unpack(b);
  return round_to_float({sign != 0, x.exponent + y.exponent, x.significand * y.significand});
}

// f32(x + y) of finite nonzero numbers with significands of at most 33 bits.
constexpr std::uint32_t round_sum(Number x, Number y) noexcept {
  x = normalized(x, 62);
  y = normalized(y, 62);
  const Number& big = x.exponent >= y.exponent ? x : y;
  const Number& small = x.exponent >= y.exponent ? y : x;
  // Sticky only once 30 places are gone; cancellation then costs one bit at most, so 36 bits stand below the result.
  const std::uint64_t aligned = detail::shift_right_sticky(small.significand, big.exponent - small.exponent);
  if (big.negative == small.negative) return round_to_float({big.negative, big.exponent, big.significand + aligned});
  if (big.significand == aligned) return 0;  // exact cancellation is +0
  const bool swap = big.significand < aligned;
  const std::uint64_t rest = swap ? aligned - big.significand : big.significand - aligned;
  return round_to_float({big.negative != swap, big.exponent, rest});
}

// f32(a + b). inf-inf is NaN.
constexpr std::uint32_t add(std::uint32_t a, std::uint32_t b) noexcept {
  if (is_nan(a) || is_nan(b)) return kNaN;
  if (is_infinite(a)) return is_infinite(b) && a != b ? kNaN : a;
  if (is_infinite(b)) return b;
  if (is_zero(a)) return is_zero(b) ? (a & b) : b;
  return is_zero(b) ? a : round_sum(unpack(a), unpack(b));
}

// f32(a + z): the exact sum rounded once, also where float32 cannot represent z; |z| <= 2^32.
constexpr std::uint32_t add_integer(std::uint32_t a, std::int64_t z) noexcept {
  if (is_nan(a)) return kNaN;
  if (is_infinite(a) || z == 0) return a;
  return is_zero(a) ? round_to_float(number_of(z)) : round_sum(unpack(a), number_of(z));
}

// f32(v) of an integer.
constexpr std::uint32_t from_integer(std::int64_t v) noexcept { return round_to_float(number_of(v)); }

// f32(a * 2^k) of a finite a.
constexpr std::uint32_t scale_by_power(std::uint32_t a, int k) noexcept {
  const Number v = unpack(a);
  return round_to_float({v.negative, v.exponent + k, v.significand});
}

}  // namespace soft
}  // namespace halfeven

#endif  // HALFEVEN_SOFTFLOAT_HPP_
