// The loop of the vector kernels, over the Vector of the instruction set that was included before.
// In an unnamed namespace, see vector/.
//
// Exact rounding by one FMA. With C = 1.5 * 2^52 and M = m0 2^-shift (exact in double, as is the accumulator),
// s = fma(acc, M, C) rounds the exact sum once. For |acc M| < 2^51 the sum lies in (2^52, 2^53), where the doubles are
// the integers: s = C + rhe(acc M), C being even. Beyond, s lies beyond every clamp, in order. So s is limited to
// C + [qmin - Z, qmax - Z] first; then its low 32 bits, plus Z, are the code (C's low 32 bits are 0).
#pragma once

#include <cstring>

#include "kernels/requantize/requantize.h"
#include "kernels/vector/blocks.h"

namespace halfeven::native {
namespace {

constexpr double magic = 0x1.8p52;

template <Requantize method, bool one_an_element>
class Requantizer {
 public:
  static constexpr bool per_element = one_an_element;

  Requantizer(const RequantizeRun& run, const RequantizeRule& rule) : run_(run) {
    const double zero_point = rule.zero_point;
    zero_point_ = Vector::fill(rule.zero_point);
    lo_ = Vector::fill(magic + (static_cast<double>(rule.range.qmin) - zero_point));
    hi_ = Vector::fill(magic + (static_cast<double>(rule.range.qmax) - zero_point));
  }

  // The codes of acc, whose multipliers are entry i and following.
  Vector::Ints codes(Vector::Ints acc, std::int64_t i) const {
    const Vector::Doubles sum = Vector::clamp(rounded(acc, per_element ? i : 0), lo_, hi_);
    return Vector::add(Vector::low_words(sum), zero_point_);
  }

 private:
  template <class T>
  static auto parameter(const T* values, std::int64_t i) {
    if constexpr (per_element) {
      return Vector::load(values + i);
    } else {
      return Vector::fill(*values);
    }
  }

  // C + round(M acc)
  Vector::Doubles rounded(Vector::Ints acc, std::int64_t i) const {
    const Vector::Doubles c = Vector::fill(magic);
    if constexpr (method == Requantize::kFloat32) {
      const Vector::Floats product = Vector::multiply(Vector::to_floats(acc), parameter(run_.real_f32, i));
      return Vector::add(Vector::to_doubles(product), c);
    } else if constexpr (method == Requantize::kDoubleRounding) {
      return Vector::add(Vector::to_doubles(double_rounded(acc, i)), c);
    } else {
      const Vector::Doubles a = Vector::to_doubles(acc);
      const Vector::Doubles m = parameter(run_.real, i);
      const Vector::Doubles even = Vector::fma(a, m, c);
      if constexpr (method == Requantize::kExactHalfEven) return even;
      // Half up: one more where acc M reaches the half above the nearest integer. The sign of an FMA is exact.
      const Vector::Doubles half_above = Vector::add(Vector::subtract(even, c), Vector::fill(0.5));
      return Vector::add_one_where_not_negative(even, Vector::fms(a, m, half_above));
    }
  }

  // A left shift that saturates, round(acc m0 / 2^31), then a right shift that rounds half away from zero.
  Vector::Ints double_rounded(Vector::Ints acc, std::int64_t i) const {
    const Vector::Ints zero = Vector::fill(0);
    const Vector::Ints n = Vector::subtract(parameter(run_.shift, i), Vector::fill(31));
    const Vector::Ints right = at_least(n, 0);
    const Vector::Ints left = Vector::subtract(right, n);
    const Vector::Ints high = Vector::doubling_high_multiply(shifted_left(acc, left), parameter(run_.m0, i));
    // From 32 on the mask is all ones and `half` 2^31 - 1, or -2^31 beside a sign of -1: 0, as |high| < 2^31.
    const Vector::Ints mask = Vector::subtract(Vector::shift_left(Vector::fill(1), right), Vector::fill(1));
    const Vector::Ints rest = Vector::bit_and(high, mask);
    const Vector::Ints half = Vector::add(Vector::shift_right_logical(mask, 1), Vector::one_if_greater(zero, high));
    return Vector::add(Vector::shift_right(high, right), Vector::one_if_greater(rest, half));
  }

  static Vector::Ints at_least(Vector::Ints v, std::int32_t bound) {
    const Vector::Ints b = Vector::fill(bound);
    return Vector::choose_if_equal(Vector::one_if_greater(v, b), Vector::fill(1), v, b);
  }

