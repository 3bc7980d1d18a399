// Integer softmax: q = clamp(rhe(E[max - q] * m0 / (sum E[max - q] * 2^shift)) + Z), the sum exact, one rounding.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

// x and y (outer, length, inner), along the middle axis. exponentials[d] <= 2^30 for d = max - q, exponentials[0] > 0.
// m0 < 2^31. Numerator and denominator must stay below 2^62.
struct Softmax {
  const void* x;
  Type x_type;
  std::int64_t outer;
  std::int64_t length;
  std::int64_t inner;
  std::span<const std::uint32_t> exponentials;
  std::int64_t m0;
  int shift;  // negative: left
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
  Type y_type;
};

// Throws std::invalid_argument where two codes of a row differ by more than the table's length.
void softmax(const Softmax& task, void* y, const Parallel& parallel);

}  // namespace halfeven::native
