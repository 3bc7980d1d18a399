// Products of 16-bit numbers summed in 32 bits, in plain loops: what a compiler makes of them.
#include "kernels/peak/peak.h"

namespace halfeven::native {

std::int64_t peak_u8_s32_portable(std::int64_t rounds) {
  constexpr int lanes = 64;
  volatile std::int32_t opaque = 1;
  std::int16_t x[lanes];
  std::int32_t acc[4] = {};
  for (int i = 0; i < lanes; ++i) x[i] = static_cast<std::int16_t>(opaque + i);
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::int16_t w = static_cast<std::int16_t>(round);
    for (int k = 0; k < 4; ++k) {
      std::int32_t sum = 0;
      for (int i = 0; i < lanes / 4; ++i) sum += x[lanes / 4 * k + i] * static_cast<std::int16_t>(w ^ i);
      acc[k] += sum;
    }
  }
  opaque = acc[0] ^ acc[1] ^ acc[2] ^ acc[3];
  return rounds * lanes * 2;
}

}  // namespace halfeven::native
