// From int32 sums in registers of 256 bits to u8 codes, see x86_codes_avx512.h. In an unnamed namespace, see vector/.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

// rhe(m * sums) of 8 sums, in the order 0 1 4 5 2 3 6 7
HALFEVEN_INLINE __m256i rounded_mixed(__m256i sums, __m256d m_low, __m256d m_high) {
  const __m256d magic = _mm256_set1_pd(0x1.8p52);
  const __m256d low = _mm256_fmadd_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(sums)), m_low, magic);
  const __m256d high = _mm256_fmadd_pd(_mm256_cvtepi32_pd(_mm256_extracti128_si256(sums, 1)), m_high, magic);
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high), 0x88));
}

// 16 codes of each of two rows.
struct TwoRows {
  __m128i row[2];
};

// A CodeRule in registers. The packs saturate, in order, so they only ever move codes that the clamp moves too.
struct CodeVectors {
  explicit CodeVectors(const CodeRule& rule)
      : zero(_mm256_set1_epi16(static_cast<short>(rule.zero))),
        lo(_mm256_set1_epi8(static_cast<char>(rule.lo))),
        hi(_mm256_set1_epi8(static_cast<char>(rule.hi))) {}

  // Codes of 4 x 8 rounded values, in the order that packs leave: groups of four from each vector in turn.
  __m256i interleaved(__m256i a, __m256i b, __m256i c, __m256i d) const {
    const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero);
    const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zero);
    return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(low, high), lo), hi);
  }

  // Two vectors a row, each as rounded_mixed leaves it.
  TwoRows of_mixed(__m256i a, __m256i b, __m256i c, __m256i d) const {
    const __m256i q = interleaved(a, b, c, d);
    const __m128i low = _mm256_castsi256_si128(q);
    const __m128i high = _mm256_extracti128_si256(q, 1);
    return {{_mm_unpacklo_epi16(low, high), _mm_unpackhi_epi16(low, high)}};
  }

  // Two vectors a row, in order.
  TwoRows of_ordered(__m256i a, __m256i b, __m256i c, __m256i d) const {
    const __m256i q = interleaved(a, b, c, d);
    const __m128i low = _mm256_castsi256_si128(q);
    const __m128i high = _mm256_extracti128_si256(q, 1);
    return {{_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high)}};
  }

  __m256i zero;
  __m256i lo;
  __m256i hi;
};

// rhe(a * codes + b * other + constant) of 8 codes of each
struct SumVectors {
  explicit SumVectors(const SumRule& rule)
      : a(_mm256_set1_ps(rule.a)), b(_mm256_set1_ps(rule.b)), constant(_mm256_set1_ps(rule.constant)) {}

  __m256i operator()(__m128i codes, __m128i other) const {
    const __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
    const __m256 y = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(other));
    return _mm256_cvtps_epi32(_mm256_fmadd_ps(x, a, _mm256_fmadd_ps(y, b, constant)));
  }

  __m256 a;
  __m256 b;
  __m256 constant;
};

inline __m128i second_half(__m128i v) { return _mm_unpackhi_epi64(v, v); }

inline void write_bytes(std::uint8_t* out, __m128i codes, std::int64_t count) {
  if (count >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(out), codes);
  alignas(16) std::uint8_t bytes[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(bytes), codes);
  std::memcpy(out, bytes, static_cast<std::size_t>(count));
}

// Writes rows of sums of a panel of 16 columns: as they are, or as codes.
class PanelWriter {
 public:
  explicit PanelWriter(const IgemmTask& task)
      : task_(task),
        codes_(task.rule),
        sum_(task.sum == nullptr ? SumRule{} : task.sum->rule),
        sum_codes_(task.sum == nullptr ? task.rule : task.sum->rule.code) {}

  template <int rows>
  HALFEVEN_INLINE void write(const IgemmPanel& panel, std::int64_t row, const __m256i (&acc)[rows][2]) const {
    if (task_.sums != nullptr) return write_sums(row, acc);
    const double* m = task_.multiplier + panel.column;
    const __m256d m0 = _mm256_loadu_pd(m);
    const __m256d m1 = _mm256_loadu_pd(m + 4);
    const __m256d m2 = _mm256_loadu_pd(m + 8);
    const __m256d m3 = _mm256_loadu_pd(m + 12);
    const std::int64_t columns = task_.columns - panel.column;
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; r += 2) {
      const int next = r + 1 < rows ? r + 1 : r;
      TwoRows q = codes_.of_mixed(rounded_mixed(acc[r][0], m0, m1), rounded_mixed(acc[r][1], m2, m3),
                                  rounded_mixed(acc[next][0], m0, m1), rounded_mixed(acc[next][1], m2, m3));
      if (task_.sum != nullptr) q = added(q, row + r, row + next, panel.column);
      std::uint8_t* out = task_.out + panel.column;
      write_bytes(out + (row + r) * task_.out_stride, q.row[0], columns);
      write_bytes(out + (row + next) * task_.out_stride, q.row[1], columns);
    }
  }

 private:
  template <int rows>
  HALFEVEN_INLINE void write_sums(std::int64_t row, const __m256i (&acc)[rows][2]) const {
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      std::int32_t* out = task_.sums + (row - task_.row_begin + r) * igemm_panel_columns;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), acc[r][0]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), acc[r][1]);
    }
  }

  HALFEVEN_INLINE TwoRows added(const TwoRows& own, std::int64_t row, std::int64_t next, std::int64_t column) const {
    const std::uint8_t* other = task_.sum->codes + column;
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(other + row * task_.sum->stride));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(other + next * task_.sum->stride));
    return sum_codes_.of_ordered(sum_(own.row[0], a), sum_(second_half(own.row[0]), second_half(a)),
                                 sum_(own.row[1], b), sum_(second_half(own.row[1]), second_half(b)));
  }

  const IgemmTask& task_;
  const CodeVectors codes_;
  const SumVectors sum_;
  const CodeVectors sum_codes_;
};

}  // namespace
}  // namespace halfeven::native
