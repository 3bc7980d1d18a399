// Requantize an integer accumulator: q = clamp(round(acc * m0 / 2^shift) + Z), the product exact, by method.
// Plain data and declarations only, see quantize.h.
#pragma once

#include <cstdint>

#include "halfeven/codes.hpp"
#include "halfeven/profile.hpp"
#include "kernels/kernel_table.h"

namespace halfeven::native {

struct RequantizeRule {
  Requantize method;
  std::int32_t zero_point;
  CodeRange range;
};

// A contiguous run of accumulators. The multiplier arrays hold one entry, or `count` entries when per_element is set:
// 0 <= m0 < 2^31, |shift| <= 200 is the total right shift (negative: left), real = m0 * 2^-shift, real_f32 its float32.
// `stream` asks for stores that bypass the caches; the caller
// fences them.
struct RequantizeRun {
  const void* acc;
  void* out;
  std::int64_t count;
  const std::int32_t* m0;
  const std::int32_t* shift;
  const double* real;
  const float* real_f32;
  bool per_element;
  bool stream;
};

// Called in round-to-nearest mode with subnormals honoured.
using RequantizeKernel = void (*)(const RequantizeRun& run, const RequantizeRule& rule);

#define HALFEVEN_KERNEL(in, out, isa) \
  void requantize_##in##_##out##_##isa(const RequantizeRun& run, const RequantizeRule& rule);
#include "kernels/requantize/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<RequantizeKernel> requantize_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"requantize_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, requantize_##in##_##out##_##isa},
#include "kernels/requantize/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
