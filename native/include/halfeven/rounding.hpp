// Rounding to integers, exactly. Every rule is integer arithmetic. Source: docs/math/rounding.md.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_ROUNDING_HPP_
#define HALFEVEN_ROUNDING_HPP_

#include "softfloat.hpp"

namespace halfeven {

// How a float32 becomes the integer of a code.
enum class Rounding : std::uint8_t {
  kHalfEven = 0,       // nearest, ties to even
  kHalfUpFloat32 = 1,  // floor(f32(t + 0.5)): the sum is rounded too, so 0.49999997 gives 1
  kHalfAway = 2,       // nearest, ties away from zero: C's round()
};

// Results at or beyond this magnitude, infinities included, are reported as this magnitude: a clamp always follows.
inline constexpr std::int64_t kRoundedHuge = std::int64_t{1} << 62;

namespace detail {

// floor(|t|) and what is left of it, for |t| < 2^62; `rest` is exact in units of 2^-63 apart from a sticky last bit.
struct Split {
  std::int64_t whole;
  std::uint64_t rest;
};

inline constexpr std::uint64_t kRestHalf = std::uint64_t{1} << 62;

constexpr Split split(soft::Number v) noexcept {
  if (v.exponent >= 0) return {static_cast<std::int64_t>(v.significand << v.exponent), 0};
  const int n = -v.exponent;
  if (n > 24) return {0, n <= 63 ? v.significand << (63 - n) : shift_right_sticky(v.significand, n - 63)};
  const std::uint64_t fraction = v.significand & ((std::uint64_t{1} << n) - 1);
  return {static_cast<std::int64_t>(v.significand >> n), fraction << (63 - n)};
}

constexpr bool is_huge(std::uint32_t bits) noexcept { return (bits & ~soft::kSign) >= (127u + 62u) << 23; }

constexpr std::int64_t with_sign(std::uint32_t bits, std::int64_t magnitude) noexcept {
  return (bits & soft::kSign) != 0 ? -magnitude : magnitude;
}

}  // namespace detail

// rhe(t) of the float32 pattern t. Beyond 2^62 and at +-inf: +-kRoundedHuge. NaN: as infinity; callers test for it.
constexpr std::int64_t round_half_even(std::uint32_t t) noexcept {
  if (detail::is_huge(t)) return detail::with_sign(t, kRoundedHuge);
  const detail::Split s = detail::split(soft::unpack(t));
  const bool up = s.rest > detail::kRestHalf || (s.rest == detail::kRestHalf && (s.whole & 1) != 0);
  return detail::with_sign(t, s.whole + (up ? 1 : 0));
}

// t to the nearest integer, ties away from zero. Limits as round_half_even.
constexpr std::int64_t round_half_away(std::uint32_t t) noexcept {
  if (detail::is_huge(t)) return detail::with_sign(t, kRoundedHuge);
  const detail::Split s = detail::split(soft::unpack(t));
  return detail::with_sign(t, s.whole + (s.rest >= detail::kRestHalf ? 1 : 0));
}

// floor(t). Limits as round_half_even.
constexpr std::int64_t round_down(std::uint32_t t) noexcept {
  if (detail::is_huge(t)) return detail::with_sign(t, kRoundedHuge);
  const detail::Split s = detail::split(soft::unpack(t));
  const bool below = (t & soft::kSign) != 0 && s.rest != 0;
  return detail::with_sign(t, s.whole + (below ? 1 : 0));
}

// floor(f32(t + 0.5)), the sum rounded to float32 first. Limits as round_half_even.
constexpr std::int64_t round_half_up_float32(std::uint32_t t) noexcept { return round_down(soft::add(t, soft::kHalf)); }

constexpr std::int64_t round_float(std::uint32_t t, Rounding rounding) noexcept {
  if (rounding == Rounding::kHalfEven) return round_half_even(t);
  return rounding == Rounding::kHalfAway ? round_half_away(t) : round_half_up_float32(t);
}

namespace detail {

// An exact integer of up to 127 bits and its sign.
struct Wide {
  bool negative;
  UInt128 magnitude;
};

constexpr Wide product(std::int64_t a, std::int64_t b) noexcept {
  return {(a < 0) != (b < 0), multiply_exact(magnitude_of(a), magnitude_of(b))};
}

// v * 2^left, saturated to +-kRoundedHuge; left >= 0.
constexpr std::int64_t shift_left_saturating(Wide v, int left) noexcept {
  const int length = bit_length(v.magnitude);
  std::int64_t magnitude = kRoundedHuge;
  if (length == 0) magnitude = 0;
  else if (left < 62 && length + left <= 62) magnitude = static_cast<std::int64_t>(v.magnitude.lo << left);
  return v.negative ? -magnitude : magnitude;
}

// The integer next to v / 2^shift: cut off towards zero, plus one where `up` says so, saturated to +-kRoundedHuge.
constexpr std::int64_t shifted(Wide v, int shift, bool up) noexcept {
  if (bit_length(v.magnitude) - shift > 62) return v.negative ? -kRoundedHuge : kRoundedHuge;
  const std::int64_t magnitude = static_cast<std::int64_t>(shifted_low(v.magnitude, shift)) + (up ? 1 : 0);
  return v.negative ? -magnitude : magnitude;
}

}  // namespace detail

// rhe(a * b / 2^shift): the product exact in 128 bits, one rounding. shift may be negative (a left shift) or large
// (the result is 0). Saturates at +-kRoundedHuge.
constexpr std::int64_t scale_half_even(std::int64_t a, std::int64_t b, int shift) noexcept {
  const detail::Wide v = detail::product(a, b);
  if (shift <= 0) return detail::shift_left_saturating(v, shift < -64 ? 64 : -shift);
  const bool half = detail::bit_at(v.magnitude, shift - 1);
  const bool odd = detail::bit_at(v.magnitude, shift);
  return detail::shifted(v, shift, half && (odd || detail::any_below(v.magnitude, shift - 1)));
}

// floor(a * b / 2^shift + 1/2): ties upward, towards +inf. Otherwise as scale_half_even.
constexpr std::int64_t scale_half_up(std::int64_t a, std::int64_t b, int shift) noexcept {
  const detail::Wide v = detail::product(a, b);
  if (shift <= 0) return detail::shift_left_saturating(v, shift < -64 ? 64 : -shift);
  const bool half = detail::bit_at(v.magnitude, shift - 1);
  const bool tie = half && !detail::any_below(v.magnitude, shift - 1);
  return detail::shifted(v, shift, half && !(tie && v.negative));
}

}  // namespace halfeven

#endif  // HALFEVEN_ROUNDING_HPP_
