// Real multipliers as integers, and from an integer sum to a code. Source: docs/math/requantize.md eq. 7-9.
//
//   (7) q3 = clamp(round(M * acc) + Z3),   M = S1 * S2 / S3
//   (8) M = M0 * 2^-shift,                 M0 in [2^(bits-1), 2^bits), shift = bits + n
//   (9) rhe(M * acc) = rhe(acc * M0 / 2^shift), the product exact and one rounding
//
// All of it is integer arithmetic: no floating-point mode matters.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_MULTIPLIER_HPP_
#define HALFEVEN_MULTIPLIER_HPP_

#include "codes.hpp"
#include "profile.hpp"

namespace halfeven {

// M = m0 * 2^-shift. A negative shift is a left shift. m0 == 0 stands for M = 0; bits == 0 for "not a multiplier".
struct Multiplier {
  std::int64_t m0;
  std::int32_t shift;
  std::int32_t bits;

  constexpr bool is_valid() const noexcept { return bits != 0; }

  // M0 = rhe(M * 2^(bits+n)), or half away from zero; when that is 2^bits, half of it and one less shift (eq. 8).
  // Not a multiplier when M is negative, infinite or NaN, or bits is not in [1, 31].
  static inline Multiplier from_real(double value, int bits = 31, bool half_away = false) noexcept;

  // M = S1 * S2 / S3 as the profile forms it (float64, or float32 steps), rounded as the profile says.
  // Not a multiplier when a scale is not finite, positive and normal, or M overflows float32 steps.
  static inline Multiplier from_scales(float s1, float s2, float s3, const Profile& profile) noexcept;

  // M = S1 / S3: codes that only change their scale.
  static inline Multiplier from_scales(float s1, float s3, const Profile& profile) noexcept;

  // The pattern of f32(M).
  constexpr std::uint32_t float_bits() const noexcept {
    const int exponent = shift > 4096 ? -4096 : (shift < -4096 ? 4096 : -shift);  // far beyond float32 either way
    return soft::round_to_float({false, exponent, static_cast<std::uint64_t>(m0)});
  }
};

namespace detail {

// Eq. 8 of a number whose significand holds it exactly.
constexpr Multiplier multiplier_of(soft::Number v, int bits, bool half_away) noexcept {
  if (v.negative || bits < 1 || bits > 31) return {0, 0, 0};
  if (v.significand == 0) return {0, 0, bits};
  const int drop = bit_length(v.significand) - bits;
  std::uint64_t m0 = 0;
  if (drop <= 0) m0 = v.significand << -drop;
  else if (half_away) m0 = (v.significand >> drop) + ((v.significand >> (drop - 1)) & 1);
  else m0 = soft::shift_half_even(v.significand, drop);
  const bool full = (m0 >> bits) != 0;
  return {static_cast<std::int64_t>(full ? m0 / 2 : m0), -(v.exponent + drop) - (full ? 1 : 0), bits};
}

// The float64 nearest to a / b (ties to even), a < 2^48 and b < 2^24 being normalized significands.
constexpr soft::Number divide_to_double(soft::Number a, soft::Number b) noexcept {
  a = soft::normalized(a, 48);
  b = soft::normalized(b, 24);
  const std::uint64_t first = (a.significand << 15) / b.significand;  // 39 or 40 bits, then 20 more
  const std::uint64_t rest = ((a.significand << 15) % b.significand) << 20;
  const std::uint64_t sticky = rest % b.significand != 0 ? 1 : 0;
  const std::uint64_t quotient = (first << 20) | (rest / b.significand);
  const int drop = bit_length(quotient) + 1 - 53;
  const std::uint64_t rounded = soft::shift_half_even((quotient << 1) | sticky, drop);
  return {false, a.exponent - b.exponent - 36 + drop, rounded};
}

// S1 * S2 / S3 of scale patterns. In float64 the product is exact (48 bits), so there is one rounding.
inline Multiplier multiplier_of_scales(std::uint32_t s1, std::uint32_t s2, std::uint32_t s3,
                                       const Profile& profile) noexcept {
  if (!soft::is_scale(s1) || !soft::is_scale(s2) || !soft::is_scale(s3)) return {0, 0, 0};
  if (profile.multiplier_float32) {
    const std::uint32_t m = soft::divide(soft::multiply(s1, s2), s3);
    if (soft::is_infinite(m)) return {0, 0, 0};
    return multiplier_of(soft::unpack(m), profile.multiplier_bits, profile.multiplier_half_away);
  }
  const soft::Number a = soft::unpack(s1), b = soft::unpack(s2);
  const soft::Number ab{false, a.exponent + b.exponent, a.significand * b.significand};
  return multiplier_of(divide_to_double(ab, soft::unpack(s3)), profile.multiplier_bits, profile.multiplier_half_away);
}

inline constexpr std::int64_t kInt32Min = -2147483647 - 1;
inline constexpr std::int64_t kInt32Max = 2147483647;

// floor(v / 2^n), 0 <= n <= 63: what every compiler makes of >>, without relying on it.
constexpr std::int64_t floor_shift(std::int64_t v, int n) noexcept { return v < 0 ? ~(~v >> n) : v >> n; }

}  // namespace detail

inline Multiplier Multiplier::from_real(double value, int bits, bool half_away) noexcept {
  const std::uint64_t pattern = bits_of(value);
  const int field = static_cast<int>((pattern >> 52) & 0x7FF);
  const std::uint64_t fraction = pattern & 0xFFFFFFFFFFFFFu;
  const bool is_zero = (pattern << 1) == 0;
  if (field == 0x7FF || (pattern >> 63 != 0 && !is_zero)) return {0, 0, 0};
  const std::uint64_t significand = field == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  return detail::multiplier_of({false, (field == 0 ? 1 : field) - 1075, significand}, bits, half_away);
}

inline Multiplier Multiplier::from_scales(float s1, float s2, float s3, const Profile& profile) noexcept {
  return detail::multiplier_of_scales(load_bits(&s1), load_bits(&s2), load_bits(&s3), profile);
}

inline Multiplier Multiplier::from_scales(float s1, float s3, const Profile& profile) noexcept {
  return detail::multiplier_of_scales(load_bits(&s1), soft::kOne, load_bits(&s3), profile);
}

}  // namespace halfeven

#endif  // HALFEVEN_MULTIPLIER_HPP_
