// Integers rounded to nearest, ties to even.
#pragma once

#include <cstdint>

namespace halfeven::native {

// rhe(value / 2^shift); value + 2^(shift - 1) must be inside Acc.
template <class Acc>
constexpr Acc shift_half_even(Acc value, int shift) {
  if (shift == 0) return value;
  const Acc half = Acc{1} << (shift - 1);
  return (value + (half - 1) + ((value >> shift) & 1)) >> shift;
}

// rhe(numerator / denominator), denominator > 0, both below 2^62.
constexpr std::int64_t divide_half_even(std::int64_t numerator, std::int64_t denominator) {
  std::int64_t floor = numerator / denominator;
  std::int64_t rest = numerator - floor * denominator;
  if (rest < 0) {
    rest += denominator;
    --floor;
  }
  const std::int64_t above = 2 * rest - denominator;
  return floor + (above > 0 || (above == 0 && (floor & 1) == 1) ? 1 : 0);
}

}  // namespace halfeven::native
