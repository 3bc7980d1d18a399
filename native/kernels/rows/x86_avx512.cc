#include "kernels/vector/x86_codes_avx512.h"

#define HALFEVEN_ISA avx512
#define HALFEVEN_OWN_SUM
#include "kernels/rows/plain_loops.inc"

namespace halfeven::native {

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
