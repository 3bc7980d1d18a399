#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/eltwise/codes.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 13;

// rhe(numerator / denominator), both below 2^62.
std::int64_t divide_half_even(std::uint64_t numerator, std::uint64_t denominator) {
  const std::uint64_t floor = numerator / denominator;
  const std::uint64_t twice = 2 * (numerator - floor * denominator);
  const bool up = twice > denominator || (twice == denominator && (floor & 1) == 1);
  return static_cast<std::int64_t>(floor + (up ? 1 : 0));
}

class Rows {
 public:
  Rows(const Softmax& task, void* y)
      : task_(task), y_(y), codes_(static_cast<std::int32_t*>(scratch_of(Room::bytes<std::int32_t>(task.length)))) {}

  // Row r of (outer, inner).
  void run(std::int64_t r) {
    const std::int64_t begin = r / task_.inner * task_.length * task_.inner + r % task_.inner;
    center(task_.x_type, at(task_.x, task_.x_type, begin), task_.inner, task_.length, 0, codes_);
    to_distances();
    std::uint64_t sum = 0;
    for (std::int64_t k = 0; k < task_.length; ++k) sum += exponential(codes_[k]);
    const std::uint64_t denominator = sum << std::max(task_.shift, 0);
    for (std::int64_t k = 0; k < task_.length; ++k) codes_[k] = code(exponential(codes_[k]), denominator);
    store(begin);
  }

 private:
  std::uint64_t exponential(std::int32_t d) const { return task_.exponentials[static_cast<std::size_t>(d)]; }

  // Codes become distances from the largest of them.
  void to_distances() {
    const auto [lo, hi] = std::minmax_element(codes_, codes_ + task_.length);
    const std::int32_t highest = *hi;
    if (highest - *lo >= static_cast<std::int64_t>(task_.exponentials.size())) {
      throw std::invalid_argument("codes are further apart than the table of exponentials is long");
    }
    for (std::int64_t k = 0; k < task_.length; ++k) codes_[k] = highest - codes_[k];
  }

  std::int32_t code(std::uint64_t e, std::uint64_t denominator) const {
    const std::uint64_t numerator = (e * static_cast<std::uint64_t>(task_.m0)) << std::max(-task_.shift, 0);
    const std::int64_t q = divide_half_even(numerator, denominator) + task_.zero_point;
    return static_cast<std::int32_t>(std::clamp(q, task_.qmin, task_.qmax));
  }

  void store(std::int64_t begin) {
    visit_codes(task_.y_type, [&](auto type) {
      auto* y = static_cast<decltype(type)*>(y_) + begin;
      for (std::int64_t k = 0; k < task_.length; ++k) y[k * task_.inner] = static_cast<decltype(type)>(codes_[k]);
    });
  }

  const Softmax& task_;
  void* y_;
  std::int32_t* codes_;  // then distances, then results
};

}  // namespace

void softmax(const Softmax& task, void* y, const Parallel& parallel) {
  const std::int64_t total = task.outer * task.inner;
  const std::int64_t rows = std::max<std::int64_t>(1, item_elements / std::max<std::int64_t>(task.length, 1));
  parallel(ceil_div(total, rows), [&](std::int64_t item) {
    Rows row(task, y);
    for (std::int64_t r = item * rows; r < std::min(total, (item + 1) * rows); ++r) row.run(r);
  });
}

}  // namespace halfeven::native
