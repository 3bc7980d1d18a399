// vpdpbusd on 16 chains of sums, more than its latency needs: each is 64 multiplications and 64 additions.
#include <immintrin.h>

#include "kernels/peak/peak.h"
#include "kernels/unroll.h"

namespace halfeven::native {

std::int64_t peak_u8_s32_avx512_vnni(std::int64_t rounds) {
  constexpr int chains = 16;
  volatile std::int32_t opaque = 1;
  const __m512i x = _mm512_set1_epi32(opaque);
  const __m512i w = _mm512_set1_epi32(opaque + 1);
  __m512i acc[chains];
  HALFEVEN_UNROLL
  for (int k = 0; k < chains; ++k) acc[k] = _mm512_set1_epi32(opaque + k);
  for (std::int64_t round = 0; round < rounds; ++round) {
    HALFEVEN_UNROLL
    for (int k = 0; k < chains; ++k) acc[k] = _mm512_dpbusd_epi32(acc[k], x, w);
  }
  __m512i total = acc[0];
  HALFEVEN_UNROLL
  for (int k = 1; k < chains; ++k) total = _mm512_xor_si512(total, acc[k]);
  opaque = _mm_cvtsi128_si32(_mm512_castsi512_si128(total));
  return rounds * chains * 128;
}

}  // namespace halfeven::native
