#include "kernels/vector/arm_neon.h"

#include "kernels/statistics/vector_loop.h"

namespace halfeven::native {

Extremes extremes_f32_neon(const float* x, std::int64_t count) { return extremes_of(x, count); }

std::int64_t bins_f32_s32_neon(const float* x, std::int64_t count, std::int32_t exponent, std::int32_t* bins) {
  return bins_of(x, count, exponent, bins);
}

}  // namespace halfeven::native
