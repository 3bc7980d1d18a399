// The scalar kernels: every type, any zero point.
#include "kernels/dequantize/dequantize.h"

namespace halfeven::native {
namespace {

template <class In>
void dequantize(const DequantizeRun& run) {
  const In* q = static_cast<const In*>(run.q);
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t k = run.per_element ? i : 0;
    const std::int64_t difference = static_cast<std::int64_t>(q[i]) - run.zero_point[k];
    run.out[i] = static_cast<float>(difference) * run.scale[k];
  }
}

}  // namespace

#define HALFEVEN_DEFINE(in, In) \
  void dequantize_##in##_f32_portable(const DequantizeRun& run) { dequantize<In>(run); }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
