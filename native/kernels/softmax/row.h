// One row, in parts that every kernel shares. In an unnamed namespace, see vector/.
#pragma once

#include "kernels/integer_rounding.h"
#include "kernels/softmax/rows.h"

namespace halfeven::native {
namespace {

constexpr double softmax_magic = 0x1.8p52;  // adding it rounds to an integer, half to even
constexpr double softmax_reach = 0x1p20;    // beyond every clamp
constexpr double softmax_sure = 0.5 - 0x1p-30;

inline std::int32_t softmax_limited(const CodeRule& rule, std::int64_t q) {
  const std::int64_t sum = q + rule.zero;
  return static_cast<std::int32_t>(sum < rule.lo ? rule.lo : sum > rule.hi ? rule.hi : sum);
}

// rhe(e m0 / (sum 2^shift)), by integers.
inline std::int32_t softmax_exactly(const SoftmaxRows& task, std::uint32_t e, std::int64_t sum) {
  const int left = task.shift < 0 ? -task.shift : 0;
  const int right = task.shift > 0 ? task.shift : 0;
  return softmax_limited(task.code, divide_half_even((std::int64_t{e} * task.m0) << left, sum << right));
}

// m0 2^-shift / sum, rounded once.
inline double softmax_ratio(const SoftmaxRows& task, std::int64_t sum) {
  const double power = static_cast<double>(std::int64_t{1} << (task.shift < 0 ? -task.shift : task.shift));
  const double m = task.shift < 0 ? static_cast<double>(task.m0) * power : static_cast<double>(task.m0) / power;
  return m / static_cast<double>(sum);
}

// Row r of the operand or the result.
template <class Code>
const Code* softmax_x(const SoftmaxRows& task, std::int64_t r) {
  return reinterpret_cast<const Code*>(static_cast<const std::uint8_t*>(task.x) + r * task.x_stride);
}

template <class Code>
Code* softmax_y(const SoftmaxRows& task, std::int64_t r) {
  return reinterpret_cast<Code*>(static_cast<std::uint8_t*>(task.y) + r * task.y_stride);
}

}  // namespace
}  // namespace halfeven::native
