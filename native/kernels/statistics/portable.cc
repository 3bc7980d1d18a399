// The definition itself. double: the product with a power of two is exact, also where float32 would underflow.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/statistics/statistics.h"

namespace halfeven::native {

Extremes extremes_f32_portable(const float* x, std::int64_t count) {
  Extremes found{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), false};
  for (std::int64_t i = 0; i < count; ++i) {
    found.lo = std::min(found.lo, x[i]);  // a NaN as the second operand changes nothing
    found.hi = std::max(found.hi, x[i]);
    found.nan = found.nan || std::isnan(x[i]);
  }
  return found;
}

std::int64_t bins_f32_s32_portable(const float* x, std::int64_t count, std::int32_t exponent, std::int32_t* bins) {
  const double per_width = std::ldexp(1.0, -exponent);
  std::int64_t written = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (x[i] == 0) continue;
    bins[written++] = static_cast<std::int32_t>(std::floor(static_cast<double>(x[i]) * per_width)) + bin_side;
  }
  return written;
}

}  // namespace halfeven::native
