#include "kernels/eltwise/eltwise.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/eltwise/chunks.h"
#include "kernels/integer_rounding.h"

namespace halfeven::native {
namespace {

template <class Acc>
void add_chunk(const AddRule& rule, const Acc* a, const Acc* b, std::int64_t count, std::int32_t* out) {
  const Acc m = static_cast<Acc>(rule.a_multiplier);
  const Acc n = static_cast<Acc>(rule.b_multiplier);
  for (std::int64_t i = 0; i < count; ++i) {
    const Acc scaled = shift_half_even(a[i] * m + b[i] * n, rule.shift);
    out[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(scaled + rule.zero_point, rule.qmin, rule.qmax));
  }
}

template <class Acc>
void add_all(const Pairs& task, const AddRule& rule, Type y_type, void* y, const Parallel& parallel) {
  for_each_chunk(task, parallel, [&](std::int64_t begin, std::int64_t i, std::int64_t j, std::int64_t count) {
    Acc a[chunk];
    Acc b[chunk];
    std::int32_t out[chunk];
    center_chunk(task.a, i, count, a);
    center_chunk(task.b, j, count, b);
    add_chunk(rule, a, b, count, out);
    store_codes(out, count, y_type, at(y, y_type, begin));
  });
}

// The largest magnitude of the sum, in double: it decides between far apart alternatives.
double largest_sum(const Pairs& task, const AddRule& rule) {
  const auto far = [](const Operand& x) {
    return static_cast<double>(centered_range(x.type, x.zero_point).farthest());
  };
  return far(task.a) * static_cast<double>(std::abs(rule.a_multiplier)) +
         far(task.b) * static_cast<double>(std::abs(rule.b_multiplier));
}

template <class Acc>
void multiply_all(const Pairs& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  for_each_chunk(task, parallel, [&](std::int64_t begin, std::int64_t i, std::int64_t j, std::int64_t count) {
    Acc a[chunk];
    Acc b[chunk];
    center_chunk(task.a, i, count, a);
    center_chunk(task.b, j, count, b);
    for (std::int64_t k = 0; k < count; ++k) a[k] *= b[k];
    writer.write(a, count, 0, at(y, writer.out_type(), begin));
  });
}

}  // namespace

void add(const Pairs& task, const AddRule& rule, Type y_type, void* y, const Parallel& parallel) {
  const double largest = largest_sum(task, rule);
  if (largest >= 0x1p62 || rule.shift < 0 || rule.shift > 62) {
    throw std::invalid_argument("a sum of codes must stay below 2^62 and its shift in [0, 62]");
  }
  if (largest < 0x1p30 && rule.shift <= 30) {
    add_all<std::int32_t>(task, rule, y_type, y, parallel);
  } else {
    add_all<std::int64_t>(task, rule, y_type, y, parallel);
  }
}

Type product_type(const Pairs& task) {
  const double a = static_cast<double>(centered_range(task.a.type, task.a.zero_point).farthest());
  const double b = static_cast<double>(centered_range(task.b.type, task.b.zero_point).farthest());
  if (a * b >= 0x1p62) throw std::invalid_argument("a product of int32 codes is not supported");
  return a * b < 0x1p31 ? Type::s32 : Type::s64;
}

Type difference_type(Type type, std::int64_t zero_point) {
  return centered_range(type, zero_point).fits<std::int32_t>() ? Type::s32 : Type::s64;
}

void multiply(const Pairs& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  if (writer.acc_type() == Type::s32) {
    multiply_all<std::int32_t>(task, writer, y, parallel);
  } else {
    multiply_all<std::int64_t>(task, writer, y, parallel);
  }
}

void rescale_codes(const void* x, Type type, std::int64_t count, std::int64_t zero_point, const RowWriter& writer,
                   void* y, const Parallel& parallel) {
  parallel(ceil_div(count, item_elements), [&](std::int64_t item) {
    const std::int64_t end = std::min(count, (item + 1) * item_elements);
    for (std::int64_t i = item * item_elements; i < end; i += chunk) {
      const std::int64_t n = std::min(chunk, end - i);
      if (writer.acc_type() == Type::s32) {
        std::int32_t acc[chunk];
        center(type, at(x, type, i), 1, n, zero_point, acc);
        writer.write(acc, n, 0, at(y, writer.out_type(), i));
      } else {
        std::int64_t acc[chunk];
        center(type, at(x, type, i), 1, n, zero_point, acc);
        writer.write(acc, n, 0, at(y, writer.out_type(), i));
      }
    }
  });
}

}  // namespace halfeven::native
