#include "kernels/vector/x86_avx512.h"

#include "kernels/dequantize/vector_loop.h"

namespace halfeven::native {

#define HALFEVEN_DEFINE(in, Code) \
  void dequantize_##in##_f32_avx512(const DequantizeRun& run) { dequantize_codes<Code>(run); }
HALFEVEN_DEFINE(s8, std::int8_t)
HALFEVEN_DEFINE(u8, std::uint8_t)
HALFEVEN_DEFINE(s16, std::int16_t)
HALFEVEN_DEFINE(u16, std::uint16_t)
HALFEVEN_DEFINE(s32, std::int32_t)
#undef HALFEVEN_DEFINE

}  // namespace halfeven::native
