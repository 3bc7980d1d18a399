// Quantize float32 to integer codes: q = clamp(round(f32(f32(x / S) + Z))) or clamp(round(f32(x / S)) + Z), by rule.
// Files compiled for one instruction set include this: plain data and declarations only, so that no inline function
// of theirs can be the copy that the linker keeps for everyone.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

enum class Scaling : int { divide = 0, reciprocal = 1 };
enum class Rounding : int { half_even = 0, half_up_float32 = 1, half_away = 2 };

struct QuantizeRule {
  Scaling scaling;
  bool zero_point_inside;
  Rounding rounding;
  std::int32_t qmin;
  std::int32_t qmax;
};

// A contiguous run of elements. `scale` and `zero_point` hold one entry, or `count` entries when per_element is set.
// `stream` asks for stores that bypass the caches.
struct QuantizeRun {
  const float* x;
  void* out;
  std::int64_t count;
  const float* scale;
  const std::int32_t* zero_point;
  bool per_element;
  bool stream;
};

// Writes the codes and returns the number of NaN (each of which becomes clamp(Z)). Called in round-to-nearest mode
// with subnormals honoured. Vector kernels ask for |Z| <= max_vector_zero_point, which float32 holds exactly.
using QuantizeKernel = std::int64_t (*)(const QuantizeRun& run, const QuantizeRule& rule);

inline constexpr std::int32_t max_vector_zero_point = 1 << 23;

#define HALFEVEN_KERNEL(in, out, isa) \
  std::int64_t quantize_##in##_##out##_##isa(const QuantizeRun& run, const QuantizeRule& rule);
#include "kernels/quantize/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<QuantizeKernel> quantize_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"quantize_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, quantize_##in##_##out##_##isa},
#include "kernels/quantize/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
