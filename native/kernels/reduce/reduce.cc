#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_outputs = 64;

// Sums of the codes themselves: of `length` int32 at most, int64 holds them.
template <class Code>
void add_rows(const Code* x, std::int64_t length, std::int64_t inner, std::int64_t* sums) {
  for (std::int64_t k = 0; k < length; ++k) {
    for (std::int64_t i = 0; i < inner; ++i) sums[i] += x[k * inner + i];
  }
}

}  // namespace

void reduce_mean(const Reduce& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  const std::int64_t rows = std::max<std::int64_t>(1, item_outputs / std::max<std::int64_t>(task.inner, 1));
  parallel(ceil_div(task.outer, rows), [&](std::int64_t item) {
    const std::int64_t first = item * rows;
    const std::int64_t count = std::min(rows, task.outer - first);
    auto* sums = static_cast<std::int64_t*>(scratch_of(Room::bytes<std::int64_t>(count * task.inner)));
    std::fill(sums, sums + count * task.inner, -task.length * task.zero_point);
    visit_codes(task.type, [&](auto code) {
      const auto* x = static_cast<const decltype(code)*>(task.x);
      for (std::int64_t r = 0; r < count; ++r) {
        add_rows(x + (first + r) * task.length * task.inner, task.length, task.inner, sums + r * task.inner);
      }
    });
    writer.write_channels(sums, count * task.inner, 0, at(y, writer.out_type(), first * task.inner));
  });
}

}  // namespace halfeven::native
