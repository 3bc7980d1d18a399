// Streaming statistics of a tensor's values: extremes, what is not finite, and a histogram that follows from the set of
// values alone (docs/math/ranges.md eq. 1).
#pragma once

#include <cstdint>

#include "engine/elementwise.h"
#include "kernels/statistics/statistics.h"

namespace halfeven::native {

// Of the finite values: the least and the greatest (of none inf and -inf; 0 is never negative), how many there are and
// how many of them are 0. Beside these the NaN and infinities. `exponent`: of the bins' width.
struct Statistics {
  float lo;
  float hi;
  std::int64_t finite;
  std::int64_t zeros;
  std::int64_t nan;
  std::int64_t inf;
  std::int32_t exponent;
};

// Of `count` values of x. Where `counts` is not null, (2 bin_side,) counts of earlier values with bins 2^exponent wide,
// these values are added to it; the bins are widened in place as far as they need, and the exponent returned. The
// least exponent is that of the least subnormal, negated, in bin -bin_side: -161. Together with the earlier values
// there are fewer than 2^32.
Statistics gather(const float* x, std::int64_t count, std::int32_t exponent, std::uint32_t* counts,
                  const Execution& execution);

}  // namespace halfeven::native
