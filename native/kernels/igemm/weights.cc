#include "kernels/igemm/weights.h"

#include <algorithm>
#include <stdexcept>

namespace halfeven::native {
namespace {

std::int64_t rounded_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// Six vectors left make two panels of three: both keep more registers busy than four and two.
std::int32_t next_vectors(std::int64_t left, int most) {
  if (most == 4 && left == 6) return 3;
  return static_cast<std::int32_t>(std::min<std::int64_t>(left, most));
}

}  // namespace

PackedWeights::PackedWeights(const ProductWeights& weights, Isa isa)
    : columns_(weights.columns), taps_(weights.taps), depth_(rounded_up(weights.channels, igemm_step)) {
  const Kernel<IgemmKernel>* found = find_kernel(igemm_kernels, Type::u8, Type::u8, isa);
  format_ = igemm_format(found->isa);
  kernel_ = found->function;
  const bool fits = std::ssize(weights.codes) == columns_ * taps_ * weights.channels &&
                    std::ssize(weights.bias) == columns_ && std::ssize(weights.multiplier) == columns_;
  if (!fits || columns_ < 1) throw std::invalid_argument("weights, bias and multipliers do not fit together");
  const std::int64_t padded = rounded_up(columns_, igemm_lanes);
  bias_.assign(weights.bias.begin(), weights.bias.end());
  bias_.resize(static_cast<std::size_t>(padded));
  multiplier_.assign(weights.multiplier.begin(), weights.multiplier.end());
  multiplier_.resize(static_cast<std::size_t>(padded));
  const std::int64_t column_bytes = igemm_packed_depth(format_, taps_ * depth_) * (format_.wide ? 2 : 1);
  codes_ = AlignedBytes(static_cast<std::size_t>(padded * column_bytes + 64));
  for (std::int64_t column = 0; column < padded;) {
    const std::int32_t vectors = next_vectors((padded - column) / igemm_lanes, format_.vectors);
    panels_.push_back({static_cast<std::int32_t>(column), vectors, column * column_bytes});
    column += vectors * igemm_lanes;
  }
  for (const IgemmPanel& panel : panels_) pack(weights, panel);
}

void PackedWeights::pack(const ProductWeights& weights, const IgemmPanel& panel) {
  const std::int64_t group = format_.wide ? 2 : igemm_step;
  const std::int64_t width = panel.vectors * igemm_lanes;
  const std::int64_t columns = std::min(width, columns_ - panel.column);
  std::uint8_t* bytes = codes_.data() + panel.offset;
  std::int16_t* words = reinterpret_cast<std::int16_t*>(bytes);
  for (std::int64_t tap = 0; tap < taps_; ++tap) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int8_t* from = weights.codes.data() + ((panel.column + j) * taps_ + tap) * weights.channels;
      for (std::int64_t c = 0; c < weights.channels; ++c) {
        const std::int64_t k = tap * depth_ + c;
        const std::int64_t to = (k / group * width + j) * group + k % group;
        if (format_.wide) {
          words[to] = from[c];
        } else {
          bytes[to] = static_cast<std::uint8_t>(from[c]);
        }
      }
    }
  }
}

IgemmTask PackedWeights::task() const {
  IgemmTask task{};
  task.taps = taps_;
  task.depth = depth_;
  task.weights = codes_.data();
  task.panels = panels_.data();
  task.bias = bias_.data();
  task.multiplier = multiplier_.data();
  task.columns = columns_;
  return task;
}

}  // namespace halfeven::native
