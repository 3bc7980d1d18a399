// tdpbusd: four tiles of 16x16 sums at a time, from two tiles of rows and two of weights, 64 deep. Rows at a stride are
// loaded from where they are; others are gathered first, all taps of a row behind each other. A block's sums become
// codes while the tiles of the next are multiplied: they take different units of the processor.
#include <immintrin.h>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr int tile_rows = 16;                                   // at most
constexpr int block_rows = 2 * tile_rows;                       // at most
constexpr int block_columns = 2 * igemm_lanes;                  // at most, as in a panel
constexpr std::int64_t sums_stride = block_columns * 4;         // bytes
constexpr int sums_tiles = 0, row_tiles = 4, weight_tiles = 6;  // their first numbers

// The compiler sees what the tile instructions read neither of the configuration nor of memory.
HALFEVEN_INLINE void memory_as_written(const void* p) {
#if defined(__GNUC__)
  asm volatile("" : : "r"(p) : "memory");
#else
  static_cast<void>(p);
#endif
}

// Tiles of so many rows and bytes of depth, for a scope.
class Tiles {
 public:
  Tiles(int rows, std::int64_t depth) {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    static_assert(sizeof(config) == 64);
    for (int t = sums_tiles; t < weight_tiles; ++t) {
      config.row_bytes[t] = static_cast<std::uint16_t>(t < row_tiles ? 64 : depth);
      config.rows[t] = static_cast<std::uint8_t>(rows);
    }
    for (int t = weight_tiles; t < weight_tiles + 2; ++t) {
      config.row_bytes[t] = 64;
      config.rows[t] = static_cast<std::uint8_t>(depth / igemm_step);
    }
    memory_as_written(&config);
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

struct Depth {
  std::int64_t bytes;  // of a tile
  std::int64_t tiles;
};

// A block of sums on its way to codes: rows [0, rows) of `sums`, of which row r is row first[r / half] + r % half.
struct Block {
  const std::int32_t* sums;
  const IgemmPanel* panel;
  std::int64_t first[2];
  int half;
  int rows;
  int done;

  std::int64_t row(int r) const { return r < half ? first[0] + r : first[1] + r - half; }
};

// rhe(m * sums) of 16 sums in memory
HALFEVEN_INLINE __m512i rounded_at(const std::int32_t* sums, const __m512d (&m)[2]) {
  const __m512d magic = _mm512_set1_pd(0x1.8p52);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m256i* p = reinterpret_cast<const __m256i*>(sums);
  const __m512d low = _mm512_cvtepi32_pd(_mm256_load_si256(p));
  const __m512d high = _mm512_cvtepi32_pd(_mm256_load_si256(p + 1));
  const __m512i a = _mm512_castpd_si512(_mm512_fmadd_pd(low, m[0], magic));
  const __m512i b = _mm512_castpd_si512(_mm512_fmadd_pd(high, m[1], magic));
  return _mm512_permutex2var_epi32(a, even, b);
}

// 32 codes of each of two rows, behind each other.
HALFEVEN_INLINE __m512i two_rows(const std::uint8_t* a, const std::uint8_t* b, __mmask32 mask) {
  const __m512i low = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(mask, a));
  return _mm512_inserti64x4(low, _mm256_maskz_loadu_epi8(mask, b), 1);
}

// The sum of 16 codes of each, from byte 16 part on: `own` are the product's.
template <int part>
HALFEVEN_INLINE __m512i sum_of(const SumVectors& sum, __m512i own, __m512i other) {
  return sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(own, part)), _mm512_extracti32x4_epi32(other, part));
}

// Writes two rows of a block at a time.
class Writer {
 public:
  explicit Writer(const IgemmTask& task)
      : task_(task),
        codes_(task.rule),
        sum_(task.sum == nullptr ? SumRule{} : task.sum->rule),
        sum_codes_(task.sum == nullptr ? task.rule : task.sum->rule.code) {}

  // Up to `pairs` more pairs of rows.
  HALFEVEN_INLINE void write(Block& block, int pairs) const {
    if (block.done >= block.rows) return;
    const int end = block.done + 2 * pairs < block.rows ? block.done + 2 * pairs : block.rows;
    const int first = block.done;
    block.done = end;
    if (task_.sums != nullptr) return write_sums(block, first, end);
    write_codes(block, first, end);
  }

