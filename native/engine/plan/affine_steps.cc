#include "engine/plan/affine_steps.h"

#include <stdexcept>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t unit = 256;  // elements that no two threads share

template <class T>
std::vector<T> laid_out(const Runs& runs, std::vector<T> values) {
  std::vector<T> storage;
  runs.lay_out(std::span<const T>(values), storage);
  return storage.empty() ? std::move(values) : std::move(storage);
}

bool all_small(const std::vector<std::int32_t>& zero_points) {
  return std::all_of(zero_points.begin(), zero_points.end(), small_zero_point);
}

}  // namespace

LaidOutAffine::LaidOutAffine(const Layout& layout, std::vector<float> scale, std::vector<std::int32_t> zero_point)
    : layout_(layout), runs_(layout), small_(all_small(zero_point)) {
  const auto channels = static_cast<std::size_t>(layout.channels);
  if (scale.size() != channels || zero_point.size() != channels) {
    throw std::invalid_argument("a scale and a zero point are expected for each channel");
  }
  scale_ = laid_out(runs_, std::move(scale));
  zero_point_ = laid_out(runs_, std::move(zero_point));
}

QuantizeCodesStep::QuantizeCodesStep(TensorId x, TensorId y, std::int32_t counter, Type type, const QuantizeRule& rule,
                                     LaidOutAffine affine, Isa isa)
    : x_(x), y_(y), counter_(counter), type_(type), rule_(rule), affine_(std::move(affine)) {
  kernel_ = find_kernel(quantize_kernels, Type::f32, type, affine_.small() ? isa : Isa::portable)->function;
}

void QuantizeCodesStep::run(const Frame& frame) const {
  const float* x = reinterpret_cast<const float*>(frame.at(x_));
  void* y = frame.at(y_);
  const std::int64_t count = affine_.layout().count();
  const int threads = threads_for(frame, static_cast<double>(count) * 4);
  for_each_part(count, unit, threads, [&](std::int64_t begin, std::int64_t end) {
    affine_.runs().for_each(begin, end, [&](const Run& run) {
      frame.nan_counts[counter_] +=
          kernel_({x + run.begin, at(y, type_, run.begin), run.count, affine_.scale() + run.parameter,
                   affine_.zero_point() + run.parameter, affine_.runs().per_element(), affine_.small(), false},
                  rule_);
    });
  });
}

DequantizeCodesStep::DequantizeCodesStep(TensorId x, TensorId y, Type type, LaidOutAffine affine, Isa isa)
    : x_(x), y_(y), type_(type), affine_(std::move(affine)) {
  const Isa chosen = affine_.small() || type == Type::s32 ? isa : Isa::portable;
  kernel_ = find_kernel(dequantize_kernels, type, Type::f32, chosen)->function;
}

void DequantizeCodesStep::run(const Frame& frame) const {
  const void* x = frame.at(x_);
  float* y = reinterpret_cast<float*>(frame.at(y_));
  const std::int64_t count = affine_.layout().count();
  const int threads = threads_for(frame, static_cast<double>(count) * 4);
  for_each_part(count, unit, threads, [&](std::int64_t begin, std::int64_t end) {
    affine_.runs().for_each(begin, end, [&](const Run& run) {
      kernel_({at(x, type_, run.begin), y + run.begin, run.count, affine_.scale() + run.parameter,
               affine_.zero_point() + run.parameter, affine_.runs().per_element(), affine_.small(), false});
    });
  });
}

}  // namespace halfeven::native
