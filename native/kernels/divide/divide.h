// Codes divided by codes: q = clamp(rhe(M * (a - Za) / (b - Zb)) + Z), one rounded integer division.
#pragma once

#include <cstdint>

#include "kernels/eltwise/eltwise.h"

namespace halfeven::native {

struct DivideRule {
  std::int64_t m0;  // in [0, 2^31)
  int shift;        // M = m0 * 2^-shift
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
};

// Throws std::invalid_argument where numerator or denominator could reach 2^62.
void divide(const Pairs& task, const DivideRule& rule, Type y_type, void* y, const Parallel& parallel);

}  // namespace halfeven::native
