// What becomes of 64 rounded products, in four vectors of columns or of rows. In an unnamed namespace, see vector/.
#pragma once

#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

// rhe(m * sums) of 16 sums in memory: converted on the way, where a register would have to be taken apart.
HALFEVEN_INLINE __m512i rounded_at(const std::int32_t* sums, const __m512d (&m)[2]) {
  const __m512d magic = _mm512_set1_pd(0x1.8p52);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m256i* p = reinterpret_cast<const __m256i*>(sums);
  const __m512d low = _mm512_cvtepi32_pd(_mm256_load_si256(p));
  const __m512d high = _mm512_cvtepi32_pd(_mm256_load_si256(p + 1));
  const __m512i a = _mm512_castpd_si512(_mm512_fmadd_pd(low, m[0], magic));
  const __m512i b = _mm512_castpd_si512(_mm512_fmadd_pd(high, m[1], magic));
  return _mm512_permutex2var_epi32(a, even, b);
}

// Their codes.
struct Plain {
  explicit Plain(const IgemmTask& task) : codes(task.rule) {}

  static constexpr bool adds = false;

  HALFEVEN_INLINE __m512i operator()(const __m512i (&q)[4], __m512i) const {
    return codes.in_order(q[0], q[1], q[2], q[3]);
  }

  CodeVectors codes;
};

// The sum with the other tensor's codes, every term in float32.
struct Added {
  explicit Added(const IgemmTask& task) : own(task.rule), sum(task.sum->rule), codes(task.sum->rule.code) {}

  static constexpr bool adds = true;

  template <int part>
  HALFEVEN_INLINE __m512i sum_of(__m512i q, __m512i other) const {
    return sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(q, part)), _mm512_extracti32x4_epi32(other, part));
  }

  HALFEVEN_INLINE __m512i operator()(const __m512i (&q)[4], __m512i other) const {
    const __m512i x = own.in_order(q[0], q[1], q[2], q[3]);
    return codes.in_order(sum_of<0>(x, other), sum_of<1>(x, other), sum_of<2>(x, other), sum_of<3>(x, other));
  }

  CodeVectors own;
  SumVectors sum;
  CodeVectors codes;
};

// The same by pairs of 16-bit words, see WordSum: half the operations.
struct AddedWords {
  explicit AddedWords(const IgemmTask& task)
      : lo(_mm512_set1_epi16(static_cast<short>(task.rule.lo - task.rule.zero))),
        hi(_mm512_set1_epi16(static_cast<short>(task.rule.hi - task.rule.zero))),
        sum(task.sum->rule.words, task.rule.zero),
        codes(task.sum->rule.code) {}

  static constexpr bool adds = true;

  HALFEVEN_INLINE __m512i limited(__m512i a, __m512i b) const {
    return _mm512_min_epi16(_mm512_max_epi16(_mm512_packs_epi32(a, b), lo), hi);
  }

  HALFEVEN_INLINE __m512i operator()(const __m512i (&q)[4], __m512i other) const {
    // Groups of four as packs leave them, of each vector in turn.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i y = _mm512_permutexvar_epi32(order, other);
    const __m512i x0 = limited(q[0], q[1]);
    const __m512i x1 = limited(q[2], q[3]);
    const __m512i y0 = _mm512_unpacklo_epi8(y, _mm512_setzero_si512());
    const __m512i y1 = _mm512_unpackhi_epi8(y, _mm512_setzero_si512());
    return codes.in_order(sum(_mm512_unpacklo_epi16(x0, y0)), sum(_mm512_unpackhi_epi16(x0, y0)),
                          sum(_mm512_unpacklo_epi16(x1, y1)), sum(_mm512_unpackhi_epi16(x1, y1)));
  }

  __m512i lo;
  __m512i hi;
  WordSumVectors sum;
  CodeVectors codes;
};

#if defined(__AVX512VBMI__)
// A function of the codes, in four registers.
template <class Codes>
struct LookedUp {
  explicit LookedUp(const IgemmTask& task) : codes(task) {
    for (int k = 0; k < 4; ++k) table[k] = _mm512_load_si512(task.table + 64 * k);
  }

  static constexpr bool adds = Codes::adds;

  HALFEVEN_INLINE __m512i operator()(const __m512i (&q)[4], __m512i other) const {
    return looked_up(codes(q, other), table);
  }

  Codes codes;
  __m512i table[4];
};
#endif

}  // namespace
}  // namespace halfeven::native
