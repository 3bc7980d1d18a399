// Whole ranges of inputs through one kernel, compared with formulas written a second time, plainly and one element at a
// time. These share no code with the kernels or with the board headers.
#pragma once

#include <cstdint>

#include "kernels/quantize/quantize.h"
#include "kernels/requantize/requantize.h"

namespace halfeven::native {

struct Differences {
  std::int64_t count;
  std::int64_t first;  // the input of the first one; -1 where there is none
};

// The float32 patterns first, first + 1, ...: codes, and the number of NaN. |Z| <= 2^24. `per_element` takes the loop
// for one scale an element.
struct QuantizeCheck {
  QuantizeKernel kernel;
  Type out_type;
  float scale;
  std::int32_t zero_point;
  QuantizeRule rule;
  bool per_element;
};
Differences check_quantize(const QuantizeCheck& check, std::int64_t first, std::int64_t count);

// The int32 sums whose patterns are first, first + 1, ...
struct RequantizeCheck {
  RequantizeKernel kernel;
  Type out_type;
  std::int32_t m0;
  std::int32_t shift;
  RequantizeRule rule;
  bool per_element;
};
Differences check_requantize(const RequantizeCheck& check, std::int64_t first, std::int64_t count);

// Every quotient of float32 significands X / S, for the significands S = first, first + 1, ... in [2^23, 2^24), that
// lies near enough to the middle of two float32 for the fused form of the division to round it wrongly: how many there
// are, and for how many it does. `first` is such an S.
struct Quotients {
  std::int64_t candidates;
  Differences differences;
};
Quotients check_fused_division(std::int64_t first, std::int64_t count);

}  // namespace halfeven::native
