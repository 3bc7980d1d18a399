// Quantize float32 to integer codes: q = clamp(round(f32(f32(x / S) + Z))) or clamp(round(f32(x / S)) + Z), by rule.
// Files compiled for one instruction set include this: plain data and declarations only, so that no inline function
// of theirs can be the copy that the linker keeps for everyone.
#pragma once

#include <cstdint>

#include "halfeven/codes.hpp"
#include "halfeven/profile.hpp"
#include "kernels/kernel_table.h"

namespace halfeven::native {

struct QuantizeRule {
  Scaling scaling;
  ZeroPoint side;
  Rounding rounding;
  CodeRange range;
};

// Whether float32 holds Z, and whatever is summed with it, exactly.
constexpr bool small_zero_point(std::int32_t zero_point) { return zero_point >= -65536 && zero_point <= 65536; }

// A contiguous run of elements. `scale` and `zero_point` hold one entry, or `count` entries when per_element is set.
// `small_zero_points` says that each of them is. `stream` asks for
// stores that bypass the caches; the caller fences them.
struct QuantizeRun {
  const float* x;
  void* out;
  std::int64_t count;
  const float* scale;
  const std::int32_t* zero_point;
  bool per_element;
  bool small_zero_points;
  bool stream;
};

// Writes the codes and returns the number of NaN (each of which becomes clamp(Z)). Called in round-to-nearest mode
// with subnormals honoured. Vector kernels ask for small zero points.
using QuantizeKernel = std::int64_t (*)(const QuantizeRun& run, const QuantizeRule& rule);

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
