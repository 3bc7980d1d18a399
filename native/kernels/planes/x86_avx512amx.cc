// tdpbusd: four tiles of 16x16 sums, of the high and of the low bytes of 16 rows by two vectors of columns, joined in
// doubles.
#include "kernels/igemm/amx_tiles.h"
#include "kernels/planes/planes.h"

namespace halfeven::native {
namespace {

constexpr int group = 64;                // words that are cut at once
constexpr std::int64_t tile_ints = 256;  // of a tile of sums

// High and low bytes of `words` words, whole vectors: what is too much is 0 or written over.
HALFEVEN_INLINE void cut_words(const std::uint8_t* from, std::int64_t words, std::uint8_t* high, std::uint8_t* low) {
  const __m512i count =
      _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
                      39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                      15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i even = _mm512_add_epi8(count, count);  // of the 128 bytes of two vectors
  const __m512i odd = _mm512_add_epi8(even, _mm512_set1_epi8(1));
  const __m512i top = _mm512_set1_epi8(static_cast<char>(0x80));
  for (std::int64_t k = 0; k < words; k += group) {
    __m512i a;
    __m512i b;
    if (words - k >= group) {
      a = _mm512_loadu_si512(from + 2 * k);
      b = _mm512_loadu_si512(from + 2 * k + 64);
    } else {
      const std::uint64_t left = (std::uint64_t{1} << (words - k)) - 1;  // a bit a word
      a = _mm512_maskz_loadu_epi16(static_cast<__mmask32>(left), from + 2 * k);
      b = _mm512_maskz_loadu_epi16(static_cast<__mmask32>(left >> 32), from + 2 * k + 64);
    }
    _mm512_storeu_si512(high + k, _mm512_xor_si512(_mm512_permutex2var_epi8(a, odd, b), top));
    _mm512_storeu_si512(low + k, _mm512_permutex2var_epi8(a, even, b));
  }
}

// Rows [first, first + count) of the task, all taps behind each other.
void cut_rows(const PlanesTask& task, std::int64_t first, std::int64_t count, std::int64_t row_bytes,
              std::uint8_t* high, std::uint8_t* low) {
  for (std::int64_t row = first; row < first + count; ++row, high += row_bytes, low += row_bytes) {
    for (std::int64_t tap = 0; tap < task.taps; ++tap) {
      const std::int64_t at =
          task.offsets == nullptr ? row * task.row_stride : task.offsets[tap * task.offset_stride + row];
      cut_words(task.input + at, task.depth, high + tap * task.depth, low + tap * task.depth);
    }
  }
}

struct Planes {
  const std::uint8_t* high;
  const std::uint8_t* low;
  std::int64_t stride;
  std::int64_t tiles;
  std::int64_t depth;  // bytes of a tile
};

// Sums of a tile's rows by a panel: [plane][vector] tiles of [16][16].
template <int vectors>
void multiply(const Planes& rows, const std::int8_t* w, std::int32_t* sums) {
  const std::int64_t step = rows.depth * igemm_lanes;
  const std::int8_t* second = w + rows.tiles * step;
  const std::uint8_t* high = rows.high;
  const std::uint8_t* low = rows.low;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t k = 0; k < rows.tiles; ++k) {
    _tile_loadd(4, high, rows.stride);
    _tile_loadd(6, w, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(5, low, rows.stride);
    _tile_dpbusd(2, 5, 6);
    if constexpr (vectors == 2) {
      _tile_loadd(7, second, 64);
      _tile_dpbusd(1, 4, 7);
      _tile_dpbusd(3, 5, 7);
    }
    high += rows.depth;
    low += rows.depth;
    w += step;
    second += step;
  }
  _tile_stored(0, sums, 64);
  _tile_stored(2, sums + 2 * tile_ints, 64);
  if constexpr (vectors == 2) {
    _tile_stored(1, sums + tile_ints, 64);
    _tile_stored(3, sums + 3 * tile_ints, 64);
  }
}

// From sums of both planes to codes of 16 columns.
class Joined {
 public:
  explicit Joined(const PlanesTask& task)
      : lo_(_mm512_set1_pd(task.rule.lo - task.rule.zero + magic)),
        hi_(_mm512_set1_pd(task.rule.hi - task.rule.zero + magic)),
        zero_(_mm512_set1_epi32(task.rule.zero)),
        bytes_(task.bytes) {}

