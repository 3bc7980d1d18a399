// From an integer sum to a code: q = clamp(round(M * acc) + Z). Source: docs/math/requantize.md eq. 7-9.
//
// Integer arithmetic only; the float32 method computes its float32 steps in integers too.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_REQUANTIZE_HPP_
#define HALFEVEN_REQUANTIZE_HPP_

#include "multiplier.hpp"

namespace halfeven {

// rhe(acc * M0 / 2^shift), or floor(... + 1/2): the product exact, ONE rounding (eq. 9). Saturates at +-2^62.
constexpr std::int64_t scale_exact(std::int64_t acc, const Multiplier& m, bool half_up = false) noexcept {
  const bool narrow = acc >= detail::kInt32Min && acc <= detail::kInt32Max && m.shift >= 1;
  if (!narrow) return half_up ? scale_half_up(acc, m.m0, m.shift) : scale_half_even(acc, m.m0, m.shift);
  // |acc * M0| <= 2^62, so 64 bits hold the product and what is added; beyond a shift of 62 it is less than 1/2.
  if (m.shift > 62) return 0;
  const std::int64_t product = acc * m.m0, half = std::int64_t{1} << (m.shift - 1);
  if (half_up) return detail::floor_shift(product + half, m.shift);
  const std::int64_t odd = detail::floor_shift(product, m.shift) & 1;
  return detail::floor_shift(product + half - 1 + odd, m.shift);
}

// Saturating rounding doubling high multiply by M0, then a rounding right shift: TWO roundings, each half away from
// zero, as gemmlowp documents them. A left shift (M >= 1) comes first; acc and that shift saturate to int32.
constexpr std::int64_t scale_double_rounding(std::int64_t acc, const Multiplier& m) noexcept {
  const std::int64_t left = std::int64_t{m.bits} - m.shift;  // -n of eq. 8
  const std::int64_t narrow = detail::clamp(acc, detail::kInt32Min, detail::kInt32Max);
  const std::int64_t wide = narrow * (std::int64_t{1} << (left <= 0 ? 0 : (left < 31 ? left : 31)));
  const std::int64_t product = detail::clamp(wide, detail::kInt32Min, detail::kInt32Max) * m.m0;
  const std::int64_t nudge = std::int64_t{1} << 30;
  const std::int64_t high = (product + (product >= 0 ? nudge : 1 - nudge)) / (std::int64_t{1} << 31);  // truncates
  if (left >= 0) return high;
  if (left < -62) return 0;
  const int right = static_cast<int>(-left);
  const std::int64_t half = std::int64_t{1} << (right - 1);
  const std::int64_t magnitude = detail::floor_shift((high < 0 ? -high : high) + half, right);
  return high < 0 ? -magnitude : magnitude;
}

// rhe(f32(f32(acc) * f32(M))), saturated to +-2^62; M = f32(M) exactly when M0 has at most 24 bits.
// 0 * inf counts as 0.
constexpr std::int64_t scale_float32(std::int64_t acc, const Multiplier& m) noexcept {
  return acc == 0 ? 0 : round_half_even(soft::multiply(soft::from_integer(acc), m.float_bits()));
}

// round(M * acc) by the method named. kUndefined has no answer: 0.
constexpr std::int64_t scale_accumulator(std::int64_t acc, const Multiplier& m, Requantize method) noexcept {
  switch (method) {
    case Requantize::kExactHalfEven: return scale_exact(acc, m);
    case Requantize::kExactHalfUp: return scale_exact(acc, m, true);
    case Requantize::kDoubleRounding: return scale_double_rounding(acc, m);
    case Requantize::kFloat32: return scale_float32(acc, m);
    default: return 0;
  }
}

// q = clamp(round(M * acc) + Z), one sum (eq. 7). A fused activation is a tighter range. Saturates, never wraps.
constexpr std::int32_t requantize(std::int64_t acc, const Multiplier& m, std::int32_t zero_point, CodeRange range,
                                  Requantize method = Requantize::kExactHalfEven) noexcept {
  const std::int64_t q = scale_accumulator(acc, m, method) + zero_point;
  return static_cast<std::int32_t>(detail::clamp(q, range.qmin, range.qmax));
}

// Eq. 7 for rows of `channels` sums (channels last, contiguous), one multiplier a channel. Acc is int32 or int64.
// Returns false, writing nothing, when the method is kUndefined.
template <class Acc, class Code>
bool requantize_channels(const Acc* acc, std::size_t rows, std::size_t channels, Code* out, const Multiplier* m,
                         std::int32_t zero_point, CodeRange range, Requantize method) noexcept {
  static_assert(std::is_same<Acc, std::int32_t>::value || std::is_same<Acc, std::int64_t>::value,
                "sums are int32 or int64");
  if (method == Requantize::kUndefined) return false;
  const CodeRange stored = intersection(range, range_of<Code>());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t c = 0; c < channels; ++c, ++acc, ++out) {
      *out = static_cast<Code>(requantize(*acc, m[c], zero_point, stored, method));
    }
  }
  return true;
}

// Eq. 7 for n contiguous sums with one multiplier. False when the method is kUndefined.
template <class Acc, class Code>
bool requantize(const Acc* acc, std::size_t n, Code* out, const Multiplier& m, std::int32_t zero_point, CodeRange range,
                Requantize method = Requantize::kExactHalfEven) noexcept {
  return requantize_channels(acc, n, 1, out, &m, zero_point, range, method);
}

}  // namespace halfeven

#endif  // HALFEVEN_REQUANTIZE_HPP_