 private:
  void write_sums(const Block& block, int first, int end) const {
    for (int r = first; r < end; ++r) {
      std::int32_t* out = task_.sums + (block.row(r) - task_.row_begin) * igemm_panel_columns;
      for (int v = 0; v < block.panel->vectors; ++v) {
        _mm512_storeu_si512(out + igemm_lanes * v, _mm512_load_si512(block.sums + r * block_columns + igemm_lanes * v));
      }
    }
  }

  void write_codes(const Block& block, int first, int end) const {
    const std::int64_t column = block.panel->column;
    const std::int64_t columns = task_.columns - column;
    const __mmask32 mask = static_cast<__mmask32>(first_bytes(columns < block_columns ? columns : block_columns));
    const double* m = task_.multiplier + column;
    const int second = block.panel->vectors == 2 ? igemm_lanes : 0;  // where there is none, the first again
    const __m512d m0[2] = {_mm512_loadu_pd(m), _mm512_loadu_pd(m + 8)};
    const __m512d m1[2] = {_mm512_loadu_pd(m + second), _mm512_loadu_pd(m + second + 8)};
    for (int r = first; r < end; r += 2) {
      const int next = r + 1 < end ? r + 1 : r;
      const std::int64_t row[2] = {block.row(r), block.row(next)};
      const std::int32_t* a = block.sums + r * block_columns;
      const std::int32_t* b = block.sums + next * block_columns;
      __m512i q =
          codes_.in_order(rounded_at(a, m0), rounded_at(a + second, m1), rounded_at(b, m0), rounded_at(b + second, m1));
      if (task_.sum != nullptr) {
        const std::uint8_t* other = task_.sum->codes + column;
        const std::int64_t stride = task_.sum->stride;
        const __m512i both = two_rows(other + row[0] * stride, other + row[1] * stride, mask);
        q = sum_codes_.in_order(sum_of<0>(sum_, q, both), sum_of<1>(sum_, q, both), sum_of<2>(sum_, q, both),
                                sum_of<3>(sum_, q, both));
      }
      std::uint8_t* out = task_.out + column;
      _mm256_mask_storeu_epi8(out + row[0] * task_.out_stride, mask, _mm512_castsi512_si256(q));
      _mm256_mask_storeu_epi8(out + row[1] * task_.out_stride, mask, _mm512_extracti64x4_epi64(q, 1));
    }
  }

  const IgemmTask& task_;
  const CodeVectors codes_;
  const SumVectors sum_;
  const CodeVectors sum_codes_;
};

// Multiplies one or two tiles of rows by a panel into `sums`, and writes `last` meanwhile.
template <int halves, int vectors>
void multiply(const std::uint8_t* const (&x)[2], std::int64_t stride, const std::int8_t* w, const Depth& depth,
              const std::int32_t* bias, int half, std::int32_t* sums, const Writer& writer, Block& last) {
  constexpr std::int64_t weights_stride = vectors * 64;
  const int pairs = static_cast<int>((block_rows / 2 + depth.tiles - 1) / depth.tiles);
  _tile_loadd(0, bias, 0);  // the same in each row
  if constexpr (vectors == 2) _tile_loadd(1, bias + igemm_lanes, 0);
  if constexpr (halves == 2) _tile_loadd(2, bias, 0);
  if constexpr (halves == 2 && vectors == 2) _tile_loadd(3, bias + igemm_lanes, 0);
  for (std::int64_t k = 0; k < depth.tiles * depth.bytes; k += depth.bytes) {
    const std::int8_t* b = w + k / igemm_step * weights_stride;
    _tile_loadd(6, b, weights_stride);
    _tile_loadd(4, x[0] + k, stride);
    _tile_dpbusd(0, 4, 6);
    if constexpr (vectors == 2) {
      _tile_loadd(7, b + 64, weights_stride);
      _tile_dpbusd(1, 4, 7);
    }
    if constexpr (halves == 2) {
      _tile_loadd(5, x[1] + k, stride);
      _tile_dpbusd(2, 5, 6);
      if constexpr (vectors == 2) _tile_dpbusd(3, 5, 7);
    }
    writer.write(last, pairs);
  }
  std::int32_t* next = sums + half * block_columns;
  _tile_stored(0, sums, sums_stride);
  if constexpr (vectors == 2) _tile_stored(1, sums + igemm_lanes, sums_stride);
  if constexpr (halves == 2) _tile_stored(2, next, sums_stride);
  if constexpr (halves == 2 && vectors == 2) _tile_stored(3, next + igemm_lanes, sums_stride);
}

