// Products of 16-bit words in registers of 256 bits: exact for all operands but two pairs of -2^15. In an unnamed
// namespace, see vector/.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

HALFEVEN_INLINE __m256i add_pairs(__m256i acc, __m256i a, __m256i b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
}

HALFEVEN_INLINE __m256i pair_at(const std::int16_t* p) {
  std::int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  return _mm256_set1_epi32(pair);
}

// Adds `rows` rows at x, `stride` words apart, times 16 columns at b [depth / 2][16][2].
template <int rows>
HALFEVEN_INLINE void add_words(const std::int16_t* x, std::int64_t stride, std::int64_t depth, const __m256i* b,
                               __m256i (&acc)[rows][2]) {
  for (std::int64_t k = 0; k < depth; k += 2, b += 2) {
    const __m256i b0 = _mm256_load_si256(b);
    const __m256i b1 = _mm256_load_si256(b + 1);
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256i a = pair_at(x + r * stride + k);
      acc[r][0] = add_pairs(acc[r][0], a, b0);
      acc[r][1] = add_pairs(acc[r][1], a, b1);
    }
  }
}

}  // namespace
}  // namespace halfeven::native
