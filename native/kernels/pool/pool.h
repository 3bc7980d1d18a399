// Pooling over one to three spatial axes. x (planes, *in), y (planes, *out).
#pragma once

#include <cstdint>
#include <span>

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

// Averages in float32 steps, each rounded once: the sum of `reals` tap after tap, divided by the window's count,
// divided by `y_scale`, and `added` to it; the nearest integer, ties to even, without `added` and with Z, clamped.
struct FloatAverage {
  std::span<const float> reals;   // by code, from the lowest of x's type on
  std::span<const float> counts;  // one a window of a plane
  float y_scale;
  float added;
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
  Type y_type;
};

// Called in round-to-nearest mode.
void float_average_pool(const Pool& task, const FloatAverage& rule, void* y, const Parallel& parallel);

}  // namespace halfeven::native
