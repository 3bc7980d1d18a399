// Sums of products with something added before they become codes: q = clamp(rhe((a A + (b - Zb) B) / 2^k) + Z).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

// a, b and y (outer, channels, inner); A, B and k one, or one a channel, 0 <= k <= 62. Every sum must stay below 2^62.
struct AddSums {
  const std::int32_t* a;
  const void* b;
  Type b_type;
  std::int64_t b_zero_point;
  std::int64_t outer;
  std::int64_t channels;
  std::int64_t inner;
  std::span<const std::int64_t> a_multiplier;
  std::span<const std::int64_t> b_multiplier;
  std::span<const std::int64_t> shift;
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
  Type y_type;
};

void add_sums(const AddSums& task, void* y, const Parallel& parallel);

}  // namespace halfeven::native
