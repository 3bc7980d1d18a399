// Work on rows of u8 codes: sums of two rows by one rule, largest codes, totals. Plain data and declarations only.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

// out[i] = clamp(rhe(a * x[i] + b * y[i] + constant) + zero): every term exact in float32, and small, see SumRule.
struct SumRows {
  const std::uint8_t* x;
  const std::uint8_t* y;
  std::uint8_t* out;
  std::int64_t count;
  SumRule rule;
};
using SumRowsKernel = void (*)(const SumRows& task);

#define HALFEVEN_KERNEL(in, out, isa)                                                                 \
  void sum_rows_##in##_##out##_##isa(const SumRows& task);                                            \
  void look_up_##in##_##out##_##isa(std::uint8_t* out, const std::uint8_t* x, std::int64_t count,     \
                                    const std::uint8_t* table);                                       \
  void largest_##in##_##out##_##isa(std::uint8_t* out, const std::uint8_t* x, std::int64_t count);    \
  void total_##in##_##out##_##isa(std::int32_t* out, const std::uint8_t* x, std::int64_t count);      \
  void products_##in##_##out##_##isa(std::int32_t* out, const std::uint8_t* x, const std::uint8_t* y, \
                                     std::int64_t count, std::int32_t x_zero, std::int32_t y_zero);
#include "kernels/rows/kernels.inc"
#undef HALFEVEN_KERNEL

// The kernels of one instruction set. largest: out = max(out, x). total: out += x. products: out = (x - Zx)(y - Zy).
// look_up: out = table[x], 256 entries.
struct RowKernels {
  SumRowsKernel sum;
  void (*look_up)(std::uint8_t* out, const std::uint8_t* x, std::int64_t count, const std::uint8_t* table);
  void (*largest)(std::uint8_t* out, const std::uint8_t* x, std::int64_t count);
  void (*total)(std::int32_t* out, const std::uint8_t* x, std::int64_t count);
  void (*products)(std::int32_t* out, const std::uint8_t* x, const std::uint8_t* y, std::int64_t count,
                   std::int32_t x_zero, std::int32_t y_zero);
};

inline constexpr Kernel<RowKernels> row_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa)                                                          \
  {"rows_" #in "_" #out "_" #isa,                                                              \
   Type::in,                                                                                   \
   Type::out,                                                                                  \
   Isa::isa,                                                                                   \
   {sum_rows_##in##_##out##_##isa, look_up_##in##_##out##_##isa, largest_##in##_##out##_##isa, \
    total_##in##_##out##_##isa, products_##in##_##out##_##isa}},
#include "kernels/rows/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
