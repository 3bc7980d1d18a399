// Normalization of rows of u8 or s16 codes by their own mean and variance, a gain and an offset a code:
// docs/math/normalize.md. The arithmetic is that of normalize.h. Plain data and declarations only, see softmax/rows.h.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"
#include "kernels/kernel_table.h"

namespace halfeven::native {

struct NormalizeRows {
  const void* x;
  void* y;
  std::int64_t rows;
  std::int64_t count;    // codes of a row
  std::int64_t stride;   // codes between rows
  int half_fraction;     // f
  std::int64_t epsilon;  // E'
  int fraction;          // F
  const std::int64_t* gain;
  const std::int64_t* offset;
  bool small_gain;  // every |gain| is below 2^31
  int shift;        // k
  CodeRule code;
};

using NormalizeRowsKernel = void (*)(const NormalizeRows& task);

#define HALFEVEN_KERNEL(in, out, isa) void normalize_rows_##in##_##out##_##isa(const NormalizeRows& task);
#include "kernels/normalize/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<NormalizeRowsKernel> normalize_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"normalize_rows_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, normalize_rows_##in##_##out##_##isa},
#include "kernels/normalize/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
