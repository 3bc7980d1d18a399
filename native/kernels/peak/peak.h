// What a core can do at most: the dot products of the igemm kernels, on registers alone. The yardstick of benchmarks.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// Does `rounds` rounds; returns how many multiplications and additions those were.
using PeakKernel = std::int64_t (*)(std::int64_t rounds);

#define HALFEVEN_KERNEL(in, out, isa) std::int64_t peak_##in##_##out##_##isa(std::int64_t rounds);
#include "kernels/peak/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<PeakKernel> peak_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"peak_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, peak_##in##_##out##_##isa},
#include "kernels/peak/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
