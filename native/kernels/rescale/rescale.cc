#include "kernels/rescale/rescale.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace halfeven::native {
namespace {

// Far beyond where every result is 0 or saturated; within, m0 * 2^-shift is a finite, normal double.
constexpr std::int32_t far_shift = 200;

constexpr std::int64_t lowest_s32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t highest_s32 = std::numeric_limits<std::int32_t>::max();

void check_narrow(const std::int64_t* acc, std::int64_t count) {
  const bool narrow = std::all_of(acc, acc + count, [](std::int64_t v) { return lowest_s32 <= v && v <= highest_s32; });
  if (!narrow) throw std::invalid_argument("two-rounding requantize is defined for int32 sums only");
}

}  // namespace

Rescale::Rescale(std::span<const std::int64_t> m0, std::span<const std::int32_t> shift, std::span<const float> real_f32,
                 const RequantizeRule& rule)
    : real_f32_(real_f32.begin(), real_f32.end()), rule_(rule) {
  if (m0.empty() || m0.size() != shift.size() || m0.size() != real_f32.size()) {
    throw std::invalid_argument("m0, shift and multiplier_f32 must have one length, at least 1");
  }
  for (std::size_t c = 0; c < m0.size(); ++c) {
    if (m0[c] < 0 || m0[c] > highest_s32) throw std::invalid_argument("each m0 must lie in [0, 2^31)");
    if (!std::isfinite(real_f32[c])) throw std::invalid_argument("each multiplier must be a finite float32");
    m0_.push_back(static_cast<std::int32_t>(m0[c]));
    shift_.push_back(std::clamp(shift[c], -far_shift, far_shift));
    real_.push_back(std::ldexp(static_cast<double>(m0_.back()), -shift_.back()));
  }
}

RowWriter::RowWriter(const Rescale& rescale, Type acc_type, Type out_type, Isa isa)
    : rescale_(rescale), acc_type_(acc_type), out_type_(out_type) {
  const auto* kernel = find_kernel(requantize_kernels, acc_type, out_type, isa);
  if (kernel == nullptr) throw std::invalid_argument("no requantize kernel for this pair of element types");
  kernel_ = kernel->function;
}

void RowWriter::write(const void* acc, std::int64_t count, std::int64_t channel, void* out) const {
  run(acc, count, rescale_.channels() == 1 ? 0 : channel, false, out);
}

void RowWriter::write_channels(const void* acc, std::int64_t count, std::int64_t first, void* out) const {
  const bool one = rescale_.channels() == 1;
  run(acc, count, one ? 0 : first, !one, out);
}

void RowWriter::run(const void* acc, std::int64_t count, std::int64_t first, bool per_element, void* out) const {
  if (rescale_.rule_.method == Requantize::kDoubleRounding && acc_type_ == Type::s64) {
    check_narrow(static_cast<const std::int64_t*>(acc), count);
  }
  kernel_({acc, out, count, rescale_.m0_.data() + first, rescale_.shift_.data() + first, rescale_.real_.data() + first,
           rescale_.real_f32_.data() + first, per_element, false},
          rescale_.rule_);
}

}  // namespace halfeven::native
