// Pooling over one to three spatial axes. x (planes, *in), y (planes, *out).
#pragma once

#include <cstdint>

#include "kernels/conv/window.h"
#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

struct Pool {
  const void* x;
  Type type;
  std::int64_t planes;
  Window window;
};

// The largest code of each window; the type's lowest where a window holds padding alone. y has x's type.
void max_pool(const Pool& task, void* y, const Parallel& parallel);

// clamp(round(M * sum (x - Zx)) + Z) of each window. `writer` has one multiplier, or one for each window of a plane.
void average_pool(const Pool& task, std::int64_t x_zero_point, const RowWriter& writer, void* y,
                  const Parallel& parallel);

}  // namespace halfeven::native
