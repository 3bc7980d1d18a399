// Dot products of all pairs of rows: sums[i][j] = sum_k left[i][k] * right[j][k], exact.
// Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// Rows of operands are padded with zeros to a multiple of this many elements: no kernel has a tail.
inline constexpr std::int64_t dot_step = 32;

// `depth` and `block` are multiples of dot_step. Products of `block` elements are summed in the kernel's own sum type
// (the `out` of its line: int32 or int64), which must hold them; the blocks are added up in int64.
struct DotRows {
  const void* const* left;
  std::int64_t rows;
  const void* const* right;
  std::int64_t columns;
  std::int64_t depth;
  std::int64_t block;
  std::int64_t* sums;
  std::int64_t stride;  // between rows of sums
};

using DotKernel = void (*)(const DotRows& task);

#define HALFEVEN_KERNEL(in, out, isa) void dot_##in##_##out##_##isa(const DotRows& task);
#include "kernels/gemm/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<DotKernel> dot_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"dot_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, dot_##in##_##out##_##isa},
#include "kernels/gemm/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
