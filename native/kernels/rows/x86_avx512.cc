#include "kernels/vector/x86_codes_avx512.h"

#define HALFEVEN_ISA avx512
#define HALFEVEN_OWN_SUM
#include "kernels/rows/plain_loops.inc"

namespace halfeven::native {
namespace {

// Two of the table's parts by one bit of the codes.
__m512i either(__mmask64 bit, __m512i low, __m512i high) { return _mm512_mask_blend_epi8(bit, low, high); }

}  // namespace

// The table in 16 registers of 16 entries: the low four bits pick an entry of each, the high four pick the register.
void look_up_u8_u8_avx512(std::uint8_t* out, const std::uint8_t* x, std::int64_t count, const std::uint8_t* table) {
  __m512i parts[16];
  HALFEVEN_UNROLL
  for (int k = 0; k < 16; ++k) {
    parts[k] = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * k)));
  }
  for (std::int64_t i = 0; i < count; i += 64) {
    const __mmask64 mask = first_bytes(count - i);
    const __m512i codes = _mm512_maskz_loadu_epi8(mask, x + i);
    const __m512i low = _mm512_and_si512(codes, _mm512_set1_epi8(15));
    const __mmask64 bit4 = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(16));
    const __mmask64 bit5 = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(32));
    const __mmask64 bit6 = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(64));
    __m512i quarters[4];
    HALFEVEN_UNROLL
    for (int k = 0; k < 4; ++k) {
      const __m512i a = _mm512_shuffle_epi8(parts[4 * k], low);
      const __m512i b = _mm512_shuffle_epi8(parts[4 * k + 1], low);
      const __m512i c = _mm512_shuffle_epi8(parts[4 * k + 2], low);
      const __m512i d = _mm512_shuffle_epi8(parts[4 * k + 3], low);
      quarters[k] = either(bit5, either(bit4, a, b), either(bit4, c, d));
    }
    const __m512i first = either(bit6, quarters[0], quarters[1]);
    const __m512i second = either(bit6, quarters[2], quarters[3]);
    _mm512_mask_storeu_epi8(out + i, mask, either(_mm512_movepi8_mask(codes), first, second));
  }
}

void sum_rows_u8_u8_avx512(const SumRows& task) {
  const SumVectors sum(task.rule);
  const CodeVectors codes(task.rule.code);
  for (std::int64_t i = 0; i < task.count; i += 64) {
    const __mmask64 mask = first_bytes(task.count - i);
    const __m512i x = _mm512_maskz_loadu_epi8(mask, task.x + i);
    const __m512i y = _mm512_maskz_loadu_epi8(mask, task.y + i);
    const __m512i a = sum(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(x)), _mm512_castsi512_si128(y));
    const __m512i b = sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(x, 1)), _mm512_extracti32x4_epi32(y, 1));
    const __m512i c = sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(x, 2)), _mm512_extracti32x4_epi32(y, 2));
    const __m512i d = sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(x, 3)), _mm512_extracti32x4_epi32(y, 3));
    _mm512_mask_storeu_epi8(task.out + i, mask, codes.in_order(a, b, c, d));
  }
}

}  // namespace halfeven::native
