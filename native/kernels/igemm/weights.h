// Weights of a product, packed once for the kernel that will read them; shared by every plan of a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/igemm/igemm.h"

namespace halfeven::native {

// `codes` [columns][taps][channels], centered; `bias` and `multiplier` one a column, zero points folded into the bias.
struct ProductWeights {
  std::span<const std::int8_t> codes;
  std::int64_t columns;
  std::int64_t taps;
  std::int64_t channels;
  std::span<const std::int32_t> bias;
  std::span<const double> multiplier;
};

class PackedWeights {
 public:
  PackedWeights(const ProductWeights& weights, Isa isa);

  std::int64_t columns() const { return columns_; }
  std::int64_t taps() const { return taps_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t panels() const { return static_cast<std::int64_t>(panels_.size()); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(codes_.size()); }
  const IgemmPanel& panel(std::int64_t p) const { return panels_[static_cast<std::size_t>(p)]; }
  const IgemmFormat& format() const { return format_; }
  std::int64_t scratch_bytes() const { return igemm_scratch_bytes(format_, taps_ * depth_); }
  IgemmKernel kernel() const { return kernel_; }

  // A task with what it has of weights filled in.
  IgemmTask task() const;

 private:
  void pack(const ProductWeights& weights, const IgemmPanel& panel);

  std::int64_t columns_;
  std::int64_t taps_;
  std::int64_t depth_;
  IgemmFormat format_;
  IgemmKernel kernel_;
  std::vector<IgemmPanel> panels_;
  AlignedBytes codes_;
  std::vector<std::int32_t> bias_;
  std::vector<double> multiplier_;
};

}  // namespace halfeven::native
