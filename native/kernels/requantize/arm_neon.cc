#include "kernels/vector/arm_neon.h"

#include "kernels/requantize/vector_loop.h"

namespace halfeven::native {

#define HALFEVEN_DEFINE(out, Code)                                                         \
  void requantize_s32_##out##_neon(const RequantizeRun& run, const RequantizeRule& rule) { \
    requantize_codes<Code>(run, rule);                                                     \
  }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
