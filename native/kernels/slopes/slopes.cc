#include "kernels/slopes/slopes.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 14;
constexpr std::int64_t chunk = 512;

class Rows {
 public:
  Rows(const Slopes& task, const RowWriter& above, const RowWriter& below, void* y)
      : task_(task), above_(above), below_(below), y_(y) {}

  // Elements [begin, end) of the flat array; a run has one channel, or, where inner is 1, neighbouring channels.
  void run(std::int64_t begin, std::int64_t end) const {
    while (begin < end) {
      const std::int64_t channel = begin / task_.inner % task_.channels;
      const std::int64_t room = task_.inner == 1 ? task_.channels - channel : task_.inner - begin % task_.inner;
      const std::int64_t count = std::min({end - begin, room, chunk});
      part(begin, channel, count);
      begin += count;
    }
  }

 private:
  void part(std::int64_t begin, std::int64_t channel, std::int64_t count) const {
    std::int32_t x[chunk];
    center(task_.x_type, at(task_.x, task_.x_type, begin), 1, count, task_.x_zero_point, x);
    visit_codes(above_.out_type(), [&](auto code) {
      using Code = decltype(code);
      Code* y = static_cast<Code*>(y_) + begin;
      Code other[chunk];
      write(above_, task_.above_sign, x, count, channel, y);
      write(below_, task_.below_sign, x, count, channel, other);
      for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] >= 0 ? y[i] : other[i];
    });
  }

  void write(const RowWriter& writer, std::span<const std::int64_t> sign, const std::int32_t* x, std::int64_t count,
             std::int64_t channel, void* out) const {
    std::int32_t acc[chunk];
    const bool one = sign.size() == 1;
    const std::int64_t* s = sign.data() + (one ? 0 : channel);
    const std::int64_t step = one || task_.inner != 1 ? 0 : 1;
    for (std::int64_t i = 0; i < count; ++i) acc[i] = s[i * step] < 0 ? -x[i] : x[i];
    if (task_.inner == 1) {
      writer.write_channels(acc, count, channel, out);
    } else {
      writer.write(acc, count, channel, out);
    }
  }

  const Slopes& task_;
  const RowWriter& above_;
  const RowWriter& below_;
  void* y_;
};

}  // namespace

void slopes(const Slopes& task, const RowWriter& above, const RowWriter& below, void* y, const Parallel& parallel) {
  if (!centered_range(task.x_type, task.x_zero_point).fits<std::int32_t>()) {
    throw std::invalid_argument("products of int32 codes are not supported: codes of 8 or 16 bits are");
  }
  const Rows rows(task, above, below, y);
  const std::int64_t total = task.outer * task.channels * task.inner;
  parallel(ceil_div(total, item_elements),
           [&](std::int64_t item) { rows.run(item * item_elements, std::min(total, (item + 1) * item_elements)); });
}

}  // namespace halfeven::native
