// vpmaddwd on operands widened to int16: exact, unlike vpmaddubsw, whose pairs saturate. Tiles of 6x16 sums; rows are
// gathered and widened once for all panels, a panel's weights once for all rows.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/igemm/ymm_words.h"
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

__m256i words_at(const std::int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

__m256i quad_at(const std::int16_t* p) {
  std::int64_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return _mm256_set1_epi64x(quad);
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

// A panel's weights [k / 4][16][4] to words [k / 2][16][2].
void widen_weights(const std::int8_t* w, std::int64_t depth, std::int16_t* out) {
  for (std::int64_t k = 0; k < depth; k += igemm_step, w += 64, out += 64) {
    HALFEVEN_UNROLL
    for (int h = 0; h < 2; ++h) {
      // Columns 0 1 2 3, then 4 5 6 7, of four each.
      const __m256 low = _mm256_castsi256_ps(words_at(w + 32 * h));
      const __m256 high = _mm256_castsi256_ps(words_at(w + 32 * h + 16));
      const __m256i first = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));  // columns 0 1 4 5 2 3 6 7
      const __m256i second = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
      __m256i* to = reinterpret_cast<__m256i*>(out + 16 * h);
      _mm256_store_si256(to, _mm256_permute4x64_epi64(first, 0xd8));
      _mm256_store_si256(to + 2, _mm256_permute4x64_epi64(second, 0xd8));
    }
  }
}

// A panel, and where its weights are: as packed, and widened.
struct WidePanel {
  const IgemmPanel& place;
  const std::int8_t* bytes;
  const __m256i* words;
};

// Rows from `row` on, the first of which is at x.
template <int rows>
void multiply_tile(const IgemmTask& task, const WidePanel& panel, std::int64_t row, const std::int16_t* x,
                   const PanelWriter& writer) {
  const std::int64_t depth = task.taps * task.depth;
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.place.column);
  __m256i acc[rows][2];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    acc[r][0] = _mm256_loadu_si256(bias);
    acc[r][1] = _mm256_loadu_si256(bias + 1);
  }
  add_words(x, depth, depth, panel.words, acc);
  writer.write(panel.place, row, acc);
}

// The same for so few rows that weights are widened on the way: two sums a column, of every other pair.
template <int rows>
void multiply_few(const IgemmTask& task, const WidePanel& panel, std::int64_t row, const std::int16_t* x,
                  const PanelWriter& writer) {
  const std::int64_t depth = task.taps * task.depth;
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.place.column);
  __m256i halves[rows][4] = {};
  for (std::int64_t k = 0; k < depth; k += igemm_step) {
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      const __m256i w = words_at(panel.bytes + igemm_lanes * (k + v));
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        halves[r][v] = _mm256_add_epi32(halves[r][v], _mm256_madd_epi16(quad_at(x + r * depth + k), w));
      }
    }
  }
  __m256i acc[rows][2];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int h = 0; h < 2; ++h) {
      const __m256i mixed = _mm256_hadd_epi32(halves[r][2 * h], halves[r][2 * h + 1]);
      acc[r][h] = _mm256_add_epi32(_mm256_permute4x64_epi64(mixed, 0xd8), _mm256_loadu_si256(bias + h));
    }
  }
  writer.write(panel.place, row, acc);
}

void multiply_panel(const IgemmTask& task, const WidePanel& panel, std::int64_t row, std::int64_t end,
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
  const std::int64_t depth = task.taps * task.depth;
  const std::int64_t rows = igemm_gathered_rows(igemm_format(Isa::avx2), depth);
  std::int16_t* words = static_cast<std::int16_t*>(task.scratch);
  std::int16_t* wide = words + depth * igemm_lanes;
  for (std::int64_t row = task.row_begin; row < task.row_end; row += rows) {
    const std::int64_t end = row + rows < task.row_end ? row + rows : task.row_end;
    gather(task, row, end - row, wide);
    for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
      const IgemmPanel& place = task.panels[p];
      const std::int8_t* bytes = static_cast<const std::int8_t*>(task.weights) + place.offset;
      const WidePanel panel{place, bytes, reinterpret_cast<const __m256i*>(words)};
      switch (end - row) {
        case 1: multiply_few<1>(task, panel, row, wide, writer); break;
        case 2: multiply_few<2>(task, panel, row, wide, writer); break;
        default: widen_weights(bytes, depth, words); multiply_panel(task, panel, row, end, wide, writer);
      }
    }
  }
}

}  // namespace halfeven::native
