// Weights of a 3x3 convolution, packed once for the kernels of winograd.h; shared by every plan of a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/igemm/weights.h"
#include "kernels/winograd/winograd.h"

namespace halfeven::native {

// Whether 2^26 holds the range of every column's sums, over all bytes x: 255 sum |w| < 2^26. codes [columns][...].
bool winograd_fits(std::span<const std::int8_t> codes, std::int64_t columns);

class WinogradWeights {
 public:
  // Throws std::invalid_argument where sums do not fit, there are not 9 taps, or `isa` has no kernel.
  WinogradWeights(const ProductWeights& weights, Isa isa);

  std::int64_t columns() const { return columns_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t panels() const { return std::ssize(bias_) / igemm_lanes; }
  std::int64_t bytes() const { return static_cast<std::int64_t>(codes_.size()); }
  WinogradKernel kernel() const { return kernel_; }

  // A task with what it has of weights filled in.
  WinogradTask task() const;

 private:
  void pack(const std::int8_t* codes, std::int64_t channels, std::int64_t column);

  std::int64_t columns_;
  std::int64_t depth_;
  WinogradKernel kernel_;
  AlignedBytes codes_;
  std::vector<std::int32_t> less_;
  std::vector<std::int32_t> bias_;
  std::vector<double> multiplier_;
};

}  // namespace halfeven::native
