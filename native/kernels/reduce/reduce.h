// Means over an axis, rescaled: y = clamp(round(M * sum (x - Zx)) + Z), the division by the count inside M.
#pragma once

#include <cstdint>

#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// x (outer, length, inner), y (outer, inner).
struct Reduce {
  const void* x;
  Type type;
  std::int64_t zero_point;
  std::int64_t outer;
  std::int64_t length;
  std::int64_t inner;
};

// `writer` has one multiplier and sums of s64.
void reduce_mean(const Reduce& task, const RowWriter& writer, void* y, const Parallel& parallel);

}  // namespace halfeven::native
