// What a row's codes are multiplied by. In an unnamed namespace, see vector/.
#pragma once

#include <bit>
#include <cmath>

#include "kernels/integer_rounding.h"

namespace halfeven::native {
namespace {

// The row's sum, the reciprocal R of its root, and the shift that goes with it.
struct RowFactor {
  std::int64_t sum;
  std::int64_t reciprocal;
  int shift;
};

// floor(sqrt(a)), a < 2^62: the double is off by one at most.
inline std::int64_t square_root(std::int64_t a) {
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(a)));
  if (root * root > a) --root;
  if ((root + 1) * (root + 1) <= a) ++root;
  return root;
}

// Of rows of `length` codes with this sum and sum of squares; f, E' and F as in docs/math/normalize.md.
inline RowFactor row_factor(std::int64_t length, std::int64_t sum, std::int64_t squares, int half_fraction,
                            std::int64_t epsilon, int fraction) {
  const std::int64_t v = length * squares - sum * sum;
  const std::int64_t spread = (v << 2 * half_fraction) + epsilon;
  const std::int64_t w = spread > 1 ? spread : 1;
  const int g = (62 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(w)))) >> 1;
  const int shift = 61 - half_fraction - g - fraction;
  return {sum, divide_half_even(std::int64_t{1} << 61, square_root(w << 2 * g)), shift > 0 ? shift : 0};
}

}  // namespace
}  // namespace halfeven::native
