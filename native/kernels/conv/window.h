// A sliding window over three spatial axes; fewer axes stand behind leading ones of size 1.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace halfeven::native {

using Sizes = std::array<std::int64_t, 3>;

constexpr std::int64_t product(const Sizes& s) { return s[0] * s[1] * s[2]; }

struct Window {
  Sizes in;
  Sizes out;
  Sizes kernel;
  Sizes strides;
  Sizes begins;  // padding before each axis
  Sizes dilations;

  // What the windows cover of each axis, counted from the start of the padding.
  Sizes extent() const {
    Sizes e{};
    for (std::size_t k = 0; k < 3; ++k) e[k] = (out[k] - 1) * strides[k] + dilations[k] * (kernel[k] - 1) + 1;
    return e;
  }

  // The windows [first, last) whose element of this tap is inside the input.
  struct Inside {
    std::int64_t first;
    std::int64_t last;
    std::int64_t position;  // of the tap in window 0; may lie outside
  };

  Inside inside(std::size_t axis, std::int64_t tap) const {
    const std::int64_t position = tap * dilations[axis] - begins[axis];
    const std::int64_t stride = strides[axis];
    const std::int64_t first = position >= 0 ? 0 : (-position + stride - 1) / stride;
    const std::int64_t room = in[axis] - position;
    const std::int64_t last = room <= 0 ? 0 : std::min(out[axis], (room + stride - 1) / stride);
    return {first, std::max(first, last), position};
  }
};

}  // namespace halfeven::native
