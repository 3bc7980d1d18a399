#include "kernels/normalize/normalize.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kernels/eltwise/codes.h"
#include "kernels/normalize/row.h"
#include "kernels/normalize/rows.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 13;

class Rows {
 public:
  Rows(const Normalize& task, void* y)
      : task_(task),
        y_(y),
        length_(task.channels * task.inner),
        codes_(static_cast<std::int32_t*>(scratch_of(Room::bytes<std::int32_t>(length_)))) {}

  void run(std::int64_t row) {
    const std::int64_t begin = row * length_;
    center(task_.x_type, at(task_.x, task_.x_type, begin), 1, length_, 0, codes_);
    find_factor();
    const std::int64_t first = row % task_.groups * task_.channels;
    for (std::int64_t c = 0; c < task_.channels; ++c) {
      std::int32_t* part = codes_ + c * task_.inner;
      const auto channel = static_cast<std::size_t>(first + c);
      for (std::int64_t i = 0; i < task_.inner; ++i) part[i] = code(part[i], channel);
    }
    store_codes(codes_, length_, task_.y_type, at(y_, task_.y_type, begin));
  }

 private:
  void find_factor() {
    std::int64_t squares = 0;
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < length_; ++i) {
      const std::int64_t q = codes_[i];
      sum += q;
      squares += q * q;
    }
    row_ = row_factor(length_, sum, squares, task_.half_fraction, task_.epsilon, task_.fraction);
  }

  std::int32_t code(std::int64_t q, std::size_t channel) const {
    const std::int64_t t = shift_half_even((length_ * q - row_.sum) * row_.reciprocal, row_.shift);
    const std::int64_t scaled = shift_half_even(t * task_.gain[channel] + task_.offset[channel], task_.shift);
    return static_cast<std::int32_t>(std::clamp(scaled + task_.zero_point, task_.qmin, task_.qmax));
  }

  const Normalize& task_;
  void* y_;
  std::int64_t length_;
  std::int32_t* codes_;
  RowFactor row_{};
};

// Words along their channels: rows as the kernels take them.
bool takes_words(const Normalize& task) {
  return task.inner == 1 && task.x_type == Type::s16 && task.y_type == Type::s16;
}

class Words {
 public:
  Words(const Normalize& task, void* y)
      : task_(task),
        y_(y),
        kernel_(find_kernel(normalize_kernels, Type::s16, Type::s16, task.isa)->function),
        small_gain_(std::all_of(task.gain.begin(), task.gain.end(),
                                [](std::int64_t gain) { return -limit < gain && gain < limit; })) {}

  void run(std::int64_t row) const {
    const std::int64_t begin = row * task_.channels;
    const std::int64_t first = row % task_.groups * task_.channels;
    kernel_({at(task_.x, Type::s16, begin),
             at(y_, Type::s16, begin),
             1,
             task_.channels,
             task_.channels,
             task_.half_fraction,
             task_.epsilon,
             task_.fraction,
             task_.gain.data() + first,
             task_.offset.data() + first,
             small_gain_,
             task_.shift,
             {static_cast<std::int32_t>(task_.zero_point), static_cast<std::int32_t>(task_.qmin),
              static_cast<std::int32_t>(task_.qmax)}});
  }

 private:
  static constexpr std::int64_t limit = std::int64_t{1} << 31;

  const Normalize& task_;
  void* y_;
  NormalizeRowsKernel kernel_;
  bool small_gain_;
};

}  // namespace

void normalize(const Normalize& task, void* y, const Parallel& parallel) {
  const std::int64_t length = std::max<std::int64_t>(task.channels * task.inner, 1);
  const std::int64_t together = std::max<std::int64_t>(1, item_elements / length);
  const std::optional<Words> words = takes_words(task) ? std::optional<Words>(std::in_place, task, y) : std::nullopt;
  parallel(ceil_div(task.rows, together), [&](std::int64_t item) {
    const std::int64_t end = std::min(task.rows, (item + 1) * together);
    if (words) {
      for (std::int64_t r = item * together; r < end; ++r) words->run(r);
      return;
    }
    Rows rows(task, y);
    for (std::int64_t r = item * together; r < end; ++r) rows.run(r);
  });
}

}  // namespace halfeven::native
