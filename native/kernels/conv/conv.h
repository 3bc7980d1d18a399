// Integer convolution over one to three spatial axes, rescaled: y = clamp(round(M * acc) + Z),
// acc[n, o] = sum (x - Zx)(w - Zw) + b over each window and group; padding is real zero.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/conv/window.h"
#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// x (samples, groups * channels, *in), weight (groups * outputs, channels, *kernel), y (samples, groups * outputs,
// *out)
struct Conv {
  const void* x;
  Type x_type;
  std::int64_t x_zero_point;
  const void* weight;
  Type weight_type;
  std::span<const std::int64_t> weight_zero_point;  // one, or one an output channel
  std::span<const std::int64_t> bias;               // one an output channel
  std::int64_t samples;
  std::int64_t groups;
  std::int64_t channels;  // of a group
  std::int64_t outputs;   // of a group
  Window window;
  Isa isa;

  std::int64_t taps() const { return product(window.kernel); }
  std::int64_t weight_zero_point_of(std::int64_t output) const {
    return weight_zero_point[weight_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(output)];
  }
};

// Bytes that a convolution packs its operands in. Throws std::invalid_argument where the codes are int32.
std::int64_t conv_workspace(const Conv& task);

// `writer` has one multiplier, or one an output channel. `workspace` is aligned to 64 bytes; its content is lost.
void conv(const Conv& task, const RowWriter& writer, void* y, void* workspace, const Parallel& parallel);

// The same for channels == 1: every output channel looks at one plane; without a workspace.
void depthwise_conv(const Conv& task, const RowWriter& writer, void* y, const Parallel& parallel);

}  // namespace halfeven::native
