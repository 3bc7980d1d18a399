#include "engine/plan/function_steps.h"

#include <stdexcept>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr double work_a_code = 8;

double work_of(const Rows& rows) { return static_cast<double>(rows.count * rows.channels) * work_a_code; }

}  // namespace

SoftmaxStep::SoftmaxStep(TensorId x, TensorId y, const Rows& rows, std::int64_t y_stride, Type x_type, Type y_type,
                         SoftmaxRule rule, Isa isa)
    : x_(x), y_(y), rows_(rows), y_stride_(y_stride), rule_(std::move(rule)) {
  const auto* found = find_kernel(softmax_kernels, x_type, y_type, isa);
  if (found == nullptr) throw std::invalid_argument("a softmax reads and writes u8 or s16");
  kernel_ = found->function;
  if (rule_.exponentials.size() < (x_type == Type::u8 ? 256U : 65536U) || rule_.exponentials[0] == 0) {
    throw std::invalid_argument("a softmax needs an exponential for each distance, that of 0 not 0");
  }
}

void SoftmaxStep::run(const Frame& frame) const {
  constexpr std::int64_t whole_vectors = 64;
  const std::int64_t scratch = (rows_.channels + whole_vectors) * std::int64_t{sizeof(std::uint32_t)};
  for_each_part(rows_.count, 1, threads_for(frame, work_of(rows_)), [&](std::int64_t begin, std::int64_t end) {
    kernel_({frame.at(x_) + begin * rows_.stride, frame.at(y_) + begin * y_stride_, end - begin, rows_.channels,
             rows_.stride, y_stride_, rule_.exponentials.data(), rule_.m0, rule_.shift, rule_.code,
             static_cast<std::uint32_t*>(scratch_of(scratch))});
  });
}

NormalizeStep::NormalizeStep(TensorId x, TensorId y, const Rows& rows, NormalizeRule rule, Isa isa)
    : x_(x),
      y_(y),
      rows_(rows),
      rule_(std::move(rule)),
      kernel_(find_kernel(normalize_kernels, Type::u8, Type::u8, isa)->function) {
  if (std::ssize(rule_.gain) != rows.channels || std::ssize(rule_.offset) != rows.channels) {
    throw std::invalid_argument("a normalization needs a gain and an offset for each channel");
  }
  constexpr std::int64_t limit = std::int64_t{1} << 31;
  small_gain_ = std::all_of(rule_.gain.begin(), rule_.gain.end(),
                            [](std::int64_t gain) { return -limit < gain && gain < limit; });
}

void NormalizeStep::run(const Frame& frame) const {
  for_each_part(rows_.count, 1, threads_for(frame, work_of(rows_)), [&](std::int64_t begin, std::int64_t end) {
    kernel_({frame.at(x_) + begin * rows_.stride, frame.at(y_) + begin * rows_.stride, end - begin, rows_.channels,
             rows_.stride, rule_.half_fraction, rule_.epsilon, rule_.fraction, rule_.gain.data(), rule_.offset.data(),
             small_gain_, rule_.shift, rule_.code});
  });
}

}  // namespace halfeven::native