using Multiply = decltype(&multiply<1, 1>);
constexpr Multiply multiplies[2][2] = {{multiply<1, 1>, multiply<1, 2>}, {multiply<2, 1>, multiply<2, 2>}};

// All panels of the task over `count` rows of which row `first` is at x.
void multiply_rows(const IgemmTask& task, const Depth& depth, const std::uint8_t* x, std::int64_t stride,
                   std::int64_t first, std::int64_t count) {
  const std::int64_t blocks = (count + block_rows - 1) / block_rows;
  const int halves = count > tile_rows ? 2 : 1;
  const int half = static_cast<int>((count + blocks * halves - 1) / (blocks * halves));
  const Tiles tiles(half, depth.bytes);
  const Writer writer(task);
  alignas(64) std::int32_t sums[2][block_rows * block_columns];
  Block last{};
  int turn = 0;
  for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
    const IgemmPanel& panel = task.panels[p];
    const std::int8_t* w = static_cast<const std::int8_t*>(task.weights) + panel.offset;
    const Multiply multiply_block = multiplies[halves - 1][panel.vectors - 1];
    for (std::int64_t row = 0; row < count; row += halves * half) {
      // The last tiles begin earlier rather than reach beyond the rows: some rows are written twice, the same.
      const std::int64_t starts[2] = {row < count - half ? row : count - half,
                                      row + half < count - half ? row + half : count - half};
      const std::uint8_t* const rows[2] = {x + starts[0] * stride, x + starts[1] * stride};
      multiply_block(rows, stride, w, depth, task.bias + panel.column, half, sums[turn], writer, last);
      writer.write(last, block_rows);
      last = {sums[turn], &panel, {first + starts[0], first + starts[1]}, half, halves * half, 0};
      turn ^= 1;
    }
  }
  writer.write(last, block_rows);
}

// Rows [first, first + count) into scratch, what is under each tap behind that of the tap before. Whole vectors are
// copied: what they bring too much is written over, or meets weights of 0.
void gather(const IgemmTask& task, std::int64_t first, std::int64_t count, std::int64_t stride) {
  std::uint8_t* out = static_cast<std::uint8_t*>(task.scratch);
  for (std::int64_t r = 0; r < count; ++r) {
    std::uint8_t* to = out + r * stride;
    for (std::int64_t tap = 0; tap < task.taps; ++tap, to += task.depth) {
      const std::uint8_t* from = task.input + task.offsets[tap * task.offset_stride + first + r];
      for (std::int64_t k = 0; k < task.depth; k += 64) _mm512_storeu_si512(to + k, _mm512_loadu_si512(from + k));
    }
  }
  memory_as_written(out);
}

}  // namespace

void igemm_u8_u8_avx512_amx(const IgemmTask& task) {
  constexpr IgemmFormat format = igemm_format(Isa::avx512_amx);
  const std::int64_t packed = igemm_packed_depth(format, task.taps * task.depth);
  const Depth depth{packed < igemm_tile_depth ? packed : igemm_tile_depth,
                    (packed + igemm_tile_depth - 1) / igemm_tile_depth};
  const std::int64_t count = task.row_end - task.row_begin;
  if (task.offsets == nullptr) {
    const std::uint8_t* x = task.input + task.row_begin * task.row_stride;
    return multiply_rows(task, depth, x, task.row_stride, task.row_begin, count);
  }
  const std::int64_t stride = depth.tiles * igemm_tile_depth;
  const std::int64_t most = igemm_gathered_rows(format, task.taps * task.depth);
  for (std::int64_t row = 0; row < count; row += most) {
    const std::int64_t rows = count - row < most ? count - row : most;
    gather(task, task.row_begin + row, rows, stride);
    multiply_rows(task, depth, static_cast<const std::uint8_t*>(task.scratch), stride, task.row_begin + row, rows);
  }
}

}  // namespace halfeven::native
