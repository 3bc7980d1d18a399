#include "kernels/resize/resize.h"

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

template <class Acc>
class Rows {
 public:
  Rows(const Resize& task, const RowWriter& writer, void* y)
      : task_(task), writer_(writer), y_(y), width_(task.in[2]), count_(task.taps[2].count()) {
    Room room(scratch_of(2 * Room::bytes<Acc>(width_) + Room::bytes<Acc>(count_)));
    codes_ = room.take<Acc>(width_);
    sums_ = room.take<Acc>(width_);
    acc_ = room.take<Acc>(count_);
  }

  // Output row `row` of (planes, outputs of axis 0, outputs of axis 1).
  void run(std::int64_t row) {
    const std::int64_t plane = row / (task_.taps[0].count() * task_.taps[1].count());
    const std::int64_t d = row / task_.taps[1].count() % task_.taps[0].count();
    const std::int64_t h = row % task_.taps[1].count();
    std::fill(sums_, sums_ + width_, Acc{0});
    for (const Tap& outer : both(task_.taps[0], d)) {
      for (const Tap& inner : both(task_.taps[1], h)) add(plane, outer, inner);
    }
    along_row();
    writer_.write(acc_, count_, 0, at(y_, writer_.out_type(), row * count_));
  }

 private:
  struct Tap {
    std::int64_t place;
    std::int64_t weight;
  };

  static std::array<Tap, 2> both(const Taps& taps, std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    return {Tap{taps.low[i], taps.low_weight[i]}, Tap{taps.high[i], taps.high_weight[i]}};
  }

  void add(std::int64_t plane, const Tap& outer, const Tap& inner) {
    const Acc weight = static_cast<Acc>(outer.weight * inner.weight);
    if (weight == 0) return;
    const std::int64_t begin = ((plane * task_.in[0] + outer.place) * task_.in[1] + inner.place) * task_.in[2];
    center(task_.x_type, at(task_.x, task_.x_type, begin), 1, task_.in[2], task_.x_zero_point, codes_);
    for (std::int64_t i = 0; i < width_; ++i) sums_[i] += codes_[i] * weight;
  }

  void along_row() {
    const Taps& taps = task_.taps[2];
    for (std::int64_t k = 0; k < count_; ++k) {
      const auto i = static_cast<std::size_t>(k);
      acc_[k] = sums_[taps.low[i]] * static_cast<Acc>(taps.low_weight[i]) +
                sums_[taps.high[i]] * static_cast<Acc>(taps.high_weight[i]);
    }
  }

  const Resize& task_;
  const RowWriter& writer_;
  void* y_;
  std::int64_t width_;
  std::int64_t count_;
  Acc* codes_;
  Acc* sums_;
  Acc* acc_;
};

constexpr std::int64_t item_elements = 1 << 13;

template <class Acc>
void all_rows(const Resize& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  const std::int64_t total = task.planes * task.taps[0].count() * task.taps[1].count();
  const std::int64_t together =
      std::max<std::int64_t>(1, item_elements / std::max<std::int64_t>(task.taps[2].count(), 1));
  parallel(ceil_div(total, together), [&](std::int64_t item) {
    Rows<Acc> rows(task, writer, y);
    for (std::int64_t r = item * together; r < std::min(total, (item + 1) * together); ++r) rows.run(r);
  });
}

}  // namespace

void resize_linear(const Resize& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  if (writer.acc_type() == Type::s32) {
    all_rows<std::int32_t>(task, writer, y, parallel);
  } else {
    all_rows<std::int64_t>(task, writer, y, parallel);
  }
}

}  // namespace halfeven::native
