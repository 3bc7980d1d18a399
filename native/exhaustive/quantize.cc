#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "exhaustive/blocks.h"
#include "exhaustive/exhaustive.h"

namespace halfeven::native {
namespace {

double rounded(float t, Rounding rounding) {
  switch (rounding) {
    case Rounding::kHalfEven: return std::nearbyint(static_cast<double>(t));
    case Rounding::kHalfUpFloat32: return std::floor(static_cast<double>(t + 0.5f));
    case Rounding::kHalfAway: return std::round(static_cast<double>(t));
  }
  return 0.0;
}

// The formula of docs/math/affine.md eq. 2, word for word.
double literal(float x, float scale, std::int32_t zero_point, const QuantizeRule& rule) {
  const double qmin = rule.range.qmin;
  const double qmax = rule.range.qmax;
  if (std::isnan(x)) return std::clamp<double>(zero_point, qmin, qmax);
  const float v = rule.scaling == Scaling::kDivide ? x / scale : x * (1.0f / scale);
  if (rule.side == ZeroPoint::kInside) {
    return std::clamp(rounded(v + static_cast<float>(zero_point), rule.rounding), qmin, qmax);
  }
  return std::clamp(rounded(v, rule.rounding), qmin - zero_point, qmax - zero_point) + zero_point;
}

template <class Code>
Differences check(const QuantizeCheck& c, std::int64_t first, std::int64_t count) {
  std::vector<float> x(check_block);
  std::vector<Code> codes(check_block);
  const std::vector<float> scales(check_block, c.scale);
  const std::vector<std::int32_t> zero_points(check_block, c.zero_point);
  return check_blocks(first, count, [&](std::int64_t start, std::int64_t n, Tally& tally) {
    std::int64_t nans = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const float value = std::bit_cast<float>(static_cast<std::uint32_t>(start + i));
      x[static_cast<std::size_t>(i)] = value;
      nans += std::isnan(value) ? 1 : 0;
    }
    const bool small = small_zero_point(c.zero_point);
    const std::int64_t found =
        c.kernel({x.data(), codes.data(), n, scales.data(), zero_points.data(), c.per_element, small, false}, c.rule);
    if (found != nans) tally.add(start);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      if (static_cast<double>(codes[k]) != literal(x[k], c.scale, c.zero_point, c.rule)) tally.add(start + i);
    }
  });
}

}  // namespace

Differences check_quantize(const QuantizeCheck& c, std::int64_t first, std::int64_t count) {
  switch (c.out_type) {
    case Type::s8: return check<std::int8_t>(c, first, count);
    case Type::u8: return check<std::uint8_t>(c, first, count);
    case Type::s16: return check<std::int16_t>(c, first, count);
    case Type::u16: return check<std::uint16_t>(c, first, count);
    default: return check<std::int32_t>(c, first, count);
  }
}

}  // namespace halfeven::native
