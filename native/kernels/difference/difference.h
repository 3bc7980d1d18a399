// How far one tensor is from another: sums over their elements, in float64.
//
// Lane r takes elements r, r + 16, ..., one after the other; each product and each sum is rounded. So the bits are the
// same on every instruction set.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

inline constexpr std::int64_t difference_lanes = 16;

// Of e = other - f.
struct DifferenceLanes {
  double f_energy[difference_lanes] = {};
  double e_energy[difference_lanes] = {};
  double cross[difference_lanes] = {};   // sum f e
  double f_size[difference_lanes] = {};  // sum |f|
  double e_size[difference_lanes] = {};
  double e_max[difference_lanes] = {};  // max |e|, where e is a number
};

// Adds `count` elements, a multiple of difference_lanes, of type `in`.
using DifferenceKernel = void (*)(const void* f, const void* other, std::int64_t count, DifferenceLanes& lanes);

#define HALFEVEN_KERNEL(in, out, isa) \
  void difference_##in##_##out##_##isa(const void* f, const void* other, std::int64_t count, DifferenceLanes& lanes);
#include "kernels/difference/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<DifferenceKernel> difference_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"difference_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, difference_##in##_##out##_##isa},
#include "kernels/difference/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
