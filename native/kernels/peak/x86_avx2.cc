// vpmaddwd and an addition on 12 chains of sums: each is 16 multiplications and 16 additions.
#include <immintrin.h>

#include "kernels/peak/peak.h"
#include "kernels/unroll.h"

namespace halfeven::native {

std::int64_t peak_u8_s32_avx2(std::int64_t rounds) {
  constexpr int chains = 12;
  volatile std::int32_t opaque = 1;
  __m256i x = _mm256_set1_epi16(static_cast<std::int16_t>(opaque));
  __m256i acc[chains];
  HALFEVEN_UNROLL
  for (int k = 0; k < chains; ++k) acc[k] = _mm256_set1_epi32(opaque + k);
  for (std::int64_t round = 0; round < rounds; ++round) {
    HALFEVEN_UNROLL
    for (int k = 0; k < chains; ++k) {
#if defined(_MSC_VER)
      const __m256i y = acc[(k + 1) % chains];  // no product is the same twice
#else
      const __m256i y = x;
      asm volatile("" : "+x"(x));  // nor is any known to be
#endif
      acc[k] = _mm256_add_epi32(acc[k], _mm256_madd_epi16(x, y));
    }
  }
  __m256i total = acc[0];
  HALFEVEN_UNROLL
  for (int k = 1; k < chains; ++k) total = _mm256_xor_si256(total, acc[k]);
  opaque = _mm_cvtsi128_si32(_mm256_castsi256_si128(total));
  return rounds * chains * 32;
}

}  // namespace halfeven::native