  HALFEVEN_INLINE void write(const std::int32_t* high, const std::int32_t* low, const __m512d (&bias)[2],
                             const __m512d (&m)[2], __mmask16 mask, std::uint8_t* out) const {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i a = half(high, low, bias[0], m[0]);
    const __m512i b = half(high + 8, low + 8, bias[1], m[1]);
    const __m512i q = _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), zero_);
    if (bytes_) {
      _mm512_mask_cvtepi32_storeu_epi8(out, mask, q);
    } else {
      _mm512_mask_cvtepi32_storeu_epi16(out, mask, q);
    }
  }

 private:
  static constexpr double magic = 0x1.8p52;  // adding it rounds to an integer, half to even, in the low bits

  HALFEVEN_INLINE __m512i half(const std::int32_t* high, const std::int32_t* low, __m512d bias, __m512d m) const {
    const __m512d h = _mm512_cvtepi32_pd(_mm256_load_si256(reinterpret_cast<const __m256i*>(high)));
    const __m512d l = _mm512_cvtepi32_pd(_mm256_load_si256(reinterpret_cast<const __m256i*>(low)));
    const __m512d sum = _mm512_fmadd_pd(h, _mm512_set1_pd(256), _mm512_add_pd(l, bias));
    const __m512d rounded = _mm512_fmadd_pd(sum, m, _mm512_set1_pd(magic));
    return _mm512_castpd_si512(_mm512_min_pd(_mm512_max_pd(rounded, lo_), hi_));
  }

  __m512d lo_;
  __m512d hi_;
  __m512i zero_;
  bool bytes_;
};

// Codes of `rows` rows from `row` on by a panel.
void write_codes(const PlanesTask& task, const Joined& joined, const IgemmPanel& panel, const std::int32_t* sums,
                 std::int64_t row, int rows) {
  const std::int64_t item = task.bytes ? 1 : 2;
  for (int v = 0; v < panel.vectors; ++v) {
    const std::int64_t column = panel.column + v * igemm_lanes;
    const std::int64_t left = task.columns - column;
    const __mmask16 mask = static_cast<__mmask16>(left >= igemm_lanes ? 0xffff : (1 << left) - 1);
    const __m512d bias[2] = {_mm512_loadu_pd(task.bias + column), _mm512_loadu_pd(task.bias + column + 8)};
    const __m512d m[2] = {_mm512_loadu_pd(task.multiplier + column), _mm512_loadu_pd(task.multiplier + column + 8)};
    const std::int32_t* high = sums + v * tile_ints;
    const std::int32_t* low = high + 2 * tile_ints;
    std::uint8_t* out = task.out + row * task.out_stride + column * item;
    for (int r = 0; r < rows; ++r, high += igemm_lanes, low += igemm_lanes, out += task.out_stride) {
      joined.write(high, low, bias, m, mask, out);
    }
  }
}

}  // namespace

void planes_s16_s16_avx512_amx(const PlanesTask& task) {
  constexpr IgemmFormat format = igemm_format(Isa::avx512_amx);
  const std::int64_t packed = igemm_packed_depth(format, task.taps * task.depth);
  const std::int64_t row_bytes = planes_row_bytes(task.taps, task.depth);
  const std::int64_t most = planes_rows(task.taps, task.depth);
  std::uint8_t* high = static_cast<std::uint8_t*>(task.scratch);
  std::uint8_t* low = high + most * row_bytes + igemm_slack;
  alignas(64) std::int32_t sums[4 * tile_ints];
  const Joined joined(task);
  for (std::int64_t row = task.row_begin; row < task.row_end; row += most) {
    const std::int64_t count = task.row_end - row < most ? task.row_end - row : most;
    cut_rows(task, row, count, row_bytes, high, low);
    memory_as_written(task.scratch);
    // Tiles of the same number of rows: the last begins earlier rather than reach beyond.
    const std::int64_t tiles = (count + tile_rows - 1) / tile_rows;
    const int rows = static_cast<int>((count + tiles - 1) / tiles);
    const std::int64_t depth = packed < igemm_tile_depth ? packed : igemm_tile_depth;
    const Tiles configured(rows, depth);
    for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
      const IgemmPanel& panel = task.panels[p];
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t first = t * rows < count - rows ? t * rows : count - rows;
        const Planes planes{high + first * row_bytes, low + first * row_bytes, row_bytes, row_bytes / igemm_tile_depth,
                            depth};
        (panel.vectors == 2 ? multiply<2> : multiply<1>)(planes, task.weights + panel.offset, sums);
        memory_as_written(sums);
        write_codes(task, joined, panel, sums, row + first, rows);
      }
    }
  }
}

}  // namespace halfeven::native
