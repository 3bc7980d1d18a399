// vpdpbusd of 256 bits on 12 chains of sums, more than its latency needs: each is 32 multiplications and 32 additions.
#include <immintrin.h>

#include "kernels/peak/peak.h"
#include "kernels/unroll.h"

namespace halfeven::native {

std::int64_t peak_u8_s32_avx_vnni(std::int64_t rounds) {
  constexpr int chains = 12;
  volatile std::int32_t opaque = 1;
  const __m256i x = _mm256_set1_epi32(opaque);
  const __m256i w = _mm256_set1_epi32(opaque + 1);
  __m256i acc[chains];
  HALFEVEN_UNROLL
  for (int k = 0; k < chains; ++k) acc[k] = _mm256_set1_epi32(opaque + k);
  for (std::int64_t round = 0; round < rounds; ++round) {
    HALFEVEN_UNROLL
    for (int k = 0; k < chains; ++k) acc[k] = _mm256_dpbusd_avx_epi32(acc[k], x, w);
  }
  __m256i total = acc[0];
  HALFEVEN_UNROLL
  for (int k = 1; k < chains; ++k) total = _mm256_xor_si256(total, acc[k]);
  opaque = _mm_cvtsi128_si32(_mm256_castsi256_si128(total));
  return rounds * chains * 64;
}

}  // namespace halfeven::native
