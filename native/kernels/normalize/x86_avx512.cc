#define HALFEVEN_ISA avx512
#define HALFEVEN_OWN_NORMALIZE
#include "kernels/normalize/plain_loops.inc"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr int lanes = 8;

struct Totals {
  std::int64_t sum;
  std::int64_t squares;
};

Totals totals_of(const std::uint8_t* x, std::int64_t count) {
  __m512i sums = _mm512_setzero_si512();
  __m512i squares = _mm512_setzero_si512();  // int64: pairs of squares stay below 2^18, and are widened at once
  for (std::int64_t i = 0; i < count; i += 32) {
    const __mmask32 mask = static_cast<__mmask32>(first_bytes(count - i));
    const __m512i codes = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, x + i));
    sums = _mm512_add_epi64(sums, _mm512_sad_epu8(codes, _mm512_setzero_si512()));
    const __m512i pairs = _mm512_madd_epi16(codes, codes);
    squares = _mm512_add_epi64(squares, _mm512_and_si512(pairs, _mm512_set1_epi64(0xffffffff)));
    squares = _mm512_add_epi64(squares, _mm512_srli_epi64(pairs, 32));
  }
  return {_mm512_reduce_add_epi64(sums), _mm512_reduce_add_epi64(squares)};
}

// Sums of 16 lanes stay below 2^31: rows of words are shorter than 2^15.
Totals totals_of(const std::int16_t* x, std::int64_t count) {
  __m512i sums = _mm512_setzero_si512();
  __m512i squares = _mm512_setzero_si512();  // pairs of squares are at most 2^31, unsigned
  for (std::int64_t i = 0; i < count; i += 32) {
    const __mmask32 mask = static_cast<__mmask32>(first_bytes(count - i));
    const __m512i codes = _mm512_maskz_loadu_epi16(mask, x + i);
    sums = _mm512_add_epi32(sums, _mm512_madd_epi16(codes, _mm512_set1_epi16(1)));
    const __m512i pairs = _mm512_madd_epi16(codes, codes);
    squares = _mm512_add_epi64(squares, _mm512_and_si512(pairs, _mm512_set1_epi64(0xffffffff)));
    squares = _mm512_add_epi64(squares, _mm512_srli_epi64(pairs, 32));
  }
  return {_mm512_reduce_add_epi32(sums), _mm512_reduce_add_epi64(squares)};
}

HALFEVEN_INLINE __m512i eight_at(const std::uint8_t* x, __mmask8 mask) {
  return _mm512_cvtepu8_epi64(_mm_maskz_loadu_epi8(mask, x));
}

HALFEVEN_INLINE __m512i eight_at(const std::int16_t* x, __mmask8 mask) {
  return _mm512_cvtepi16_epi64(_mm_maskz_loadu_epi16(mask, x));
}

HALFEVEN_INLINE void write_eight(std::uint8_t* y, __mmask8 mask, __m512i codes) {
  _mm512_mask_cvtepi64_storeu_epi8(y, mask, codes);
}

HALFEVEN_INLINE void write_eight(std::int16_t* y, __mmask8 mask, __m512i codes) {
  _mm512_mask_cvtepi64_storeu_epi16(y, mask, codes);
}

// rhe(v / 2^shift), shift > 0
struct Shift {
  explicit Shift(int shift)
      : count(_mm_cvtsi32_si128(shift)), below_half(_mm512_set1_epi64((std::int64_t{1} << (shift - 1)) - 1)) {}

  HALFEVEN_INLINE __m512i operator()(__m512i v) const {
    const __m512i odd = _mm512_and_si512(_mm512_sra_epi64(v, count), _mm512_set1_epi64(1));
    return _mm512_sra_epi64(_mm512_add_epi64(_mm512_add_epi64(v, below_half), odd), count);
  }

  __m128i count;
  __m512i below_half;
};

// The products of 31 bits each are one multiplication of the low halves.
template <class Code>
void write_row(const NormalizeRows& task, const RowFactor& row, const Code* x, Code* y) {
  const __m512i n = _mm512_set1_epi64(task.count);
  const __m512i sum = _mm512_set1_epi64(row.sum);
  const __m512i reciprocal = _mm512_set1_epi64(row.reciprocal);
  const Shift first(row.shift);
  const Shift second(task.shift);
  const __m512i zero = _mm512_set1_epi64(task.code.zero);
  const __m512i lo = _mm512_set1_epi64(task.code.lo);
  const __m512i hi = _mm512_set1_epi64(task.code.hi);
  for (std::int64_t i = 0; i < task.count; i += lanes) {
    const __mmask8 mask = static_cast<__mmask8>(first_bytes(task.count - i));
    const __m512i d = _mm512_sub_epi64(_mm512_mul_epi32(eight_at(x + i, mask), n), sum);
    const __m512i t = first(_mm512_mul_epi32(d, reciprocal));
    const __m512i gain = _mm512_maskz_loadu_epi64(mask, task.gain + i);
    const __m512i offset = _mm512_maskz_loadu_epi64(mask, task.offset + i);
    const __m512i q = _mm512_add_epi64(second(_mm512_add_epi64(_mm512_mul_epi32(t, gain), offset)), zero);
    write_eight(y + i, mask, _mm512_min_epi64(_mm512_max_epi64(q, lo), hi));
  }
}

template <class Code>
void normalize_quickly(const NormalizeRows& task, const Code* x, Code* y) {
  const Totals totals = totals_of(x, task.count);
  const RowFactor row =
      row_factor(task.count, totals.sum, totals.squares, task.half_fraction, task.epsilon, task.fraction);
  const bool narrow = task.small_gain && task.shift > 0 && row.shift > 0 && row.reciprocal < std::int64_t{1} << 31;
  if (narrow) {
    write_row(task, row, x, y);
  } else {
    normalize_row(task, x, y);
  }
}

}  // namespace

void normalize_rows_u8_u8_avx512(const NormalizeRows& task) {
  for_each_row<std::uint8_t>(task, normalize_quickly<std::uint8_t>);
}

void normalize_rows_s16_s16_avx512(const NormalizeRows& task) {
  for_each_row<std::int16_t>(task, normalize_quickly<std::int16_t>);
}

}  // namespace halfeven::native
