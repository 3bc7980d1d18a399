#include "kernels/divide/divide.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/eltwise/chunks.h"
#include "kernels/integer_rounding.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t beyond = std::int64_t{1} << 60;  // of every code

std::int32_t code(const DivideRule& rule, std::int64_t a, std::int64_t b) {
  std::int64_t scaled = a > 0 ? beyond : a < 0 ? -beyond : 0;
  if (b != 0) {
    const std::int64_t numerator = (b < 0 ? -a : a) * rule.m0 * (std::int64_t{1} << std::max(-rule.shift, 0));
    scaled = divide_half_even(numerator, (b < 0 ? -b : b) << std::max(rule.shift, 0));
  }
  return static_cast<std::int32_t>(std::clamp(scaled + rule.zero_point, rule.qmin, rule.qmax));
}

void check(const Pairs& task, const DivideRule& rule) {
  const auto far = [](const Operand& x) {
    return static_cast<double>(centered_range(x.type, x.zero_point).farthest());
  };
  const bool shifts = rule.shift > -31 && rule.shift < 62;
  const auto power = [](int shift) { return static_cast<double>(std::int64_t{1} << std::max(shift, 0)); };
  if (!shifts || rule.m0 < 0 || rule.m0 >= std::int64_t{1} << 31 ||
      far(task.a) * static_cast<double>(rule.m0) * power(-rule.shift) >= 0x1p62 ||
      far(task.b) * power(rule.shift) >= 0x1p62) {
    throw std::invalid_argument("the numerator and the denominator must stay below 2^62");
  }
}

}  // namespace

void divide(const Pairs& task, const DivideRule& rule, Type y_type, void* y, const Parallel& parallel) {
  check(task, rule);
  for_each_chunk(task, parallel, [&](std::int64_t begin, std::int64_t i, std::int64_t j, std::int64_t count) {
    std::int64_t a[chunk];
    std::int64_t b[chunk];
    std::int32_t out[chunk];
    center_chunk(task.a, i, count, a);
    center_chunk(task.b, j, count, b);
    for (std::int64_t k = 0; k < count; ++k) out[k] = code(rule, a[k], b[k]);
    store_codes(out, count, y_type, at(y, y_type, begin));
  });
}

}  // namespace halfeven::native
