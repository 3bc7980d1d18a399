// vpmaddwd on operands widened to int16: exact, unlike vpmaddubsw, whose pairs saturate. Tiles of 6x16 sums; rows are
// gathered and widened once for all panels.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx2.h"

namespace halfeven::native {
namespace {

void widen(const std::uint8_t* x, std::int64_t count, std::int16_t* out) {
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + k));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k), _mm256_cvtepu8_epi16(codes));
  }
  for (; k < count; k += igemm_step) {
    std::int32_t quad;
    std::memcpy(&quad, x + k, sizeof(quad));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + k), _mm_cvtepu8_epi16(_mm_cvtsi32_si128(quad)));
  }
}

void gather(const IgemmTask& task, std::int64_t first, std::int64_t count, std::int16_t* out) {
  for (std::int64_t row = first; row < first + count; ++row) {
    for (std::int64_t tap = 0; tap < task.taps; ++tap, out += task.depth) {
      const std::int64_t offset =
          task.offsets == nullptr ? row * task.row_stride : task.offsets[tap * task.offset_stride + row];
      widen(task.input + offset, task.depth, out);
    }
  }
}

__m256i pair_at(const std::int16_t* p) {
  std::int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  return _mm256_set1_epi32(pair);
}

// Rows from `row` on, the first of which is at x.
template <int rows>
void multiply_tile(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row, const std::int16_t* x,
                   const PanelWriter& writer) {
  const std::int64_t depth = task.taps * task.depth;
  const __m256i* b = reinterpret_cast<const __m256i*>(static_cast<const char*>(task.weights) + panel.offset);
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.column);
  __m256i acc[rows][2];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    acc[r][0] = _mm256_loadu_si256(bias);
    acc[r][1] = _mm256_loadu_si256(bias + 1);
  }
  for (std::int64_t k = 0; k < depth; k += 2, b += 2) {
    const __m256i b0 = _mm256_load_si256(b);
    const __m256i b1 = _mm256_load_si256(b + 1);
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256i a = pair_at(x + r * depth + k);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(a, b0));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(a, b1));
    }
  }
  writer.write(panel, row, acc);
}

void multiply_panel(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row, std::int64_t end,
                    const std::int16_t* x, const PanelWriter& writer) {
  const std::int64_t tile = 6 * task.taps * task.depth;
  for (; row + 6 <= end; row += 6, x += tile) multiply_tile<6>(task, panel, row, x, writer);
  switch (end - row) {
    case 5: return multiply_tile<5>(task, panel, row, x, writer);
    case 4: return multiply_tile<4>(task, panel, row, x, writer);
    case 3: return multiply_tile<3>(task, panel, row, x, writer);
    case 2: return multiply_tile<2>(task, panel, row, x, writer);
    case 1: return multiply_tile<1>(task, panel, row, x, writer);
    default: return;
  }
}

}  // namespace

void igemm_u8_u8_avx2(const IgemmTask& task) {
  const PanelWriter writer(task);
  const std::int64_t rows = igemm_gathered_rows(igemm_format(Isa::avx2), task.taps * task.depth);
  std::int16_t* wide = static_cast<std::int16_t*>(task.scratch);
  for (std::int64_t row = task.row_begin; row < task.row_end; row += rows) {
    const std::int64_t end = row + rows < task.row_end ? row + rows : task.row_end;
    gather(task, row, end - row, wide);
    for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
      multiply_panel(task, task.panels[p], row, end, wide, writer);
    }
  }
}

}  // namespace halfeven::native
