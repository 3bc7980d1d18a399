// vpmaddwd on operands widened to int16: exact, unlike vpmaddubsw, whose pairs saturate.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

void widen(const std::uint8_t* x, std::int64_t count, std::int16_t* out) {
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + k));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k), _mm256_cvtepu8_epi16(codes));
  }
  for (; k < count; ++k) out[k] = x[k];
}

__m256i pair_at(const std::int16_t* p) {
  std::int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  return _mm256_set1_epi32(pair);
}

template <int rows>
void sum_tile(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row) {
  const std::int64_t depth = task.taps * task.depth;
  std::int16_t* wide = static_cast<std::int16_t*>(task.scratch);
  for (int r = 0; r < rows; ++r) {
    for (std::int64_t tap = 0; tap < task.taps; ++tap) {
      const std::int64_t offset =
          task.offsets == nullptr ? (row + r) * task.row_stride : task.offsets[tap * task.offset_stride + row + r];
      widen(task.input + offset, task.depth, wide + r * depth + tap * task.depth);
    }
  }
  const __m256i* b = reinterpret_cast<const __m256i*>(static_cast<const char*>(task.weights) + panel.offset);
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.column);
  __m256i acc[rows][2];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    acc[r][0] = _mm256_loadu_si256(bias);
    acc[r][1] = _mm256_loadu_si256(bias + 1);
  }
  for (std::int64_t k = 0; k < depth; k += 2, b += 2) {
    const __m256i b0 = _mm256_loadu_si256(b);
    const __m256i b1 = _mm256_loadu_si256(b + 1);
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256i a = pair_at(wide + r * depth + k);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(a, b0));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(a, b1));
    }
  }
  for (int r = 0; r < rows; ++r) {
    std::int32_t* out = task.sums + (row - task.row_begin + r) * igemm_panel_columns;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), acc[r][0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), acc[r][1]);
  }
}

}  // namespace

void igemm_u8_u8_avx2(const IgemmTask& task) {
  const IgemmPanel& panel = task.panels[task.panel_begin];
  std::int64_t row = task.row_begin;
  for (; row + igemm_wide_rows <= task.row_end; row += igemm_wide_rows) sum_tile<6>(task, panel, row);
  switch (task.row_end - row) {
    case 5: return sum_tile<5>(task, panel, row);
    case 4: return sum_tile<4>(task, panel, row);
    case 3: return sum_tile<3>(task, panel, row);
    case 2: return sum_tile<2>(task, panel, row);
    case 1: return sum_tile<1>(task, panel, row);
    default: return;
  }
}

}  // namespace halfeven::native
