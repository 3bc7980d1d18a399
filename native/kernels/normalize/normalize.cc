#include "kernels/normalize/normalize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/eltwise/codes.h"
#include "kernels/integer_rounding.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 13;

// floor(sqrt(a)), a < 2^62: the double is off by one at most.
std::int64_t square_root(std::int64_t a) {
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(a)));
  if (root * root > a) --root;
  if ((root + 1) * (root + 1) <= a) ++root;
  return root;
}

class Rows {
 public:
  Rows(const Normalize& task, void* y)
      : task_(task), y_(y), length_(task.channels * task.inner), codes_(static_cast<std::size_t>(length_)) {}

  void run(std::int64_t row) {
    const std::int64_t begin = row * length_;
    center(task_.x_type, at(task_.x, task_.x_type, begin), 1, length_, 0, codes_.data());
    find_factor();
    const std::int64_t first = row % task_.groups * task_.channels;
    for (std::int64_t c = 0; c < task_.channels; ++c) {
      std::int32_t* part = codes_.data() + c * task_.inner;
      const auto channel = static_cast<std::size_t>(first + c);
      for (std::int64_t i = 0; i < task_.inner; ++i) part[i] = code(part[i], channel);
    }
    store_codes(codes_.data(), length_, task_.y_type, at(y_, task_.y_type, begin));
  }

 private:
  // The row's sum, the reciprocal R of its root, and the shift that goes with it.
  void find_factor() {
    std::int64_t squares = 0;
    sum_ = 0;
    for (const std::int64_t q : codes_) {
      sum_ += q;
      squares += q * q;
    }
    const std::int64_t v = length_ * squares - sum_ * sum_;
    const std::int64_t w = std::max<std::int64_t>((v << 2 * task_.half_fraction) + task_.epsilon, 1);
    const int g = (62 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(w)))) >> 1;
    reciprocal_ = divide_half_even(std::int64_t{1} << 61, square_root(w << 2 * g));
    shift_ = std::max(61 - task_.half_fraction - g - task_.fraction, 0);
  }

  std::int32_t code(std::int64_t q, std::size_t channel) const {
    const std::int64_t t = shift_half_even((length_ * q - sum_) * reciprocal_, shift_);
    const std::int64_t scaled = shift_half_even(t * task_.gain[channel] + task_.offset[channel], task_.shift);
    return static_cast<std::int32_t>(std::clamp(scaled + task_.zero_point, task_.qmin, task_.qmax));
  }

  const Normalize& task_;
  void* y_;
  std::int64_t length_;
  std::vector<std::int32_t> codes_;
  std::int64_t sum_ = 0;
  std::int64_t reciprocal_ = 0;
  int shift_ = 0;
};

}  // namespace

void normalize(const Normalize& task, void* y, const Parallel& parallel) {
  const std::int64_t length = std::max<std::int64_t>(task.channels * task.inner, 1);
  const std::int64_t together = std::max<std::int64_t>(1, item_elements / length);
  parallel(ceil_div(task.rows, together), [&](std::int64_t item) {
    Rows rows(task, y);
    for (std::int64_t r = item * together; r < std::min(task.rows, (item + 1) * together); ++r) rows.run(r);
  });
}

}  // namespace halfeven::native
