#include "kernels/wgemm/weights.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace halfeven::native {
namespace {

constexpr std::int64_t channel_step = 4;
// |x| <= 2^15, so that a segment whose weights' magnitudes sum up to less than this stays inside int32.
constexpr std::int64_t segment_weight = (std::int64_t{1} << 16) - 1;

std::int64_t rounded_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

WideWeights::WideWeights(const WideProductWeights& weights, Isa isa)
    : columns_(weights.columns),
      taps_(weights.taps),
      depth_(rounded_up(weights.channels, channel_step)),
      bits_(weights.bits),
      depthwise_(weights.depthwise) {
  const Kernel<WideKernels>* found = find_kernel(wide_kernels, Type::s16, Type::s64, isa);
  kernels_ = found->function;
  const bool fits = std::ssize(weights.codes) == columns_ * taps_ * weights.channels &&
                    std::ssize(weights.bias) == columns_ && (bits_ == 32 || bits_ == 64) &&
                    (!depthwise_ || weights.channels == 1);
  if (!fits || columns_ < 1 || taps_ < 1 || depth_ < 1) {
    throw std::invalid_argument("weights and bias do not fit together");
  }
  const std::int64_t padded = rounded_up(columns_, igemm_lanes);
  bias_.assign(weights.bias.begin(), weights.bias.end());
  bias_.resize(size(padded));
  if (depthwise_) {
    codes_ = AlignedBytes(size(taps_ * columns_ * 2 + 64));
    auto* to = reinterpret_cast<std::int16_t*>(codes_.data());
    for (std::int64_t j = 0; j < columns_; ++j) {
      for (std::int64_t tap = 0; tap < taps_; ++tap) to[tap * columns_ + j] = weights.codes[size(j * taps_ + tap)];
    }
    return;
  }
  const int most = wgemm_vectors(found->isa);
  codes_ = AlignedBytes(size(padded * taps_ * depth_ * 2 + 64));
  for (std::int64_t column = 0; column < padded;) {
    const std::int64_t left = (padded - column) / igemm_lanes;
    const auto vectors = static_cast<std::int32_t>(most == 4 && left == 6 ? 3 : std::min<std::int64_t>(left, most));
    panels_.push_back({static_cast<std::int32_t>(column), vectors, column * taps_ * depth_});
    column += vectors * igemm_lanes;
  }
  pack_panels(weights);
  find_segments(weights);
}

void WideWeights::pack_panels(const WideProductWeights& weights) {
  for (const IgemmPanel& panel : panels_) {
    auto* to = reinterpret_cast<std::int16_t*>(codes_.data()) + panel.offset;
    const std::int64_t width = panel.vectors * igemm_lanes;
    for (std::int64_t j = 0; j < std::min(width, columns_ - panel.column); ++j) {
      const std::int16_t* from = weights.codes.data() + (panel.column + j) * taps_ * weights.channels;
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        for (std::int64_t c = 0; c < weights.channels; ++c) {
          const std::int64_t k = tap * depth_ + c;
          to[(k / 2 * width + j) * 2 + k % 2] = from[tap * weights.channels + c];
        }
      }
    }
  }
}

// As long as no column's weights sum up to more than a segment may hold.
void WideWeights::find_segments(const WideProductWeights& weights) {
  const std::int64_t all = taps_ * depth_;
  if (!wide()) {
    segment_ends_ = {all};
    return;
  }
  std::vector<std::int64_t> held(size(columns_));
  for (std::int64_t k = 0; k < all; k += wgemm_step) {
    bool full = false;
    std::vector<std::int64_t> pair(size(columns_));
    for (std::int64_t j = 0; j < columns_; ++j) {
      for (std::int64_t i = k; i < k + wgemm_step; ++i) {
        if (i % depth_ >= weights.channels) continue;
        const std::int64_t at = (j * taps_ + i / depth_) * weights.channels + i % depth_;
        pair[size(j)] += std::abs(std::int64_t{weights.codes[size(at)]});
      }
      if (pair[size(j)] > segment_weight) throw std::invalid_argument("two products alone leave int32");
      full = full || held[size(j)] + pair[size(j)] > segment_weight;
    }
    if (full) {
      segment_ends_.push_back(k);
      std::fill(held.begin(), held.end(), 0);
    }
    for (std::int64_t j = 0; j < columns_; ++j) held[size(j)] += pair[size(j)];
  }
  segment_ends_.push_back(all);
  if (segment_ends_.size() == 1)
    segment_ends_ = {all / 2 / wgemm_step * wgemm_step, all};  // sums are int64 all the same
}

WgemmTask WideWeights::task(std::int64_t p) const {
  WgemmTask task{};
  task.taps = taps_;
  task.depth = depth_;
  task.weights = reinterpret_cast<const std::int16_t*>(codes_.data()) + panel(p).offset;
  task.vectors = panel(p).vectors;
  task.bias = bias_.data() + panel(p).column;
  task.segment_ends = segment_ends_.data();
  task.segments = std::ssize(segment_ends_);
  return task;
}

WideDepthwiseTask WideWeights::depthwise_task() const {
  WideDepthwiseTask task{};
  task.taps = taps_;
  task.weights = reinterpret_cast<const std::int16_t*>(codes_.data());
  task.channels = columns_;
  task.bias = bias_.data();
  task.wide = wide();
  return task;
}

}  // namespace halfeven::native
