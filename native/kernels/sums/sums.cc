#include "kernels/sums/sums.h"

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/integer_rounding.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 14;
constexpr std::int64_t chunk = 512;

// Elements [begin, end): a run has one channel, or, where inner is 1, neighbouring channels.
void add_part(const AddSums& task, std::int64_t begin, std::int64_t end, void* y) {
  const std::int64_t step = task.a_multiplier.size() == 1 || task.inner != 1 ? 0 : 1;
  while (begin < end) {
    const std::int64_t channel = begin / task.inner % task.channels;
    const std::int64_t room = task.inner == 1 ? task.channels - channel : task.inner - begin % task.inner;
    const std::int64_t count = std::min({end - begin, room, chunk});
    const std::size_t first = task.a_multiplier.size() == 1 ? 0 : static_cast<std::size_t>(channel);
    std::int64_t b[chunk];
    std::int32_t out[chunk];
    center(task.b_type, at(task.b, task.b_type, begin), 1, count, task.b_zero_point, b);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t c = first + static_cast<std::size_t>(i * step);
      const std::int64_t sum = task.a[begin + i] * task.a_multiplier[c] + b[i] * task.b_multiplier[c];
      const std::int64_t scaled = shift_half_even(sum, static_cast<int>(task.shift[c]));
      out[i] = static_cast<std::int32_t>(std::clamp(scaled + task.zero_point, task.qmin, task.qmax));
    }
    store_codes(out, count, task.y_type, at(y, task.y_type, begin));
    begin += count;
  }
}

}  // namespace

void add_sums(const AddSums& task, void* y, const Parallel& parallel) {
  const std::int64_t total = task.outer * task.channels * task.inner;
  parallel(ceil_div(total, item_elements), [&](std::int64_t item) {
    add_part(task, item * item_elements, std::min(total, (item + 1) * item_elements), y);
  });
}

}  // namespace halfeven::native
