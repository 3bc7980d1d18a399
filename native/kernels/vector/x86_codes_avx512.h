// From int32 sums in registers to u8 codes: one fused multiply-add rounds M * sum exactly once, see
// requantize/vector_loop.h. Holds for |M sum| < 2^31. In an unnamed namespace, see vector/.
#pragma once

#include <immintrin.h>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

// rhe(m * sums) of 16 sums
HALFEVEN_INLINE __m512i rounded(__m512i sums, const double* m) {
  const __m512d magic = _mm512_set1_pd(0x1.8p52);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512d low = _mm512_cvtepi32_pd(_mm512_castsi512_si256(sums));
  const __m512d high = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(sums, 1));
  const __m512i a = _mm512_castpd_si512(_mm512_fmadd_pd(low, _mm512_loadu_pd(m), magic));
  const __m512i b = _mm512_castpd_si512(_mm512_fmadd_pd(high, _mm512_loadu_pd(m + 8), magic));
  return _mm512_permutex2var_epi32(a, even, b);
}

// A CodeRule in registers. The packs saturate, in order, so they only ever move codes that the clamp moves too.
struct CodeVectors {
  explicit CodeVectors(const CodeRule& rule)
      : zero(_mm512_set1_epi16(static_cast<short>(rule.zero))),
        lo(_mm512_set1_epi8(static_cast<char>(rule.lo))),
        hi(_mm512_set1_epi8(static_cast<char>(rule.hi))) {}

  // Codes of 4 x 16 rounded values, in the order that packs leave: groups of four from each vector in turn.
  __m512i interleaved(__m512i a, __m512i b, __m512i c, __m512i d) const {
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
    return _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(low, high), lo), hi);
  }

  __m512i in_order(__m512i a, __m512i b, __m512i c, __m512i d) const {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, interleaved(a, b, c, d));
  }

  __m512i zero;
  __m512i lo;
  __m512i hi;
};

inline __mmask64 first_bytes(std::int64_t count) { return count >= 64 ? ~__mmask64{0} : (__mmask64{1} << count) - 1; }

// rhe(a * codes + b * other + constant), a and b tensors' codes as int32 and u8.
struct SumVectors {
  explicit SumVectors(const SumRule& rule)
      : a(_mm512_set1_ps(rule.a)), b(_mm512_set1_ps(rule.b)), constant(_mm512_set1_ps(rule.constant)) {}

  __m512i operator()(__m512i codes, __m128i other) const {
    const __m512 y = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(other));
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(codes), a, _mm512_fmadd_ps(y, b, constant)));
  }

  __m512 a;
  __m512 b;
  __m512 constant;
};

#if defined(__AVX512VNNI__)
// The same of pairs of words, each the code's distance from `zero` and the other's code.
struct WordSumVectors {
  WordSumVectors(const WordSum& sum, std::int32_t zero)
      : pair(_mm512_set1_epi32(sum.pair)),
        constant(_mm512_set1_epi32(sum.constant + (sum.pair & 0xffff) * zero)),
        unit(_mm512_set1_ps(sum.unit)) {}

  __m512i operator()(__m512i words) const {
    const __m512 sums = _mm512_cvtepi32_ps(_mm512_dpwssd_epi32(constant, words, pair));
    return _mm512_cvtps_epi32(_mm512_mul_ps(sums, unit));
  }

  __m512i pair;
  __m512i constant;
  __m512 unit;
};
#endif

#if defined(__AVX512VBMI__)
// table[code] of 64 codes, the table's 256 entries in four registers.
HALFEVEN_INLINE __m512i looked_up(__m512i codes, const __m512i (&table)[4]) {
  const __m512i low = _mm512_permutex2var_epi8(table[0], codes, table[1]);
  const __m512i high = _mm512_permutex2var_epi8(table[2], codes, table[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high);
}
#endif

}  // namespace
}  // namespace halfeven::native
