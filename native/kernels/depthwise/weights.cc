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
  format_ = depthwise_format(found->isa);
  period_ = writes_codes() ? channels_ / std::gcd(channels_, std::int64_t{format_.group}) : 1;
  const std::int64_t places = writes_codes() ? period_ * format_.group : width();
  const std::int64_t padded_taps = (taps + format_.taps - 1) / format_.taps * format_.taps;
  codes_ = AlignedBytes(size(places * padded_taps * (format_.wide ? 2 : 1)));
  bias_.resize(size(places));
  multiplier_.resize(size(places));
  if (writes_codes()) {
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
  const std::int64_t steps = (taps_ + format_.taps - 1) / format_.taps;
  const int lanes = format_.group / 4;
  std::int8_t* out = reinterpret_cast<std::int8_t*>(codes_.data());
  std::int16_t* wide = reinterpret_cast<std::int16_t*>(codes_.data());
  for (std::int64_t group = 0; group < period_; ++group) {
    for (int v = 0; v < 4; ++v) {
      for (int lane = 0; lane < lanes; ++lane) {
        const std::int64_t channel = (group * format_.group + interleaved_channel(v, lane)) % channels_;
        const std::int64_t place = group * format_.group + v * lanes + lane;
        bias_[size(place)] = bias[size(channel)];
        multiplier_[size(place)] = multiplier[size(channel)];
        for (std::int64_t t = 0; t < taps_; ++t) {
          const std::int64_t vector = (group * steps + t / format_.taps) * 4 + v;
          const std::int64_t to = (vector * lanes + lane) * format_.taps + t % format_.taps;
          const std::int8_t code = codes[size(channel * taps_ + t)];
          if (format_.wide) {
            wide[to] = code;
          } else {
            out[to] = code;
          }
        }
      }
    }
  }
}

std::int64_t DepthwiseWeights::width() const {
  return (channels_ + depthwise_width - 1) / depthwise_width * depthwise_width;
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
