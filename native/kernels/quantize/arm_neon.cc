#include "kernels/vector/arm_neon.h"

#include "kernels/quantize/vector_loop.h"

namespace halfeven::native {

#define HALFEVEN_DEFINE(out, Code)                                                           \
  std::int64_t quantize_f32_##out##_neon(const QuantizeRun& run, const QuantizeRule& rule) { \
    return quantize_codes<Code>(run, rule);                                                  \
  }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
