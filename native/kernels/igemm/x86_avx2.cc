// vpmaddwd on operands widened to int16: exact, unlike vpmaddubsw, whose pairs saturate. Tiles of 6x16 sums; rows are
// gathered and widened once for all panels, a panel's weights once for all rows. Of each four neighbours in depth the
// first and the third are a pair, then the second and the fourth: so bytes are widened by shifts, where they lie.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/igemm/ymm_words.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx2.h"

namespace halfeven::native {
namespace {

__m128i paired(__m128i codes) {
  return _mm_shuffle_epi8(codes, _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
}

void widen(const std::uint8_t* x, std::int64_t count, std::int16_t* out) {
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + k));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k), _mm256_cvtepu8_epi16(paired(codes)));
  }
  for (; k < count; k += igemm_step) {
    std::int32_t quad;
    std::memcpy(&quad, x + k, sizeof(quad));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + k), _mm_cvtepu8_epi16(paired(_mm_cvtsi32_si128(quad))));
  }
}

// Of 8 columns of four weights each: the first pair, and the second.
__m256i first_pairs(__m256i bytes) { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
__m256i second_pairs(__m256i bytes) { return _mm256_srai_epi16(bytes, 8); }

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
void widen_weights(const __m256i* w, std::int64_t depth, __m256i* out) {
  for (std::int64_t k = 0; k < depth; k += igemm_step, w += 2, out += 4) {
    const __m256i low = _mm256_load_si256(w);
    const __m256i high = _mm256_load_si256(w + 1);
    _mm256_store_si256(out, first_pairs(low));
    _mm256_store_si256(out + 1, first_pairs(high));
    _mm256_store_si256(out + 2, second_pairs(low));
    _mm256_store_si256(out + 3, second_pairs(high));
  }
}

// A panel, and where its weights are: as packed, and widened.
struct WidePanel {
  const IgemmPanel& place;
  const __m256i* bytes;
  const __m256i* words;
};

template <int rows>
HALFEVEN_INLINE void start(const IgemmTask& task, const WidePanel& panel, __m256i (&acc)[rows][2]) {
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.place.column);
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    acc[r][0] = _mm256_loadu_si256(bias);
    acc[r][1] = _mm256_loadu_si256(bias + 1);
  }
}

// Rows from `row` on, the first of which is at x.
template <int rows>
void multiply_tile(const IgemmTask& task, const WidePanel& panel, std::int64_t row, const std::int16_t* x,
                   const PanelWriter& writer) {
  const std::int64_t depth = task.taps * task.depth;
  __m256i acc[rows][2];
  start(task, panel, acc);
  add_words(x, depth, depth, panel.words, acc);
  writer.write(panel.place, row, acc);
}

// The same for so few rows that weights are widened on the way.
template <int rows>
void multiply_few(const IgemmTask& task, const WidePanel& panel, std::int64_t row, const std::int16_t* x,
                  const PanelWriter& writer) {
  const std::int64_t depth = task.taps * task.depth;
  __m256i acc[rows][2];
  start(task, panel, acc);
  for (std::int64_t k = 0; k < depth; k += igemm_step) {
    HALFEVEN_UNROLL
    for (int h = 0; h < 2; ++h) {
      const __m256i bytes = _mm256_load_si256(panel.bytes + k / 2 + h);
      const __m256i first = first_pairs(bytes);
      const __m256i second = second_pairs(bytes);
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        acc[r][h] = add_pairs(acc[r][h], pair_at(x + r * depth + k), first);
        acc[r][h] = add_pairs(acc[r][h], pair_at(x + r * depth + k + 2), second);
      }
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
  __m256i* widened = reinterpret_cast<__m256i*>(words);
  std::int16_t* x = words + depth * igemm_lanes;
  for (std::int64_t row = task.row_begin; row < task.row_end; row += rows) {
    const std::int64_t end = row + rows < task.row_end ? row + rows : task.row_end;
    gather(task, row, end - row, x);
    for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
      const IgemmPanel& place = task.panels[p];
      const char* bytes = static_cast<const char*>(task.weights) + place.offset;
      const WidePanel panel{place, reinterpret_cast<const __m256i*>(bytes), widened};
      switch (end - row) {
        case 1: multiply_few<1>(task, panel, row, x, writer); break;
        case 2: multiply_few<2>(task, panel, row, x, writer); break;
        default: widen_weights(panel.bytes, depth, widened); multiply_panel(task, panel, row, end, x, writer);
      }
    }
  }
}

}  // namespace halfeven::native
