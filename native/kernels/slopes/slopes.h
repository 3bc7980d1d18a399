// Codes times constants by sign and channel: y = clamp(round(F * (x - Zx)) + Z), F = sign * M.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// x and y (outer, channels, inner).
struct Slopes {
  const void* x;
  Type x_type;  // 8 or 16 bits
  std::int64_t x_zero_point;
  std::int64_t outer;
  std::int64_t channels;
  std::int64_t inner;
  std::span<const std::int64_t> above_sign;  // 1 or -1: one, or one a channel
  std::span<const std::int64_t> below_sign;
};

// `above` holds the multipliers where x >= Zx, `below` those elsewhere: one, or one a channel; sums of s32, one type of
// codes. Throws std::invalid_argument for int32 codes.
void slopes(const Slopes& task, const RowWriter& above, const RowWriter& below, void* y, const Parallel& parallel);

}  // namespace halfeven::native
