// The definition itself, as the header library states it: integers only, exact products of 64-bit accumulators too.
#include "halfeven/requantize.hpp"
#include "kernels/requantize/requantize.h"

namespace halfeven::native {
namespace {

// The float32 multiplier is given, not derived from (m0, shift); 0 * inf does not occur, multipliers are finite.
std::int64_t scaled(std::int64_t acc, const RequantizeRun& run, std::int64_t k, Requantize method) {
  if (method != Requantize::kFloat32) return scale_accumulator(acc, {run.m0[k], run.shift[k], 31}, method);
  return round_half_even(soft::multiply(soft::from_integer(acc), load_bits(run.real_f32 + k)));
}

template <class In, class Code>
void requantize(const RequantizeRun& run, const RequantizeRule& rule) {
  const In* acc = static_cast<const In*>(run.acc);
  Code* out = static_cast<Code*>(run.out);
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t sum = scaled(acc[i], run, run.per_element ? i : 0, rule.method) + rule.zero_point;
    out[i] = static_cast<Code>(detail::clamp(sum, rule.range.qmin, rule.range.qmax));
  }
}

}  // namespace

#define HALFEVEN_DEFINE(in, out, In, Code)                                                        \
  void requantize_##in##_##out##_portable(const RequantizeRun& run, const RequantizeRule& rule) { \
    requantize<In, Code>(run, rule);                                                              \
  }
#define HALFEVEN_DEFINE_OUTPUTS(in, In)       \
  HALFEVEN_DEFINE(in, s8, In, std::int8_t)    \
  HALFEVEN_DEFINE(in, u8, In, std::uint8_t)   \
  HALFEVEN_DEFINE(in, s16, In, std::int16_t)  \
  HALFEVEN_DEFINE(in, u16, In, std::uint16_t) \
  HALFEVEN_DEFINE(in, s32, In, std::int32_t)
HALFEVEN_DEFINE_OUTPUTS(s32, std::int32_t)
HALFEVEN_DEFINE_OUTPUTS(s64, std::int64_t)
#undef HALFEVEN_DEFINE_OUTPUTS
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
