// Between dot products and the rescale: biases in, the accumulator's own width out.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// out[j] = sums[j] + bias[j * bias_stride], as int32 (which must hold it) or in place as int64; `bias` may be null.
// Returns what to hand to a RowWriter of `acc_type`. `narrow` has room for `count` int32.
inline const void* add_bias(std::int64_t* sums, std::int64_t count, const std::int64_t* bias, std::int64_t bias_stride,
                            Type acc_type, std::int32_t* narrow) {
  if (bias != nullptr) {
    for (std::int64_t j = 0; j < count; ++j) sums[j] += bias[j * bias_stride];
  }
  if (acc_type == Type::s64) return sums;
  for (std::int64_t j = 0; j < count; ++j) narrow[j] = static_cast<std::int32_t>(sums[j]);
  return narrow;
}

}  // namespace halfeven::native
