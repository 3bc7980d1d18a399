// Softmax of rows of codes as stored, u8 or s16: the integers of softmax.h, by one division in double a row.
//
// With r = m0 2^-shift / sum in double, v = e r is off by less than 2^-51 of itself. Where |v| < 2^20 and v is farther
// than 2^-30 from a tie, its nearest integer is therefore that of the exact quotient; elsewhere integers decide.
// Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"
#include "kernels/kernel_table.h"

namespace halfeven::native {

struct SoftmaxRows {
  const void* x;
  void* y;
  std::int64_t rows;
  std::int64_t count;     // codes of a row
  std::int64_t x_stride;  // bytes between rows
  std::int64_t y_stride;
  const std::uint32_t* exponentials;  // 256 or 65536, by distance from the largest code; the first is not 0
  std::int64_t m0;
  int shift;
  CodeRule code;
  std::uint32_t* scratch;  // as many as a row has codes, rounded up to 64
};

using SoftmaxRowsKernel = void (*)(const SoftmaxRows& task);

#define HALFEVEN_KERNEL(in, out, isa) void softmax_rows_##in##_##out##_##isa(const SoftmaxRows& task);
#include "kernels/softmax/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<SoftmaxRowsKernel> softmax_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"softmax_rows_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, softmax_rows_##in##_##out##_##isa},
#include "kernels/softmax/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
