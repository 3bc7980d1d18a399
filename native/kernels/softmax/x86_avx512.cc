#include <bit>

#include "kernels/softmax/row.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t block = 64;
constexpr std::int64_t words = 32;
constexpr int lanes = 16;

__m512i load_codes(__mmask16 mask, const std::uint8_t* x) {
  return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, x));
}

__m512i load_codes(__mmask16 mask, const std::int16_t* x) {
  return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, x));
}

int largest_of(const std::uint8_t* x, std::int64_t count) {
  __m512i most = _mm512_setzero_si512();
  for (std::int64_t i = 0; i < count; i += block) {
    most = _mm512_max_epu8(most, _mm512_maskz_loadu_epi8(first_bytes(count - i), x + i));
  }
  const __m256i half = _mm256_max_epu8(_mm512_castsi512_si256(most), _mm512_extracti64x4_epi64(most, 1));
  __m128i quarter = _mm_max_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  // The smallest of the complements: a minimum across eight words is one instruction.
  quarter = _mm_xor_si128(quarter, _mm_set1_epi8(-1));
  quarter = _mm_min_epu8(quarter, _mm_srli_epi16(quarter, 8));
  const __m128i words = _mm_and_si128(quarter, _mm_set1_epi16(255));
  return 255 - (_mm_cvtsi128_si32(_mm_minpos_epu16(words)) & 255);  // above it lies its place
}

int largest_of(const std::int16_t* x, std::int64_t count) {
  const __m512i lowest = _mm512_set1_epi16(-32768);
  __m512i most = lowest;
  for (std::int64_t i = 0; i < count; i += words) {
    const auto mask = static_cast<__mmask32>(first_bytes(count - i));
    most = _mm512_max_epi16(most, _mm512_mask_loadu_epi16(lowest, mask, x + i));
  }
  const __m512i left = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(most));
  const __m512i right = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(most, 1));
  return _mm512_reduce_max_epi32(_mm512_max_epi32(left, right));
}

__mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>(count >= lanes ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

// Writes each code's exponential to the scratch, 0 behind the end; returns their sum.
template <class In>
std::int64_t exponentials_of(const SoftmaxRows& task, const In* x) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  const __m512i top = _mm512_set1_epi32(largest_of(x, task.count));
  for (std::int64_t i = 0; i < task.count; i += lanes) {
    const __mmask16 mask = first_lanes(task.count - i);
    const __m512i codes = load_codes(mask, x + i);
    const __m512i e =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, _mm512_sub_epi32(top, codes), task.exponentials, 4);
    even = _mm512_add_epi64(even, _mm512_and_si512(e, _mm512_set1_epi64(0xffffffff)));
    odd = _mm512_add_epi64(odd, _mm512_srli_epi64(e, 32));
    _mm512_storeu_si512(task.scratch + i, e);
  }
  return _mm512_reduce_add_epi64(_mm512_add_epi64(even, odd));
}

struct Rounded {
  __m512i whole;
  __mmask16 unsure;
};

// The nearest integers of 16 quotients, and which of them are too near to a tie.
HALFEVEN_INLINE Rounded quotients(const std::uint32_t* e, __m512d ratio) {
  const __m512d magic = _mm512_set1_pd(softmax_magic);
  const __m512d reach = _mm512_set1_pd(softmax_reach);
  const __m512d sure = _mm512_set1_pd(softmax_sure);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i all = _mm512_loadu_si512(e);
  const __m512d a = _mm512_min_pd(_mm512_mul_pd(_mm512_cvtepu32_pd(_mm512_castsi512_si256(all)), ratio), reach);
  const __m512d b = _mm512_min_pd(_mm512_mul_pd(_mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(all, 1)), ratio), reach);
  const __m512d s = _mm512_add_pd(a, magic);
  const __m512d t = _mm512_add_pd(b, magic);
  const __mmask8 low = _mm512_cmp_pd_mask(_mm512_abs_pd(_mm512_sub_pd(a, _mm512_sub_pd(s, magic))), sure, _CMP_NLT_UQ);
  const __mmask8 high = _mm512_cmp_pd_mask(_mm512_abs_pd(_mm512_sub_pd(b, _mm512_sub_pd(t, magic))), sure, _CMP_NLT_UQ);
  return {_mm512_permutex2var_epi32(_mm512_castpd_si512(s), even, _mm512_castpd_si512(t)),
          static_cast<__mmask16>(low | high << 8)};
}

void codes_of(const SoftmaxRows& task, std::int64_t sum, std::uint8_t* y) {
  const __m512d ratio = _mm512_set1_pd(softmax_ratio(task, sum));
  const CodeVectors codes(task.code);
  for (std::int64_t i = 0; i < task.count; i += block) {
    Rounded q[4];
    HALFEVEN_UNROLL
    for (int k = 0; k < 4; ++k) q[k] = quotients(task.scratch + i + lanes * k, ratio);
    const __mmask64 mask = first_bytes(task.count - i);
    _mm512_mask_storeu_epi8(y + i, mask, codes.in_order(q[0].whole, q[1].whole, q[2].whole, q[3].whole));
    const std::uint64_t unsure = std::uint64_t{q[0].unsure} | std::uint64_t{q[1].unsure} << 16 |
                                 std::uint64_t{q[2].unsure} << 32 | std::uint64_t{q[3].unsure} << 48;
    for (std::uint64_t left = unsure & mask; left != 0; left &= left - 1) {
      const std::int64_t at = i + std::countr_zero(left);
      y[at] = static_cast<std::uint8_t>(softmax_exactly(task, task.scratch[at], sum));
    }
  }
}

void codes_of(const SoftmaxRows& task, std::int64_t sum, std::int16_t* y) {
  const __m512d ratio = _mm512_set1_pd(softmax_ratio(task, sum));
  const __m512i zero = _mm512_set1_epi32(task.code.zero);
  const __m512i lo = _mm512_set1_epi32(task.code.lo);
  const __m512i hi = _mm512_set1_epi32(task.code.hi);
  for (std::int64_t i = 0; i < task.count; i += lanes) {
    const Rounded q = quotients(task.scratch + i, ratio);
    const __mmask16 mask = first_lanes(task.count - i);
    const __m512i code = _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(q.whole, zero), lo), hi);
    _mm512_mask_cvtepi32_storeu_epi16(y + i, mask, code);
    for (std::uint32_t left = q.unsure & mask; left != 0; left &= left - 1) {
      const std::int64_t at = i + std::countr_zero(left);
      y[at] = static_cast<std::int16_t>(softmax_exactly(task, task.scratch[at], sum));
    }
  }
}

template <class In, class Out>
void softmax_rows(const SoftmaxRows& task) {
  for (std::int64_t r = 0; r < task.rows; ++r) {
    codes_of(task, exponentials_of(task, softmax_x<In>(task, r)), softmax_y<Out>(task, r));
  }
}

}  // namespace

void softmax_rows_u8_u8_avx512(const SoftmaxRows& task) { softmax_rows<std::uint8_t, std::uint8_t>(task); }
void softmax_rows_u8_s16_avx512(const SoftmaxRows& task) { softmax_rows<std::uint8_t, std::int16_t>(task); }
void softmax_rows_s16_u8_avx512(const SoftmaxRows& task) { softmax_rows<std::int16_t, std::uint8_t>(task); }
void softmax_rows_s16_s16_avx512(const SoftmaxRows& task) { softmax_rows<std::int16_t, std::int16_t>(task); }

}  // namespace halfeven::native
