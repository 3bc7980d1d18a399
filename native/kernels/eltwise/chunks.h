// Two operands walked together, in chunks of neighbours.
#pragma once

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/eltwise/eltwise.h"

namespace halfeven::native {

inline constexpr std::int64_t item_elements = 1 << 14;
inline constexpr std::int64_t chunk = 512;  // elements whose widened forms stay in the first cache

// The result cut into chunks: at most `chunk` neighbours of one row, with where they begin in each operand.
class Chunks {
 public:
  explicit Chunks(const Pairs& task) : task_(task), inner_(task.shape.back()) {
    for (const std::int64_t n : task.shape) total_ *= n;
  }

  std::int64_t total() const { return total_; }

  // Calls body(begin, a, b, count) for the chunks of elements [begin, end).
  template <class Body>
  void for_each(std::int64_t begin, std::int64_t end, const Body& body) const {
    while (begin < end) {
      const std::int64_t column = begin % inner_;
      const std::int64_t count = std::min({end - begin, inner_ - column, chunk});
      body(begin, offset(task_.a, begin), offset(task_.b, begin), count);
      begin += count;
    }
  }

 private:
  std::int64_t offset(const Operand& operand, std::int64_t element) const {
    std::int64_t sum = 0;
    for (std::size_t k = task_.shape.size(); k-- > 0;) {
      sum += element % task_.shape[k] * operand.strides[k];
      element /= task_.shape[k];
    }
    return sum;
  }

  const Pairs& task_;
  std::int64_t inner_;
  std::int64_t total_ = 1;
};

template <class Acc>
void center_chunk(const Operand& operand, std::int64_t offset, std::int64_t count, Acc* out) {
  center(operand.type, at(operand.codes, operand.type, offset), operand.strides.back(), count, operand.zero_point, out);
}

template <class Body>
void for_each_chunk(const Pairs& task, const Parallel& parallel, const Body& body) {
  const Chunks chunks(task);
  parallel(ceil_div(chunks.total(), item_elements), [&](std::int64_t item) {
    chunks.for_each(item * item_elements, std::min(chunks.total(), (item + 1) * item_elements), body);
  });
}

}  // namespace halfeven::native
