#include "kernels/table/table.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 15;

// Whether every value of the type has an entry, so that no code needs a check.
template <class Code>
bool covers(const Table& task) {
  using Limits = std::numeric_limits<Code>;
  return task.first <= Limits::min() && task.first + task.size > Limits::max();
}

template <class Code>
void check(const Table& task, const Code* x, std::int64_t count) {
  const Code* end = x + count;
  const Code* outside = std::find_if(x, end, [&](Code q) { return q < task.first || q >= task.first + task.size; });
  if (outside == end) return;
  throw std::invalid_argument("code " + std::to_string(*outside) + " has no entry in a table of the codes " +
                              std::to_string(task.first) + " to " + std::to_string(task.first + task.size - 1));
}

template <class Code, class Entry>
void look_up_part(const Table& task, std::int64_t begin, std::int64_t count, Entry* y) {
  const Code* x = static_cast<const Code*>(task.x) + begin;
  if (!covers<Code>(task)) check(task, x, count);
  const Entry* entries = static_cast<const Entry*>(task.entries);
  for (std::int64_t i = 0; i < count; ++i) y[begin + i] = entries[x[i] - task.first];
}

}  // namespace

void look_up(const Table& task, void* y, const Parallel& parallel) {
  parallel(ceil_div(task.count, item_elements), [&](std::int64_t item) {
    const std::int64_t begin = item * item_elements;
    const std::int64_t count = std::min(item_elements, task.count - begin);
    visit_codes(task.x_type, [&](auto code) {
      visit_codes(task.y_type, [&](auto entry) {
        look_up_part<decltype(code)>(task, begin, count, static_cast<decltype(entry)*>(y));
      });
    });
  });
}

}  // namespace halfeven::native
