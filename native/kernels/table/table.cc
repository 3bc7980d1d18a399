#include "kernels/table/table.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t item_elements = 1 << 15;

// The codes that a table has entries for, as they are stored.
struct Domain {
  std::int64_t first;
  std::int64_t size;
  std::int64_t above;

  // Whether every value of the type has an entry, so that no code needs a check.
  template <class Code>
  bool covers() const {
    using Limits = std::numeric_limits<Code>;
    return first <= Limits::min() && first + size > Limits::max();
  }

  template <class Code>
  void check(const Code* x, std::int64_t stride, std::int64_t count) const {
    if (covers<Code>()) return;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t q = x[i * stride];
      if (q >= first && q < first + size) continue;
      throw std::invalid_argument("code " + std::to_string(q - above) + " has no entry in a table of the codes " +
                                  std::to_string(first - above) + " to " + std::to_string(first + size - 1 - above));
    }
  }
};

template <class Code, class Entry>
void look_up_part(const Table& task, std::int64_t begin, std::int64_t end, Entry* y) {
  const Code* x = static_cast<const Code*>(task.x);
  const Domain domain{task.first, task.size, task.above};
  domain.check(x + begin, 1, end - begin);
  while (begin < end) {
    const std::int64_t channel = begin / task.inner % task.channels;
    const std::int64_t run = task.channels == 1 ? end - begin : task.inner - begin % task.inner;
    const std::int64_t count = std::min(end - begin, run);
    const Entry* entries = static_cast<const Entry*>(task.entries) + channel * task.size;
    for (std::int64_t i = begin; i < begin + count; ++i) y[i] = entries[x[i] - task.first];
    begin += count;
  }
}

std::int64_t offset_of(std::int64_t line, std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  std::int64_t offset = 0;
  for (std::size_t k = shape.size() - 1; k-- > 0;) {
    offset += line % shape[k] * strides[k];
    line /= shape[k];
  }
  return offset;
}

template <class A, class B, class Entry>
void look_up_line(const PairTable& task, std::int64_t line, Entry* y) {
  const std::int64_t count = task.shape.back();
  const A* a = static_cast<const A*>(task.a.codes) + offset_of(line, task.shape, task.a.strides);
  const B* b = static_cast<const B*>(task.b.codes) + offset_of(line, task.shape, task.b.strides);
  const std::int64_t i = task.a.strides.back();
  const std::int64_t j = task.b.strides.back();
  Domain{task.a.first, task.a.size, task.a.above}.check(a, i, count);
  Domain{task.b.first, task.b.size, task.b.above}.check(b, j, count);
  const Entry* entries = static_cast<const Entry*>(task.entries);
  for (std::int64_t k = 0; k < count; ++k) {
    y[k] = entries[(a[k * i] - task.a.first) * task.b.size + (b[k * j] - task.b.first)];
  }
}

}  // namespace

void look_up(const Table& task, void* y, const Parallel& parallel) {
  parallel(ceil_div(task.count, item_elements), [&](std::int64_t item) {
    const std::int64_t begin = item * item_elements;
    const std::int64_t end = std::min(begin + item_elements, task.count);
    visit_stored(task.x_type, [&](auto code) {
      visit_stored(task.y_type, [&](auto entry) {
        look_up_part<decltype(code)>(task, begin, end, static_cast<decltype(entry)*>(y));
      });
    });
  });
}

void look_up_pairs(const PairTable& task, void* y, const Parallel& parallel) {
  std::int64_t lines = 1;
  for (std::size_t k = 0; k + 1 < task.shape.size(); ++k) lines *= task.shape[k];
  const std::int64_t length = task.shape.back();
  const std::int64_t together = std::max<std::int64_t>(1, item_elements / std::max<std::int64_t>(length, 1));
  parallel(ceil_div(lines, together), [&](std::int64_t item) {
    visit_stored(task.a.type, [&](auto a) {
      visit_stored(task.b.type, [&](auto b) {
        visit_stored(task.y_type, [&](auto entry) {
          for (std::int64_t i = item * together; i < std::min(lines, (item + 1) * together); ++i) {
            look_up_line<decltype(a), decltype(b)>(task, i, static_cast<decltype(entry)*>(y) + i * length);
          }
        });
      });
    });
  });
}

}  // namespace halfeven::native
