// How far one tensor is from another, over the elements where the first is finite.
#pragma once

#include <cstdint>

#include "engine/elementwise.h"

namespace halfeven::native {

// Of e = other - f. Where an e is not finite: e_energy, e_size and e_max are infinite.
struct Difference {
  std::int64_t count = 0;
  double f_energy = 0;
  double e_energy = 0;
  double cross = 0;
  double f_size = 0;
  double e_size = 0;
  double e_max = 0;
};

// `type`: f32 or f64. A part of 2^15 elements after the other, the lanes of each from the first.
Difference difference(const void* f, const void* other, Type type, std::int64_t count, Isa isa);

}  // namespace halfeven::native
