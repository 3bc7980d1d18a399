#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "exhaustive/blocks.h"
#include "exhaustive/exhaustive.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t far = std::int64_t{1} << 40;  // beyond every clamp
constexpr std::int64_t lowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int32_t>::max();

// p 2^n, n >= 0, no further than +-2^40
std::int64_t shifted_left(std::int64_t p, std::int32_t n) {
  if (p == 0) return 0;
  if (n > 40 || std::abs(p) > (far >> n)) return p < 0 ? -far : far;
  return p * (std::int64_t{1} << n);
}

// p / 2^shift as floor and rest, |p| <= 2^62: the tie is where the rest is one half.
std::int64_t exact(std::int64_t p, std::int32_t shift, bool half_up) {
  if (shift <= 0) return shifted_left(p, -shift);
  if (shift > 62) return 0;
  const std::int64_t unit = std::int64_t{1} << shift;
  const std::int64_t floor = p / unit - (p % unit < 0 ? 1 : 0);
  const std::int64_t rest = p - floor * unit;
  if (rest == unit / 2) return half_up || floor % 2 != 0 ? floor + 1 : floor;
  return rest > unit / 2 ? floor + 1 : floor;
}

// gemmlowp's two steps as its documentation words them.
std::int64_t double_rounded(std::int64_t acc, std::int32_t m0, std::int32_t shift) {
  const std::int64_t a = shift < 31 ? std::clamp(shifted_left(acc, 31 - shift), lowest, highest) : acc;
  const std::int64_t product = a * m0;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  const std::int64_t high = (product + nudge) / (std::int64_t{1} << 31);
  if (shift <= 31) return high;
  if (shift > 31 + 40) return 0;
  const std::int64_t unit = std::int64_t{1} << (shift - 31);
  const std::int64_t magnitude = (std::abs(high) + unit / 2) / unit;
  return high < 0 ? -magnitude : magnitude;
}

std::int64_t float_rounded(std::int32_t acc, float multiplier) {
  const double limit = static_cast<double>(far);
  return static_cast<std::int64_t>(
      std::clamp(std::nearbyint(static_cast<double>(static_cast<float>(acc) * multiplier)), -limit, limit));
}

std::int64_t literal(std::int32_t acc, const RequantizeCheck& c, float multiplier) {
  const std::int64_t product = static_cast<std::int64_t>(acc) * c.m0;
  switch (c.rule.method) {
    case Requantize::kExactHalfEven: return exact(product, c.shift, false);
    case Requantize::kExactHalfUp: return exact(product, c.shift, true);
    case Requantize::kDoubleRounding: return double_rounded(acc, c.m0, c.shift);
    default: return float_rounded(acc, multiplier);
  }
}

template <class Code>
Differences check(const RequantizeCheck& c, std::int64_t first, std::int64_t count) {
  const double real = std::ldexp(static_cast<double>(c.m0), -c.shift);
  const std::vector<std::int32_t> m0(check_block, c.m0);
  const std::vector<std::int32_t> shift(check_block, c.shift);
  const std::vector<double> reals(check_block, real);
  const std::vector<float> reals_f32(check_block, static_cast<float>(real));
  std::vector<std::int32_t> acc(check_block);
  std::vector<Code> codes(check_block);
  return check_blocks(first, count, [&](std::int64_t start, std::int64_t n, Tally& tally) {
    for (std::int64_t i = 0; i < n; ++i) {
      acc[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(static_cast<std::uint32_t>(start + i));
    }
    c.kernel(
        {acc.data(), codes.data(), n, m0.data(), shift.data(), reals.data(), reals_f32.data(), c.per_element, false},
        c.rule);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      const std::int64_t code = std::clamp<std::int64_t>(literal(acc[k], c, reals_f32[0]) + c.rule.zero_point,
                                                         c.rule.range.qmin, c.rule.range.qmax);
      if (static_cast<std::int64_t>(codes[k]) != code) tally.add(start + i);
    }
  });
}

}  // namespace

Differences check_requantize(const RequantizeCheck& c, std::int64_t first, std::int64_t count) {
  switch (c.out_type) {
    case Type::s8: return check<std::int8_t>(c, first, count);
    case Type::u8: return check<std::uint8_t>(c, first, count);
    case Type::s16: return check<std::int16_t>(c, first, count);
    case Type::u16: return check<std::uint16_t>(c, first, count);
    default: return check<std::int32_t>(c, first, count);
  }
}

}  // namespace halfeven::native