  static Vector::Ints shifted_left(Vector::Ints acc, Vector::Ints left) {
    const Vector::Ints shifted = Vector::shift_left(acc, left);
    // 2^31 - 1 or, for negative accumulators, its complement -2^31.
    const Vector::Ints limit = Vector::bit_xor(Vector::shift_right(acc, Vector::fill(31)), Vector::fill(0x7fffffff));
    return Vector::choose_if_equal(Vector::shift_right(shifted, left), acc, shifted, limit);
  }

  const RequantizeRun& run_;
  Vector::Ints zero_point_;
  Vector::Doubles lo_;
  Vector::Doubles hi_;
};

template <class R>
Vector::Block requantize_block(const R& requantizer, const std::int32_t* acc, std::int64_t i) {
  Vector::Block codes;
  for (int k = 0; k < 4; ++k) {
    const int offset = k * Vector::lanes;
    codes.part[k] = requantizer.codes(Vector::load(acc + offset), i + offset);
  }
  return codes;
}

// A block of which `count` elements have multipliers, from entry `first` on.
template <class R>
Vector::Block partial_block(const RequantizeRun& run, const RequantizeRule& rule, const std::int32_t* acc,
                            std::int64_t first, std::size_t count) {
  std::int32_t m0[block_size] = {};
  std::int32_t shift[block_size] = {};
  double real[block_size] = {};
  float real_f32[block_size] = {};
  std::memcpy(m0, run.m0 + first, count * sizeof(std::int32_t));
  std::memcpy(shift, run.shift + first, count * sizeof(std::int32_t));
  std::memcpy(real, run.real + first, count * sizeof(double));
  std::memcpy(real_f32, run.real_f32 + first, count * sizeof(float));
  RequantizeRun copy = run;
  copy.m0 = m0;
  copy.shift = shift;
  copy.real = real;
  copy.real_f32 = real_f32;
  return requantize_block(R(copy, rule), acc, 0);
}

template <class R, class Code>
class RequantizeLoop {
 public:
  RequantizeLoop(const RequantizeRun& run, const RequantizeRule& rule)
      : run_(run),
        rule_(rule),
        requantizer_(run, rule),
        acc_(static_cast<const std::int32_t*>(run.acc)),
        out_(static_cast<Code*>(run.out)) {}

  void operator()() const {
    std::int64_t i = 0;
    if (run_.stream) {
      i = unaligned<Code>(run_.out, run_.count);
      partial(0, i);
      for (; i + block_size <= run_.count; i += block_size) {
        prefetch_after(acc_ + i);
        Vector::store_codes<true>(out_ + i, requantize_block(requantizer_, acc_ + i, i));
      }
    } else {
      for (; i + block_size <= run_.count; i += block_size) {
        prefetch_after(acc_ + i);
        Vector::store_codes<false>(out_ + i, requantize_block(requantizer_, acc_ + i, i));
      }
    }
    partial(i, run_.count - i);
  }

 private:
  // Fewer elements than a block, by way of copies that are a block long.
  void partial(std::int64_t first, std::int64_t n) const {
    if (n == 0) return;
    std::int32_t acc[block_size] = {};
    Code out[block_size];
    const std::size_t count = static_cast<std::size_t>(n);
    std::memcpy(acc, acc_ + first, count * sizeof(std::int32_t));
    Vector::store_codes<false>(out, R::per_element ? partial_block<R>(run_, rule_, acc, first, count)
                                                   : requantize_block(requantizer_, acc, 0));
    std::memcpy(out_ + first, out, count * sizeof(Code));
  }

  const RequantizeRun& run_;
  const RequantizeRule& rule_;
  const R requantizer_;
  const std::int32_t* acc_;
  Code* out_;
};

// From the values of the rule to the loop compiled for them.

template <Requantize method, class Code>
void requantize_parameters(const RequantizeRun& run, const RequantizeRule& rule) {
  if (run.per_element) return RequantizeLoop<Requantizer<method, true>, Code>(run, rule)();
  RequantizeLoop<Requantizer<method, false>, Code>(run, rule)();
}

template <class Code>
void requantize_codes(const RequantizeRun& run, const RequantizeRule& rule) {
  switch (rule.method) {
    case Requantize::kExactHalfEven: return requantize_parameters<Requantize::kExactHalfEven, Code>(run, rule);
    case Requantize::kExactHalfUp: return requantize_parameters<Requantize::kExactHalfUp, Code>(run, rule);
    case Requantize::kDoubleRounding: return requantize_parameters<Requantize::kDoubleRounding, Code>(run, rule);
    default: return requantize_parameters<Requantize::kFloat32, Code>(run, rule);
  }
}

}  // namespace
}  // namespace halfeven::native
