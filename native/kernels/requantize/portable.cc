// The scalar kernels: integers only for the exact methods, a 128-bit product for 64-bit accumulators.
#include <cmath>
#include <limits>

#include "kernels/requantize/requantize.h"

namespace halfeven::native {
namespace {

// Beyond every code plus every zero point: where an exact result may stop growing.
constexpr std::int64_t saturated = std::int64_t{1} << 40;

std::int64_t clamp(std::int64_t value, std::int64_t lo, std::int64_t hi) {
  return value < lo ? lo : value > hi ? hi : value;
}

// p = floor * 2^shift + rest, 0 <= rest < 2^shift; `above` is the sign of rest - 2^(shift - 1).
struct Split {
  std::int64_t floor;
  int above;
};

// acc * m0 = hi * 2^64 + lo, hi signed, lo unsigned.
struct Wide {
  std::int64_t hi;
  std::uint64_t lo;
};

Wide product(std::int64_t acc, std::int32_t m0) {
  const std::uint64_t m = static_cast<std::uint32_t>(m0);
  const std::uint64_t low = (static_cast<std::uint64_t>(acc) & 0xffffffffu) * m;
  const std::int64_t high = (acc >> 32) * static_cast<std::int64_t>(m) + static_cast<std::int64_t>(low >> 32);
  return {high >> 32, (static_cast<std::uint64_t>(high) << 32) | (low & 0xffffffffu)};
}

int sign_of(std::uint64_t a, std::uint64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

// 1 <= shift <= 127
Split split(Wide p, int shift) {
  if (shift <= 64) {
    const std::uint64_t half = std::uint64_t{1} << (shift - 1);
    const std::uint64_t rest = shift == 64 ? p.lo : p.lo & (2 * half - 1);
    if (shift == 64) return {p.hi, sign_of(rest, half)};
    const std::int64_t top = p.hi >> shift;
    const std::uint64_t low = (static_cast<std::uint64_t>(p.hi) << (64 - shift)) | (p.lo >> shift);
    // A quotient that 64 bits do not hold only matters by its sign.
    const bool fits = top == (static_cast<std::int64_t>(low) >> 63);
    const std::int64_t floor = fits ? static_cast<std::int64_t>(low) : p.hi < 0 ? -saturated : saturated;
    return {clamp(floor, -saturated, saturated), sign_of(rest, half)};
  }
  const std::uint64_t half = std::uint64_t{1} << (shift - 65);
  const std::uint64_t rest = static_cast<std::uint64_t>(p.hi) & (2 * half - 1);
  const int above = sign_of(rest, half);
  const int shift_hi = shift - 64;
  return {p.hi >> shift_hi, above != 0 ? above : p.lo != 0 ? 1 : 0};
}

std::int64_t shifted_left(Wide p, int shift) {
  const std::int64_t value = static_cast<std::int64_t>(p.lo);
  const bool fits = p.hi == (value >> 63);
  if (value == 0 && fits) return 0;
  const std::int64_t bound = shift > 40 ? 0 : saturated >> shift;
  if (!fits || value > bound || value < -bound) return p.hi < 0 ? -saturated : saturated;
  return value * (std::int64_t{1} << shift);
}

// round(acc * m0 / 2^shift), ties to even or up; saturated beyond +-2^40.
std::int64_t exact(std::int64_t acc, std::int32_t m0, int shift, Requantize method) {
  const Wide p = product(acc, m0);
  if (shift <= 0) return shifted_left(p, -shift);
  if (shift > 127) return 0;
  const Split s = split(p, shift);
  const bool odd = (s.floor & 1) != 0;
  const bool up = s.above > 0 || (s.above == 0 && (method == Requantize::exact_half_up || odd));
  return s.floor + (up ? 1 : 0);
}

std::int32_t saturate_s32(std::int64_t value) {
  return static_cast<std::int32_t>(clamp(value, std::numeric_limits<std::int32_t>::min(),
                                         std::numeric_limits<std::int32_t>::max()));
}

// round(a * m0 / 2^31), ties up: gemmlowp's SaturatingRoundingDoublingHighMul for 0 <= m0 < 2^31.
std::int64_t doubling_high_multiply(std::int32_t a, std::int32_t m0) {
  return (static_cast<std::int64_t>(a) * m0 + (std::int64_t{1} << 30)) >> 31;
}

// round(a / 2^shift), ties away from zero: gemmlowp's RoundingDivideByPOT.
std::int64_t rounding_shift(std::int64_t a, int shift) {
  if (shift > 32) return 0;
  const std::int64_t half = shift == 0 ? 0 : std::int64_t{1} << (shift - 1);
  return a < 0 ? -((-a + half) >> shift) : (a + half) >> shift;
}

std::int64_t double_rounded(std::int64_t acc, std::int32_t m0, int shift) {
  const int right = shift - 31;
  if (right >= 0) return rounding_shift(doubling_high_multiply(saturate_s32(acc), m0), right);
  const std::int64_t scaled = shifted_left({acc >> 63, static_cast<std::uint64_t>(acc)}, -right);
  return doubling_high_multiply(saturate_s32(scaled), m0);
}

// rhe(f32(f32(acc) * M)), saturated beyond +-2^40.
std::int64_t float_rounded(float acc, float multiplier) {
  const double value = std::nearbyint(static_cast<double>(acc * multiplier));
  constexpr double limit = static_cast<double>(saturated);
  if (!(value > -limit)) return -saturated;
  return value < limit ? static_cast<std::int64_t>(value) : saturated;
}

template <class In, class Out>
void requantize(const RequantizeRun& run, const RequantizeRule& rule) {
  const In* acc = static_cast<const In*>(run.acc);
  Out* out = static_cast<Out*>(run.out);
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t k = run.per_element ? i : 0;
    std::int64_t value = 0;
    if (rule.method == Requantize::float32) {
      value = float_rounded(static_cast<float>(acc[i]), run.real_f32[k]);
    } else if (rule.method == Requantize::double_rounding) {
      value = double_rounded(acc[i], run.m0[k], run.shift[k]);
    } else {
      value = exact(acc[i], run.m0[k], run.shift[k], rule.method);
    }
    out[i] = static_cast<Out>(clamp(value + rule.zero_point, rule.qmin, rule.qmax));
  }
}

}  // namespace

#define HALFEVEN_DEFINE(in, out, In, Out)                                                            \
  void requantize_##in##_##out##_portable(const RequantizeRun& run, const RequantizeRule& rule) {    \
    requantize<In, Out>(run, rule);                                                                  \
  }
#define HALFEVEN_DEFINE_OUTPUTS(in, In)          \
  HALFEVEN_DEFINE(in, s8, In, std::int8_t)       \
  HALFEVEN_DEFINE(in, u8, In, std::uint8_t)      \
  HALFEVEN_DEFINE(in, s16, In, std::int16_t)     \
  HALFEVEN_DEFINE(in, u16, In, std::uint16_t)    \
  HALFEVEN_DEFINE(in, s32, In, std::int32_t)
HALFEVEN_DEFINE_OUTPUTS(s32, std::int32_t)
HALFEVEN_DEFINE_OUTPUTS(s64, std::int64_t)
#undef HALFEVEN_DEFINE_OUTPUTS
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
