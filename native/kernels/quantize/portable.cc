// The definition itself, as the header library states it: every rule, every type, any zero point.
#include "halfeven/affine.hpp"
#include "kernels/quantize/quantize.h"

namespace halfeven::native {
namespace {

template <class Code>
std::int64_t quantize(const QuantizeRun& run, const QuantizeRule& rule) {
  const Profile profile{"", rule.scaling, rule.side, rule.rounding, Requantize::kUndefined, 31, false, false};
  const detail::RowParams params{run.scale, run.zero_point, rule.range};
  const std::size_t n = static_cast<std::size_t>(run.count);
  Code* out = static_cast<Code*>(run.out);
  const bool hardware = run.small_zero_points && hardware_is_exact();
  const std::size_t nans = run.per_element ? detail::quantize_row<1>(run.x, n, params, profile, hardware, out)
                                           : detail::quantize_row<0>(run.x, n, params, profile, hardware, out);
  return static_cast<std::int64_t>(nans);
}

}  // namespace

#define HALFEVEN_DEFINE(out, Code)                                                               \
  std::int64_t quantize_f32_##out##_portable(const QuantizeRun& run, const QuantizeRule& rule) { \
    return quantize<Code>(run, rule);                                                            \
  }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
