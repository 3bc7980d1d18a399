// The scalar kernels: every rule, every type, any zero point. What the vector kernels are compared with.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/quantize/quantize.h"

namespace halfeven::native {
namespace {

// f32(v + Z) for a Z that float32 may not hold: the double sum is rounded to odd first, so that the final rounding
// sees on which side of a tie the exact sum lies.
float add_zero_point(float v, std::int32_t zero_point) {
  const double a = v;
  const double b = zero_point;
  const double sum = a + b;
  const double b_seen = sum - a;
  const double error = (a - (sum - b_seen)) + (b - b_seen);
  if (error == 0.0 || !std::isfinite(sum)) return static_cast<float>(sum);
  if ((std::bit_cast<std::uint64_t>(sum) & 1) != 0) return static_cast<float>(sum);
  const double infinity = std::numeric_limits<double>::infinity();
  return static_cast<float>(std::nextafter(sum, error > 0.0 ? infinity : -infinity));
}

double rounded(float t, Rounding rounding) {
  switch (rounding) {
    case Rounding::half_even:
      return std::nearbyint(static_cast<double>(t));
    case Rounding::half_up_float32:
      return std::floor(static_cast<double>(t + 0.5f));
    case Rounding::half_away:
      break;
  }
  return std::round(static_cast<double>(t));
}

// Clamps before it converts: a float-to-integer cast of a value out of range has no meaning in C++.
std::int64_t clamped(double value, std::int64_t lo, std::int64_t hi) {
  if (!(value > static_cast<double>(lo))) return lo;
  return value < static_cast<double>(hi) ? static_cast<std::int64_t>(value) : hi;
}

std::int64_t code_of(float x, float scale, std::int32_t zero_point, const QuantizeRule& rule) {
  const float v = rule.scaling == Scaling::divide ? x / scale : x * (1.0f / scale);
  const std::int64_t z = zero_point;
  if (rule.zero_point_inside) {
    return clamped(rounded(add_zero_point(v, zero_point), rule.rounding), rule.qmin, rule.qmax);
  }
  return clamped(rounded(v, rule.rounding), rule.qmin - z, rule.qmax - z) + z;
}

template <class Out>
std::int64_t quantize(const QuantizeRun& run, const QuantizeRule& rule) {
  Out* out = static_cast<Out*>(run.out);
  std::int64_t nan_count = 0;
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t k = run.per_element ? i : 0;
    const bool nan = std::isnan(run.x[i]);
    nan_count += nan ? 1 : 0;
    // The code of 0.0 is clamp(Z) under every rule.
    out[i] = static_cast<Out>(code_of(nan ? 0.0f : run.x[i], run.scale[k], run.zero_point[k], rule));
  }
  return nan_count;
}

}  // namespace

#define HALFEVEN_DEFINE(out, Out)                                                                       \
  std::int64_t quantize_f32_##out##_portable(const QuantizeRun& run, const QuantizeRule& rule) {        \
    return quantize<Out>(run, rule);                                                                    \
  }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
