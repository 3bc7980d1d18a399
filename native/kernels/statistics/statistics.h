// What a stretch of float32 values is like: its extremes, and the bin of each value (docs/math/ranges.md eq. 1).
// Plain data and declarations only, see quantize.h.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// Bins on either side of zero: value x has the bin floor(x / 2^exponent), in [-bin_side, bin_side).
inline constexpr std::int32_t bin_side = 4096;
// Vector kernels may write so many bins beyond those that they count.
inline constexpr std::int64_t bin_slack = 16;
// Below it 2^-exponent is no float32: the portable kernel alone bins there.
inline constexpr std::int32_t least_vector_exponent = -126;

// Infinite where the values hold an infinity, which `lo` or `hi` then is, or a NaN, which sets `nan` and else counts
// for nothing.
struct Extremes {
  float lo;
  float hi;
  bool nan;
};

// Called in round-to-nearest mode with subnormals honoured.
struct StatisticsKernels {
  // Of `count` values; of none lo is infinite and hi minus infinite.
  Extremes (*extremes)(const float* x, std::int64_t count);
  // Writes the bins, counted from bin_side, of those of `count` values that are not zero, in their order, and returns
  // how many. Every value must be finite and have a bin.
  std::int64_t (*bins)(const float* x, std::int64_t count, std::int32_t exponent, std::int32_t* bins);
};

#define HALFEVEN_KERNEL(in, out, isa)                                 \
  Extremes extremes_##in##_##isa(const float* x, std::int64_t count); \
  std::int64_t bins_##in##_##out##_##isa(const float* x, std::int64_t count, std::int32_t exponent, std::int32_t* bins);
#include "kernels/statistics/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<StatisticsKernels> statistics_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa)   \
  {"statistics_" #in "_" #out "_" #isa, \
   Type::in,                            \
   Type::out,                           \
   Isa::isa,                            \
   {extremes_##in##_##isa, bins_##in##_##out##_##isa}},
#include "kernels/statistics/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
