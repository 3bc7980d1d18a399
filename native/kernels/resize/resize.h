// Linear interpolation over three axes with integer weights, rescaled: y = clamp(round(M * sum w (x - Zx)) + Z).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// For each output element along an axis the two input elements and their weights.
struct Taps {
  std::span<const std::int64_t> low;
  std::span<const std::int64_t> high;
  std::span<const std::int64_t> low_weight;
  std::span<const std::int64_t> high_weight;

  std::int64_t count() const { return static_cast<std::int64_t>(low.size()); }
};

// x (planes, *in), y (planes, as many as each axis has taps).
struct Resize {
  const void* x;
  Type x_type;  // 8 or 16 bits
  std::int64_t x_zero_point;
  std::int64_t planes;
  std::array<std::int64_t, 3> in;
  std::array<Taps, 3> taps;
};

// `writer` has one multiplier; its accumulator must hold every sum.
void resize_linear(const Resize& task, const RowWriter& writer, void* y, const Parallel& parallel);

}  // namespace halfeven::native
