// Dequantize integer codes to float32: r = f32(f32(q - Z) * S), the difference exact.
// Plain data and declarations only, see quantize.h.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// A contiguous run of elements. `scale` and `zero_point` hold one entry, or `count` entries when per_element is set.
// `small_zero_points` as in quantize.h. `stream` asks for stores that bypass the caches; the caller
// fences them.
struct DequantizeRun {
  const void* q;
  float* out;
  std::int64_t count;
  const float* scale;
  const std::int32_t* zero_point;
  bool per_element;
  bool small_zero_points;
  bool stream;
};

// Called in round-to-nearest mode with subnormals honoured. Vector kernels of 8 and 16-bit codes ask for small zero
// points.
using DequantizeKernel = void (*)(const DequantizeRun& run);

#define HALFEVEN_KERNEL(in, out, isa) void dequantize_##in##_##out##_##isa(const DequantizeRun& run);
#include "kernels/dequantize/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<DequantizeKernel> dequantize_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"dequantize_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, dequantize_##in##_##out##_##isa},
#include "kernels/dequantize/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
