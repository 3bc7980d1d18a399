#include "kernels/depthwise/weights.h"

#include <numeric>
#include <stdexcept>

namespace halfeven::native {
namespace {

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

DepthwiseWeights::DepthwiseWeights(std::span<const std::int8_t> codes, std::span<const std::int32_t> bias,
                                   std::span<const double> multiplier, std::int64_t taps, Isa isa)
    : channels_(std::ssize(bias)), taps_(taps) {
  if (channels_ < 1 || std::ssize(codes) != channels_ * taps || multiplier.size() != bias.size()) {
    throw std::invalid_argument("weights, bias and multipliers do not fit together");
  }
  const Kernel<DepthwiseKernel>* found = find_kernel(depthwise_kernels, Type::u8, Type::u8, isa);
  kernel_ = found->function;
  interleaved_ = depthwise_interleaves(found->isa);
  period_ = interleaved_ ? channels_ / std::gcd(channels_, std::int64_t{depthwise_group}) : 1;
  const std::int64_t places = interleaved_ ? period_ * depthwise_group : width();
  const std::int64_t quads = (taps + depthwise_taps - 1) / depthwise_taps;
  codes_ = AlignedBytes(size(places * quads * depthwise_taps));
  bias_.resize(size(places));
  multiplier_.resize(size(places));
  if (interleaved_) {
    interleave(codes, bias, multiplier);
    return;
  }
  std::int8_t* out = reinterpret_cast<std::int8_t*>(codes_.data());
  for (std::int64_t c = 0; c < channels_; ++c) {
    for (std::int64_t t = 0; t < taps; ++t) out[t * channels_ + c] = codes[size(c * taps + t)];
    bias_[size(c)] = bias[size(c)];
    multiplier_[size(c)] = multiplier[size(c)];
  }
}

void DepthwiseWeights::interleave(std::span<const std::int8_t> codes, std::span<const std::int32_t> bias,
                                  std::span<const double> multiplier) {
  const std::int64_t quads = (taps_ + depthwise_taps - 1) / depthwise_taps;
  std::int8_t* out = reinterpret_cast<std::int8_t*>(codes_.data());
  for (std::int64_t group = 0; group < period_; ++group) {
    for (int v = 0; v < 4; ++v) {
      for (int lane = 0; lane < igemm_lanes; ++lane) {
        const std::int64_t channel = (group * depthwise_group + interleaved_channel(v, lane)) % channels_;
        const std::int64_t place = group * depthwise_group + v * igemm_lanes + lane;
        bias_[size(place)] = bias[size(channel)];
        multiplier_[size(place)] = multiplier[size(channel)];
        for (std::int64_t t = 0; t < taps_; ++t) {
          const std::int64_t quad = (group * quads + t / depthwise_taps) * 4 + v;
          out[(quad * igemm_lanes + lane) * depthwise_taps + t % depthwise_taps] = codes[size(channel * taps_ + t)];
        }
      }
    }
  }
}

std::int64_t DepthwiseWeights::width() const {
  return (channels_ + depthwise_group - 1) / depthwise_group * depthwise_group;
}

DepthwiseTask DepthwiseWeights::task() const {
  DepthwiseTask task{};
  task.taps = taps_;
  task.channels = channels_;
  task.period = period_;
  task.weights = reinterpret_cast<const std::int8_t*>(codes_.data());
  task.bias = bias_.data();
  task.multiplier = multiplier_.data();
  return task;
}

}  // namespace halfeven::native
