// Weights of a depthwise convolution, in the order of the kernel that will read them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/depthwise/depthwise.h"

namespace halfeven::native {

class DepthwiseWeights {
 public:
  // `codes` [channels][taps], centered; `bias` and `multiplier` one a channel, zero points folded into the bias.
  DepthwiseWeights(std::span<const std::int8_t> codes, std::span<const std::int32_t> bias,
                   std::span<const double> multiplier, std::int64_t taps, Isa isa);

  std::int64_t channels() const { return channels_; }
  std::int64_t taps() const { return taps_; }
  std::int64_t width() const;  // channels in whole groups
  bool writes_codes() const { return format_.group > 0; }
  std::int64_t bytes() const { return static_cast<std::int64_t>(codes_.size()); }
  DepthwiseKernel kernel() const { return kernel_; }

  // A task with what it has of weights filled in.
  DepthwiseTask task() const;

 private:
  void interleave(std::span<const std::int8_t> codes, std::span<const std::int32_t> bias,
                  std::span<const double> multiplier);

  std::int64_t channels_;
  std::int64_t taps_;
  std::int64_t period_;
  DepthwiseFormat format_;
  DepthwiseKernel kernel_;
  AlignedBytes codes_;
  std::vector<std::int32_t> bias_;
  std::vector<double> multiplier_;
};

}  // namespace halfeven::native
