// Normalization by mean and variance in integers: docs/math/normalize.md.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

// x and y (rows, channels of a group, inner); row r has the gains and offsets of group r % groups.
struct Normalize {
  const void* x;
  Type x_type;  // 8 or 16 bits
  std::int64_t rows;
  std::int64_t groups;
  std::int64_t channels;  // of a group
  std::int64_t inner;
  int half_fraction;     // f
  std::int64_t epsilon;  // E'
  int fraction;          // F
  std::span<const std::int64_t> gain;
  std::span<const std::int64_t> offset;
  int shift;  // k
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
  Type y_type;
  Isa isa;
};

// The sizes must be inside what docs/math/normalize.md, "Width", says; 0 <= F <= 30, 0 <= f <= 30, 0 <= k <= 61.
void normalize(const Normalize& task, void* y, const Parallel& parallel);

}  // namespace halfeven::native
