// The definition itself, as the header library states it: every type, any zero point.
#include "halfeven/affine.hpp"
#include "kernels/dequantize/dequantize.h"

namespace halfeven::native {
namespace {

template <class Code>
void dequantize(const DequantizeRun& run) {
  const detail::RowParams params{run.scale, run.zero_point, range_of<Code>()};
  const std::size_t n = static_cast<std::size_t>(run.count);
  const Code* q = static_cast<const Code*>(run.q);
  const bool hardware = (run.small_zero_points || sizeof(Code) == 4) && hardware_is_exact();
  if (run.per_element) return detail::dequantize_row<1>(q, n, params, hardware, run.out);
  detail::dequantize_row<0>(q, n, params, hardware, run.out);
}

}  // namespace

#define HALFEVEN_DEFINE(in, Code) \
  void dequantize_##in##_f32_portable(const DequantizeRun& run) { dequantize<Code>(run); }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
