#include "kernels/winograd/weights.h"

#include <stdexcept>

namespace halfeven::native {
namespace {

constexpr std::int64_t largest_code = 255;
constexpr std::int64_t modulus = std::int64_t{1} << (32 - winograd_shift);

// The sums of the negative and of the positive codes.
struct Span {
  std::int64_t below = 0;
  std::int64_t above = 0;

  explicit Span(std::span<const std::int8_t> codes) {
    for (const std::int8_t code : codes) (code < 0 ? below : above) += code;
  }
};

std::int32_t wrapped(std::int64_t n) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(n)); }

std::span<const std::int8_t> column_of(std::span<const std::int8_t> codes, std::int64_t columns, std::int64_t column) {
  const std::size_t size = codes.size() / static_cast<std::size_t>(columns);
  return codes.subspan(static_cast<std::size_t>(column) * size, size);
}

}  // namespace

bool winograd_fits(std::span<const std::int8_t> codes, std::int64_t columns) {
  for (std::int64_t column = 0; column < columns; ++column) {
    const Span span(column_of(codes, columns, column));
    if (largest_code * (span.above - span.below) >= modulus) return false;
  }
  return true;
}

WinogradWeights::WinogradWeights(const ProductWeights& weights, Isa isa)
    : columns_(weights.columns),
      depth_((weights.channels + winograd_lanes - 1) / winograd_lanes * winograd_lanes),
      kernel_(winograd_kernel(isa)) {
  const bool sizes_fit = columns_ >= 1 && weights.taps == winograd_taps &&
                         std::ssize(weights.codes) == columns_ * winograd_taps * weights.channels &&
                         std::ssize(weights.bias) == columns_ && std::ssize(weights.multiplier) == columns_;
  if (!sizes_fit) throw std::invalid_argument("codes of 3x3 taps, bias and multipliers do not fit together");
  if (kernel_ == nullptr) throw std::invalid_argument("the instruction set has no kernel for 3x3 tiles");
  if (!winograd_fits(weights.codes, columns_)) throw std::invalid_argument("sums of 3x3 tiles leave 26 bits");
  const std::size_t padded = static_cast<std::size_t>((columns_ + igemm_lanes - 1) / igemm_lanes * igemm_lanes);
  codes_ = AlignedBytes(padded * static_cast<std::size_t>(winograd_taps * depth_));
  bias_.resize(padded);
  less_.resize(padded);
  multiplier_.assign(weights.multiplier.begin(), weights.multiplier.end());
  multiplier_.resize(padded);
  for (std::int64_t column = 0; column < columns_; ++column) {
    const std::span<const std::int8_t> codes = column_of(weights.codes, columns_, column);
    const Span span(codes);
    const std::int64_t middle = largest_code * (span.below + span.above) / 2;
    const std::size_t at = static_cast<std::size_t>(column);
    less_[at] = wrapped(middle << winograd_shift);
    bias_[at] = wrapped(weights.bias[at] + middle);
    pack(codes.data(), weights.channels, column);
  }
}

// codes: one column's [tap][channel].
void WinogradWeights::pack(const std::int8_t* codes, std::int64_t channels, std::int64_t column) {
  const std::int64_t lane = column % igemm_lanes;
  std::int8_t* panel = reinterpret_cast<std::int8_t*>(codes_.data()) + (column - lane) * winograd_taps * depth_;
  for (std::int64_t tap = 0; tap < winograd_taps; ++tap) {
    for (std::int64_t c = 0; c < channels; ++c) {
      panel[((c / 2 * winograd_taps + tap) * igemm_lanes + lane) * 2 + c % 2] = codes[tap * channels + c];
    }
  }
}

WinogradTask WinogradWeights::task() const {
  WinogradTask task{};
  task.depth = depth_;
  task.weights = reinterpret_cast<const std::int8_t*>(codes_.data());
  task.less = less_.data();
  task.bias = bias_.data();
  task.multiplier = multiplier_.data();
  task.columns = columns_;
  return task;
}

}  // namespace halfeven::native
