// Weights of 16-bit products, packed once for the kernel that will read them; shared by every plan of a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/wgemm/wgemm.h"

namespace halfeven::native {

// `codes` [columns][taps][channels], centered; `bias` one a column, zero points folded into it. `bits` 32 where the
// sums are proved to fit int32, else 64.
struct WideProductWeights {
  std::span<const std::int16_t> codes;
  std::int64_t columns;
  std::int64_t taps;
  std::int64_t channels;
  std::span<const std::int64_t> bias;
  int bits;
  bool depthwise;  // a row for each tap, one column a channel: taps of one channel
};

class WideWeights {
 public:
  // Throws std::invalid_argument where sizes do not fit together, or two products alone leave int32.
  WideWeights(const WideProductWeights& weights, Isa isa);

  std::int64_t columns() const { return columns_; }
  std::int64_t taps() const { return taps_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t panels() const { return std::ssize(panels_); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(codes_.size()); }
  const IgemmPanel& panel(std::int64_t p) const { return panels_[static_cast<std::size_t>(p)]; }
  bool wide() const { return bits_ == 64; }
  Type sum_type() const { return wide() ? Type::s64 : Type::s32; }
  bool depthwise() const { return depthwise_; }
  const WideKernels& kernels() const { return kernels_; }

  // Tasks with what they have of weights filled in.
  WgemmTask task(std::int64_t panel) const;
  WideDepthwiseTask depthwise_task() const;

 private:
  void pack_panels(const WideProductWeights& weights);
  void find_segments(const WideProductWeights& weights);

  std::int64_t columns_;
  std::int64_t taps_;
  std::int64_t depth_;
  int bits_;
  bool depthwise_;
  WideKernels kernels_;
  std::vector<IgemmPanel> panels_;
  AlignedBytes codes_;
  std::vector<std::int64_t> bias_;
  std::vector<std::int64_t> segment_ends_;
};

}  // namespace halfeven::native
